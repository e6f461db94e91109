package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDashboard(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const good = "readout: 1\ntitle: Shop\npanels:\n  - title: Orders\n    topics: orders\n"
	write("good/shop.yaml", good)
	write("good/berlin.json", `{"readout":1,"title":"Berlin","panels":[{"title":"Orders","topics":["orders"]}]}`)
	write("good/README.md", "no dashboard")
	write("good/.draft.yaml", "no dashboard")
	write("bad/a.yaml", "readout: 1\ntitel: Shop\npanels:\n  - title: Orders\n    topics: orders\n    width: -1\n")
	write("bad/a.json", "{")
	write("bad/My Shop.yaml", good)
	write("empty/README.md", "no dashboard")

	for _, c := range []struct {
		name, line, stdin string
		code              int
		stdout, stderr    string
	}{
		{"a good directory", "check good", "", 0, "2 checked, nothing wrong\n", ""},
		{"a good file", "check good/shop.yaml", "", 0, "1 checked, nothing wrong\n", ""},
		{"standard input", "check -", good, 0, "1 checked, nothing wrong\n", ""},
		{"bad standard input", "check -", "title: x", 1, "-:1:1: readout is missing; add readout: 1\n-:1:1: panels is missing; add panels: with a list of at least one panel\n", ""},
		{"a bad directory", "check good bad", "", 1, "bad/My Shop.yaml: the file's name gives the address; use small letters, digits and -\n" +
			"bad/a.json:1:2: this is no JSON: the document ends too early; close its braces and quotes\n" +
			"bad/a.yaml:2:1: a dashboard has no key \"titel\"; did you mean title?\n" +
			"bad/a.yaml:6:12: width is \"-1\"; it is a whole number between 1 and 12\n" +
			"bad/a.yaml: bad/a.json has the same address; rename one\n", ""},
		{"no such file", "check none.yaml", "", 2, "", "none.yaml: no such file"},
		{"a directory without documents", "check empty", "", 2, "", "empty holds no .yaml, .yml or .json"},
		{"nothing to check", "check", "", 2, "", "check needs files or directories"},
		{"no command", "", "", 2, "", "say what to do: check, show or schema"},
		{"another command", "frob", "", 2, "", `there is no command "frob"`},
		{"the built-in ones", "show", "", 0, "machine    This machine: Processors, memory, disks, network and processes\nreadout    Readout itself: What this server does, and whether its collectors work\n", ""},
		{"none such", "show none", "", 2, "", `there is no built-in dashboard "none"; use machine or readout`},
		{"too many", "show machine readout", "", 2, "", `unexpected "readout"`},
		{"too many for the schema", "schema x", "", 2, "", `unexpected "x"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := runDashboard(strings.Fields(c.line), strings.NewReader(c.stdin), &stdout, &stderr)
			if code != c.code || stdout.String() != c.stdout || !strings.Contains(stderr.String(), c.stderr) || (c.stderr == "") != (stderr.Len() == 0) {
				t.Errorf("ends with %d\n%s%s", code, stdout.String(), stderr.String())
			}
		})
	}
}

// What show prints is a dashboard that check takes, and the schema is JSON.
func TestDashboardShow(t *testing.T) {
	for _, name := range []string{"machine", "readout"} {
		var shown, checked, stderr bytes.Buffer
		if code := runDashboard([]string{"show", name}, nil, &shown, &stderr); code != 0 {
			t.Fatalf("show %s ends with %d: %s", name, code, stderr.String())
		}
		if code := runDashboard([]string{"check", "-"}, &shown, &checked, &stderr); code != 0 {
			t.Errorf("check of %s ends with %d: %s%s", name, code, checked.String(), stderr.String())
		}
	}
	var schema, stderr bytes.Buffer
	if code := runDashboard([]string{"schema"}, nil, &schema, &stderr); code != 0 || !json.Valid(schema.Bytes()) {
		t.Errorf("schema ends with %d: %s", code, stderr.String())
	}
}
