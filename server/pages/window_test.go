package pages

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"readout/server/reading"
)

func TestCovering(t *testing.T) {
	const now = 1_000_000_000_000
	for _, c := range []struct{ age, window, want time.Duration }{
		{-1, 15 * time.Minute, time.Minute}, // no reading at all
		{0, 15 * time.Minute, time.Minute},
		{40 * time.Second, 15 * time.Minute, time.Minute},
		{time.Minute, 15 * time.Minute, time.Minute},
		{61 * time.Second, 15 * time.Minute, 5 * time.Minute},
		{6 * time.Minute, 10 * time.Minute, 10 * time.Minute}, // never more than the window
		{2 * time.Hour, 24 * time.Hour, 3 * time.Hour},
		{30 * 24 * time.Hour, 40 * 24 * time.Hour, longestSpan},
		{40 * time.Hour, time.Hour, time.Hour},
	} {
		began := int64(0)
		if c.age >= 0 {
			began = now - c.age.Milliseconds()
		}
		if got := covering(began, now, c.window); got != c.want {
			t.Errorf("%v of a window of %v: %v, want %v", c.age, c.window, got, c.want)
		}
	}
}

// In its first minute a page shows the little that there is over its whole width.
func TestPagesShowWhatThereIs(t *testing.T) {
	dir := t.TempDir()
	document := "readout: 1\ntitle: Shop\nwindow: 15m\npanels:\n  - {title: Orders, kind: line, topics: orders}\n  - {title: Rows, kind: table, topics: [programs, long]}\n"
	if err := os.WriteFile(filepath.Join(dir, "shop.yaml"), []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newShelf()
	s.fill("orders", 40, plain, func(i int) float64 { return float64(i) })
	s.fill("long", 500, plain, func(i int) float64 { return float64(i) })
	s.fill("programs", 1, plain, func(i int) float64 { return float64(i) })
	s.entries["programs"][0].Readings[0].Time = time.Now().Add(-10 * time.Minute).UnixMilli() // ended; a table draws no course
	p := s.pages(t, dir)
	spans := func(page string) string {
		_, rest, _ := strings.Cut(page, "<main")
		head, _, _ := strings.Cut(rest, ">")
		var found []string
		for _, name := range []string{"data-span", "data-window"} {
			_, value, _ := strings.Cut(head, name+`="`)
			value, _, _ = strings.Cut(value, `"`)
			found = append(found, value)
		}
		return strings.Join(found, " ")
	}
	for _, c := range []struct{ address, want string }{
		{"/d/shop", "60000 900000"},
		{"/d/shop?window=15m", "900000 900000"},
		{"/d/shop?window=1m", "60000 60000"},
		{"/d?match=orders", "60000 300000"},
		{"/d?match=long", "300000 300000"},
	} {
		handler := p.Dashboard
		if strings.HasPrefix(c.address, "/d?") {
			handler = p.Match
		}
		if page, err := get(t, handler, c.address); err != nil || spans(page) != c.want {
			t.Errorf("%s: span and window %s, want %s (%v)", c.address, spans(page), c.want, err)
		}
	}
	for topic, want := range map[reading.Topic]string{"orders": "60000 300000", "long": "300000 300000", "none": "60000 300000"} {
		for _, query := range []string{"", "?view=embed"} {
			if page, err := get(t, func(w http.ResponseWriter, r *http.Request) error { return p.Topic(w, r, topic) }, "/t/"+string(topic)+query); err != nil || spans(page) != want {
				t.Errorf("%s: span and window %s, want %s (%v)", fmt.Sprint(topic, query), spans(page), want, err)
			}
		}
	}
}
