package ingest_test

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"readout/server/ingest"
	"readout/server/reading"
)

func TestJSON(t *testing.T) {
	ms := strconv.FormatInt(now.UnixMilli(), 10)
	for _, c := range []struct {
		name, body string
		want       string // of show, when the body is taken
		code       string // when it is refused whole
		says       string // part of the message
	}{
		// What is taken.
		{name: "one reading", body: `{"topic":"cpu{host=\"a\"}","t":` + ms + `,"values":{"user":0.3,"on":true,"door":"open"}}`,
			want: `cpu{host="a"}@0 user=n:0.3 on=b:true door=t:open`},
		{name: "value for short", body: `{"topic":"orders","value":42}`, want: `orders@0 value=n:42`},
		{name: "an array", body: ` [ {"topic":"a","value":1} , {"value":false,"topic":"b"} ] `, want: `a@0 value=n:1; b@0 value=b:false`},
		{name: "readings", body: `{"readings":[{"topic":"a","value":-0.5e-3}]}`, want: `a@0 value=n:-0.0005`},
		{name: "B2 empty array", body: `[]`, want: ``},
		{name: "no readings", body: `{"readings":[],"describe":{}}`, want: ``},
		{name: "B5 byte order mark", body: "\xef\xbb\xbf{\"topic\":\"a\",\"value\":1}", want: `a@0 value=n:1`},
		{name: "RFC 3339", body: `{"topic":"a","t":"2026-11-22T10:59:58+01:00","value":1}`, want: `a@-2123 value=n:1`},
		{name: "time as a float of whole milliseconds", body: `{"topic":"a","t":` + ms + `.0,"value":1}`, want: `a@0 value=n:1`},
		{name: "topic in another spelling", body: `[{"topic":"a{}","value":1},{"topic":"a{y=\"2\", x=\"1\"}","value":1}]`, want: `a@0 value=n:1; a{x="1",y="2"}@0 value=n:1`},
		{name: "escapes", body: `{"\u0074opic":"a","value":"\u00e4\ud83d\ude00\/\"\\"}`, want: `a@0 value=t:ä😀/"\`},
		{name: "B11 beyond 2^53", body: `{"topic":"a","value":9007199254740993}`, want: `a@0 value=n:9007199254740992`},
		{name: "text that looks like a number", body: `{"topic":"a","value":"1"}`, want: `a@0 value=t:1`},
		{name: "smallest numbers", body: `[{"topic":"a","value":5e-324},{"topic":"a","value":1e-400},{"topic":"a","value":-0}]`, want: `a@0 value=n:5e-324; a@0 value=n:0; a@0 value=n:0`},
		{name: "same topic, other readings between", body: `[{"topic":"a","values":{"x":1,"y":2}},{"topic":"b","value":3},{"topic":"a","values":{"x":4}}]`, want: `a@0 x=n:1 y=n:2; b@0 value=n:3; a@0 x=n:4`},

		// What is wrong with one reading leaves the others.
		{name: "mixed", body: `[{"topic":"a","value":1},{"topic":"","value":1},{"topic":"b","value":2}]`, want: `a@0 value=n:1; !bad_topic; b@0 value=n:2`},
		{name: "nothing in it", body: `{}`, want: `!bad_topic`},
		{name: "no values", body: `[{"topic":"a"},{"topic":"a","values":{}},{"topic":"a","value":null},{"topic":"a","values":3}]`, want: `!no_values; !no_values; !no_values; !no_values`},
		{name: "B6 invalid UTF-8", body: "[{\"topic\":\"a{x=\\\"\xff\\\"}\",\"value\":1},{\"topic\":\"\xff\",\"value\":1},{\"topic\":\"a\",\"value\":\"\xc3\"},{\"topic\":\"ok\",\"value\":1}]",
			want: `!bad_utf8; !bad_utf8; !bad_utf8; ok@0 value=n:1`},
		{name: "B7 lone surrogates", body: `[{"topic":"a","value":"\ud800"},{"topic":"a{x=\"\udc00\"}","value":1},{"topic":"a","value":"\ud800\u0041"},{"topic":"a","value":"\ud800\ud800\udc00"}]`,
			want: `!bad_utf8; !bad_utf8; !bad_utf8; !bad_utf8`},
		{name: "B10 beyond float64", body: `[{"topic":"a","value":1e400},{"topic":"a","value":-1e999},{"topic":"a","value":[1]},{"topic":"a","value":{"b":2}}]`,
			want: `!not_a_number; !not_a_number; !not_a_number; !not_a_number`},
		{name: "B13 label too long", body: `{"topic":"a{x=\"` + strings.Repeat("y", 1025) + `\"}","value":1}`, want: `!bad_topic`},
		{name: "B13 10 MB in a label", body: `{"topic":"a{x=\"` + strings.Repeat("y", 10<<20) + `\"}","value":1}`, want: `!bad_topic`},
		{name: "topic is no string", body: `[{"topic":1,"value":1},{"topic":null,"value":1},{"topic":["a"],"value":1}]`, want: `!bad_topic; !bad_topic; !bad_topic`},
		{name: "value and values", body: `[{"topic":"a","value":1,"values":{"b":1}},{"topic":"a","values":{"value":1},"value":1}]`, want: `!duplicate_value; !duplicate_value`},
		{name: "value names", body: `[{"topic":"a","values":{"t":1}},{"topic":"a","values":{"p":1}},{"topic":"a","values":{"":1}},{"topic":"a","values":{"a b":1}}]`, want: `!bad_value_name; !bad_value_name; !bad_value_name; !bad_value_name`},
		{name: "states", body: `[{"topic":"a","value":""},{"topic":"a","value":"` + strings.Repeat("x", 129) + `"},{"topic":"a","value":"a\u0000"},{"topic":"a","value":"` + strings.Repeat("x", 128) + `"}]`,
			want: `!bad_text; !bad_text; !bad_text; a@0 value=t:` + strings.Repeat("x", 128)},
		{name: "257 values", body: `{"topic":"a","values":{` + names(257) + `}}`, want: `!too_many_values`},
		{name: "300 values, the last name twice", body: `{"topic":"a","values":{` + names(300) + `,"n299":1}}`, want: `!too_many_values`},

		// What is refused whole.
		{name: "B1 nothing", body: ``, code: "empty_body"},
		{name: "B1 only space", body: " \r\n\t", code: "empty_body"},
		{name: "B1 only a byte order mark", body: "\xef\xbb\xbf", code: "empty_body"},
		{name: "B2 null", body: `null`, code: "bad_json", says: "at byte 0"},
		{name: "B2 string", body: `"x"`, code: "bad_json"},
		{name: "B2 number", body: `1`, code: "bad_json"},
		{name: "elements that are no objects", body: `[{"topic":"a","value":1},2]`, code: "bad_json", says: "at byte 25"},
		{name: "B3 cut in an object", body: `{"topic":"a","val`, code: "bad_json", says: "at byte 17"},
		{name: "B3 cut after a reading", body: `[{"topic":"a","value":1}`, code: "bad_json", says: "at byte 24: expected , or ] in an array, found the end of the body"},
		{name: "B4 second document", body: `{"topic":"a","value":1}{"topic":"a","value":1}`, code: "bad_json", says: "at byte 23"},
		{name: "B5 two byte order marks", body: "\xef\xbb\xbf\xef\xbb\xbf[]", code: "bad_json", says: "at byte 3"},
		{name: "B8 duplicate key", body: `{"topic":"a","topic":"b","value":1}`, code: "duplicate_key", says: `at byte 13: the key "topic"`},
		{name: "B8 duplicate key in another spelling", body: `{"topic":"a","\u0074opic":"b","value":1}`, code: "duplicate_key"},
		{name: "B8 duplicate value name", body: `{"topic":"a","values":{"x":1,"x":2}}`, code: "duplicate_key"},
		{name: "B8 duplicate among many", body: `{"topic":"a","values":{` + names(200) + `,"n0":1}}`, code: "duplicate_key"},
		{name: "B8 other case", body: `{"TOPIC":"a","value":1}`, code: "unknown_field", says: `"TOPIC"`},
		{name: "B9 unknown field", body: `{"topic":"a","value":1,"unit":"ms"}`, code: "unknown_field", says: `"unit"`},
		{name: "readings inside an array", body: `[{"readings":[]}]`, code: "unknown_field"},
		{name: "a reading and readings", body: `{"topic":"a","value":1,"readings":[]}`, code: "bad_json"},
		{name: "B10 NaN", body: `{"topic":"a","value":NaN}`, code: "bad_json"},
		{name: "B10 Infinity", body: `{"topic":"a","value":-Infinity}`, code: "bad_json"},
		{name: "numbers that JSON has not", body: `{"topic":"a","value":+1}`, code: "bad_json"},
		{name: "leading zero", body: `{"topic":"a","value":01}`, code: "bad_json"},
		{name: "no digit before the point", body: `{"topic":"a","value":.5}`, code: "bad_json"},
		{name: "no digit after the point", body: `{"topic":"a","value":1.}`, code: "bad_json"},
		{name: "no digit in the exponent", body: `{"topic":"a","value":1e+}`, code: "bad_json"},
		{name: "hexadecimal", body: `{"topic":"a","value":0x1p-2}`, code: "bad_json"},
		{name: "trailing comma", body: `[{"topic":"a","value":1},]`, code: "bad_json"},
		{name: "trailing comma in an object", body: `{"topic":"a","value":1,}`, code: "bad_json"},
		{name: "comment", body: `[/**/]`, code: "bad_json"},
		{name: "single quotes", body: `{'topic':'a'}`, code: "bad_json"},
		{name: "raw line break in a string", body: "{\"topic\":\"a\nb\",\"value\":1}", code: "bad_json"},
		{name: "unknown escape", body: `{"topic":"\x41","value":1}`, code: "bad_json"},
		{name: "short unicode escape", body: `{"topic":"\u12","value":1}`, code: "bad_json"},
		{name: "a word in another case", body: `{"topic":"a","value":True}`, code: "bad_json"},
		{name: "NUL at the end", body: "[]\x00", code: "bad_json"},
		{name: "invalid UTF-8 outside a string", body: "[\xff]", code: "bad_json", says: "not UTF-8"},
		{name: "B12 nested in an array", body: strings.Repeat("[", 20000), code: "bad_json"},
		{name: "B12 nested in a field", body: `{"topic":` + strings.Repeat("[", 20000), code: "bad_json", says: "deep"},
		{name: "B12 nested objects", body: `{"topic":"a","value":` + strings.Repeat(`{"a":`, 20000), code: "bad_json", says: "deep"},
		{name: "B16 too many", body: "[" + strings.Repeat(`{"topic":"a","value":1},`, 10000) + `{"topic":"a","value":1}]`, code: "too_many"},
		{name: "readings is no array", body: `{"readings":{}}`, code: "bad_json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			request, err := ingest.JSON([]byte(c.body), bounds)
			if got := code(t, err); got != c.code {
				t.Fatalf("code %q (%v), want %q", got, err, c.code)
			}
			if err != nil {
				if !strings.Contains(err.Error(), c.says) || len(err.Error()) > 300 {
					t.Errorf("says %q, want %q in it", err, c.says)
				}
				return
			}
			if got := show(t, request); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// names is n distinct values for an object.
func names(n int) string {
	var parts []string
	for i := range n {
		parts = append(parts, fmt.Sprintf(`"n%d":%d`, i, i))
	}
	return strings.Join(parts, ",")
}

func TestMostReadings(t *testing.T) {
	request, err := ingest.JSON([]byte("["+strings.Repeat(`{"topic":"a","value":1},`, 9999)+`{"topic":"a","value":1}]`), bounds)
	if err != nil || len(request.Items) != ingest.MaxReadings {
		t.Fatalf("%d readings, %v; want 10000", len(request.Items), err)
	}
	request, err = ingest.JSON([]byte(`{"topic":"a","values":{`+names(256)+`}}`), bounds)
	if err != nil || request.Items[0].Err != nil || len(request.Items[0].Reading.Values) != 256 {
		t.Fatalf("a reading of 256 values is refused: %v %v", err, request.Items)
	}
}

// B14: no topic outside the grammar passes, whatever it is made of.
func TestJSONTopics(t *testing.T) {
	for _, c := range []struct{ topic, code string }{
		{``, "bad_topic"},
		{strings.Repeat("a", 200), ""},
		{strings.Repeat("a", 201), "bad_topic"},
		{`a\u0000b`, "bad_topic"},
		{`a\r\nb`, "bad_topic"},
		{`{}`, "bad_topic"},
		{`a*`, "bad_topic"},
		{`a?`, "bad_topic"},
		{`a[1]`, "bad_topic"},
		{`../a`, "bad_topic"},
		{`a/../b`, "bad_topic"},
		{`a//b`, "bad_topic"},
		{`/a`, "bad_topic"},
		{`   `, "bad_topic"},
		{`a\u202eb`, "bad_topic"},
		{`cpu{host=\"\"}`, "bad_topic"},
		{`cpu{host=\"a\",host=\"b\"}`, "bad_topic"},
		{`cpu{host=\"\u0007\"}`, "bad_topic"},
		{`cpu{host=~\"a\"}`, "bad_topic"},
		{`a/b.c:d-e_f`, ""},
	} {
		request, err := ingest.JSON([]byte(`{"topic":"`+c.topic+`","value":1}`), bounds)
		if err != nil {
			t.Errorf("%s: refused whole: %v", c.topic, err)
		} else if got := code(t, request.Items[0].Err); got != c.code {
			t.Errorf("%s: code %q, want %q", c.topic, got, c.code)
		}
	}
}

// B15: times.
func TestJSONTimes(t *testing.T) {
	ms := now.UnixMilli()
	for _, c := range []struct{ t, code string }{
		{fmt.Sprint(ms), ""},
		{fmt.Sprint(ms + 600_000), ""},
		{fmt.Sprint(ms + 600_001), "bad_time"},
		{fmt.Sprint(ms + 3600_000), "bad_time"},
		{fmt.Sprint(ms - 3600_000), ""},
		{fmt.Sprint(ms - 3600_001), "bad_time"},
		{fmt.Sprint(ms * 1_000_000), "bad_time"}, // nanoseconds
		{fmt.Sprint(ms * 1_000), "bad_time"},     // microseconds
		{fmt.Sprint(ms / 1_000), "bad_time"},     // seconds
		{fmt.Sprint(ms) + ".5", "bad_time"},
		{"1e300", "bad_time"}, {"1e400", "bad_time"}, {"-1e400", "bad_time"},
		{"0", "bad_time"}, {"-1", "bad_time"}, {"null", "bad_time"}, {"true", "bad_time"}, {"[1]", "bad_time"},
		{`"2026-11-22T10:00:00Z"`, ""},
		{`"2026-11-22T10:00:00.123456789Z"`, ""},
		{`"9999-12-31T23:59:59Z"`, "bad_time"},
		{`"0000-01-01T00:00:00Z"`, "bad_time"},
		{`"2026-11-22T9:59:00Z"`, "bad_time"},
		{`"2026-11-22 10:00:00Z"`, "bad_time"},
		{`"2026-11-22T10:00:00"`, "bad_time"},
		{`"` + fmt.Sprint(ms) + `"`, "bad_time"},
		{`""`, "bad_time"},
	} {
		request, err := ingest.JSON([]byte(`{"topic":"a","t":`+c.t+`,"value":1}`), bounds)
		if err != nil {
			t.Errorf("%s: refused whole: %v", c.t, err)
		} else if got := code(t, request.Items[0].Err); got != c.code {
			t.Errorf("%s: code %q (%v), want %q", c.t, got, request.Items[0].Err, c.code)
		}
	}
}

func TestParseTime(t *testing.T) {
	for _, c := range []struct {
		text string
		ms   int64
		code string
	}{
		{"1763785200123", 1763785200123, ""},
		{"0", 0, ""},
		{"2026-11-22T10:00:00.5Z", 1795341600500, ""},
		{"", 0, "bad_time"}, {"-1", 0, "bad_time"}, {" 1", 0, "bad_time"}, {"1.5", 0, "bad_time"},
		{"9999999999999999", 0, "bad_time"}, {"yesterday", 0, "bad_time"},
	} {
		ms, err := ingest.ParseTime(c.text)
		if got := code(t, err); ms != c.ms || got != c.code {
			t.Errorf("%q: %d %q, want %d %q", c.text, ms, got, c.ms, c.code)
		}
	}
}

func TestDescribe(t *testing.T) {
	request, err := ingest.JSON([]byte(`{"describe":{"cpu{b=\"2\",a=\"1\"}":{"user":{"unit":"percent","kind":"gauge"},"n":{"kind":"counter"},"e":{}}},"readings":[{"topic":"a","value":1}]}`), bounds)
	if err != nil || len(request.Items) != 1 || len(request.Describe) != 1 {
		t.Fatalf("%+v, %v", request, err)
	}
	d := request.Describe[0]
	want := []reading.Column{{Name: "user", Unit: "percent", Kind: reading.Gauge}, {Name: "n", Kind: reading.Counter}, {Name: "e"}}
	if d.Topic != `cpu{a="1",b="2"}` || !slices.Equal(d.Columns, want) {
		t.Errorf("got %+v", d)
	}
	for _, c := range []struct{ describe, code string }{
		{`[]`, "bad_json"},
		{`{"cpu":1}`, "bad_json"},
		{`{"cpu":{"user":1}}`, "bad_json"},
		{`{"cpu":{"user":{"unit":1}}}`, "bad_json"},
		{`{"cpu":{"user":{"unit":"a","unit":"b"}}}`, "duplicate_key"},
		{`{"cpu":{"user":{"name":"a"}}}`, "unknown_field"},
		{`{"cpu":{"user":{},"user":{}}}`, "duplicate_key"},
		{`{"cpu":{},"cpu{}":{}}`, "duplicate_key"},
		{`{"cpu*":{}}`, "bad_topic"},
		{`{"cpu":{"t":{}}}`, "bad_value_name"},
		{`{"cpu":{"user":{"kind":"meter"}}}`, "bad_describe"},
		{`{"cpu":{"user":{"unit":"` + strings.Repeat("x", 33) + `"}}}`, "bad_describe"},
		{`{"cpu":{"user":{"unit":"a\nb"}}}`, "bad_describe"},
		{`{"cpu":{"user":{"unit":"\ud800"}}}`, "bad_utf8"},
	} {
		_, err := ingest.JSON([]byte(`{"describe":`+c.describe+`}`), bounds)
		if got := code(t, err); got != c.code {
			t.Errorf("%s: code %q (%v), want %q", c.describe, got, err, c.code)
		}
	}
}

// B12: what nests deep is refused without memory to match.
func TestNestingCostsNothing(t *testing.T) {
	body := []byte(`{"topic":` + strings.Repeat(`{"a":[`, 500_000))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := ingest.JSON(body, bounds)
	runtime.ReadMemStats(&after)
	if code(t, err) != "bad_json" {
		t.Fatal(err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("%d bytes were allocated, want at most 1 MiB", used)
	}
}

func TestNDJSON(t *testing.T) {
	for _, c := range []struct{ name, body, want, code, says string }{
		{name: "lines", body: "{\"topic\":\"a\",\"value\":1}\n{\"topic\":\"b\",\"value\":2}\n", want: `a@0 value=n:1; b@0 value=n:2`},
		{name: "no last line break", body: "{\"topic\":\"a\",\"value\":1}\n{\"topic\":\"b\",\"value\":2}", want: `a@0 value=n:1; b@0 value=n:2`},
		{name: "CRLF, blank lines, spaces", body: "\r\n {\"topic\":\"a\",\"value\":1} \r\n\r\n\t\n{\"topic\":\"b\",\"value\":2}\r\n\n", want: `a@0 value=n:1; b@0 value=n:2`},
		{name: "byte order mark", body: "\xef\xbb\xbf{\"topic\":\"a\",\"value\":1}\n", want: `a@0 value=n:1`},
		{name: "one refused", body: "{\"topic\":\"a\",\"value\":1}\n{\"topic\":\"\",\"value\":2}\n{\"topic\":\"c\",\"value\":1}\n", want: `a@0 value=n:1; !bad_topic; c@0 value=n:1`},
		{name: "nothing", body: ``, code: "empty_body"},
		{name: "blank", body: "\n \n", code: "empty_body"},
		{name: "two in a line", body: `{"topic":"a","value":1}{"topic":"a","value":1}`, code: "bad_json", says: "line 1: at byte 23"},
		{name: "over two lines", body: "{\"topic\":\"a\",\n\"value\":1}", code: "bad_json", says: "line 1: at byte 13"},
		{name: "wrong line", body: "\n{\"topic\":\"a\",\"value\":1}\n\n[]\n", code: "bad_json", says: "line 4: at byte 26"},
		{name: "describe has no line", body: `{"describe":{}}`, code: "unknown_field", says: "line 1"},
		{name: "too many", body: strings.Repeat("{\"topic\":\"a\",\"value\":1}\n", 10001), code: "too_many", says: "line 10001"},
	} {
		t.Run(c.name, func(t *testing.T) {
			request, err := ingest.NDJSON([]byte(c.body), bounds)
			if got := code(t, err); got != c.code {
				t.Fatalf("code %q (%v), want %q", got, err, c.code)
			}
			if err != nil {
				if !strings.Contains(err.Error(), c.says) {
					t.Errorf("says %q, want %q in it", err, c.says)
				}
			} else if got := show(t, request); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
