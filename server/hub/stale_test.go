package hub_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"readout/server/hub"
	"readout/server/reading"
)

// Whose read fails is told so once, and what he then gets takes it back. Whom the
// streamer feeds has no part in that.
func TestOnlyTheOneWhoseReadFailsIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := quiet()
		var fails atomic.Int32
		var long reading.History // more than the ring holds, so that an hour asks the store
		for i := range 600 {
			ms := time.Now().UnixMilli() - 600 + int64(i)
			long.End = reading.Cursor{ID: reading.StreamID{Ms: uint64(ms)}, Ordinal: int64(i + 1), Epoch: "e"}
			long.Entries = append(long.Entries, reading.Entry{Cursor: long.End, Readings: []reading.Reading{
				{Topic: "a", Time: ms, Values: []reading.Named{{Name: "value", Value: reading.NumberOf(1)}}},
			}})
		}
		o.Recent = func(context.Context, reading.Topic, int64, int) (reading.History, error) {
			if fails.Add(-1) >= 0 {
				return reading.History{}, errors.New("one slow read")
			}
			return long, nil
		}
		h := hub.New(o)
		defer h.Close()
		first := h.Join(anyone)
		defer first.Leave()
		first.Subscribe(hub.Subscription{ID: 1, Topics: []string{"a"}, Window: 100 * time.Millisecond})
		framesIn(first, time.Second)

		fails.Store(3)
		second := h.Join(anyone)
		defer second.Leave()
		second.Subscribe(hub.Subscription{ID: 1, Topics: []string{"a"}, Window: time.Hour})
		if got := framesIn(second, 5*time.Second); kindsOf(got) != "stale snapshot" {
			t.Errorf("the one whose read failed got %s", kindsOf(got))
		}
		if got := framesIn(first, 5*time.Second); len(got) > 0 {
			t.Errorf("the other one got %s", kindsOf(got))
		}
		third := h.Join(anyone)
		defer third.Leave()
		third.Subscribe(hub.Subscription{ID: 1, Topics: []string{"a"}, Window: 100 * time.Millisecond})
		if got := framesIn(third, time.Second); has(got, `"stale"`) {
			t.Errorf("one who came later got %.60q", got)
		}
	})
}

// A tail that cannot read is told to everyone once, however many of its reads fail
// and whatever else is read meanwhile, and taken back once it can.
func TestATailThatCannotReadIsToldToAllAndTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := quiet()
		at := func(n int) reading.Entry {
			return reading.Entry{Cursor: reading.Cursor{ID: reading.StreamID{Ms: uint64(n)}, Ordinal: int64(n), Epoch: "e"}, Readings: []reading.Reading{
				{Topic: "a", Time: int64(n), Values: []reading.Named{{Name: "value", Value: reading.NumberOf(1)}}},
			}}
		}
		o.Recent = func(context.Context, reading.Topic, int64, int) (reading.History, error) {
			return reading.History{Entries: []reading.Entry{at(1)}, End: at(1).Cursor}, nil
		}
		// The stream holds a second entry, which the tail brings late.
		var away atomic.Bool
		o.Resume = func(_ context.Context, _ reading.Topic, after reading.Cursor, limit int) (reading.Resumed, error) {
			r := reading.Resumed{From: after, End: after}
			switch {
			case away.Load():
				return r, errors.New("away")
			case limit == 0:
				return r, nil
			}
			for n := int(after.ID.Ms) + 1; n <= 2; n++ {
				r.Entries, r.End = append(r.Entries, at(n)), at(n).Cursor
			}
			return r, nil
		}
		brings := make(chan error)
		o.Tail = func(ctx context.Context, _ reading.Topic, _ reading.Cursor) iter.Seq2[[]reading.Entry, error] {
			return func(yield func([]reading.Entry, error) bool) {
				for {
					select {
					case <-ctx.Done():
						return
					case err := <-brings:
						var list []reading.Entry
						if err == nil {
							list = []reading.Entry{at(2)}
						}
						if !yield(list, err) {
							return
						}
					}
				}
			}
		}
		h := hub.New(o)
		defer h.Close()
		join := func(after string) *hub.Subscriber {
			s := h.Join(anyone)
			want := hub.Subscription{ID: 1, Topics: []string{"a"}}
			if after != "" {
				want.After = map[string]string{"a": after}
			}
			s.Subscribe(want)
			return s
		}
		one := join("")
		defer one.Leave()
		framesIn(one, time.Second)

		away.Store(true)
		failing := join("0-1") // the ring does not hold what follows it
		defer failing.Leave()
		synctest.Wait()
		for range 3 {
			brings <- errors.New("away")
		}
		late := join("")
		defer late.Leave()
		time.Sleep(3 * time.Second)
		away.Store(false)
		ahead := join("1-0") // its read brings what the tail has not brought yet
		defer ahead.Leave()
		time.Sleep(3 * time.Second)
		brings <- nil

		for name, row := range map[string]struct {
			s    *hub.Subscriber
			want string
		}{
			"one that was fed":            {one, "stale readings"},
			"one whose own read failed":   {failing, "stale readings stale readings"}, // what it read itself, and then the tail
			"one that came meanwhile":     {late, "snapshot stale readings"},
			"one that is before the tail": {ahead, "readings stale readings"},
		} {
			if got := kindsOf(framesIn(row.s, time.Second)); got != row.want {
				t.Errorf("%s got %s, want %s", name, got, row.want)
			}
		}
	})
}

// Who leaves does not wait for a store that hangs, and neither does what he asked.
func TestLeavingWaitsForNoRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := quiet()
		var reads atomic.Int32
		hangs := func(ctx context.Context) error {
			reads.Add(1)
			<-ctx.Done() // as the store does, but for its own bound
			return ctx.Err()
		}
		o.Resume = func(ctx context.Context, _ reading.Topic, after reading.Cursor, limit int) (reading.Resumed, error) {
			if limit == 0 {
				return reading.Resumed{From: after, End: after}, nil // a check
			}
			return reading.Resumed{}, hangs(ctx)
		}
		h := hub.New(o)
		defer h.Close()
		stays := h.Join(anyone)
		defer stays.Leave()
		stays.Subscribe(hub.Subscription{ID: 1, Topics: []string{"a"}})
		for i := range 3 { // more leave and come back than reads may run at once
			var all []*hub.Subscriber
			for k := range 100 {
				s := h.Join(anyone)
				s.Subscribe(hub.Subscription{ID: 1, Topics: []string{"a"}, After: map[string]string{"a": fmt.Sprintf("1-%d", k/2)}})
				all = append(all, s)
			}
			time.Sleep(time.Second)
			began := time.Now()
			for _, s := range all {
				s.Leave()
			}
			if waited := time.Since(began); waited > 0 {
				t.Errorf("time %d: leaving took %v", i, waited)
			}
			synctest.Wait()
		}
		if n := reads.Load(); n < 3*16 || n > 3*50 { // as many as may run at once, and one for both who want the same
			t.Errorf("%d reads", n)
		}
	})
}
