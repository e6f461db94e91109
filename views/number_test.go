package views

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// TestNumbers holds the figures to the file that static/src/value.test.ts reads too.
func TestNumbers(t *testing.T) {
	var cases struct {
		Figures []struct {
			Unit          string
			Lo, Hi, Value float64
			Whole         bool
			Figure, Shown string
		}
		Ages []struct {
			Ms   int64
			Text string
		}
		Rates []struct {
			PerSecond float64
			Text      string
		}
		Rhythms []struct {
			Ms   int64
			Text string
		}
	}
	readJSON(t, "numbers.json", &cases)
	if len(cases.Figures) == 0 || len(cases.Ages) == 0 || len(cases.Rates) == 0 || len(cases.Rhythms) == 0 {
		t.Fatal("numbers.json lacks a list")
	}
	for _, c := range cases.Figures {
		sc := scaleOver(c.Unit, c.Lo, c.Hi, c.Whole)
		if got := sc.figure(c.Value); got != c.Figure || sc.unit != c.Shown {
			t.Errorf("%v %q of %v to %v: got %q %q, want %q %q", c.Value, c.Unit, c.Lo, c.Hi, got, sc.unit, c.Figure, c.Shown)
		}
	}
	for _, c := range cases.Ages {
		if got := age(c.Ms); got != c.Text {
			t.Errorf("age(%d) = %q, want %q", c.Ms, got, c.Text)
		}
	}
	for _, c := range cases.Rates {
		if got := rate(c.PerSecond); got != c.Text {
			t.Errorf("rate(%v) = %q, want %q", c.PerSecond, got, c.Text)
		}
	}
	for _, c := range cases.Rhythms {
		if got := rhythm(Series{Interval: c.Ms}); got != c.Text {
			t.Errorf("rhythm(%d) = %q, want %q", c.Ms, got, c.Text)
		}
	}
}
