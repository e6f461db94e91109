package pages

import (
	"fmt"
	"strings"
	"testing"
)

// A text is rendered once: finding it again makes nothing.
func TestProseIsRenderedOnce(t *testing.T) {
	var c proses
	const source = "Runs on **one** machine."
	want, err := prose(source)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, err := c.html(source); err != nil || got != want {
			t.Fatalf("%q, %v; want %q", got, err, want)
		}
	}
	if n := testing.AllocsPerRun(10, func() { _, _ = c.html(source) }); n > 0 {
		t.Errorf("a text that is known makes %v allocations: it is rendered again", n)
	}
	large := strings.Repeat("many words ", 10_000)
	for i := range 200 {
		if _, err := c.html(fmt.Sprint(i, large)); err != nil {
			t.Fatal(err)
		}
	}
	held := 0
	for text, html := range c.known {
		held += len(text) + len(html)
	}
	if held > mostProse || held != c.size {
		t.Errorf("%d bytes are held, %d counted, at most %d are allowed", held, c.size, mostProse)
	}
}
