package servertest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"readout/server/reading"
)

// content is what the store holds of a topic in the end.
type content struct {
	entries []held
	end     reading.Cursor
}

// held is one entry of a stream and the numbers in it.
type held struct {
	id      reading.StreamID
	numbers []int64
}

// verdict counts the lies about one topic.
type verdict struct {
	lost       []int64 // numbers that were acknowledged and are neither stored nor trimmed
	mayLose    int     // how many of them were taken away on purpose
	duplicates int
	silent     int // readings that a viewer never got and was not told of
	falseGaps  int // gaps and resets that did not happen
	violations int
	evidence   []string // of the first of all these
}

const mostEvidence = 20 // of one topic

// proof is what is known in the end of one topic: of each number where it is or
// was, and whether it is there.
type proof struct {
	l       *ledger
	entries []proved // by ID
	at      map[int]int
	present map[reading.StreamID]bool
	highest []int64 // beside entries: the highest number so far that is not lost
	trimmed int64   // entries that the stream held and that were trimmed away; negative for not known
	v       *verdict
}

// proved is one entry that existed.
type proved struct {
	id    reading.StreamID
	push  int
	there bool // the store holds it
	lost  bool // it is gone, and was not trimmed
}

// judge proves what was acknowledged, and what every viewer was told.
func judge(l *ledger, c content, watches []*watch) verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := verdict{}
	p := prove(l, c, &v)
	for _, w := range watches {
		p.watch(w)
	}
	return v
}

// prove holds the ledger against the store: nothing acknowledged is missing,
// nothing is there twice, and nothing that was refused or never sent.
func prove(l *ledger, c content, v *verdict) *proof {
	p := &proof{l: l, v: v, at: map[int]int{}, present: map[reading.StreamID]bool{}, trimmed: int64(-1)}
	if c.end.Ordinal >= 0 {
		p.trimmed = c.end.Ordinal - int64(len(c.entries))
	}
	seen := map[int64]bool{}
	found := map[int]reading.StreamID{}
	for _, e := range c.entries {
		p.present[e.id] = true
		for _, n := range e.numbers {
			i := l.pushOf(n)
			switch {
			case i < 0:
				v.violate("%s: %d is stored and was never sent", l.topic, n)
				continue
			case seen[n]:
				v.duplicates++
				continue
			}
			seen[n] = true
			switch push := l.pushes[i]; {
			case push.outcome == refused:
				v.violate("%s: %d is stored, and its sender was told that it is not", l.topic, n)
			case push.outcome == acked && push.id != e.id:
				v.violate("%s: %d is stored at %s, and its sender was told %s", l.topic, n, e.id, push.id)
			}
			found[i] = e.id
		}
		if len(e.numbers) > 0 && int64(len(e.numbers)) != l.batch {
			v.violate("%s: an entry of %d readings at %s, pushed were %d together", l.topic, len(e.numbers), e.id, l.batch)
		}
	}
	for i, push := range l.pushes {
		if id, there := found[i]; there {
			p.entries = append(p.entries, proved{id: id, push: i, there: true})
		} else if push.outcome == acked {
			p.entries = append(p.entries, proved{id: push.id, push: i})
		}
	}
	slices.SortStableFunc(p.entries, func(a, b proved) int { return a.id.Compare(b.id) })
	p.lose()
	high := int64(0)
	for at, e := range p.entries {
		p.at[e.push] = at
		if _, last := l.numbers(e.push); !e.lost {
			high = max(high, last)
		}
		p.highest = append(p.highest, high)
	}
	return p
}

// lose finds out which of the entries that are gone were trimmed: a stream is
// only trimmed at its head, and it counts what it ever held.
func (p *proof) lose() {
	first := slices.IndexFunc(p.entries, func(e proved) bool { return e.there })
	if first < 0 {
		first = len(p.entries)
	}
	trimmed := p.trimmed
	for at := first - 1; at >= 0; at-- {
		if trimmed != 0 {
			trimmed-- // below 0 it is not known, so all may be
			continue
		}
		p.entries[at].lost = true
	}
	for at := first; at < len(p.entries); at++ {
		p.entries[at].lost = !p.entries[at].there
	}
	for _, e := range p.entries {
		if !e.lost {
			continue
		}
		from, to := p.l.numbers(e.push)
		for n := from; n <= to; n++ {
			p.v.lost = append(p.v.lost, n)
		}
		sent := p.l.pushes[e.push].last
		if slices.ContainsFunc(p.l.losses, func(x losing) bool { return !sent.After(x.to) }) {
			p.v.mayLose += int(p.l.batch)
		}
	}
}

// watch judges what one viewer was told.
func (p *proof) watch(w *watch) {
	for _, text := range w.broken {
		p.v.violate("%s: %s", w.topic, text)
	}
	for _, c := range w.claims {
		c.at = p.until(w, c)
		switch c.kind {
		case "readings":
			p.stands(c, c.from)
			p.readings(c)
		case "snapshot":
			p.stands(c, c.to)
			p.snapshot(c)
		case "gap":
			p.stands(c, c.from)
			p.gap(c)
		case "place":
			p.stands(c, c.to)
		}
	}
	p.turns(w)
	gone := 0
	for _, e := range p.entries {
		if from, to := p.l.numbers(e.push); e.lost && (w.told(from) || w.told(to)) {
			gone++
		}
	}
	if gone > 0 {
		p.v.violate("%s: %d pushes are gone, and %s, which was told them, was not told of that; it is at %s after %d resets", w.topic, gone, w.who, w.text, len(w.turns))
	}
	for i := range p.l.pushes {
		if from, _ := p.l.numbers(i); p.l.pushes[i].outcome == refused && from > w.base && w.told(from) {
			p.v.violate("%s: %d is told, and its sender was told that it is not stored", w.topic, from)
		}
	}
}

// until is the time up to which pushes bear on a claim: those that were sent after
// it do not, nor those after a loss that its viewer was told of later. They may
// have IDs that come before what was lost.
func (p *proof) until(w *watch, c claim) time.Time {
	if c.turn == len(w.turns) {
		return c.at
	}
	at := c.at
	for _, x := range p.l.losses {
		if !x.from.After(w.turns[c.turn].at) && x.from.Before(at) {
			at = x.from
		}
	}
	return at
}

// binds reports whether an entry was surely there when a claim was made.
func (p *proof) binds(e proved, c claim) bool {
	return !e.lost && !p.l.pushes[e.push].last.After(c.at)
}

// between returns the entries after a cursor and up to another.
func (p *proof) between(from, to reading.StreamID) []proved {
	place := func(e proved, id reading.StreamID) int { return cmp.Or(e.id.Compare(id), -1) } // just after id
	low, _ := slices.BinarySearchFunc(p.entries, from, place)
	high, _ := slices.BinarySearchFunc(p.entries, to, place)
	return p.entries[low:max(low, high)]
}

// stands proves that a viewer is at a place: nothing above its highest number lies
// before that, and the number itself does.
func (p *proof) stands(c claim, at reading.Cursor) {
	if c.high < 0 {
		return
	}
	before := p.between(reading.StreamID{}, at.ID)
	if len(before) > 0 && p.highest[len(before)-1] > c.high {
		p.untold(before, c, at)
	}
	i := p.l.pushOf(c.high)
	if i < 0 {
		p.v.violate("%s: %d is told and was never sent", p.l.topic, c.high)
	} else if known, ok := p.at[i]; ok && p.entries[known].id.Compare(at.ID) > 0 && !p.again(i, c) {
		p.v.violate("%s: %d is told, and the cursor %s is before it", p.l.topic, c.high, at)
	}
}

// again says that a push was stored a second time after a claim: what was stored
// had been taken away, and it was sent once more.
func (p *proof) again(i int, c claim) bool {
	last := p.l.pushes[i].last
	return slices.ContainsFunc(p.l.losses, func(x losing) bool { return !c.at.After(x.to) && last.After(x.from) })
}

// untold counts what lies before a place and above the highest number told there.
func (p *proof) untold(before []proved, c claim, at reading.Cursor) {
	for _, e := range before {
		if first, last := p.l.numbers(e.push); last > c.high && p.binds(e, c) {
			p.v.silent += int(last - max(first-1, c.high))
			p.v.example("%s: %d to %d were never told: the viewer is at %s and has %d", p.l.topic, max(first, c.high+1), last, at, c.high)
		}
	}
}

// readings proves the rows of a frame, and how many readings they stand for.
func (p *proof) readings(c claim) {
	rows := map[int64]bool{}
	before := reading.StreamID{}
	for _, n := range c.numbers {
		rows[n] = true
		i := p.l.pushOf(n)
		if i < 0 || p.l.pushes[i].outcome == refused {
			p.v.violate("%s: %d is told and was never stored", p.l.topic, n)
			continue
		}
		known, ok := p.at[i]
		if !ok {
			if p.trimmed == 0 && len(p.l.losses) == 0 {
				p.v.violate("%s: %d is told and not stored", p.l.topic, n)
			}
			continue
		}
		id := p.entries[known].id
		if id.Compare(c.from.ID) <= 0 || id.Compare(c.to.ID) > 0 {
			p.v.violate("%s: %d of %s is told between %s and %s", p.l.topic, n, id, c.from, c.to)
		}
		if id.Compare(before) < 0 {
			p.v.violate("%s: %d is told after what followed it", p.l.topic, n)
		}
		before = id
	}
	sure, perhaps := int64(0), int64(0)
	for _, e := range p.between(c.from.ID, c.to.ID) {
		first, last := p.l.numbers(e.push)
		for n := first; n <= last; n++ {
			switch {
			case !p.binds(e, c):
				perhaps++
			case !rows[n] && c.of == int64(len(c.numbers)):
				p.v.silent++
				p.v.example("%s: %d was never told: it lies between %s and %s", p.l.topic, n, c.from, c.to)
			default:
				sure++
			}
		}
	}
	if len(c.numbers) > 0 {
		perhaps += p.perhaps(c.high, slices.Max(c.numbers))
	}
	if c.of > int64(len(c.numbers)) && (c.of < sure || c.of > sure+perhaps) {
		p.v.violate("%s: %d readings are told from %s to %s, which hold %d", p.l.topic, c.of, c.from, c.to, sure)
	}
}

// perhaps counts the numbers after one and up to another that may have been there
// for a while: their outcome is not known, and they are not stored.
func (p *proof) perhaps(after, to int64) int64 {
	count := int64(0)
	for n := max(after, 0) + 1; n <= to; n++ {
		i := p.l.pushOf(n)
		if _, known := p.at[i]; i >= 0 && !known && p.l.pushes[i].outcome == unknown {
			count++
		}
	}
	return count
}

// snapshot proves that what it shows came before its end, and its newest with it.
func (p *proof) snapshot(c claim) {
	if len(c.numbers) == 0 {
		for _, e := range p.between(reading.StreamID{}, c.to.ID) {
			if e.there && p.binds(e, c) {
				p.v.violate("%s: an empty snapshot at %s, where there are readings", p.l.topic, c.to)
				return
			}
		}
		return
	}
	rows := map[int64]bool{}
	for _, n := range c.numbers {
		rows[n] = true
		i := p.l.pushOf(n)
		if i < 0 || p.l.pushes[i].outcome == refused {
			p.v.violate("%s: a snapshot shows %d, which was never stored", p.l.topic, n)
			continue
		}
		if known, ok := p.at[i]; ok && p.entries[known].id.Compare(c.to.ID) > 0 {
			p.v.violate("%s: a snapshot at %s shows %d of %s", p.l.topic, c.to, n, p.entries[known].id)
		}
	}
	if c.of > int64(len(c.numbers)) {
		return // it shows some of them
	}
	low := slices.Min(c.numbers)
	for _, e := range p.between(reading.StreamID{}, c.to.ID) {
		first, last := p.l.numbers(e.push)
		for n := first; n <= last; n++ {
			if n > low && n < c.high && e.there && p.binds(e, c) && !rows[n] {
				p.v.silent++
				p.v.example("%s: a snapshot at %s leaves %d out", p.l.topic, c.to, n)
			}
		}
	}
}

// gap proves that a gap is true: as many entries are gone as it says.
func (p *proof) gap(c claim) {
	sure, there := int64(0), false
	perhaps := int64(0)
	high := int64(0)
	for _, e := range p.between(c.from.ID, c.to.ID) {
		if p.binds(e, c) {
			sure++
			there = there || e.there
		} else {
			perhaps++
		}
		_, last := p.l.numbers(e.push)
		high = max(high, last)
	}
	perhaps += (p.perhaps(c.high, high) + p.l.batch - 1) / p.l.batch
	switch {
	case there:
		p.v.falseGaps++
		p.v.example("%s: a gap from %s to %s, where readings are still stored", p.l.topic, c.from, c.to)
	case c.of == reading.Unknown: // told already
	case c.of < sure:
		p.v.silent += int(sure - c.of)
		p.v.example("%s: a gap of %d entries from %s to %s, where %d are gone", p.l.topic, c.of, c.from, c.to, sure)
	case c.of > sure+perhaps:
		p.v.falseGaps++
		p.v.example("%s: a gap of %d entries from %s to %s, where %d are gone", p.l.topic, c.of, c.from, c.to, sure)
	}
}

// turns proves resets: each is for one thing that took readings away, and after it
// the topic is another one, or goes on from an earlier place.
func (p *proof) turns(w *watch) {
	used := make([]bool, len(p.l.losses))
	for _, t := range w.turns {
		cause := slices.IndexFunc(p.l.losses, func(x losing) bool { return !x.from.After(t.at) })
		for cause >= 0 && cause < len(used) && (used[cause] || p.l.losses[cause].from.After(t.at)) {
			cause++
		}
		if cause < 0 || cause >= len(used) {
			p.v.falseGaps++
			p.v.example("%s: a reset at %s, and nothing was lost (%s)", w.topic, t.before, w.who)
			continue
		}
		used[cause] = true
		same := t.before.Epoch != "" && t.before.Epoch == t.after.Epoch && t.after.ID.Compare(t.before.ID) >= 0 && p.present[t.before.ID]
		gone := slices.ContainsFunc(p.entries, func(e proved) bool {
			_, n := p.l.numbers(e.push)
			return e.lost && t.history.told(n)
		})
		if same && !gone { // an ID may come to stand in both histories
			p.v.falseGaps++
			p.v.example("%s: a reset at %s, which is still stored (%s)", w.topic, t.before, w.who)
		}
	}
}

func (v *verdict) violate(format string, args ...any) {
	v.violations++
	v.example(format, args...)
}

func (v *verdict) example(format string, args ...any) {
	if len(v.evidence) < mostEvidence {
		v.evidence = append(v.evidence, fmt.Sprintf(format, args...))
	}
}
