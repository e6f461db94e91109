package dashboard_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"readout/server/dashboard"
	"readout/server/reading"
)

// What collectors push, by DESIGN: every panel of "This machine" finds its
// topics and columns, and every collector has a panel.
func TestMachineShowsEveryCollector(t *testing.T) {
	pushed := map[reading.Topic]string{
		`cpu{host="web1"}`:                          "busy user system nice idle iowait irq steal",
		`cpu_cores{host="web1"}`:                    "core0 core1",
		`load{host="web1"}`:                         "load1 load5 load15 cores",
		`memory{host="web1"}`:                       "used available free total cached buffers used_percent",
		`swap{host="web1"}`:                         "used free total used_percent",
		`disk{device="sda",host="web1"}`:            "read written reads writes busy",
		`filesystem{host="web1",mount="/var"}`:      "used free total used_percent",
		`network{host="web1",interface="eth0"}`:     "received sent packets_in packets_out errors_in errors_out drops_in drops_out",
		`pressure{host="web1",resource="io"}`:       "some10 some60 full10 full60",
		`process{host="web1",name="redis"}`:         "cpu memory count",
		`temperature{host="web1",sensor="Package"}`: "temperature",
	}
	d := builtIn(t, "machine")
	if len(d.Panels) < 18 || len(d.Panels) > 20 {
		t.Errorf("%d panels", len(d.Panels))
	}
	shows(t, d, pushed)
}

func TestReadoutShowsItself(t *testing.T) {
	shows(t, builtIn(t, "readout"), map[reading.Topic]string{
		`readout_server{replica="a"}`:                    "pushes readings_stored frames bytes_sent sockets streamers topics delivery_p50_ms delivery_p99_ms errors heap_bytes goroutines cpu_seconds",
		`readout_collector{collector="cpu",host="web1"}`: "duration_ms success readings",
	})
}

func builtIn(t *testing.T, slug string) dashboard.Dashboard {
	t.Helper()
	for _, d := range dashboard.BuiltIn() {
		if d.Slug == slug && d.BuiltIn && d.File == "" {
			return d
		}
	}
	t.Fatalf("%s is not built in", slug)
	return dashboard.Dashboard{}
}

func shows(t *testing.T, d dashboard.Dashboard, pushed map[reading.Topic]string) {
	t.Helper()
	row, widths := 0, []int{}
	for _, p := range d.Panels {
		var known []string
		for topic, columns := range pushed {
			if p.Match(topic) {
				known = append(known, strings.Fields(columns)...)
			}
		}
		if len(known) == 0 {
			t.Errorf("the panel %s shows no topic", p.Title)
		}
		for _, c := range p.Columns {
			if !slices.Contains(known, c) {
				t.Errorf("the panel %s shows %s, which nobody pushes", p.Title, c)
			}
		}
		if row += p.Width; row > dashboard.MaxWidth {
			widths, row = append(widths, row-p.Width), p.Width
		}
	}
	for i, w := range append(widths, row) {
		if w != dashboard.MaxWidth {
			t.Errorf("line %d of %s has %d columns, not %d", i+1, d.Slug, w, dashboard.MaxWidth)
		}
	}
	for topic := range pushed {
		if !d.Match(topic) {
			t.Errorf("no panel shows %s", topic)
		}
	}
}

// The examples of the reference are dashboards.
func TestDocsExamples(t *testing.T) {
	docs, err := os.ReadFile("../../docs/dashboards.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```(yaml|json)\n(.*?)```").FindAllSubmatch(docs, -1)
	if len(blocks) < 5 {
		t.Fatalf("only %d examples", len(blocks))
	}
	for _, b := range blocks {
		text := b[2]
		if !bytes.Contains(text, []byte("readout")) { // panels alone
			text = append([]byte("readout: 1\ntitle: Example\npanels:\n"), text...)
		}
		if _, err := dashboard.Parse("example."+string(b[1]), text); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
	}
	for _, key := range keys(t) {
		if !bytes.Contains(docs, []byte("`"+key+"`")) {
			t.Errorf("docs/dashboards.md says nothing about %s", key)
		}
	}
}

// keys are the keys that a panel may have, by what the parser says.
func keys(t *testing.T) []string {
	t.Helper()
	_, err := dashboard.Parse("", []byte("readout: 1\ntitle: x\npanels: [{title: a, topics: a, frobnicate: 1}]"))
	_, list, ok := strings.Cut(fmt.Sprint(err), "use one of ")
	if !ok {
		t.Fatalf("the parser says %v", err)
	}
	return strings.Split(list, ", ")
}

func TestSchema(t *testing.T) {
	var schema struct {
		Required   []string
		Properties map[string]struct {
			Items struct{ Properties map[string]any }
		}
	}
	if err := json.Unmarshal(dashboard.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	if len(schema.Properties) != 5 || len(schema.Required) != 3 {
		t.Errorf("a dashboard has %d keys, %v", len(schema.Properties), schema.Required)
	}
	properties := schema.Properties["panels"].Items.Properties
	for _, key := range keys(t) {
		if _, ok := properties[key]; !ok {
			t.Errorf("the schema does not know %s", key)
		}
		delete(properties, key)
	}
	if len(properties) > 0 {
		t.Errorf("the schema knows %v, the parser does not", properties)
	}
}
