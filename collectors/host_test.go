package collectors

import (
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestHostCollectorsByName(t *testing.T) {
	list, err := NewHost("web1")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range list {
		names = append(names, c.Name())
		made, err := newHostCollector(c.Name(), "web1")
		if err != nil || made.Name() != c.Name() || made.Interval() != c.Interval() {
			t.Errorf("newHostCollector(%q) = %v, %v", c.Name(), made, err)
		}
		for topic := range c.Describe() {
			if !strings.Contains(string(topic), `host="web1"`) {
				t.Errorf("%s describes %s, which has no label host", c.Name(), topic)
			}
		}
	}
	if !slices.Equal(names, hostNames()) {
		t.Errorf("NewHost makes %q, hostNames tells %q", names, hostNames())
	}
	if runtime.GOOS == "linux" {
		want := "cpu cores load memory swap disk filesystem network pressure process temperature"
		if got := strings.Join(names, " "); got != want {
			t.Errorf("NewHost makes %s, want %s", got, want)
		}
	}
}

func TestHostCollectorsRefuse(t *testing.T) {
	for _, name := range hostNames() {
		for _, host := range []string{"", "a\x00b"} {
			if c, err := newHostCollector(name, host); err == nil {
				t.Errorf("%s took the host %q: %v", name, host, c)
			}
		}
	}
	if _, err := NewHost(""); err == nil {
		t.Error("NewHost took an empty host")
	}
	if _, err := newHostCollector("disc", "web1"); err == nil || !strings.HasPrefix(err.Error(), `there is no collector "disc"; choose from cpu, `) {
		t.Errorf("error %v", err)
	}
}

// Of more things than a collector remembers, it forgets the old ones and goes on.
func TestThings(t *testing.T) {
	things, err := newThings("disk", "device", "web1", counters("bytes", "read"))
	if err != nil {
		t.Fatal(err)
	}
	if topic, ok := things.topic("sda"); !ok || topic != `disk{device="sda",host="web1"}` {
		t.Errorf("topic %s, %v", topic, ok)
	}
	if topic, ok := things.topic("a\nb"); ok {
		t.Errorf("a control character made the topic %s", topic)
	}
	if described := things.Describe(); len(described) != 1 || described[`disk{device="sda",host="web1"}`][0].Kind != "counter" {
		t.Errorf("described: %v", described)
	}
	for i := range 2 * mostThings {
		things.topic(strings.Repeat("x", 1+i%100) + string(rune('a'+i/100)))
	}
	if n := len(things.topics); n > mostThings || n == 0 {
		t.Errorf("%d topics are remembered, want 1 to %d", n, mostThings)
	}
}
