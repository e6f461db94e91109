package hub

import (
	"context"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"readout/server/problem"
	"readout/server/reading"
)

// run ends with the streamer's context: by the linger in Hub.release or by
// Hub.Close. It begins again when the topic was deleted.
func (st *streamer) run() {
	defer st.stop()
	defer func() {
		if p := recover(); p != nil {
			st.fail(p)
		}
	}()
	for loaded := false; st.ctx.Err() == nil; {
		ctx, cancel := context.WithCancel(st.ctx)
		st.mu.Lock()
		st.again = cancel
		st.mu.Unlock()
		history, err := st.begin(ctx)
		if err == nil && !loaded {
			loaded = true
			close(st.ready)
		}
		if err == nil {
			st.follow(ctx, history.End)
		}
		cancel()
	}
}

// begin fills the ring with what the stream holds.
func (st *streamer) begin(ctx context.Context) (reading.History, error) {
	life := st.lifeNow()
	history, err := retry(ctx, func() (reading.History, error) {
		h, err := st.hub.o.Recent(ctx, st.topic, 0, ringReadings)
		if err != nil && ctx.Err() == nil {
			st.trouble(err)
		}
		return h, err
	})
	if err == nil {
		st.load(history, life)
	}
	return history, err
}

// follow publishes what comes after a cursor until ctx ends.
func (st *streamer) follow(ctx context.Context, after reading.Cursor) {
	for entries, err := range st.hub.o.Tail(ctx, st.topic, after) {
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			st.trouble(err)
		case st.mended():
			return
		case st.hub.o.Doubt > 0 && len(entries) >= st.hub.o.Doubt && st.overtaken(ctx):
			return
		case len(entries) > 0:
			st.publish(entries)
		default:
			st.answersAgain()
		}
	}
}

// overtaken says that the stream may have been trimmed past the tail: then what
// the tail brings is not all that came. The streamer begins again, and its flows
// go on from the store, which knows what is missing.
func (st *streamer) overtaken(ctx context.Context) bool {
	st.mu.Lock()
	end := st.ring.end
	st.mu.Unlock()
	r, err := st.hub.o.Resume(ctx, st.topic, end, 0)
	if err != nil || r.Verdict == reading.Continuous {
		return false
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.missed = true
	if st.again != nil {
		st.again()
	}
	return true
}

// load takes over what the stream holds now; what was known of it is forgotten.
// In another life than before the flows begin anew; after a tail that missed
// something they go on from where each of them is.
func (st *streamer) load(history reading.History, life int) {
	st.mu.Lock()
	defer st.mu.Unlock()
	again, missed := life != st.loaded, st.missed
	st.loaded, st.missed = life, false
	st.ring = ring{most: ringReadings}
	st.naming = naming{version: st.naming.version + 1}
	st.shots = [2]shot{}
	st.ring.load(history, !history.Cut && len(history.Entries) < ringReadings)
	st.learn(history.Entries)
	for f := range st.flows {
		switch {
		case again:
			st.beginAnew(f)
		case missed && (f.state == live || f.state == behind):
			f.state, f.fell = joining, true
			f.subscriber.join(f)
		}
	}
	st.stale, st.wrong, st.ill = time.Time{}, false, nil
}

// deleted makes the streamer begin again: what it holds is the past.
func (st *streamer) deleted() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.beginAgain()
}

// mended is true once after the topic's key held another type, which means that
// its stream is another one: the streamer begins again.
func (st *streamer) mended() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.wrong {
		st.beginAgain()
	}
	return st.wrong
}

// beginAgain ends the tail that runs now. The caller holds st.mu.
func (st *streamer) beginAgain() {
	st.life++
	if st.again != nil {
		st.again()
	}
}

// beginAnew tells a flow that its viewer's history is another one and sends it a
// new snapshot. The caller holds st.mu.
func (st *streamer) beginAnew(f *flow) {
	if f.resume {
		st.hub.counters.resets.Add(1)
		f.subscriber.push(reset(st.topic))
	}
	f.resume, f.fell, f.told = false, false, 0
	if f.state == live || f.state == behind { // else it is about to begin anyway
		f.state = joining
		f.subscriber.join(f)
	}
}

// fail ends a streamer in which something panicked, and it alone: its
// subscribers come back, to a new one.
func (st *streamer) fail(p any) {
	st.hub.counters.panics.Add(1)
	st.hub.o.Logger.Error("panic in a streamer", "topic", st.topic, "panic", p, "stack", string(debug.Stack()))
	st.hub.mu.Lock()
	if st.hub.streamers[st.topic] == st {
		delete(st.hub.streamers, st.topic)
	}
	st.hub.mu.Unlock()
	st.mu.Lock()
	defer st.mu.Unlock()
	for f := range st.flows {
		f.subscriber.Close(Closed{Code: 1011, Reason: "a mistake of this server"})
	}
}

// trouble tells all flows once that the store does not answer, or that the
// topic's key is no stream.
func (st *streamer) trouble(err error) {
	p, _ := problem.Of(err)
	wrong := p.Code == "wrong_type"
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.ctx.Err() != nil || !st.stale.IsZero() && st.wrong == wrong {
		return
	}
	st.stale, st.wrong = time.Now(), wrong
	st.hub.o.Logger.Warn("the store does not answer a streamer", "topic", st.topic, "err", err)
	st.ill = stale(st.topic, st.stale)
	if wrong {
		st.ill = ErrorFrame(0, string(st.topic), err)
	}
	for f := range st.flows {
		f.subscriber.push(st.ill)
	}
}

// answersAgain tells all flows that the store answers and has nothing new: an
// empty message confirms where they are.
func (st *streamer) answersAgain() {
	st.mu.Lock()
	defer st.mu.Unlock()
	switch {
	case st.stale.IsZero():
		return
	case st.wrong:
		st.beginAgain()
		return
	}
	st.stale, st.ill = time.Time{}, nil
	for f := range st.flows {
		if f.state == live {
			f.subscriber.push(readings(rows{topic: st.topic, id: f.last, prev: f.last}))
		}
	}
}

// retry calls f until it succeeds or the context ends, with growing, jittered pauses.
func retry[T any](ctx context.Context, f func() (T, error)) (T, error) {
	pause := 100 * time.Millisecond
	for {
		value, err := f()
		if err == nil || ctx.Err() != nil {
			return value, err
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-ctx.Done():
			timer.Stop()
			return value, ctx.Err()
		case <-timer.C:
		}
		pause = min(2*pause, 2*time.Second)
	}
}
