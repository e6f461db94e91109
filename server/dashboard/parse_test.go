package dashboard_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"readout/server/dashboard"
	"readout/server/problem"
	"readout/server/reading"
)

var update = flag.Bool("update", false, "write testdata/bad.txt")

func read(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func glob(t testing.TB, pattern string, least int) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.FromSlash(pattern))
	if err != nil || len(names) < least {
		t.Fatalf("%s is %d files, %v", pattern, len(names), err)
	}
	return names
}

// Every bad document is refused with the place and what to do: rows B67 and B68.
// testdata/bad.txt is what a person reads, line for line.
func TestBadDocuments(t *testing.T) {
	var got strings.Builder
	for _, name := range glob(t, "testdata/bad/*", 50) {
		_, err := dashboard.Parse(name, read(t, name))
		var e *dashboard.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: no error, but %v", name, err)
			continue
		}
		if p, row := problem.Of(err); p.Code != "bad_dashboard" || row.Status != 422 || !strings.Contains(p.Message, e.Message) {
			t.Errorf("%s: answers %s, status %d, %q", name, p.Code, row.Status, p.Message)
		}
		for _, line := range e.Lines() {
			if strings.Contains(line, "\n") || len(line) > 400 {
				t.Errorf("%s: %q is no line for people", name, line)
			}
			fmt.Fprintln(&got, line)
		}
	}
	const golden = "testdata/bad.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := string(read(t, golden)); got.String() != want {
		t.Errorf("testdata/bad.txt differs; read it after: go test ./server/dashboard -run TestBadDocuments -update\n%s", got.String())
	}
}

// Documents that are large or made to be expensive are refused, or read, at once.
func TestExpensiveDocuments(t *testing.T) {
	const mega = 1 << 20
	head := "readout: 1\ntitle: x\n"
	many := func(s string, n int) string { return strings.Repeat(s, n) }
	nested := func(open string) string {
		var b strings.Builder
		for depth := 0; b.Len() < mega-2000; depth++ {
			b.WriteString(many(" ", depth) + open)
		}
		return b.String()
	}
	for _, c := range []struct{ name, document, want string }{
		{"50 MB", many("a: b\n", 10*mega), "the document has 52428800 bytes; at most 1048576 are allowed"},
		{"a title of 10 MB", head + "panels: [{title: " + many("x", 10*mega), "at most 1048576 are allowed"},
		{"a title of 1 MB", "readout: 1\npanels: [{title: a, topics: a}]\ntitle: " + many("x", mega-100), "title has 1048476 characters; at most 200 are allowed"},
		{"a title of 1 MB of words", "readout: 1\npanels: [{title: a, topics: a}]\ntitle: " + many("x ", mega/2-100), "title has "},
		{"a title of 1 MB of invisible characters", `{"readout":1,"panels":[{"title":"a","topics":"a"}],"title":"` + many(`\u200b`, mega/6-100) + `"}`, "title has "},
		{"5,000 panels", head + "panels:\n" + many("- {title: a, topics: a}\n", 5000), "5000 panels; at most 100 are allowed"},
		{"5,000 panels of JSON", `{"readout":1,"title":"x","panels":[` + many(`{"title":"a"},`, 4999) + `{"title":"a"}]}`, "5000 panels; at most 100 are allowed"},
		{"a million lists", many("[", mega-1), "too many levels"},
		{"a million lists of JSON", `{"panels":` + many("[", mega-20), "exceeded max depth"},
		{"50,000 closed lists of JSON", `{"panels":` + many("[", 5000) + many("]", 5000) + "}", "too many levels"},
		{"half a million list items on one line", many("- ", mega/2), "too many levels"},
		{"a million braces", many("{", mega-1), "put keys in double quotes"},
		{"half a million commas", "a: [" + many("a,", mega/2-10), "holds too much"},
		{"half a million lines", many("-\n", mega/2), "holds too much"},
		{"90,000 keys", "readout: 1\ntitle: x\npanels: {" + many("a: 1,", 45_000) + "}", "panels is a set of keys"},
		{"90,000 items", "readout: 1\npanels: [{title: a, topics: a}]\ntitle: [" + many("a,", 90_000) + "a]", "title is a list"},
		{"90,000 lines with comments", many("- a #x\n", 90_000), "a dashboard is a list"},
		{"comments", many("#\n", 99_000), "the document is empty"},
		{"nested keys", nested("a:\n"), "too many levels"},
		{"a deep text", head + "panels:\n- title: a\n  text: |\n    x\n" + many("    \tx\n", 90_000), "text has 270001 characters"},
		{"many texts with tabs", head + "panels:\n" + many("- |\n  x\n  \tx\n", 30_000), "30000 panels"},
		{"many keys that are nearly right", many("titlf: a\n", 40_000), "did you mean title?"},
		{"expressions", head + "panels:\n" + many("- {title: a, topics: ['a{x=~\""+many(`\\\\pL`, 200)+"\"}']}\n", 50), "expressions"},
		{"documents", many("---\n", 99_000), "a file holds one dashboard"},
		{"aliases", many("- &a a\n", 90_000), "anchors"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			_, err := dashboard.Parse("", []byte(c.document))
			took := time.Since(began)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("says %.300v, not %q", err, c.want)
			}
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("the message has %d bytes", len(err.Error()))
			}
			if took > 5*time.Second { // a hundred times what any of these takes
				t.Errorf("took %v", took)
			}
			if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; allocated > 150 {
				t.Errorf("allocated %d MiB", allocated)
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

func TestParseEveryKey(t *testing.T) {
	source := read(t, "testdata/good/full.yaml")
	d, err := dashboard.Parse("testdata/good/full.yaml", source)
	if err != nil {
		t.Fatal(err)
	}
	if d.Slug != "full" || d.File != "full.yaml" || d.Title != "Shop, Berlin" || d.Description != "one line" || d.Window != 15*time.Minute ||
		d.BuiltIn || d.Source != string(source) || len(d.Version) != 16 {
		t.Errorf("the dashboard is %+v", d)
	}
	want := []dashboard.Panel{
		{
			Title: "CPU busy", Kind: dashboard.Stat, Topics: []string{`cpu{host="web1"}`, `cpu{host=~"db.*"}`}, Columns: []string{"busy"}, Unit: "percent",
			Decimals: ptr(1), Min: ptr(0.0), Max: ptr(100.0), Names: map[string]string{"busy": "in use"}, Note: "of all cores",
			Thresholds: []dashboard.Threshold{{At: 80, Level: "warn", Name: "busy"}, {At: 95, Level: "critical"}, {At: 0, Level: "warn", Below: true}},
			Legend:     []string{"last", "min", "max", "avg"}, Limit: 10, Link: "https://example.org/runbook?a=b#c", Width: 6, Height: 4,
		},
		{Title: "2024", Topics: []string{"orders"}, Limit: 12, Link: "/d/machine?window=1h", Width: 6, Height: 5},
		{Title: "Words", Kind: dashboard.Text, Text: "# Hello\n\ta line that begins with a tab\n**bold** \U0001f44d", Width: 4, Height: 2},
	}
	if got, want := asJSON(t, d.Panels), asJSON(t, want); got != want {
		t.Errorf("the panels are\n%s\nnot\n%s", got, want)
	}
	if got := fmt.Sprint(d.Selectors()); !strings.Contains(asText(d.Selectors()), `cpu{host="web1"} cpu{host=~"db.*"} orders`) {
		t.Errorf("the selectors are %s", got)
	}
	for topic, match := range map[reading.Topic]bool{`cpu{host="web1"}`: true, `cpu{host="db7"}`: true, "orders": true, `cpu{host="web2"}`: false, "cpu": false} {
		if d.Match(topic) != match {
			t.Errorf("Match(%s) is %t", topic, !match)
		}
	}
	byHand := dashboard.Panel{Topics: []string{"orders", "{"}}
	if !byHand.Match("orders") || byHand.Match("cpu") {
		t.Error("a panel that was made by hand matches otherwise")
	}
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func asText(list []reading.Selector) string {
	var texts []string
	for _, s := range list {
		texts = append(texts, s.String())
	}
	return strings.Join(texts, " ")
}

// A document that is read, written as JSON and read again is the same dashboard.
func TestDocumentsReadBack(t *testing.T) {
	for _, name := range append(glob(t, "testdata/good/*", 2), glob(t, "builtin/*", 2)...) {
		d, err := dashboard.Parse(name, read(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		same(t, d)
	}
}

func same(t testing.TB, d dashboard.Dashboard) {
	t.Helper()
	written := asJSON(t, d)
	back, err := dashboard.Parse("back.json", []byte(written))
	if err != nil {
		t.Fatalf("%v in what was written:\n%s", err, written)
	}
	if again := asJSON(t, back); again != written {
		t.Fatalf("read and written again it is\n%s\nnot\n%s", again, written)
	}
	if back.Window != d.Window || !reflect.DeepEqual(back.Panels, d.Panels) {
		t.Fatalf("%+v\nis not\n%+v", back, d)
	}
}

func TestFormats(t *testing.T) {
	const yaml, inJSON = "readout: 1\ntitle: x\npanels: [{title: a, topics: a}]", "{\n\t\"readout\":1,\"title\":\"x\",\"panels\":[{\"title\":\"a\",\"topics\":\"a\"}]}"
	for _, c := range []struct{ name, file, document, slug, want string }{
		{"YAML without a name", "", yaml, "", ""},
		{"JSON without a name", "", inJSON, "", ""},
		{"JSON with tabs in a YAML file", "shop.yaml", inJSON, "shop", ""},
		{"flow YAML in a YAML file", "shop.yml", "{readout: 1, title: x, panels: [{title: a, topics: a}]}", "shop", ""},
		{"YAML in a JSON file", "shop.json", yaml, "", "shop.json:1:1: this is no JSON"},
		{"a file in a directory", "../../etc/shop.json", inJSON, "shop", ""},
		{"a file of Windows", "shop.yml", "\ufeff---\r\nreadout: 1\r\ntitle: Windows\r\npanels:\r\n- title: A\r\n  topics: a\r\n...\r\n", "shop", ""},
		{"a name that is no slug", "My Shop.yaml", yaml, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := dashboard.Parse(c.file, []byte(c.document))
			switch {
			case c.want != "":
				if err == nil || !strings.HasPrefix(err.Error(), c.want) {
					t.Errorf("says %v, not %q", err, c.want)
				}
			case err != nil:
				t.Error(err)
			case d.Slug != c.slug || len(d.Panels) != 1:
				t.Errorf("slug %q with %d panels", d.Slug, len(d.Panels))
			}
		})
	}
}

func TestWindows(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1m": time.Minute, "90s": 90 * time.Second, "15m": 15 * time.Minute, "1h30m": 90 * time.Minute, "24h": 24 * time.Hour, "7d": 168 * time.Hour, "31d": 744 * time.Hour, "744h": 744 * time.Hour,
		"59s": 0, "745h": 0, "15": 0, "m": 0, "-15m": 0, "15 m": 0, "1.5": 0, "1e9h": 0, "NaNd": 0, "999999999999d": 0, "61500ms": 0, "9223372036854775807ns": 0,
	} {
		d, err := dashboard.Parse("", []byte("readout: 1\ntitle: x\nwindow: "+text+"\npanels: [{title: a, topics: a}]"))
		if err == nil != (want > 0) || d.Window != want {
			t.Errorf("%s is %v, %v; not %v", text, d.Window, err, want)
		}
		if err == nil {
			same(t, d)
		}
	}
}

func TestLevel(t *testing.T) {
	p := dashboard.Panel{Thresholds: []dashboard.Threshold{{At: 95, Level: "critical", Name: "full"}, {At: 80, Level: "warn"}, {At: 5, Level: "warn", Below: true, Name: "idle"}}}
	for value, want := range map[float64]string{50: "", 79.9: "", 80: "warn ", 94: "warn ", 95: "critical full", 1e9: "critical full", 5: "warn idle", -1: "warn idle"} {
		got := ""
		if level, ok := p.Level(value); ok {
			got = level.Level + " " + level.Name
		}
		if got != want {
			t.Errorf("%v reaches %q, not %q", value, got, want)
		}
	}
}

// FuzzParse: whatever comes is read or refused with a place in it, and what was
// read means the same when it is written and read again (PROMISES 4.1, 11).
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*", "testdata/good/*", "builtin/*"} {
		for _, name := range glob(f, pattern, 2) {
			f.Add(filepath.Ext(name) == ".json", read(f, name))
		}
	}
	f.Fuzz(func(t *testing.T, inJSON bool, content []byte) {
		name := "shop.yaml"
		if inJSON {
			name = "shop.json"
		}
		d, err := dashboard.Parse(name, content)
		if err == nil {
			if d.Slug != "shop" || d.Title == "" || len(d.Panels) == 0 {
				t.Fatalf("accepted as %+v", d)
			}
			same(t, d)
			return
		}
		var e *dashboard.Error
		if !errors.As(err, &e) {
			t.Fatalf("the error is %T", err)
		}
		last := 2 + strings.Count(string(content), "\n") + strings.Count(string(content), "\r")
		if e.Line < 1 || e.Column < 1 || e.Line > last || e.Message == "" || len(e.Others) > 19 {
			t.Fatalf("%+v is no place of a document of %d lines", e.Problem, last)
		}
	})
}
