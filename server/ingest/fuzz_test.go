package ingest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"

	"readout/server/ingest"
	"readout/server/problem"
	"readout/server/reading"
)

// node is a JSON value as encoding/json sees it, with its keys in order.
type node struct {
	kind  json.Delim // { or [, 0 for anything else
	leaf  any        // string, json.Number, bool or nil
	keys  []string
	nodes []node
	depth int
}

func parse(dec *json.Decoder) node {
	token, err := dec.Token()
	if err != nil {
		panic(err) // the caller asked json.Valid before
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return node{leaf: token}
	}
	n := node{kind: delim}
	for dec.More() {
		if delim == '{' {
			key, _ := dec.Token()
			n.keys = append(n.keys, key.(string))
		}
		child := parse(dec)
		n.depth = max(n.depth, child.depth+1)
		n.nodes = append(n.nodes, child)
	}
	_, _ = dec.Token()
	return n
}

func (n node) get(key string) (node, bool) {
	if i := slices.Index(n.keys, key); i >= 0 {
		return n.nodes[i], true
	}
	return node{}, false
}

// twice reports a duplicate among the first most keys and the one after them.
func (n node) twice(most int) bool {
	for i, key := range n.keys {
		if i > most {
			return false
		}
		if slices.Contains(n.keys[:i], key) {
			return true
		}
	}
	return false
}

// refReading is what a reading comes to by the rules alone, and false when the
// rules refuse the whole request.
func refReading(n node) (reading.Reading, string, bool) {
	one := reading.Reading{Time: now.UnixMilli()}
	if n.kind != '{' || n.twice(len(n.keys)) {
		return one, "", false
	}
	for _, key := range n.keys {
		if !slices.Contains([]string{"topic", "t", "value", "values"}, key) {
			return one, "", false
		}
	}
	value, hasValue := n.get("value")
	values, hasValues := n.get("values")
	if values.kind == '{' && values.twice(reading.MaxValues) {
		return one, "", false
	}
	topic, _ := n.get("topic")
	text, _ := topic.leaf.(string)
	parsed, err := reading.ParseTopic(text)
	if err != nil {
		return one, err.(*reading.Error).Code, true
	}
	one.Topic = parsed
	if at, ok := n.get("t"); ok {
		one.Time = 0
		switch leaf := at.leaf.(type) {
		case string:
			if parsed, err := time.Parse(time.RFC3339, leaf); err == nil && leaf[13] == ':' && !strings.Contains(leaf, ",") {
				one.Time = parsed.UnixMilli()
			}
		case json.Number:
			if f, err := leaf.Float64(); err == nil && f == math.Trunc(f) && math.Abs(f) < 1e15 {
				one.Time = int64(f)
			}
		}
		if err := reading.ValidateTime(one.Time, bounds.Now, bounds.Oldest); err != nil {
			return one, "bad_time", true
		}
	}
	if hasValue && hasValues {
		return one, "duplicate_value", true
	}
	add := func(name string, n node) {
		v := reading.NumberOf(math.NaN())
		switch leaf := n.leaf.(type) {
		case string:
			v = reading.TextOf(leaf)
		case bool:
			v = reading.BoolOf(leaf)
		case json.Number:
			if f, err := leaf.Float64(); err == nil {
				v = reading.NumberOf(f)
			}
		case nil:
			if n.kind == 0 {
				v = reading.Value{}
			}
		}
		one.Values = append(one.Values, reading.Named{Name: name, Value: v})
	}
	if hasValue {
		add(reading.DefaultValue, value)
	}
	if values.kind == '{' {
		for i, key := range values.keys {
			add(key, values.nodes[i])
		}
	}
	if err := reading.ValidateValues(one.Values); err != nil {
		return one, err.(*reading.Error).Code, true
	}
	return one, "", true
}

// refRequest is what a request of readings comes to, as show prints it, and
// false when it is refused whole.
func refRequest(n node) (string, bool) {
	elements := []node{n}
	switch inner, ok := n.get("readings"); {
	case n.kind == '[':
		elements = n.nodes
	case n.kind == '{' && ok:
		if inner.kind != '[' || len(n.keys) != 1 {
			return "", false
		}
		elements = inner.nodes
	}
	if len(elements) > ingest.MaxReadings {
		return "", false
	}
	var parts []string
	for _, element := range elements {
		one, code, ok := refReading(element)
		switch {
		case !ok:
			return "", false
		case code != "":
			parts = append(parts, "!"+code)
		default:
			parts = append(parts, string(one.Topic)+"@"+strconv.FormatInt(one.Time-now.UnixMilli(), 10)+showValues(one.Values))
		}
	}
	return strings.Join(parts, "; "), true
}

// lossy finds escaped surrogates, which encoding/json may replace and we refuse.
var lossy = regexp.MustCompile(`(?i)\\ud[89a-f]`)

// FuzzJSON holds the decoder against encoding/json and the rules written down a
// second time above.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{"topic":"cpu{host=\"a\"}","t":1795341600123,"values":{"user":0.3,"on":true,"door":"open"}}`,
		`[{"topic":"a","value":1},{"topic":"b{}","value":"\u00e4","t":"2026-11-22T10:00:00Z"}]`,
		`{"readings":[{"topic":"a","value":null}]}`, `{"topic":"a","topic":"b"}`, `{"TOPIC":"a"}`, `[1e400,NaN]`,
		`{"topic":"a","value":[[[{"a":[]}]]]}`, "\xef\xbb\xbf[]", `{"topic":"\ud83d\ude00\ud800","value":1e-7}`,
		`[{"topic":"a","values":{"x":1,"x":2}}]`, `{"topic":"a","value":-0.0E+10}`, "[{\"topic\":\"a\",\"value\":\"\xff\"}]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		request, err := ingest.JSON(body, bounds)
		refused := code(t, err)
		plain := bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), " \t\r\n")
		switch valid := json.Valid(plain); {
		case len(plain) == 0:
			if refused != "empty_body" {
				t.Fatalf("code %q, want empty_body", refused)
			}
			return
		case !valid:
			if refused == "" {
				t.Fatalf("took what is not JSON: %s", show(t, request))
			}
			return
		}
		if err == nil {
			show(t, request) // checks that what is accepted is valid
		}
		if !utf8.Valid(body) || lossy.Match(body) || bytes.Contains(body, []byte("describe")) {
			return // encoding/json loses what is wrong, or this reference does not know it
		}
		dec := json.NewDecoder(bytes.NewReader(plain))
		dec.UseNumber()
		tree := parse(dec)
		if tree.depth > 30 {
			return
		}
		want, ok := refRequest(tree)
		if ok != (err == nil) {
			t.Fatalf("refused with %v, want refusal: %v", err, !ok)
		}
		if got := show(t, request); got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	})
}

// FuzzNDJSON: lines that are taken are taken alike one by one, and a body is
// refused only for a line that is refused alone.
func FuzzNDJSON(f *testing.F) {
	for _, seed := range []string{
		"{\"topic\":\"a\",\"value\":1}\n{\"topic\":\"b\",\"value\":2}\n", "\n\r\n {\"topic\":\"\",\"value\":1} \r\n", "[]\n", "{}{}",
		"{\"topic\":\"a\",\n\"value\":1}", "\xef\xbb\xbf\n{}", "{\"topic\":\"a\",\"value\":1}\n{\"topic\"",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		request, err := ingest.NDJSON(body, bounds)
		refused := code(t, err)
		var parts []string
		worst := ""
		for line := range bytes.SplitSeq(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), []byte("\n")) {
			if bytes.HasPrefix(line, []byte("\xef\xbb\xbf")) {
				line = append([]byte("x"), line...) // alone it would be taken, here it is none of ours
			}
			one, err := ingest.NDJSON(line, bounds)
			if c := code(t, err); c == "empty_body" {
				continue
			} else if c != "" && worst == "" {
				worst = c
			}
			if err == nil {
				for _, item := range one.Items {
					item.Index = 0
					parts = append(parts, show(t, ingest.Request{Items: []ingest.Item{item}}))
				}
			}
		}
		switch {
		case refused == "empty_body":
			if worst != "" || len(parts) > 0 {
				t.Fatalf("a body with lines is called empty")
			}
		case refused == "too_many":
		case refused != worst:
			t.Fatalf("code %q (%v), but its first wrong line has %q", refused, err, worst)
		case refused == "":
			if got, want := show(t, request), strings.Join(parts, "; "); got != want {
				t.Fatalf("got  %s\nwant %s", got, want)
			}
		}
	})
}

// FuzzValues: what is taken is valid, and reads the same when written back as
// pairs and as JSON.
func FuzzValues(f *testing.F) {
	for _, seed := range []string{
		`42`, `true`, `open`, `"a b"`, `user=0.3 system=0.1 door="x y"`, `{"user":0.3,"door":"open","on":true}`, `nan`, `a=b=c`, `a="x"b=1`, "a=1\n\tb=2", `geöffnet`, `{"a":"\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		values, err := ingest.Values(body)
		if err != nil {
			if code(t, err) == "" || len(err.Error()) > 600 {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if err := reading.ValidateValues(values); err != nil {
			t.Fatalf("took invalid values: %v", err)
		}
		object, pairs := []byte{'{'}, []byte{}
		for i, v := range values {
			if i > 0 {
				object, pairs = append(object, ','), append(pairs, ' ')
			}
			object = v.Value.AppendJSON(append(reading.AppendJSONString(object, v.Name), ':'))
			pairs = v.Value.AppendJSON(append(append(pairs, v.Name...), '='))
		}
		object = append(object, '}')
		for _, again := range [][]byte{object, pairs} {
			got, err := ingest.Values(again)
			if err != nil || showValues(got) != showValues(values) {
				t.Fatalf("%q became %s, %v; want %s", again, showValues(got), err, showValues(values))
			}
		}
	})
}

// FuzzInflate: never more than the cap, and the same bytes as the decompressor
// without one.
func FuzzInflate(f *testing.F) {
	plain := bytes.Repeat([]byte(`{"topic":"a","value":1}`), 20)
	f.Add("gzip", gzipOf(f, plain))
	f.Add("gzip", append(gzipOf(f, plain), gzipOf(f, plain)...))
	f.Add("gzip", gzipOf(f, make([]byte, 1<<17)))
	f.Add("zstd", zstdOf(f, plain))
	f.Add("zstd", zstdOf(f, make([]byte, 1<<17)))
	f.Add("zstd", []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 20 << 3, 1, 0, 0})
	f.Add("identity", plain)
	f.Add("br", plain)
	f.Fuzz(func(t *testing.T, encoding string, body []byte) {
		const limit = 1 << 16
		out, err := ingest.Inflate(encoding, body, limit)
		if len(out) > limit {
			t.Fatalf("%d bytes, the cap is %d", len(out), limit)
		}
		if err != nil {
			if _, row := problem.Of(err); out != nil || row.Status/100 != 4 {
				t.Fatalf("%d bytes with %v", len(out), err)
			}
			return
		}
		want := body
		switch strings.ToLower(strings.TrimSpace(encoding)) {
		case "gzip":
			r, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			want, err = io.ReadAll(io.LimitReader(r, limit+1))
			if err != nil {
				t.Fatal(err)
			}
		case "zstd":
			r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if want, err = r.DecodeAll(body, nil); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(out, want) {
			t.Fatalf("%d bytes, want %d", len(out), len(want))
		}
	})
}
