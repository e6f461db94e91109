package server_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"readout/server/servertest"
)

// The rows B1 to B23 of PROMISES 4: what Readout answers to bad pushes. One row
// is one case; the whole service answers it. Where DESIGN and the row differ,
// DESIGN holds, and a comment says how.

// pushed is any body that answers a push.
type pushed struct {
	Stored   int
	ID       string
	URL      string
	Rejected []struct {
		Index   int
		Code    string
		Message string
	}
	Error struct{ Code, Message string }
}

func readPushed(t *testing.T, body string) pushed {
	t.Helper()
	var p pushed
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatalf("the answer is not JSON: %v: %s", err, body)
	}
	return p
}

// kept returns the first value of each reading that a topic holds: 1 2 3.
func kept(t *testing.T, s *servertest.Server, topic string) string {
	t.Helper()
	a := s.Do(http.MethodGet, "/t/"+topic+"?format=json", "")
	var held struct{ Rows [][]any }
	if err := json.Unmarshal([]byte(a.Body), &held); err != nil || a.Status != http.StatusOK {
		t.Fatalf("%s: %d %s", topic, a.Status, a.Body)
	}
	var values []string
	for _, row := range held.Rows {
		values = append(values, fmt.Sprint(row[1]))
	}
	return strings.Join(values, " ")
}

func gzipped(plain string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, plain)
	_ = w.Close()
	return b.String()
}

const readingsPath = "/api/v1/readings"

// pushRow is one request. $T in path and body is a topic of its own, so that a
// row can look at what was stored; an unset path is that of many readings and
// an unset type is JSON.
type pushRow struct {
	name     string
	path     string
	header   []string
	body     string
	status   int
	code     string // of the whole request
	message  string // a part of its message
	rejected string // index:code of each refused reading
	kept     string // values that the topic holds afterwards
}

func ms(ahead time.Duration) string {
	return strconv.FormatInt(time.Now().Add(ahead).UnixMilli(), 10)
}

func pushRows() []pushRow {
	const one = `{"topic":"$T","value":1}`
	typed := func(kind string) []string { return []string{"Content-Type", kind} }
	packed := func(coding string) []string {
		return []string{"Content-Type", "application/json", "Content-Encoding", coding}
	}
	timed := func(t string) string { return `[{"topic":"$T","t":` + t + `,"value":1},{"topic":"$T","value":2}]` }
	named := func(name string) string {
		quoted, _ := json.Marshal(name)
		return `[{"topic":` + string(quoted) + `,"value":1},{"topic":"$T","value":2}]`
	}
	rows := []pushRow{
		{name: "B1 empty body", body: "", status: 400, code: "empty_body"},
		{name: "B1 white space", body: " \r\n", status: 400, code: "empty_body"},
		{name: "B1 empty body of one topic", path: "/t/$T", body: "", status: 400, code: "empty_body"},
		{name: "B2 null", body: "null", status: 400, code: "bad_json"},
		{name: "B2 no readings", body: "[]", status: 200},
		{name: "B2 text", body: `"x"`, status: 400, code: "bad_json"},
		{name: "B2 number", body: "1", status: 400, code: "bad_json"},
		{name: "B3 truncated", body: `[` + one + `,{"to`, status: 400, code: "bad_json", message: "at byte "},
		{name: "B3 truncated in a number", body: `{"topic":"$T","value":1`, status: 400, code: "bad_json", message: "at byte "},
		{name: "B4 second document", body: one + one, status: 400, code: "bad_json"},
		{name: "B4 documents in lines", header: typed("application/x-ndjson"), body: one + "\n" + one, status: 200, kept: "1 1"},
		{name: "B4 lines called JSON", body: one + "\n" + one, status: 400, code: "bad_json"},
		{name: "B5 byte order mark", body: "\xef\xbb\xbf" + one, status: 200, kept: "1"},
		{name: "B5 byte order mark twice", body: "\xef\xbb\xbf\xef\xbb\xbf" + one, status: 400, code: "bad_json"},
		{name: "B6 label not UTF-8", body: `[{"topic":"x{a=\"` + "\xff" + `\"}","value":1},` + one + `]`, status: 422, code: "rejected", rejected: "0:bad_utf8", kept: "1"},
		{name: "B6 topic not UTF-8", body: `[{"topic":"x` + "\xc3\x28" + `","value":1},` + one + `]`, status: 422, code: "rejected", rejected: "0:bad_utf8", kept: "1"},
		{name: "B6 overlong slash", body: `[{"topic":"x` + "\xc0\xaf" + `","value":1},` + one + `]`, status: 422, code: "rejected", rejected: "0:bad_utf8", kept: "1"},
		{name: "B6 label of one topic", path: "/t/$T?a=%ff", body: "1", status: 422, code: "bad_utf8"},
		{name: "B7 lone surrogate", body: `[{"topic":"x{a=\"\ud800\"}","value":1},` + one + `]`, status: 422, code: "rejected", rejected: "0:bad_utf8", kept: "1"},
		{name: "B7 surrogates in the wrong order", body: `[{"topic":"$T","value":"\udc00\ud800"},` + one + `]`, status: 422, code: "rejected", rejected: "0:bad_utf8", kept: "1"},
		{name: "B8 key twice", body: `{"topic":"$T","value":1,"value":2}`, status: 400, code: "duplicate_key"},
		{name: "B8 value name twice", body: `{"topic":"$T","values":{"a":1,"a":2}}`, status: 400, code: "duplicate_key"},
		{name: "B8 key in capitals", body: `{"TOPIC":"$T","value":1}`, status: 400, code: "unknown_field", message: "TOPIC"},
		{name: "B9 unknown field", body: `{"topic":"$T","value":1,"host":"a"}`, status: 400, code: "unknown_field", message: "host"},
		{name: "B10 NaN", body: `{"topic":"$T","value":NaN}`, status: 400, code: "bad_json"},
		{name: "B10 Infinity", body: `{"topic":"$T","value":-Infinity}`, status: 400, code: "bad_json"},
		{name: "B10 1e400", body: `[{"topic":"$T","value":1e400},` + one + `]`, status: 422, code: "rejected", rejected: "0:not_a_number", kept: "1"},
		// PROMISES B10 refuses "1". DESIGN 1 has texts as values, and DESIGN 3 stores
		// a text that parses as a number as that number.
		{name: "B10 number in quotes", body: `{"topic":"$T","value":"1"}`, status: 200, kept: "1"},
		{name: "B10 null", body: `[{"topic":"$T","value":null},` + one + `]`, status: 422, code: "rejected", rejected: "0:no_values", kept: "1"},
		{name: "B10 NaN of one topic", path: "/t/$T", body: "NaN", status: 422, code: "not_a_number"},
		{name: "B10 hexadecimal of one topic", path: "/t/$T", body: "0x1p-2", status: 422, code: "not_a_number"},
		{name: "B10 underscore of one topic", path: "/t/$T", body: "1_000", status: 422, code: "not_a_number"},
		// PROMISES B11 has counters as text that must be exact; DESIGN 3 stores
		// counters as they are sent, as float64.
		{name: "B11 integer above 2^53", body: `{"topic":"$T","value":9007199254740993}`, status: 200, kept: "9.007199254740992e+15"},
		{name: "B13 label of 10 MB", body: `{"topic":"$T{a=\"` + strings.Repeat("y", 10<<20) + `\"}","value":1}`, status: 413, code: "too_large"},
		{name: "B13 label of 512 KB", body: `[{"topic":"x{a=\"` + strings.Repeat("y", 512<<10) + `\"}","value":1},` + one + `]`, status: 422, code: "rejected", rejected: "0:bad_topic", kept: "1"},
		{name: "B13 label of 1025 bytes", body: `[{"topic":"x{a=\"` + strings.Repeat("y", 1025) + `\"}","value":1},` + one + `]`, status: 422, code: "rejected", rejected: "0:bad_topic", kept: "1"},
		{name: "B15 a time of one topic", path: "/t/$T", header: []string{"Readout-Time", "-5"}, body: "1", status: 422, code: "bad_time"},
		{name: "B16 10,001 readings", body: "[" + strings.Repeat("{},", 10_000) + "{}]", status: 413, code: "too_many"},
		// A million of them do not fit into the 8 MiB of an inflated body, so that
		// the size is refused before the count.
		{name: "B16 1,000,001 readings", header: packed("gzip"), body: gzipped("[" + strings.Repeat(`{"topic":"a"},`, 1_000_000) + "{}]"), status: 413, code: "too_large"},
		{name: "B17 text", header: typed("text/plain"), body: one, status: 415, code: "unsupported_type"},
		{name: "B17 no type", header: typed(""), body: one, status: 415, code: "unsupported_type"},
		{name: "B17 form", header: typed("application/x-www-form-urlencoded"), body: one, status: 415, code: "unsupported_type"},
		// PROMISES B17 refuses text; DESIGN 5 has the body of /t/ judged by its first
		// byte whatever the type, since curl -d says form.
		{name: "B17 text to one topic", path: "/t/$T", header: typed("text/plain"), body: "1", status: 200, kept: "1"},
		{name: "B17 form to one topic", path: "/t/$T", header: typed("application/x-www-form-urlencoded"), body: "1", status: 200, kept: "1"},
		{name: "B17 object called text", path: "/t/$T", header: typed("text/plain"), body: `{"n":1}`, status: 200, kept: "1"},
		{name: "B21 plain called gzip", header: packed("gzip"), body: one, status: 400, code: "bad_encoding"},
		{name: "B21 gzip twice", header: packed("gzip, gzip"), body: gzipped(gzipped(one)), status: 415, code: "unsupported_encoding"},
		{name: "B21 br", header: packed("br"), body: one, status: 415, code: "unsupported_encoding"},
		{name: "B21 deflate", header: packed("deflate"), body: one, status: 415, code: "unsupported_encoding"},
		{name: "B21 gzip cut short", header: packed("gzip"), body: gzipped(one)[:20], status: 400, code: "bad_encoding"},
		{name: "B21 plain called zstd", header: packed("zstd"), body: one, status: 400, code: "bad_encoding"},
	}
	// DESIGN 1 differs from PROMISES B14: a name may also begin with _ or :, and
	// 200 bytes bound the name, not the topic with its labels.
	for name, topic := range map[string]string{
		"empty": "", "201 bytes": strings.Repeat("a", 201), "control character": "a\x01", "line break": "a\r\nb", "braces": "a{b}", "only braces": "{}",
		"star": "a*", "question mark": "a?", "square brackets": "a[b]", "parent": "../a", "parent inside": "a/../b", "NUL": "a\x00b",
		"only spaces": "   ", "RTL override": "a\u202eb", "leading dash": "-a", "trailing slash": "a/", "two slashes": "a//b",
	} {
		rows = append(rows, pushRow{name: "B14 " + name, body: named(topic), status: 422, code: "rejected", rejected: "0:bad_topic", kept: "2"})
	}
	for name, t := range map[string]string{
		"negative": "-1", "zero": "0", "year 9999": "253370764800000", "year 9999 in words": `"9999-01-01T00:00:00Z"`, "nanoseconds": ms(0) + "000000",
		"1 h ahead": ms(time.Hour), "11 min ahead": ms(11 * time.Minute), "older than is kept": ms(-61 * time.Minute), "fraction": "1.5", "words": `"yesterday"`, "bool": "true",
	} {
		rows = append(rows, pushRow{name: "B15 " + name, body: timed(t), status: 422, code: "rejected", rejected: "0:bad_time", kept: "2"})
	}
	for name, t := range map[string]string{"9 min ahead": ms(9 * time.Minute), "59 min ago": ms(-59 * time.Minute)} {
		rows = append(rows, pushRow{name: "B15 " + name, body: `{"topic":"$T","t":` + t + `,"value":1}`, status: 200, kept: "1"})
	}
	return rows
}

func TestBadPushes(t *testing.T) {
	s := servertest.New(t, nil)
	for i, row := range pushRows() {
		t.Run(row.name, func(t *testing.T) {
			topic := "row" + strconv.Itoa(i)
			path := row.path
			if path == "" {
				path = readingsPath
			}
			header := row.header
			if header == nil {
				header = []string{"Content-Type", "application/json"}
			}
			a := s.Do(http.MethodPost, strings.ReplaceAll(path, "$T", topic), strings.ReplaceAll(row.body, "$T", topic), header...)
			p := readPushed(t, a.Body)
			if a.Status != row.status || p.Error.Code != row.code || !strings.Contains(p.Error.Message, row.message) {
				t.Errorf("answered %d %q (%s); want %d %q (%s)", a.Status, p.Error.Code, p.Error.Message, row.status, row.code, row.message)
			}
			var rejected []string
			for _, r := range p.Rejected {
				rejected = append(rejected, fmt.Sprintf("%d:%s", r.Index, r.Code))
				if r.Message == "" {
					t.Errorf("reading %d is refused without a word", r.Index)
				}
			}
			if got := strings.Join(rejected, " "); got != row.rejected {
				t.Errorf("rejected %q, want %q", got, row.rejected)
			}
			if got := kept(t, s, topic); got != row.kept || p.Stored != len(strings.Fields(row.kept)) {
				t.Errorf("the topic holds %q and %d were answered as stored, want %q", got, p.Stored, row.kept)
			}
		})
	}
}

// allocated returns the bytes that f makes this process allocate; what it holds
// at once cannot be more.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// B12, B22 and B23: bodies that cost their sender little and would cost an
// innocent decoder much.
func TestBombs(t *testing.T) {
	const cap8 = 8 << 20
	s := servertest.New(t, nil)
	s.Push("warm", "1") // connections and caches are not a part of what a bomb costs
	zeros := strings.Repeat(" ", 64<<20)
	for _, row := range []struct {
		name   string
		coding string
		body   string
		status int
		code   string
		most   uint64 // bytes
	}{
		{"B12 nested 20,000 deep", "", `{"topic":` + strings.Repeat("[", 20_000), 400, "bad_json", 2 << 20},
		{"B12 objects 20,000 deep", "", strings.Repeat(`{"values":`, 20_000), 400, "bad_json", 2 << 20},
		{"B22 gzip, 64 MiB", "gzip", gzipped(zeros), 413, "too_large", 2 * cap8},
		{"B22 gzip of 64 members", "gzip", strings.Repeat(gzipped(zeros[:1<<20]), 64), 413, "too_large", 2 * cap8},
		{"B22 gzip, within the ratio of 100", "gzip", strings.Repeat(gzipped("["+strings.Repeat("1234567,", 1<<14)), 600), 413, "too_large", 3 * cap8},
		{"B23 zstd with a window of 1 GiB", "zstd", "\x28\xb5\x2f\xfd\x00\xa0\x01\x00\x00", 413, "too_large", 2 * cap8},
		{"B23 zstd that declares 1 TiB", "zstd", "\x28\xb5\x2f\xfd\xe0\x00\x00\x00\x00\x00\x01\x00\x00\x01\x00\x00", 413, "too_large", 2 * cap8},
		{"B23 zstd that declares 4 GiB less 1", "zstd", "\x28\xb5\x2f\xfd\xa0\xff\xff\xff\xff\x01\x00\x00", 413, "too_large", 2 * cap8},
	} {
		t.Run(row.name, func(t *testing.T) {
			var a servertest.Answer
			header := []string{"Content-Type", "application/json"}
			if row.coding != "" {
				header = append(header, "Content-Encoding", row.coding)
			}
			cost := allocated(func() { a = s.Do(http.MethodPost, readingsPath, row.body, header...) })
			if p := readPushed(t, a.Body); a.Status != row.status || p.Error.Code != row.code {
				t.Errorf("answered %d %q (%s); want %d %q", a.Status, p.Error.Code, p.Error.Message, row.status, row.code)
			}
			if cost > row.most {
				t.Errorf("%d bytes were allocated, want at most %d", cost, row.most)
			}
		})
	}
}
