package views

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// strokesCase is one line of testdata/strokes.json, which static/src/spark.test.ts
// reads too: what is kept and joined must be the same before and after the script.
type strokesCase struct {
	Name     string     `json:"name"`
	From     int64      `json:"from"`
	To       int64      `json:"to"`
	Lo       float64    `json:"lo"`
	Hi       float64    `json:"hi"`
	Joinable int64      `json:"joinable"`
	Times    []int64    `json:"times"`
	Values   []*float64 `json:"values"` // null for a reading without this value
	Line     string     `json:"line"`
	Area     string     `json:"area"`
	Tip      string     `json:"tip"`
}

func TestStrokes(t *testing.T) {
	var cases []strokesCase
	readJSON(t, "strokes.json", &cases)
	for _, c := range cases {
		values := make([]float64, len(c.Values))
		for i, v := range c.Values {
			values[i] = math.NaN()
			if v != nil {
				values[i] = *v
			}
		}
		f := frame{c.From, c.To, c.Lo, c.Hi, c.Joinable}
		runs := f.strokes(c.Times, values)
		if got := linePath(runs); got != c.Line {
			t.Errorf("%s: line %q, want %q", c.Name, got, c.Line)
		}
		if got := areaPath(runs); got != c.Area {
			t.Errorf("%s: area %q, want %q", c.Name, got, c.Area)
		}
		if got := tipPath(runs); got != c.Tip {
			t.Errorf("%s: tip %q, want %q", c.Name, got, c.Tip)
		}
	}
}

// TestStrokesKeepPeaks pushes many more readings than units of width: the one
// peak and the one dip must still be in the line, and the line must stay small.
func TestStrokesKeepPeaks(t *testing.T) {
	const n = 50_000
	times, values := make([]int64, n), make([]float64, n)
	for i := range n {
		times[i], values[i] = int64(i), 50+5*math.Sin(float64(i))
	}
	values[31_234], values[12_345] = 100, 0
	f := frame{from: 0, to: n - 1, lo: 0, hi: 100}
	line := linePath(f.strokes(times, values))
	if !strings.Contains(line, " 0L") {
		t.Error("the peak is lost")
	}
	if !strings.Contains(line, " 1000L") {
		t.Error("the dip is lost")
	}
	if spots := strings.Count(line, "L"); spots > 4*(box+1) {
		t.Errorf("%d spots for %d units of width", spots, box)
	}
}

// TestAxes holds the axes to testdata/axes.json, which static/src/axis.test.ts reads too.
func TestAxes(t *testing.T) {
	type axesCase struct {
		Unit   string   `json:"unit"`
		Lo     float64  `json:"lo"`
		Hi     float64  `json:"hi"`
		Whole  bool     `json:"whole"`
		Max    float64  `json:"max,omitempty"` // of the panel, beyond what was read
		Labels []string `json:"labels"`
	}
	var cases []axesCase
	readJSON(t, "axes.json", &cases)
	for i, c := range cases {
		ax := axisFor(c.Unit, c.Lo, max(c.Hi, c.Max), c.Whole)
		got := ax.labels(ax.scale(scaleOver(c.Unit, c.Lo, c.Hi, c.Whole), c.Unit, c.Whole))
		if len(got) < 2 || len(got) > 7 {
			t.Errorf("%v to %v %s: %d lines", c.Lo, c.Hi, c.Unit, len(got))
		}
		if ax.lo > c.Lo || ax.hi < c.Hi {
			t.Errorf("%v to %v %s: the axis covers only %v to %v", c.Lo, c.Hi, c.Unit, ax.lo, ax.hi)
		}
		if strings.Join(got, "|") != strings.Join(c.Labels, "|") && !*update {
			t.Errorf("%v to %v %s: labels %q, want %q", c.Lo, c.Hi, c.Unit, got, c.Labels)
		}
		cases[i].Labels = got
	}
	if *update {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetIndent("", "  ")
		if err := e.Encode(cases); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join("testdata", "axes.json"), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
