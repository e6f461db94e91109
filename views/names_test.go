package views

import (
	"slices"
	"testing"

	"readout/server/reading"
)

// TestLineNames holds the names to testdata/names.json, which the script's test reads too.
func TestLineNames(t *testing.T) {
	var cases []struct {
		Lines  [][2]string
		Names  map[string]string
		Things bool
		Want   []string
	}
	readJSON(t, "names.json", &cases)
	if len(cases) == 0 {
		t.Fatal("names.json is empty")
	}
	for _, c := range cases {
		var topics []reading.Topic
		var columns []string
		for _, l := range c.Lines {
			topics, columns = append(topics, mustTopic(t, l[0])), append(columns, l[1])
		}
		if got := lineNames(topics, columns, c.Names, c.Things); !slices.Equal(got, c.Want) {
			t.Errorf("%v: got %q, want %q", c.Lines, got, c.Want)
		}
	}
}
