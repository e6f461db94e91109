package reading_test

import (
	"encoding/json"
	"os"
	"testing"

	"readout/server/reading"
)

// The page script has a matcher of its own, static/src/selector.ts, so that a
// topic that is new joins the panels that select it without a reload. Both are
// held to the same file.
func TestSelectorFixture(t *testing.T) {
	content, err := os.ReadFile("testdata/selectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Selector   string
		Match, Not []string
	}
	if err := json.Unmarshal(content, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 20 {
		t.Fatalf("%d cases in the fixture", len(cases))
	}
	for _, c := range cases {
		selector, err := reading.ParseSelector(c.Selector)
		if err != nil {
			t.Errorf("%s: %v", c.Selector, err)
			continue
		}
		check := func(texts []string, want bool) {
			for _, text := range texts {
				topic, err := reading.ParseTopic(text)
				if err != nil || string(topic) != text {
					t.Errorf("%s is no canonical topic: %s, %v", text, topic, err)
				}
				if selector.Match(topic) != want {
					t.Errorf("%s on %s: want %v", c.Selector, topic, want)
				}
			}
		}
		check(c.Match, true)
		check(c.Not, false)
	}
}
