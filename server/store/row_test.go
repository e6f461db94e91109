package store

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"readout/server/reading"
)

// Rows outlive the program that wrote them: what is written is what the golden
// file holds, and what older programs wrote is still read.
func TestRowsAreTheGoldenOnes(t *testing.T) {
	columns := []reading.Column{{Name: "received", Unit: "bytes", Kind: reading.Counter}, {Name: "state", Kind: reading.State}}
	rows := []row{
		{Columns: columns, Since: 1763785200123, Revision: 3},
		{Columns: columns[:1], Since: 1763785200123, Revision: 1, Foreign: true},
		{Columns: columns[:1], Since: 1763785200123, Revision: 4, Hidden: true},
	}
	golden, err := os.ReadFile("testdata/rows.golden")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(golden)), "\n")
	if len(lines) != len(rows)+1 {
		t.Fatalf("%d lines", len(lines))
	}
	for i, r := range rows {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if string(text) != lines[i] {
			t.Errorf("%s\nin the golden file: %s", text, lines[i])
		}
	}
	end, err := json.Marshal(ending{true, 1763785200123, 4, "r1"})
	if err != nil {
		t.Fatal(err)
	}
	if string(end) != lines[len(rows)] {
		t.Errorf("%s\nin the golden file: %s", end, lines[len(rows)])
	}
	var c catalog
	c.init()
	c.put("old", lines[0], false)
	c.put("hidden", lines[2], false)
	if old, hidden := c.topics["old"].info, c.topics["hidden"].info; old.Hidden || len(old.Columns) != 2 || !hidden.Hidden {
		t.Errorf("read back: %+v and %+v", old, hidden)
	}
}
