package pages

import (
	"math"
	"net/http"

	"readout/server/problem"
	"readout/server/reading"
	"readout/views"
)

// Design serves GET /design on a server for development: every panel in every
// state, with readings that are made here.
func (p *Pages) Design(w http.ResponseWriter, r *http.Request) error {
	if !p.o.Development {
		return problem.New("not_found", "there is no page at %s", reading.Quote(r.URL.Path))
	}
	page := p.page(r)
	panels, err := examples(page.Now)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.DesignPage(views.DesignView{Page: page, Panels: panels, Span: usualSpan.Milliseconds()}))
}

// example makes the series of one topic: n readings a second apart that end
// silent ms before now.
func example(topic string, now, silent int64, n int, columns []reading.Column, values func(i int) []reading.Value) *views.Series {
	s := &views.Series{Topic: reading.Topic(topic), Columns: columns, Interval: 1000, Rate: 1}
	for i := range n {
		s.Rows = append(s.Rows, views.Row{Time: now - silent - int64(n-1-i)*1000, Values: values(i)})
	}
	return s
}

func gauge(name, unit string) reading.Column {
	return reading.Column{Name: name, Unit: unit, Kind: reading.Gauge}
}

// course is a curve with a hill in it.
func course(i int, level, height, phase float64) float64 {
	x := float64(i) / 9
	return level + height*(math.Sin(x+phase)+0.6*math.Sin(2.7*x+phase)+3*math.Exp(-math.Pow((float64(i)-190)/22, 2)))
}

// examples are all kinds of panels, then one kind in all states.
func examples(now int64) ([]views.Panel, error) {
	const readings = 300
	numbers := func(topic string, silent int64, level, height float64, columns ...reading.Column) *views.Series {
		return example(topic, now, silent, readings, columns, func(i int) []reading.Value {
			row := make([]reading.Value, len(columns))
			for c := range row {
				row[c] = reading.NumberOf(course(i, level/float64(c+1), height/float64(c+1), float64(c)))
			}
			return row
		})
	}
	words := func(topic string, word func(i int) string) *views.Series {
		return example(topic, now, 400, readings, []reading.Column{{Name: "state", Kind: reading.State}}, func(i int) []reading.Value {
			return []reading.Value{reading.TextOf(word(i))}
		})
	}
	busy := numbers(`cpu{host="a"}`, 400, 24, 6, gauge("busy", "percent"))
	modes := numbers(`cpu{host="a"}`, 400, 24, 3, gauge("user", "percent"), gauge("system", "percent"), gauge("iowait", "percent"), gauge("steal", "percent"))
	memory := numbers(`memory{host="a"}`, 400, 11<<30, 1<<27, gauge("used", "bytes"), gauge("cached", "bytes"), gauge("buffers", "bytes"))
	var mounts []*views.Series
	for i, m := range []string{"/", "/var", "/home", "/data", "/boot"} {
		mounts = append(mounts, example(`filesystem{mount="`+m+`"}`, now, 400, 10, []reading.Column{gauge("used", "percent")}, func(int) []reading.Value {
			return []reading.Value{reading.NumberOf([]float64{61, 88, 42, 96.4, 31}[i])}
		}))
	}
	process := func(name string, cpu, memory float64) *views.Series {
		return example(`process{name="`+name+`"}`, now, 400, 10, []reading.Column{gauge("cpu", "percent"), gauge("memory", "bytes")}, func(int) []reading.Value {
			return []reading.Value{reading.NumberOf(cpu), reading.NumberOf(memory)}
		})
	}
	limits := []views.Threshold{{At: 85, Level: "warn", Name: "filling up"}, {At: 95, Level: "critical", Name: "nearly full"}}
	up := func(int) string { return "up" }
	services := []*views.Series{
		words(`probe{target="nginx"}`, up),
		words(`probe{target="postgres"}`, func(i int) string {
			if i > 160 && i < 210 {
				return "slow"
			}
			return "up"
		}),
		words(`probe{target="worker"}`, func(i int) string {
			if i > 200 && i < 240 {
				return "down"
			}
			return "up"
		}),
		words(`probe{target="mode"}`, func(i int) string { return []string{"idle", "batch", "drain"}[i/120] }),
	}
	text, err := prose("Runs on **one** machine.\n\n- orders by the minute\n- see [the manual](/docs)\n\n`curl -d 42 localhost:8080/t/orders`")
	if err != nil {
		return nil, err
	}
	line := func(title string, silent int64, change func(*views.Panel)) views.Panel {
		v := views.Panel{Title: title, Kind: "line", Width: 4, Height: 5, Series: []*views.Series{numbers(`orders{shop="berlin"}`, silent, 42, 4, gauge("value", ""))}}
		if change != nil {
			change(&v)
		}
		return v
	}
	panels := []views.Panel{
		{Title: "CPU busy", Kind: "stat", Width: 2, Height: 3, Series: []*views.Series{busy}},
		{Title: "Stale", Kind: "stat", Width: 2, Height: 3, Series: []*views.Series{numbers("temperature", 48_000, 61, 1, gauge("value", "°C"))}},
		{Title: "Data free", Kind: "stat", Width: 2, Height: 3, Series: []*views.Series{numbers("free", 400, 3.6, 0.1, gauge("value", "percent"))}, Thresholds: []views.Threshold{{At: 5, Level: "critical", Below: true, Name: "low"}}},
		{Title: "Door", Kind: "stat", Width: 2, Height: 3, Series: []*views.Series{words("door", func(int) string { return "closed" })}},
		{Title: "Data used", Kind: "gauge", Width: 2, Height: 3, Series: mounts[1:2], Thresholds: limits},
		{Title: "Nothing yet", Kind: "stat", Width: 2, Height: 3, Series: []*views.Series{{Topic: "orders"}}},
		{Title: "CPU by mode", Kind: "line", Width: 6, Height: 5, Series: []*views.Series{modes}},
		{Title: "Memory", Kind: "stacked", Width: 6, Height: 5, Series: []*views.Series{memory}, Legend: []string{"last", "min", "max", "avg"}},
		{Title: "Traffic", Kind: "area", Width: 4, Height: 5, Series: []*views.Series{numbers("network", 400, 48e6, 6e6, gauge("received", "bytes/s"), gauge("sent", "bytes/s"))}},
		{Title: "Filesystems", Note: "used", Kind: "bars", Width: 4, Height: 5, Series: mounts, Thresholds: limits},
		{Title: "Top processes", Note: "by CPU", Kind: "table", Width: 4, Height: 5, Series: []*views.Series{
			process("postgres", 8.4, 2.1*(1<<30)), process("worker", 5.1, 612<<20), process("readout", 1.9, 48.3*(1<<20)), process("nginx", 1.2, 31<<20),
		}},
		{Title: "Services", Kind: "timeline", Width: 8, Height: 5, Series: services},
		{Title: "About", Kind: "text", Width: 4, Height: 5, Prose: text},
		line("Live", 400, nil),
		line("Stale", 65_000, nil),
		line("Reconnecting", 65_000, func(v *views.Panel) { v.State = "again" }),
		line("Gap", 400, func(v *views.Panel) {
			s := v.Series[0]
			s.Rows = append(s.Rows[:120:120], s.Rows[180:]...)
			v.Marks = []views.Mark{{From: s.Rows[119].Time, To: s.Rows[120].Time, Text: "60 lost, outage"}}
		}),
		line("Thinned", 400, func(v *views.Panel) {
			v.Thinned = 27
			v.Marks = []views.Mark{{From: now - 90_000, To: now, Text: "1 in 27 drawn", Thinned: true}}
		}),
		line("Threshold", 400, func(v *views.Panel) {
			v.Thresholds = []views.Threshold{{At: 30, Level: "warn", Name: "busy"}, {At: 55, Level: "critical"}}
		}),
		line("Some stale", 400, func(v *views.Panel) {
			v.Series = append(v.Series, numbers(`orders{shop="paris"}`, 90_000, 30, 3, gauge("value", "")))
		}),
		line("Too many", 400, func(v *views.Panel) { v.Matching = 1284 }),
		line("Stopped", 65_000, func(v *views.Panel) { v.State = "stopped" }),
		line("Nothing matches", 400, func(v *views.Panel) {
			v.Problem = &views.Problem{State: "empty", Title: "Nothing matches", About: `orders{shop="rome"}`, Text: "has no readings. Send one and it appears here."}
		}),
		line("No reading in this time", 400_000, nil),
		line("Error", 400, func(v *views.Panel) { v.Series = []*views.Series{words("door", up)} }),
		line("No permission", 400, func(v *views.Panel) {
			v.Problem = &views.Problem{State: "forbidden", Title: "Not yours to see", Text: "Your token may not read the topics of this panel. Ask the owner of this dashboard for more."}
		}),
	}
	return panels, nil
}
