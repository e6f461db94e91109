package hub_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"readout/server/hub"
	"readout/server/reading"
)

// shelf is a store that a test can hurt: streams are trimmed, deleted, put back to
// an older history, and not answered for. It answers as server/store does over Redis.
type shelf struct {
	random *rand.Rand

	mu        sync.Mutex // guards the fields below
	streams   map[reading.Topic]*stream
	past      map[reading.Topic][][]reading.Entry // histories that ended
	endings   map[reading.Topic]int
	changed   chan struct{} // closed with every change
	away      bool
	outages   int
	histories uint64
	reads     int // of Recent and Resume, now
	most      int // of these at the same time
}

// stream is one history of a topic.
type stream struct {
	all   []reading.Entry // also those that were trimmed
	first int             // the first that is kept
	epoch string
	clock uint64 // IDs go on after it
}

var errAway = errors.New("the shelf does not answer")

func newShelf(seed uint64) *shelf {
	return &shelf{
		random: rand.New(rand.NewPCG(seed, 1)), streams: map[reading.Topic]*stream{}, past: map[reading.Topic][][]reading.Entry{},
		endings: map[reading.Topic]int{}, changed: make(chan struct{}),
	}
}

func (s *shelf) options() hub.Options {
	o := quiet()
	o.Tail, o.Recent, o.Resume = s.tail, s.recent, s.resume
	return o
}

// change does something to the streams and wakes the tails.
func (s *shelf) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *shelf) push(topic reading.Topic, n int) {
	s.change(func() {
		st := s.streams[topic]
		if st == nil {
			st = &stream{clock: uint64(bubble)}
			s.streams[topic] = st
		}
		if st.epoch == "" {
			s.histories++
			st.epoch = fmt.Sprint("e", s.histories)
		}
		for range n {
			st.clock += 1 + s.random.Uint64N(3)
			c := reading.Cursor{ID: reading.StreamID{Ms: st.clock, Seq: s.histories}, Ordinal: int64(len(st.all) + 1), Epoch: st.epoch}
			st.all = append(st.all, reading.Entry{Cursor: c, Readings: []reading.Reading{at(time.Now().UnixMilli(), "n", 1)}})
		}
	})
}

// trim drops all entries of a topic but the newest so many.
func (s *shelf) trim(topic reading.Topic, keep int) {
	s.change(func() {
		if st := s.streams[topic]; st != nil {
			st.first = max(st.first, len(st.all)-keep)
		}
	})
}

// end ends a topic's history: it begins again with its first entries up to keep.
// Deleted by hand a stream leaves its epoch behind.
func (s *shelf) end(topic reading.Topic, keep int, epoch bool) {
	s.change(func() {
		st := s.streams[topic]
		if st == nil || len(st.all) == 0 {
			return
		}
		s.past[topic] = append(s.past[topic], st.all)
		s.endings[topic]++
		s.histories++
		next := &stream{all: slices.Clone(st.all[:min(keep, len(st.all))]), clock: st.clock}
		if epoch || keep > 0 {
			next.epoch = st.epoch
		}
		if keep > 0 {
			next.first = min(st.first, len(next.all)-1)
			next.clock = next.all[len(next.all)-1].Cursor.ID.Ms
		}
		s.streams[topic] = next
	})
}

// leave makes the shelf answer nobody until it is back; tails are told.
func (s *shelf) leave() { s.change(func() { s.away = true; s.outages++ }) }
func (s *shelf) back()  { s.change(func() { s.away = false }) }

// look returns a topic's stream as XINFO would, and whether there is one.
func (s *shelf) look(topic reading.Topic) (st stream, end reading.Cursor) {
	if found := s.streams[topic]; found != nil {
		st = *found
	}
	if len(st.all) == 0 {
		return stream{}, reading.Cursor{}
	}
	return st, st.all[len(st.all)-1].Cursor
}

func (s *shelf) tail(ctx context.Context, topic reading.Topic, after reading.Cursor) iter.Seq2[[]reading.Entry, error] {
	return func(yield func([]reading.Entry, error) bool) {
		s.mu.Lock()
		outages := s.outages
		s.mu.Unlock()
		failing := false
		for ctx.Err() == nil {
			s.mu.Lock()
			changed, away, cut := s.changed, s.away, s.outages != outages
			outages = s.outages
			var fresh []reading.Entry
			st, _ := s.look(topic)
			for _, e := range st.all[min(st.first, len(st.all)):] {
				if e.Cursor.ID.Compare(after.ID) > 0 && len(fresh) < 50 {
					// What a tail brings bears the epoch and the count that it knows of.
					e.Cursor = reading.Cursor{ID: e.Cursor.ID, Ordinal: after.Ordinal + int64(len(fresh)) + 1, Epoch: after.Epoch}
					if after.Epoch == "" {
						e.Cursor.Epoch = st.epoch
					}
					fresh = append(fresh, e)
				}
			}
			wait := time.Duration(s.random.Int64N(int64(20 * time.Millisecond)))
			s.mu.Unlock()
			switch {
			case away || cut:
				failing = true
				if !yield(nil, errAway) {
					return
				}
				time.Sleep(300 * time.Millisecond)
			case len(fresh) > 0:
				time.Sleep(wait) // on its way, while the stream may be trimmed
				after = fresh[len(fresh)-1].Cursor
				failing = false
				if ctx.Err() != nil || !yield(fresh, nil) {
					return
				}
			case failing:
				failing = false
				if !yield(nil, nil) {
					return
				}
			default:
				select {
				case <-changed:
				case <-ctx.Done():
				}
			}
		}
	}
}

// read is a round trip to the store.
func (s *shelf) read() (leave func(), err error) {
	s.mu.Lock()
	s.reads++
	s.most = max(s.most, s.reads)
	s.mu.Unlock()
	time.Sleep(time.Millisecond)
	s.mu.Lock()
	s.reads--
	if s.away {
		err = errAway
	}
	return s.mu.Unlock, err
}

func (s *shelf) recent(_ context.Context, topic reading.Topic, from int64, limit int) (h reading.History, err error) {
	leave, err := s.read()
	defer leave()
	if err != nil {
		return h, err
	}
	st, end := s.look(topic)
	h.End = end
	kept := st.all[st.first:]
	h.Entries, h.Cut = kept[max(0, len(kept)-limit):], len(kept) > limit
	for len(h.Entries) > 0 && h.Entries[0].Readings[0].Time < from {
		h.Entries = h.Entries[1:]
	}
	return h, nil
}

func (s *shelf) resume(_ context.Context, topic reading.Topic, after reading.Cursor, limit int) (r reading.Resumed, err error) {
	leave, err := s.read()
	defer leave()
	if err != nil {
		return r, err
	}
	st, end := s.look(topic)
	kept := st.all[st.first:]
	r.From, r.End = after, after
	reset := reading.Resumed{Verdict: reading.Reset, From: after, End: end}
	if after.Epoch != "" && after.Epoch != st.epoch || end.ID.Compare(after.ID) < 0 || after.Ordinal > end.Ordinal {
		return reset, nil
	}
	next, there := slices.BinarySearchFunc(kept, after.ID, func(e reading.Entry, id reading.StreamID) int { return e.Cursor.ID.Compare(id) })
	switch lost := int64(st.first) - after.Ordinal; {
	case end.ID == after.ID || there:
	case next > 0 || lost < 0:
		return reset, nil
	case lost > 0:
		r.Verdict, r.Lost = reading.Gap, lost
	}
	if there {
		r.Before = kept[next].Readings
		next++
	}
	r.Entries = kept[next:]
	if len(r.Entries) > limit {
		r.Entries, r.More = r.Entries[:limit], true
	}
	switch {
	case len(r.Entries) > 0:
		r.End = r.Entries[len(r.Entries)-1].Cursor
	case r.Verdict == reading.Gap && !r.More:
		r.End = end
	}
	return r, nil
}
