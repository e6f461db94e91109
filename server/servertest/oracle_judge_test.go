package servertest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"readout/server/reading"
)

// forged is a run that never was: ten pushes of one reading, all acknowledged and
// stored, and a viewer that is told what each test makes up.
type forged struct {
	l *ledger
	c content
	w *watch
	t time.Time // a second later with each frame
}

const forgedPushes = 10

func forge(batch int64) *forged {
	topic, _ := reading.ParseTopic("forged")
	f := &forged{l: &ledger{topic: topic, batch: batch}, w: &watch{topic: "forged", batch: batch, history: history{high: -1}}, t: time.Unix(1000, 0)}
	for i := range forgedPushes {
		f.l.begin(f.t)
		f.l.answered(i, acked, idOf(i))
		first, last := f.l.numbers(i)
		e := held{id: idOf(i)}
		for n := first; n <= last; n++ {
			e.numbers = append(e.numbers, n)
		}
		f.c.entries = append(f.c.entries, e)
	}
	f.c.end = cursorOf(forgedPushes, "A")
	return f
}

// idOf is the ID of the i-th push, from 0 on.
func idOf(i int) reading.StreamID { return reading.StreamID{Ms: uint64(i + 1)} }

// cursorOf is the place after n pushes.
func cursorOf(n int, epoch string) reading.Cursor {
	c := reading.Cursor{Ordinal: int64(n), Epoch: epoch}
	if n > 0 {
		c.ID = idOf(n - 1)
	}
	return c
}

// hear tells the viewer something.
func (f *forged) hear(frame string) {
	var s sighting
	if err := json.Unmarshal([]byte(frame), &s); err != nil {
		panic(err)
	}
	f.t = f.t.Add(time.Second)
	f.w.take(&s, f.t)
}

func rowsOf(numbers ...int64) string {
	var rows []string
	for _, n := range numbers {
		rows = append(rows, fmt.Sprintf("[%d,%d]", 1000+n, n))
	}
	return "[" + strings.Join(rows, ",") + "]"
}

func upToNumber(low, high int64) []int64 {
	var list []int64
	for n := low; n <= high; n++ {
		list = append(list, n)
	}
	return list
}

func (f *forged) snapshot(at int, numbers ...int64) { f.snapshotIn("A", at, numbers...) }

func (f *forged) snapshotIn(epoch string, at int, numbers ...int64) {
	f.hear(fmt.Sprintf(`{"type":"snapshot","columns":["t","value"],"rows":%s,"id":"%s"}`, rowsOf(numbers...), cursorOf(at, epoch)))
}

// readings tells rows between two places; of is how many they stand for.
func (f *forged) readings(from, to, of int, numbers ...int64) {
	f.hear(fmt.Sprintf(`{"type":"readings","rows":%s,"id":"%s","prev":"%s","of":%d}`, rowsOf(numbers...), cursorOf(to, "A"), cursorOf(from, "A"), of))
}

// bare tells rows from where the viewer is to a place that nobody can count by.
func (f *forged) bare(to, of int, numbers ...int64) {
	f.hear(fmt.Sprintf(`{"type":"readings","rows":%s,"id":"%s","prev":"%s","of":%d}`, rowsOf(numbers...), idOf(to-1), f.w.text, of))
}

func (f *forged) gap(from, to int, lost string) {
	f.hear(fmt.Sprintf(`{"type":"gap","from":"%s","to":"%s","lost":%s,"why":"trimmed"}`, cursorOf(from, "A"), cursorOf(to, "A"), lost))
}

func (f *forged) reset() { f.hear(`{"type":"reset","why":"history"}`) }

// trim takes the first entries out of the stream.
func (f *forged) trim(n int) { f.c.entries = f.c.entries[n:] }

// lose takes entries out that the stream does not count as trimmed.
func (f *forged) lose(from, to int) { f.c.entries = slices.Delete(f.c.entries, from, to) }

// outcome changes what the sender of a push was told.
func (f *forged) outcome(i int, o outcome) {
	f.l.pushes[i].outcome, f.l.pushes[i].id = o, reading.StreamID{}
}

// remade makes the stream another one that holds the last pushes only.
func (f *forged) remade(from int) {
	f.lose(0, from)
	f.c.end = reading.Cursor{ID: idOf(forgedPushes - 1), Ordinal: int64(forgedPushes - from), Epoch: "B"}
}

func (f *forged) verdict() verdict {
	f.w.place(f.t)
	return judge(f.l, f.c, []*watch{f.w})
}

func TestOracleBelievesTheTruth(t *testing.T) {
	for name, tell := range map[string]func(f *forged){
		"one by one": func(f *forged) {
			f.snapshot(2, 1, 2)
			for i := 2; i < 10; i++ {
				f.readings(i, i+1, 1, int64(i+1))
			}
		},
		"an empty topic": func(f *forged) {
			f.snapshot(0)
			f.readings(0, 10, 10, upToNumber(1, 10)...)
		},
		"conflated": func(f *forged) { f.snapshot(1, 1); f.readings(1, 10, 9, 3, 7, 10) },
		"confirmed": func(f *forged) { f.snapshot(9, 9); f.w.connected(); f.readings(9, 9, 0); f.readings(9, 10, 1, 10) },
		"cut in a gap": func(f *forged) {
			f.trim(5)
			f.snapshot(1, 1)
			f.gap(1, 5, "4")
			f.w.place(f.t)
			f.w.connected()
			f.readings(5, 10, 5, upToNumber(6, 10)...)
		},
		"a gap": func(f *forged) {
			f.trim(5)
			f.snapshot(1, 1)
			f.gap(1, 5, "4")
			f.readings(5, 10, 5, upToNumber(6, 10)...)
		},
		"all gone": func(f *forged) { f.trim(10); f.snapshot(1, 1); f.gap(1, 10, "9") },
		"trimmed after it was told": func(f *forged) {
			f.trim(9)
			f.snapshot(1, 1)
			f.readings(1, 10, 9, upToNumber(2, 10)...)
		},
		"deleted": func(f *forged) {
			f.snapshot(1, 1)
			f.readings(1, 4, 3, 2, 3, 4)
			f.l.lost(f.t, f.t)
			f.remade(6)
			f.reset()
			f.hear(`{"type":"snapshot","columns":["t","value"],"rows":[],"id":"0-0"}`)
			f.hear(`{"type":"readings","rows":` + rowsOf(7, 8, 9, 10) + `,"prev":"0-0","id":"10-0:4:B","of":4}`)
		},
		"stored again after it was lost": func(f *forged) {
			f.snapshot(9, 9)
			f.readings(9, 10, 1, 10)
			f.w.place(f.t)
			f.l.lost(f.t, f.t)
			f.l.again(9, f.t.Add(time.Second))
			f.l.answered(9, acked, idOf(11))
			f.c.entries = []held{{id: idOf(11), numbers: []int64{10}}}
			f.c.end = reading.Cursor{ID: idOf(11), Ordinal: 1, Epoch: "B"}
			f.reset()
			f.hear(`{"type":"snapshot","columns":["t","value"],"rows":` + rowsOf(10) + `,"id":"12-0:1:B"}`)
		},
		"rolled back before it was told": func(f *forged) {
			f.l.lost(f.t, f.t)
			f.lose(4, 8)
			f.snapshot(1, 1)
			f.bare(4, 3, 2, 3, 4)
			f.bare(10, 2, 9, 10)
		},
		"refused": func(f *forged) {
			f.outcome(4, refused)
			f.lose(4, 5)
			f.snapshot(4, 4)
			f.bare(10, 5, upToNumber(6, 10)...)
		},
		"unknown and stored": func(f *forged) { f.outcome(4, unknown); f.snapshot(4, 4); f.readings(4, 10, 6, upToNumber(5, 10)...) },
		"unknown and not stored": func(f *forged) {
			f.outcome(4, unknown)
			f.lose(4, 5)
			f.snapshot(4, 4)
			f.bare(10, 5, 8, 10)
		},
		"stored late": func(f *forged) { // its sender had gone on with the next two
			f.outcome(4, unknown)
			late := held{id: reading.StreamID{Ms: 7, Seq: 1}, numbers: []int64{5}}
			f.c.entries = slices.Insert(slices.Delete(f.c.entries, 4, 5), 6, late)
			f.snapshot(4, 4)
			f.bare(7, 2, 6, 7)
			f.hear(`{"type":"readings","rows":` + rowsOf(5, 8, 9, 10) + `,"prev":"7-0","id":"10-0","of":4}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := forge(1)
			tell(f)
			if v := f.verdict(); len(v.lost) != v.mayLose || v.duplicates+v.silent+v.falseGaps+v.violations != 0 {
				t.Errorf("the truth is called a lie: %+v\n%s", v, strings.Join(v.evidence, "\n"))
			}
		})
	}
}

func TestOracleFindsEachLie(t *testing.T) {
	all := func(f *forged) { f.snapshot(0); f.readings(0, 10, 10, upToNumber(1, 10)...) }
	for _, lie := range []struct {
		name string
		tell func(f *forged)
		want verdict // counts only
	}{
		{"acknowledged and not stored", func(f *forged) { f.snapshot(10, 10); f.lose(4, 6) }, verdict{lost: []int64{5, 6}, silent: 0}},
		{"lost and then sent again later than the fault", func(f *forged) {
			f.l.lost(f.t.Add(-time.Hour), f.t.Add(-time.Minute))
			f.snapshot(10, 10)
			f.lose(4, 5)
		}, verdict{lost: []int64{5}}},
		{"stored twice", func(f *forged) {
			all(f)
			f.c.entries = append(f.c.entries, held{reading.StreamID{Ms: 11}, []int64{5}})
		}, verdict{duplicates: 1}},
		{"refused and stored", func(f *forged) { f.snapshot(10, 10); f.outcome(4, refused) }, verdict{violations: 1}},
		{"refused and told", func(f *forged) {
			f.snapshot(4, 4)
			f.outcome(4, refused)
			f.trim(10)
			f.bare(9, 5, upToNumber(5, 9)...)
		}, verdict{violations: 1}},
		{"never sent", func(f *forged) { f.snapshot(10, 10); f.bare(11, 1, 11) }, verdict{violations: 1}},
		{"another ID than the answer's", func(f *forged) { all(f); f.l.pushes[4].id = reading.StreamID{Ms: 99} }, verdict{violations: 1}},
		{"one left out", func(f *forged) { f.snapshot(4, 4); f.bare(10, 5, 6, 7, 8, 9, 10) }, verdict{silent: 1}},
		{"left out and counted", func(f *forged) { f.snapshot(4, 4); f.readings(4, 10, 5, 6, 7, 8, 9, 10) }, verdict{silent: 1, violations: 1}},
		{"the cursor runs ahead", func(f *forged) { f.snapshot(4, 4); f.bare(7, 1, 5); f.bare(10, 3, 8, 9, 10) }, verdict{silent: 2}},
		{"it ends too early", func(f *forged) { f.snapshot(4, 4); f.bare(10, 1, 5) }, verdict{silent: 5}},
		{"the cursor stays behind", func(f *forged) { f.snapshot(4, 4); f.bare(5, 3, 5, 6, 7) }, verdict{violations: 1}},
		{"told twice", func(f *forged) {
			all(f)
			f.hear(`{"type":"readings","rows":` + rowsOf(10) + `,"prev":"10-0:10:A","id":"11-0:11:A","of":1}`)
		}, verdict{violations: 2}},
		{"out of order", func(f *forged) { f.snapshot(4, 4); f.bare(10, 6, 5, 7, 6, 8, 9, 10) }, verdict{violations: 1}},
		{"conflated too few", func(f *forged) { f.snapshot(4, 4); f.bare(10, 4, 7, 10) }, verdict{violations: 1}},
		{"conflated too many", func(f *forged) { f.snapshot(4, 4); f.bare(10, 9, 7, 10) }, verdict{violations: 1}},
		{"conflated without a row", func(f *forged) { f.snapshot(4, 4); f.readings(4, 10, 6) }, verdict{violations: 1, silent: 6}},
		{"fewer than its rows", func(f *forged) { f.snapshot(4, 4); f.readings(4, 6, 1, 5, 6); f.readings(6, 10, 4, 7, 8, 9, 10) }, verdict{violations: 1}},
		{"it moves without readings", func(f *forged) { f.snapshot(4, 4); f.readings(4, 6, 0); f.readings(6, 10, 4, 7, 8, 9, 10) }, verdict{violations: 1, silent: 2}},
		{"a gap of too few", func(f *forged) {
			f.trim(5)
			f.snapshot(1, 1)
			f.gap(1, 5, "3")
			f.readings(5, 10, 5, upToNumber(6, 10)...)
		}, verdict{silent: 1, violations: 1}},
		{"a gap of too many", func(f *forged) {
			f.trim(5)
			f.snapshot(1, 1)
			f.gap(1, 5, "5")
			f.readings(5, 10, 5, upToNumber(6, 10)...)
		}, verdict{falseGaps: 1, violations: 1}},
		{"a gap where nothing is gone", func(f *forged) { f.snapshot(1, 1); f.gap(1, 5, "4"); f.readings(5, 10, 5, upToNumber(6, 10)...) }, verdict{falseGaps: 1}},
		{"a gap where some are there", func(f *forged) {
			f.trim(3)
			f.snapshot(1, 1)
			f.gap(1, 5, "4")
			f.readings(5, 10, 5, upToNumber(6, 10)...)
		}, verdict{falseGaps: 1}},
		{"a gap without a count", func(f *forged) {
			f.trim(5)
			f.snapshot(1, 1)
			f.gap(1, 5, "null")
			f.readings(5, 10, 5, upToNumber(6, 10)...)
		}, verdict{violations: 1}},
		{"a gap of nothing", func(f *forged) { f.snapshot(1, 1); f.gap(1, 1, "0"); f.readings(1, 10, 9, upToNumber(2, 10)...) }, verdict{violations: 1}},
		{"more is gone than the gap says", func(f *forged) { f.trim(7); f.snapshot(1, 1); f.gap(1, 5, "4"); f.bare(10, 3, 8, 9, 10) }, verdict{silent: 2}},
		{"a reset for nothing", func(f *forged) { f.snapshot(4, 4); f.reset(); f.snapshot(10, upToNumber(1, 10)...) }, verdict{falseGaps: 1}},
		{"two resets for one loss", func(f *forged) {
			f.snapshot(4, 4)
			f.l.lost(f.t, f.t)
			f.remade(4)
			f.reset()
			f.snapshotIn("B", 10, upToNumber(5, 10)...)
			f.reset()
			f.snapshotIn("B", 10, upToNumber(5, 10)...)
		}, verdict{lost: []int64{1, 2, 3, 4}, mayLose: 4, falseGaps: 1}},
		{"a reset, and the topic is the same", func(f *forged) {
			f.snapshot(4, 4)
			f.l.lost(f.t, f.t)
			f.reset()
			f.snapshot(10, upToNumber(1, 10)...)
		}, verdict{falseGaps: 1}},
		{"no reset", func(f *forged) {
			f.snapshot(0)
			f.readings(0, 4, 4, 1, 2, 3, 4)
			f.l.lost(f.t, f.t)
			f.remade(4)
			f.bare(10, 6, upToNumber(5, 10)...)
		},
			verdict{lost: []int64{1, 2, 3, 4}, mayLose: 4, violations: 1}},
		{"a reset without a snapshot", func(f *forged) {
			f.snapshot(4, 4)
			f.l.lost(f.t, f.t)
			f.remade(4)
			f.reset()
			f.bare(10, 6, upToNumber(5, 10)...)
		}, verdict{lost: []int64{1, 2, 3, 4}, mayLose: 4, violations: 2}},
		{"a snapshot instead of going on", func(f *forged) { f.snapshot(4, 4); f.snapshot(10, 10) }, verdict{violations: 1}},
		{"a snapshot without the newest", func(f *forged) { f.snapshot(10, 8, 9) }, verdict{silent: 1}},
		{"a snapshot with a hole", func(f *forged) { f.snapshot(10, 6, 7, 9, 10) }, verdict{silent: 1}},
		{"a snapshot of the future", func(f *forged) { f.snapshot(4, 4, 5) }, verdict{violations: 2}},
		{"an empty snapshot", func(f *forged) { f.snapshot(4); f.bare(10, 6, upToNumber(5, 10)...) }, verdict{violations: 1}},
		{"another prev", func(f *forged) { f.snapshot(4, 4); f.readings(3, 10, 7, upToNumber(4, 10)...) }, verdict{violations: 3}},
		{"the same place in other letters", func(f *forged) {
			f.snapshot(4, 4)
			f.hear(`{"type":"readings","rows":` + rowsOf(upToNumber(5, 10)...) + `,"prev":"4-0","id":"10-0","of":6}`)
		}, verdict{violations: 1}},
		{"backwards", func(f *forged) { f.snapshot(10, 10); f.readings(10, 8, 0) }, verdict{violations: 3}},
		{"no cursor", func(f *forged) {
			f.snapshot(10, 10)
			f.hear(`{"type":"readings","rows":[],"prev":"10-0:10:A","id":"$","of":0}`)
		}, verdict{violations: 1}},
		{"readings before a snapshot", func(f *forged) { f.readings(0, 10, 10, upToNumber(1, 10)...) }, verdict{violations: 3}},
	} {
		t.Run(lie.name, func(t *testing.T) {
			f := forge(1)
			lie.tell(f)
			got := f.verdict()
			if !slices.Equal(got.lost, lie.want.lost) || got.mayLose != lie.want.mayLose || got.duplicates != lie.want.duplicates ||
				got.silent != lie.want.silent || got.falseGaps != lie.want.falseGaps || got.violations != lie.want.violations {
				t.Errorf("got %+v\nwant %+v\n%s", got, lie.want, strings.Join(got.evidence, "\n"))
			}
			if total := len(got.lost) - got.mayLose + got.duplicates + got.silent + got.falseGaps + got.violations; total == 0 {
				t.Error("nobody would know")
			}
		})
	}
}
