package hub

import (
	"context"
	"fmt"
	"runtime/debug"
)

// shared is one read of the store for all flows of a topic that want the same at
// the same time. Nobody waits for it longer than he stays: a read of a store that
// hangs goes on alone, and ends when nobody is left who wants it.
type shared struct {
	done     chan struct{} // closed when the fields below are set
	value    any
	err      error
	panicked any

	waiting int                // guarded by streamer.mu
	stop    context.CancelFunc // ends the read
}

// share reads, or waits for the same read of another flow, until ctx ends.
func share[T any](ctx context.Context, st *streamer, key string, read func(context.Context) (T, error)) (value T, err error) {
	r, err := st.sharedRead(key, func(ctx context.Context) (any, error) { return read(ctx) })
	if err != nil {
		return value, err
	}
	defer st.unshare(key, r)
	select {
	case <-r.done:
	case <-ctx.Done():
		return value, ctx.Err()
	}
	switch {
	case r.panicked != nil:
		panic(r.panicked) // as if each of them had read alone
	case r.err != nil:
		return value, r.err
	}
	return r.value.(T), nil
}

// sharedRead returns the read that is under way, or begins it.
func (st *streamer) sharedRead(key string, read func(context.Context) (any, error)) (*shared, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if r := st.reads[key]; r != nil {
		r.waiting++
		return r, nil
	}
	if st.ended || st.ctx.Err() != nil {
		return nil, context.Canceled
	}
	ctx, stop := context.WithCancel(st.ctx)
	r := &shared{done: make(chan struct{}), waiting: 1, stop: stop}
	st.reads[key] = r
	st.readers.Go(func() {
		defer close(r.done)
		defer func() {
			if p := recover(); p != nil {
				r.panicked = fmt.Sprintf("%v\n%s", p, debug.Stack())
			}
			st.mu.Lock()
			defer st.mu.Unlock()
			if st.reads[key] == r { // what is asked for from here on is newer
				delete(st.reads, key)
			}
		}()
		r.value, r.err = read(ctx)
	})
	return r, nil
}

// unshare leaves a read; the last one ends it.
func (st *streamer) unshare(key string, r *shared) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if r.waiting--; r.waiting > 0 {
		return
	}
	r.stop()
	if st.reads[key] == r { // it was given up: nobody may join it
		delete(st.reads, key)
	}
}
