package dashboard_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"readout/server/dashboard"
	"readout/server/reading"
)

// columns reads "used:bytes total:bytes pushes::counter open::state".
func columns(text string) []reading.Column {
	var list []reading.Column
	for field := range strings.FieldsSeq(text) {
		parts := append(strings.Split(field, ":"), "", "")
		kind := parts[2]
		if kind == "" {
			kind = reading.Gauge
		}
		list = append(list, reading.Column{Name: parts[0], Unit: parts[1], Kind: kind})
	}
	return list
}

func numbers(list ...float64) []reading.Value {
	var values []reading.Value
	for _, f := range list {
		values = append(values, reading.NumberOf(f))
	}
	return values
}

// drawn is what matters of an automatic panel.
func drawn(p dashboard.Panel) string {
	text := fmt.Sprintf("%s: %s", p.Title, p.Kind)
	if len(p.Columns) > 0 {
		text += " of " + strings.Join(p.Columns, " ")
	}
	if p.Unit != "" {
		text += " in " + p.Unit
	}
	if p.Min != nil || p.Max != nil {
		text += fmt.Sprintf(" from %v to %v", *p.Min, *p.Max)
	}
	return text
}

func TestAutomatic(t *testing.T) {
	state := []reading.Value{reading.TextOf("up"), reading.NumberOf(12)}
	for _, c := range []struct {
		topic   reading.Topic
		columns string
		last    []reading.Value
		want    string
	}{
		{"orders", "value", numbers(42), "Orders: line"},
		{"orders", "", nil, "Orders: line"},
		{"orders", "value", nil, "Orders: line"},
		{"orders", "open", numbers(42), "Orders open: line"},
		{"orders_open", "orders_open", numbers(42), "Orders open: line"},
		{`http_requests_total{code="500",site="eu"}`, "value::counter", numbers(4e9), "HTTP requests, code 500, eu: line in /s"},
		{"node_network_receive_bytes_total", "value::counter", numbers(1), "Node network receive: line in bytes/s"},
		{"process_cpu_seconds_total", "value::counter", numbers(1), "Process CPU: line in ratio"},
		{"process_cpu_seconds_total", "value:s:counter", numbers(1), "Process CPU: line"}, // hub.Rates says ratio
		{"http_request_duration_seconds", "value", numbers(0.2), "HTTP request duration: line in s"},
		{"latency_ms", "p50 p99", numbers(1, 2), "Latency: line in ms"},
		{"latency", "p50_ms p99_ms requests", numbers(1, 2, 3), "Latency: line of p50_ms p99_ms in ms"},
		{"process_start_time_seconds", "value", numbers(1.7e9), "Process start time: line"},
		{"room/kitchen/temperature_celsius", "value", numbers(21), "Room / kitchen / temperature: line in \u00b0C"},
		{"temperature_celsius", "value", numbers(21), "Temperature: line in \u00b0C"},
		{"seconds", "value", numbers(1), "Seconds: line in s"},
		{"disk_used_percent", "value", numbers(61), "Disk used: line in percent from 0 to 100"},
		{"disk_used_percent", "value", numbers(120), "Disk used: line in percent"},
		{"disk_used_percent", "value", nil, "Disk used: line in percent"},
		{"change_percent", "value", numbers(-3), "Change: line in percent"},
		{"hit_ratio", "value", numbers(0.9), "Hit: line in ratio from 0 to 1"},
		{"hit_ratio", "value", numbers(1.5), "Hit: line in ratio"},
		{`cpu{host="web1"}`, "busy:percent user:percent", numbers(12, 3), "CPU, web1: line from 0 to 100"},
		{`load{host="web1"}`, "load1 load5 load15", numbers(1, 2, 3), "Load, web1: line"},
		{`door{room="2"}`, "value::state", []reading.Value{reading.TextOf("open")}, "Door, room 2: timeline"},
		{"door", "value", []reading.Value{reading.TextOf("open")}, "Door: timeline"},
		{"door", "value", []reading.Value{reading.BoolOf(true)}, "Door: timeline"},
		{`probe{target="https://example.org"}`, "state::state latency:ms", state, "Probe state, https://example.org: timeline of state"},
		{"probe", "latency:ms state::state status phase:ms", nil, "Probe: line of latency phase"},
		// Amounts are stacked when they prove to be parts.
		{"memory", "used:bytes available:bytes cached:bytes buffers:bytes free:bytes total:bytes used_percent:percent", numbers(11, 20, 9, 1, 10, 31, 35),
			"Memory: stacked of used cached buffers free"},
		{"memory", "used:bytes cached:bytes free:bytes total:bytes", numbers(25, 20, 6, 31), "Memory: line"}, // used holds cached
		{"memory", "used:bytes free:bytes", numbers(25, 6), "Memory: line"},                                  // of what?
		{"memory", "used free total", numbers(25, 6, 31), "Memory: line"},                                    // bytes of nobody's saying
		{"memory", "used:bytes free:bytes total:bytes", nil, "Memory: line"},
		{"filesystem", "used:bytes free:bytes total:bytes used_percent:percent", numbers(61, 34, 100, 64), "Filesystem: stacked of used free"},
		{"network", "received:bytes:counter sent:bytes:counter packets::counter", numbers(1, 2, 3), "Network: line of received sent"},
		{"network", "received:bytes/s sent:bytes/s packets:/s", numbers(1, 2, 3), "Network: line of received sent"}, // as rates
		{"mixed", "now pushes::counter", numbers(1, 2), "Mixed now: line of now"},
		{"shop:berlin.orders-per_hour", "value", numbers(1), "Shop berlin orders per hour: line"},
		{"queueDepth", "value", numbers(1), "Queue depth: line"},
		{"redis.v7.2", "value", numbers(1), "Redis v7.2: line"},
		{"_", "value", numbers(1), "_: line"},
		{reading.Topic(`a{x="` + "\u202e" + `evil"}`), "value", nil, "A, evil: line"},
	} {
		p := dashboard.Automatic(c.topic, columns(c.columns), c.last)
		if got := drawn(p); got != c.want {
			t.Errorf("%s with %s is\n%s, not\n%s", c.topic, c.columns, got, c.want)
		}
		if !p.Match(c.topic) || p.Width != 6 || p.Height != 5 || p.Limit != 12 {
			t.Errorf("%s: %+v", c.topic, p)
		}
		same(t, dashboard.Dashboard{Title: "x", Window: dashboard.DefaultWindow, Panels: parsed(t, p)})
	}
}

// parsed is a panel as a document gives it.
func parsed(t *testing.T, panels ...dashboard.Panel) []dashboard.Panel {
	t.Helper()
	d, err := dashboard.Parse("x.json", []byte(asJSON(t, dashboard.Dashboard{Title: "x", Window: dashboard.DefaultWindow, Panels: panels})))
	if err != nil {
		t.Fatalf("an automatic panel is no panel of a document: %v", err)
	}
	return d.Panels
}

func TestAutomaticLongTitles(t *testing.T) {
	topic, err := reading.NewTopic(strings.Repeat("n", 200), reading.Label{Name: "a", Value: strings.Repeat("\u00e4", 500)})
	if err != nil {
		t.Fatal(err)
	}
	title := dashboard.Automatic(topic, nil, nil).Title
	if n := utf8.RuneCountInString(title); n != dashboard.MaxTitle || !strings.HasSuffix(title, "\u2026") {
		t.Errorf("%d characters: %s", n, title)
	}
}

func TestFill(t *testing.T) {
	const topic = `cpu{host="web1"}`
	all, last := columns("busy:percent user:percent load state::state"), append(numbers(12, 3, 0.5), reading.TextOf("ok"))
	for _, c := range []struct{ panel, want string }{
		{"{title: CPU, topics: 'cpu{host=*}'}", "CPU: line of busy user from 0 to 100"},
		{"{title: CPU, topics: 'cpu{host=*}', columns: load}", "CPU: line of load"},
		{"{title: CPU, topics: 'cpu{host=*}', columns: [state, load]}", "CPU: timeline of state load"},
		{"{title: CPU, topics: 'cpu{host=*}', columns: [nobody, user]}", "CPU: line of nobody user from 0 to 100"},
		{"{title: CPU, topics: 'cpu{host=*}', min: -5, max: 5}", "CPU: line of busy user from -5 to 5"},
		{"{title: CPU, topics: 'cpu{host=*}', unit: apples}", "CPU: line of busy user in apples"},
		{"{title: CPU, topics: 'cpu{host=*}', kind: gauge, columns: busy}", "CPU: gauge of busy from 0 to 100"},
		{"{title: CPU, topics: 'cpu{host=*}', kind: gauge, columns: load}", "CPU: gauge of load"},
		{"{title: CPU, topics: 'cpu{host=*}', kind: stat}", "CPU: stat"},
		{"{title: CPU, topics: 'cpu{host=*}', kind: area, columns: busy}", "CPU: area of busy"},
		{"{title: CPU, text: hi}", "CPU: text"},
	} {
		d, err := dashboard.Parse("", []byte("readout: 1\ntitle: x\npanels:\n- "+c.panel))
		if err != nil {
			t.Fatal(err)
		}
		before := asJSON(t, d)
		if got := drawn(d.Panels[0].Fill(topic, all, last)); got != c.want {
			t.Errorf("%s is\n%s, not\n%s", c.panel, got, c.want)
		}
		if asJSON(t, d) != before {
			t.Errorf("%s: Fill changed the dashboard", c.panel)
		}
	}
}

func TestAutomaticAll(t *testing.T) {
	one := func(topic string, cols string, last ...float64) dashboard.Subject {
		parsed, err := reading.ParseTopic(topic)
		if err != nil {
			t.Fatal(err)
		}
		return dashboard.Subject{Topic: parsed, Columns: columns(cols), Last: numbers(last...)}
	}
	door := dashboard.Subject{Topic: "door", Columns: columns("value::state"), Last: []reading.Value{reading.TextOf("open")}}
	var many []dashboard.Subject
	for i := range 30 {
		many = append(many, one(fmt.Sprintf(`queue_depth{host="h%02d",site="eu"}`, i), "value", 1))
	}
	var several []dashboard.Subject
	for i := range 150 {
		several = append(several, one(fmt.Sprintf("t%d", i), "a b", 1, 2))
	}
	for _, c := range []struct {
		name string
		list []dashboard.Subject
		want []string
	}{
		{"nothing", nil, nil},
		{"one value", []dashboard.Subject{one("orders", "value", 42)}, []string{"Orders: line 12x5"}},
		{"one state", []dashboard.Subject{door}, []string{"Door: timeline 12x5"}},
		{"one topic", []dashboard.Subject{one("cpu", "busy:percent user:percent load", 12, 3, 1)},
			[]string{"CPU busy: stat of busy 2x3", "CPU user: stat of user 2x3", "CPU load: stat of load 2x3", "CPU: line of busy user from 0 to 100 12x5"}},
		{"several topics", []dashboard.Subject{one("orders", "value", 42), one("latency_ms", "p50 p99", 1, 2), door},
			[]string{"Orders: stat of value 2x3", "Latency p50: stat of p50 in ms 2x3", "Orders: line 6x5", "Latency: line in ms 6x5", "Door: timeline 6x5"}},
		{"one name, two topics", many[:2], []string{"Queue depth, eu: line 12x5"}},
		{"one name, many topics", many, []string{"Queue depth, eu, 1 of 3: line 6x5", "Queue depth, eu, 2 of 3: line 6x5", "Queue depth, eu, 3 of 3: line 12x5"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := dashboard.AutomaticAll("What matches \u202e*", c.list)
			var got []string
			for _, p := range d.Panels {
				got = append(got, fmt.Sprintf("%s %dx%d", drawn(p), p.Width, p.Height))
			}
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("is\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			if d.Title != "What matches *" || d.Window != dashboard.DefaultWindow {
				t.Errorf("the dashboard is %+v", d)
			}
			for _, s := range c.list {
				if !d.Match(s.Topic) {
					t.Errorf("nothing shows %s", s.Topic)
				}
			}
			if len(c.list) > 0 {
				parsed(t, d.Panels...)
			}
		})
	}
	if d := dashboard.AutomaticAll("", several); len(d.Panels) != dashboard.MaxPanels || d.Title != "Topics" {
		t.Errorf("%d panels of %q", len(d.Panels), d.Title)
	}
}
