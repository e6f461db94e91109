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
// Hub.Close. It begins again when its stream is not what it was.
func (st *streamer) run() {
	defer st.end()
	defer func() {
		if p := recover(); p != nil {
			st.fail(p, debug.Stack())
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

// end returns when all reads of the store have.
func (st *streamer) end() {
	st.stop()
	st.mu.Lock()
	st.ended = true
	st.mu.Unlock()
	st.readers.Wait()
}

// begin fills the ring with what the stream holds.
func (st *streamer) begin(ctx context.Context) (reading.History, error) {
	history, err := retry(ctx, func() (reading.History, error) {
		h, err := st.hub.o.Recent(ctx, st.topic, 0, ringReadings)
		if err != nil && ctx.Err() == nil {
			st.trouble(err)
		}
		return h, err
	})
	if err == nil {
		st.load(history)
	}
	return history, err
}

// follow publishes what comes after a cursor until ctx ends or the stream does
// not continue there.
func (st *streamer) follow(ctx context.Context, after reading.Cursor) {
	for entries, err := range st.hub.o.Tail(ctx, st.topic, after) {
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			st.deafened(err)
		case st.mended():
			return
		case st.doubtful(len(entries)) && !st.continues(ctx, entries):
			return
		case len(entries) > 0:
			st.publish(entries)
		default:
			st.answersAgain()
		}
	}
}

// load takes over what the stream holds now; what was known of it is forgotten.
// The flows go on from where each of them is, or begin anew.
func (st *streamer) load(history reading.History) {
	st.mu.Lock()
	defer st.mu.Unlock()
	missed, anew := st.missed, st.anew
	st.missed, st.anew = "", false
	st.begun++
	st.following, st.deaf, st.proven = true, false, wallClock()
	st.ring = ring{most: ringReadings}
	st.naming = naming{version: st.naming.version + 1}
	st.shots = [2]shot{}
	st.ring.load(history, !history.Cut && len(history.Entries) < ringReadings)
	st.learn(history.Entries)
	for f := range st.flows {
		switch {
		case anew:
			st.beginAnew(f)
		case f.state == live || f.state == behind:
			f.state, f.fell, f.why = joining, true, missed
			f.subscriber.join(f)
		}
	}
	st.wrong, st.ill = false, nil
}

// mended is true once after the topic's key held another type, which means that
// its stream is another one: the streamer begins again, and its flows anew.
func (st *streamer) mended() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.wrong {
		st.anew = true
		st.beginAgain()
	}
	return st.wrong
}

// beginAgain ends the tail that runs now. The caller holds st.mu.
func (st *streamer) beginAgain() {
	st.following = false
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
		f.ill = false
	}
	f.resume, f.fell, f.why, f.told = false, false, "", 0
	if f.state == live || f.state == behind { // else it is about to begin anyway
		f.state = joining
		f.subscriber.join(f)
	}
}

// fail ends a streamer in which something panicked, and it alone: its
// subscribers come back, to a new one.
func (st *streamer) fail(p any, stack []byte) {
	st.hub.counters.panics.Add(1)
	st.hub.o.Logger.Error("panic in a streamer", "topic", st.topic, "panic", p, "stack", string(stack))
	st.hub.mu.Lock()
	if st.hub.streamers[st.topic] == st {
		delete(st.hub.streamers, st.topic)
	}
	st.hub.mu.Unlock()
	st.mu.Lock()
	defer st.mu.Unlock()
	st.failed = true
	for f := range st.flows {
		f.subscriber.fail()
	}
}

// deafened notes that the tail could not read: what it brings next is not
// published before the stream was checked.
func (st *streamer) deafened(err error) {
	st.mu.Lock()
	st.deaf = true
	st.mu.Unlock()
	st.trouble(err)
}

// trouble tells all flows that the store does not answer the streamer, so that
// none of them gets anything, or that the topic's key is no stream.
func (st *streamer) trouble(err error) {
	frame, wrong := st.illness(err)
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.ctx.Err() != nil || st.ill != nil && st.wrong == wrong {
		return
	}
	st.ill, st.wrong = frame, wrong
	st.hub.o.Logger.Warn("the store does not answer a streamer", "topic", st.topic, "err", err)
	for f := range st.flows {
		st.tellIll(f)
	}
}

// illness is the frame that says why a topic cannot be read since now.
func (st *streamer) illness(err error) (frame []byte, wrong bool) {
	if p, _ := problem.Of(err); p.Code == "wrong_type" {
		return ErrorFrame(0, string(st.topic), err), true
	}
	return stale(st.topic, time.Now()), false
}

// tellIll tells a flow, once, that its topic cannot be read. Whatever it is sent
// next takes that back. The caller holds st.mu.
func (st *streamer) tellIll(f *flow) {
	if st.ill != nil {
		f.isIll(st.ill, st.wrong)
	}
}

// unread tells a flow that its own read of the store has failed. Those that the
// streamer feeds have no part in that.
func (st *streamer) unread(f *flow, err error) {
	frame, wrong := st.illness(err)
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.ill != nil {
		frame, wrong = st.ill, st.wrong
	}
	f.isIll(frame, wrong)
}

// answersAgain tells all flows that the store answers and has nothing new.
func (st *streamer) answersAgain() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.ill == nil {
		return
	}
	st.ill = nil
	for f := range st.flows {
		if f.state == live {
			st.wellAgain(f)
		}
	}
}

// wellAgain takes back what a flow was told, if it was: an empty message confirms
// where it is. The caller holds st.mu.
func (st *streamer) wellAgain(f *flow) {
	if f.ill && st.ill == nil {
		f.ill = false
		f.subscriber.push(readings(rows{topic: st.topic, id: f.last, prev: f.last}))
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
		pause = min(2*pause, time.Second)
	}
}

// jitter returns about d, so that replicas and streamers do not act together.
func jitter(d time.Duration) time.Duration { return d - d/10 + rand.N(d/5) }
