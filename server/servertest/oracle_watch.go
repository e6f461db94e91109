package servertest

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"readout/server/reading"
)

// sighting is a frame as the oracle reads it.
type sighting struct {
	Type    string          `json:"type"`
	Topic   string          `json:"topic"`
	ID      json.RawMessage `json:"id"`
	Columns []string        `json:"columns"`
	Rows    [][]float64     `json:"rows"`
	Prev    string          `json:"prev"`
	Of      *int64          `json:"of"`
	From    string          `json:"from"`
	To      string          `json:"to"`
	Lost    *int64          `json:"lost"`
	State   string          `json:"state"`
	Code    string          `json:"code"`
	Message string          `json:"message"`
}

// cursor is the id of a frame that ends at a cursor.
func (s *sighting) cursor() string {
	var text string
	_ = json.Unmarshal(s.ID, &text)
	return text
}

// claim is what a viewer was told and what only the store can prove: it is judged
// in the end. Frames that simply go on with the next numbers claim nothing.
type claim struct {
	kind     string // readings, snapshot, gap, place
	from, to reading.Cursor
	numbers  []int64 // of the rows
	of       int64   // how many readings they stand for; of a gap how many entries are lost
	high     int64   // the highest number before; -1 unknown. Of a place: at to
	at       time.Time
	turn     int // how many resets came before it
}

// span is an unbroken row of numbers.
type span struct{ low, high int64 }

// turn is a reset: this viewer was told that the topic is another one.
type turn struct {
	at      time.Time
	history history // what it was told before
	before  reading.Cursor
	after   reading.Cursor // of the snapshot that followed
}

// history is what a viewer was told since a snapshot.
type history struct {
	low, high int64  // what it covers; a low of 0 is none, a high of -1 is not known
	base      int64  // of these, up to here by the snapshot, which shows some of them
	skipped   []span // of these, what was never told
}

// watch is what one viewer was told of one topic. It remembers where the viewer
// is and what is yet to be proved, not what it was told.
type watch struct {
	who       string // the viewer
	topic     string
	batch     int64
	columns   []string
	text      string // the cursor, letter by letter; empty for none
	cursor    reading.Cursor
	confirmed bool // this connection has begun the topic
	live      bool // it was told since the viewer came back; a poll is a connection, and need not bring every topic
	turning   bool // a reset was told, its snapshot is due
	afterGap  bool // what came last was a gap, so high is not at the cursor
	history
	claims []claim
	turns  []turn
	gaps   int64
	broken []string // what no truth can justify
}

// connected begins a connection: the next message answers the cursor that was sent.
func (w *watch) connected() { w.confirmed = false }

// take takes a frame of the topic and returns the readings it brought and how
// many they stand for. fresh says that they came as they were stored.
func (w *watch) take(s *sighting, now time.Time) (numbers []int64, of int64, fresh bool) {
	was := w.confirmed
	if w.turning && s.Type != "snapshot" && s.Type != "error" && s.Type != "stale" {
		w.lie("a %s instead of the snapshot after a reset", s.Type)
	}
	switch s.Type {
	case "snapshot":
		numbers = w.rows(s)
		w.snapshot(s, numbers, now)
		return numbers, int64(len(numbers)), false
	case "readings":
		numbers = w.rows(s)
		of = int64(len(numbers))
		if s.Of != nil {
			of = *s.Of
		}
		w.readings(s, numbers, of, now)
		return numbers, of, was && of == int64(len(numbers))
	case "gap":
		w.gap(s, now)
	case "reset":
		w.turns = append(w.turns, turn{at: now, history: w.history, before: w.cursor})
		w.text, w.cursor, w.turning, w.confirmed, w.live = "", reading.Cursor{}, true, true, true
		w.forget()
	}
	return nil, 0, false
}

// rows returns the numbers of a frame's rows.
func (w *watch) rows(s *sighting) []int64 {
	if s.Columns != nil {
		w.columns = s.Columns
	}
	at := slices.Index(w.columns, reading.DefaultValue)
	if at < 0 && len(s.Rows) > 0 {
		w.lie("rows without a column %s: %v", reading.DefaultValue, w.columns)
		return nil
	}
	numbers := make([]int64, 0, len(s.Rows))
	for _, row := range s.Rows {
		if at >= len(row) {
			w.lie("a row of %d for the columns %v", len(row), w.columns)
			continue
		}
		numbers = append(numbers, int64(row[at]))
	}
	return numbers
}

func (w *watch) snapshot(s *sighting, numbers []int64, now time.Time) {
	end, ok := w.parse(s.cursor())
	if !ok {
		return
	}
	if !w.turning && w.text != "" {
		w.lie("a snapshot instead of going on after %s", w.text)
	}
	if w.turning {
		w.turns[len(w.turns)-1].after = end
	}
	of := int64(len(numbers))
	if s.Of != nil {
		of = *s.Of
	}
	w.forget()
	for _, n := range slices.Sorted(slices.Values(numbers)) {
		w.cover(n) // what it leaves out was not told
	}
	w.base = max(w.high, 0)
	w.claim(claim{kind: "snapshot", to: end, numbers: numbers, of: of, high: w.high, at: now})
	w.move(s.cursor(), end)
	w.turning = false
}

// forget ends a history.
func (w *watch) forget() {
	w.history, w.afterGap = history{high: -1}, false
}

func (w *watch) readings(s *sighting, numbers []int64, of int64, now time.Time) {
	from, end, ok := w.follow(s.Prev, s.cursor())
	if !ok {
		return
	}
	switch {
	case of < int64(len(numbers)):
		w.lie("%d rows of %d readings", len(numbers), of)
	case of > 0 && len(numbers) == 0:
		w.lie("no row for %d readings", of)
	case of == 0 && end.ID != from.ID && counted(from, end) && end.Ordinal != from.Ordinal:
		w.lie("no reading from %s to %s", from, end)
	case of > 0 && end.ID.Compare(from.ID) <= 0:
		w.lie("%d readings from %s to %s", of, from, end)
	case of > 0 && counted(from, end) && (end.Ordinal-from.Ordinal)*w.batch != of:
		w.lie("%d readings from %s to %s, which are %d", of, from, end, (end.Ordinal-from.Ordinal)*w.batch)
	}
	before := w.high
	simple := before >= 0 && (of == 0 || len(numbers) > 0 && numbers[len(numbers)-1] == before+of)
	for i, n := range numbers {
		simple = simple && n > before && (i == 0 || n > numbers[i-1])
	}
	w.move(s.cursor(), end)
	if simple {
		w.high += of
		w.afterGap = w.afterGap && of == 0
		return
	}
	for _, n := range numbers {
		if w.high >= 0 && n <= w.high && !w.isSkipped(n) {
			w.lie("%d again, after %d", n, w.high)
		}
		w.cover(n)
	}
	if w.afterGap {
		before = -1 // the claim of the gap says what came before
	}
	w.afterGap = false
	w.claim(claim{kind: "readings", from: from, to: end, numbers: numbers, of: of, high: before, at: now})
}

// cover notes that a number was told. What it jumps over was not, as far as can
// be known without the store.
func (h *history) cover(n int64) {
	switch {
	case h.high < 0:
		h.low, h.high = n, n
	case n > h.high:
		if n > h.high+1 {
			h.skipped = append(h.skipped, span{h.high + 1, n - 1})
		}
		h.high = n
	default:
		h.skipped = without(h.skipped, n)
	}
}

// isSkipped reports whether a number was not told yet in this history.
func (h *history) isSkipped(n int64) bool {
	if n < h.low {
		return true // before the snapshot that began it; its claim tells whether that is so
	}
	for i := len(h.skipped) - 1; i >= 0; i-- {
		if s := h.skipped[i]; s.low <= n {
			return n <= s.high
		}
	}
	return false
}

func without(spans []span, n int64) []span {
	for i := len(spans) - 1; i >= 0; i-- {
		s := spans[i]
		if n < s.low || n > s.high {
			continue
		}
		rest := make([]span, 0, 2)
		if s.low < n {
			rest = append(rest, span{s.low, n - 1})
		}
		if n < s.high {
			rest = append(rest, span{n + 1, s.high})
		}
		return slices.Replace(spans, i, i+1, rest...)
	}
	return spans
}

func (w *watch) gap(s *sighting, now time.Time) {
	from, to, ok := w.follow(s.From, s.To)
	if !ok {
		return
	}
	w.gaps++
	lost := int64(reading.Unknown)
	switch {
	case s.Lost == nil:
		w.lie("a gap from %s to %s without a count", from, to)
	case *s.Lost <= 0:
		w.lie("a gap of %d entries", *s.Lost)
	case counted(from, to) && to.Ordinal-from.Ordinal != *s.Lost:
		w.lie("a gap of %d entries from %s to %s, which are %d", *s.Lost, from, to, to.Ordinal-from.Ordinal)
	}
	if s.Lost != nil {
		lost = *s.Lost
	}
	w.claim(claim{kind: "gap", from: from, to: to, of: lost, high: w.high, at: now})
	w.move(s.To, to)
	w.afterGap = true
}

// follow holds what a frame says it goes on after against where the viewer is:
// letter by letter, but for the first one of a connection, which answers what was asked.
func (w *watch) follow(prev, id string) (from, end reading.Cursor, ok bool) {
	from, ok = w.parse(prev)
	if ok {
		end, ok = w.parse(id)
	}
	switch {
	case !ok:
	case w.text == "":
		w.lie("a frame from %s without a snapshot before it", prev)
	case w.confirmed && prev != w.text, !w.confirmed && from.ID != w.cursor.ID:
		w.lie("a frame from %s after %s", prev, w.text)
	case end.ID.Compare(from.ID) < 0:
		w.lie("a frame from %s back to %s", prev, id)
	}
	return from, end, ok
}

func (w *watch) parse(text string) (reading.Cursor, bool) {
	c, err := reading.ParseCursor(text)
	if err != nil {
		w.lie("%q is no cursor", text)
		return c, false
	}
	return c, true
}

func (w *watch) move(text string, c reading.Cursor) {
	w.text, w.cursor, w.confirmed, w.live = text, c, true, true
}

// place notes where the viewer is, to be proved in the end.
func (w *watch) place(now time.Time) {
	if w.text == "" || w.high < 0 || w.afterGap {
		return
	}
	if n := len(w.claims); n > 0 && w.claims[n-1].to == w.cursor && w.claims[n-1].kind != "readings" {
		return // claimed already
	}
	w.claim(claim{kind: "place", to: w.cursor, high: w.high, at: now})
}

// told reports whether a number was told in the history that the viewer has now.
func (h *history) told(n int64) bool {
	return h.low > 0 && n >= h.low && n <= h.high && !h.isSkipped(n)
}

func (w *watch) claim(c claim) {
	c.turn = len(w.turns)
	w.claims = append(w.claims, c)
}

func (w *watch) lie(format string, args ...any) {
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

// counted reports whether the entries between two cursors can be counted.
func counted(from, to reading.Cursor) bool {
	return from.Ordinal >= 0 && to.Ordinal >= 0 && from.Epoch == to.Epoch && from.Epoch != ""
}
