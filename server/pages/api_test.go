package pages

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"readout/server/problem"
	"readout/server/reading"
)

func TestMoment(t *testing.T) {
	now := time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) int64 { return now.Add(-d).UnixMilli() }
	for _, c := range []struct {
		text string
		want int64 // -1 when it is refused
	}{
		{"now", now.UnixMilli()},
		{"0", 0},
		{"1763785200123", 1763785200123},
		{"253402300799999", 253402300799999},
		{"-15m", ago(15 * time.Minute)},
		{"-1h30m", ago(90 * time.Minute)},
		{"-1.5s", ago(1500 * time.Millisecond)},
		{"-7d", ago(7 * 24 * time.Hour)},
		{"-1d12h", ago(36 * time.Hour)},
		{"-36500d", 0}, // before 1970
		{"2026-11-22T12:00:00Z", ago(time.Hour)},
		{"2026-11-22T13:00:00+01:00", ago(time.Hour)},
		{"2026-11-22T13:00:00 01:00", ago(time.Hour)}, // a + that was not escaped
		{"2026-11-22T12:00:00.5Z", ago(time.Hour) + 500},
		{"", -1}, {"yesterday", -1}, {"-", -1}, {"-15", -1}, {"--15m", -1}, {"-+15m", -1}, {"-1d-1h", -1}, {"-1d1d", -1}, {"-d", -1}, {"15m", -1},
		{"253402300800000", -1}, {"99999999999999999999", -1}, {"1e3", -1}, {"1.5", -1}, {"-99999999999d", -1}, {"-9999999h", -1},
		{"1969-12-31T23:59:59Z", -1}, {"2026-11-22", -1}, {"2026-13-22T13:00:00Z", -1}, {"NaN", -1},
	} {
		got, err := moment("from", c.text, now)
		if c.want < 0 {
			if p, _ := problem.Of(err); err == nil || p.Code != "bad_request" || !strings.Contains(p.Message, "from is ") {
				t.Errorf("%q: %d, %v; want it refused as from", c.text, got, err)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%q: %d, %v; want %d", c.text, got, err, c.want)
		}
	}
}

func FuzzWindow(f *testing.F) {
	for _, seed := range []string{
		"topic=orders", "topic=orders&from=-15m&to=now&points=600&rates=1", "topic=cpu%7Bhost%3D%22a%22%7D&format=csv", "topic=a&from=2026-11-22T13:00:00%2B01:00",
		"topic=a&from=1&to=0", "topic=a&points=1e9", "topic=a&topic=b", "topic=%zz", "from=-1d2h3m4s&topic=x", "topic=x&to=-9999999999h", ";", "a=b", "topic=*",
	} {
		f.Add(seed)
	}
	now := time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		r := httptest.NewRequest("GET", "/api/v1/readings", nil)
		r.URL.RawQuery = text
		v, err := readWindow(r, now)
		if err != nil {
			if _, row := problem.Of(err); row.Status < 400 || row.Status >= 500 {
				t.Errorf("%q is refused with %d: %v", text, row.Status, err)
			}
			return
		}
		if topic, err := reading.ParseTopic(string(v.topic)); err != nil || topic != v.topic {
			t.Errorf("%q asks for the topic %q", text, v.topic)
		}
		if v.from < 0 || v.from > lastMoment || v.to < 0 || v.to > lastMoment || v.to > 0 && v.to < v.from || v.points < 1 || v.points > mostPoints {
			t.Errorf("%q asks for %d to %d in %d points", text, v.from, v.to, v.points)
		}
	})
}

func TestNextIsOpaqueAndReadsBack(t *testing.T) {
	for _, topic := range []reading.Topic{"orders", `cpu{host="web1"}`, `x{a="ö\"\\"}`} {
		got, err := readNext(next(topic))
		if err != nil || got != topic {
			t.Errorf("%s: %s, %v", topic, got, err)
		}
	}
	for _, text := range []string{"orders", "MQ", "Mm9yZGVycw", "MSo", "!", strings.Repeat("A", 10_000)} {
		if topic, err := readNext(text); err == nil {
			t.Errorf("%.20q is the place after %s", text, topic)
		}
	}
}

// describe counts for the time that it knows.
func TestRate(t *testing.T) {
	const now = 1_000_000_000
	every := func(step, n int64) []reading.Reading {
		var list []reading.Reading
		for i := n; i > 0; i-- {
			list = append(list, reading.Reading{Time: now - i*step})
		}
		return list
	}
	for _, c := range []struct {
		name string
		list []reading.Reading
		want float64
	}{
		{"none", nil, 0},
		{"one, long ago", []reading.Reading{{Time: now - 3_600_000}}, 0},
		{"one, just now", []reading.Reading{{Time: now - 1}}, 1.0 / 60},
		{"each second, for two minutes", every(1000, 120), 1},
		{"ten a second, for three seconds", every(100, 30), 10},
		{"two at this moment", []reading.Reading{{Time: now}, {Time: now}}, 2.0 / 60},
		{"ahead of our clock", []reading.Reading{{Time: now + 5}, {Time: now + 9}}, 2.0 / 60},
	} {
		if got := rate(c.list, now); got != c.want {
			t.Errorf("%s: %v a second, want %v", c.name, got, c.want)
		}
	}
}

func TestSearchOrder(t *testing.T) {
	all := []string{`cpu{host="web1"}`, "cpu", "cpu_cores", "shop_cpu", "occupied", `memory{host="cpu-box"}`, "disk"}
	for _, c := range []struct {
		text string
		want []string
	}{
		{"cpu", []string{"cpu", "cpu_cores", `cpu{host="web1"}`, "shop_cpu", `memory{host="cpu-box"}`}},
		{"CPU  web", []string{`cpu{host="web1"}`}},
		{"ccup", []string{"occupied"}},
		{"cpu{*}", []string{"cpu", `cpu{host="web1"}`}},
		{"*", []string{"cpu", "disk", "occupied", "shop_cpu", "cpu_cores"}},
		{"cpu{", []string{`cpu{host="web1"}`}},
		{"zebra", nil},
		{"", []string{"cpu", "disk", "occupied", "shop_cpu", "cpu_cores"}},
	} {
		s, found := newSought(c.text), best[string]{most: 5}
		for _, topic := range all {
			if n, ok := s.topic(reading.Topic(topic)); ok {
				found.add(n, topic, topic)
			}
		}
		if got := found.list(); !slices.Equal(got, c.want) && len(got)+len(c.want) > 0 {
			t.Errorf("%q finds %q, want %q", c.text, got, c.want)
		}
	}
}

func TestReadHidden(t *testing.T) {
	for _, c := range []struct {
		body   string
		hidden bool
		code   string
	}{
		{`{"hidden":true}`, true, ""},
		{" { \"hidden\" : false }\n", false, ""},
		{`{}`, false, "bad_json"},
		{`{"hidden":true`, false, "bad_json"},
		{`{"hidden":true}{}`, false, "bad_json"},
		{`{"hidden":1}`, false, "bad_json"},
		{`{"hidden":null}`, false, "bad_json"},
		{`{"hidden":[true]}`, false, "bad_json"},
		{`{"hidden"}`, false, "bad_json"},
		{`[true]`, false, "bad_json"},
		{`true`, false, "bad_json"},
		{`hidden=true`, false, "bad_json"},
		{`{"Hidden":true}`, false, "unknown_field"},
		{`{"hidden":true,"topic":"x"}`, false, "unknown_field"},
		{`{"hidden":true,"hidden":false}`, false, "duplicate_key"},
	} {
		hidden, err := readHidden([]byte(c.body))
		code := ""
		if err != nil {
			p, _ := problem.Of(err)
			code = p.Code
		}
		if code != c.code || err == nil && hidden != c.hidden {
			t.Errorf("%s: %v, %q; want %v, %q", c.body, hidden, code, c.hidden, c.code)
		}
	}
}

func TestFileName(t *testing.T) {
	for topic, want := range map[reading.Topic]string{
		"orders": "orders", `cpu{host="web1"}`: "cpu_host__web1", "shop/eu/orders": "shop_eu_orders", `:{a="é\"\r"}`: "a______r", ":": "readings",
		reading.Topic(strings.Repeat("a", 200)): strings.Repeat("a", 80),
	} {
		if got := fileName(topic); got != want {
			t.Errorf("%s: %s, want %s", topic, got, want)
		}
	}
}
