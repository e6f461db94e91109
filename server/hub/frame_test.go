package hub

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"readout/server/problem"
	"readout/server/reading"
)

const cpu = reading.Topic(`cpu{host="web1"}`)

func at(ms uint64, ordinal int64) reading.Cursor {
	return reading.Cursor{ID: reading.StreamID{Ms: ms}, Ordinal: ordinal, Epoch: "k3v9"}
}

func one(ms int64, f float64) reading.Reading {
	return reading.Reading{Topic: "orders", Time: ms, Values: []reading.Named{{Name: "value", Value: reading.NumberOf(f)}}}
}

// The files are read by the page scripts' tests too: what stands there is sent.
func TestFramesAreTheGoldenOnes(t *testing.T) {
	user, system, mode := "user", "system", "mode"
	order := []string{user, system, mode}
	busy := reading.Reading{Topic: cpu, Time: 1763785198000, Values: []reading.Named{
		{Name: user, Value: reading.NumberOf(.31)}, {Name: system, Value: reading.NumberOf(.11)}, {Name: mode, Value: reading.TextOf("busy")},
	}}
	partly := reading.Reading{Topic: cpu, Time: 1763785199000, Values: []reading.Named{
		{Name: user, Value: reading.NumberOf(.3)}, {Name: mode, Value: reading.BoolOf(true)},
	}}
	idle := reading.Reading{Topic: cpu, Time: 1763785200000, Values: []reading.Named{ // another order than the columns
		{Name: mode, Value: reading.TextOf("idle")}, {Name: system, Value: reading.NumberOf(.12)}, {Name: user, Value: reading.NumberOf(.3)},
	}}
	two, three := at(1763785199004, 2), at(1763785200003, 3)
	bare := reading.Cursor{ID: three.ID, Ordinal: reading.Unknown}
	forbidden := problem.New("forbidden", "this token may not read orders")
	frames := map[string][]byte{
		"welcome": Welcome("r1", time.UnixMilli(1763785200123), Limits{Topics: 1000, Points: 2000, Message: 256 << 10}),
		"snapshot": snapshot(rows{
			topic: cpu, columns: order, units: []string{"percent", "percent", ""}, order: order,
			interval: 1000, readings: []reading.Reading{busy, partly}, id: two, of: 2,
		}),
		"snapshot-empty": snapshot(rows{topic: "orders", id: at(0, 0)}),
		"snapshot-conflated": snapshot(rows{
			topic: "orders", columns: []string{"value"}, units: []string{""}, order: []string{"value"},
			interval: 50, readings: []reading.Reading{one(1763785198000, 42), one(1763785199000, 7)}, id: at(1763785199004, 44), of: 44,
		}),
		"readings":       readings(rows{topic: cpu, order: order, readings: []reading.Reading{idle}, id: three, prev: two, of: 1}),
		"readings-empty": readings(rows{topic: cpu, order: order, id: two, prev: two}),
		"readings-columns": readings(rows{
			topic: "orders", columns: []string{"value"}, units: []string{"orders"}, order: []string{"value"},
			readings: []reading.Reading{one(1763785200000, 42)}, id: at(1763785200003, 1), prev: at(0, 0), of: 1,
		}),
		"gap":         gap(cpu, three, at(1763785217003, 20), 17, trimmed),
		"gap-unknown": gap(cpu, bare, at(1763785217003, 20), -1, "outage"),
		"reset":       reset(cpu),
		"error":       ErrorFrame(1, "", forbidden),
		"error-topic": ErrorFrame(1, "orders", forbidden),
		"stale":       stale("orders", time.UnixMilli(1763785197000)),
		"store":       storeIs(StoreState{Code: "read_only", Message: "the store is read-only: it is a copy of another one", Since: time.UnixMilli(1763785197000)}),
		"store-ok":    storeIs(StoreState{Since: time.UnixMilli(1763785197000)}),
		"lag":         lag(81920),
		"dashboard":   dashboard("shop", "5c1f9a2e"),
		"drain":       drain(1500 * time.Millisecond),
		"topics":      grown(1, []reading.Topic{`orders{shop="berlin"}`}),
		"limit-of":    overLimit(1, []reading.Topic{"zebra"}, 4000),
		"limit":       overLimit(1, []reading.Topic{"zebra"}, 1),
	}
	dir := filepath.Join("..", "..", "static", "testdata", "frames")
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(frames) {
		t.Errorf("%d golden files, %d frames here", len(files), len(frames))
	}
	for name, got := range frames {
		want, err := os.ReadFile(filepath.Join(dir, name+".json"))
		if err != nil {
			t.Error(err)
		} else if string(got)+"\n" != string(want) && string(got) != string(want) {
			t.Errorf("%s\n got %s\nwant %s", name, got, want)
		}
	}
}
