package store_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"readout/server/reading"
	"readout/server/store"
)

// road leads to a store that is some time away: what comes back is late.
type road struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	work sync.WaitGroup

	mu    sync.Mutex // guards:
	trip  time.Duration
	conns []net.Conn
	tails []net.Conn // the connections that read streams, oldest first
	chose *rand.Rand
}

// distant puts a store so far away. Its connections end with the test.
func distant(t *testing.T, b *backend, trip time.Duration) *road {
	r := &road{dial: b.options.Dial, trip: trip, chose: rand.New(rand.NewPCG(1, 1))}
	b.options.Dial = r.connect
	t.Cleanup(func() {
		r.mu.Lock()
		defer r.work.Wait()
		defer r.mu.Unlock()
		for _, conn := range r.conns { // a client that is closed while it dials leaves one open
			_ = conn.Close()
		}
	})
	return r
}

func (r *road) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	far, err := r.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	near, end := net.Pipe()
	r.mu.Lock()
	r.conns = append(r.conns, near)
	r.mu.Unlock()
	type piece struct {
		bytes []byte
		due   time.Time
	}
	pieces := make(chan piece, 10_000)
	r.work.Go(func() {
		defer func() { _ = far.Close() }()
		tails := false
		for b := make([]byte, 64<<10); ; {
			n, err := end.Read(b)
			if err != nil {
				return
			}
			if !tails && bytes.Contains(b[:n], []byte("xread")) {
				tails = true
				r.mu.Lock()
				r.tails = append(r.tails, near)
				r.mu.Unlock()
			}
			if _, err := far.Write(b[:n]); err != nil {
				return
			}
		}
	})
	r.work.Go(func() {
		defer close(pieces)
		for b := make([]byte, 64<<10); ; {
			n, err := far.Read(b)
			if err != nil {
				return
			}
			pieces <- piece{bytes.Clone(b[:n]), time.Now().Add(r.late())}
		}
	})
	r.work.Go(func() {
		defer func() { _ = end.Close() }()
		for p := range pieces {
			time.Sleep(time.Until(p.due))
			if _, err := end.Write(p.bytes); err != nil {
				break
			}
		}
		for range pieces { // its sender is not held up
		}
	})
	return near, nil
}

// late is how late a reply is: by the trip, a quarter of it more or less.
func (r *road) late() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.trip == 0 {
		return 0
	}
	return r.trip*3/4 + time.Duration(r.chose.Int64N(int64(r.trip/2)))
}

func (r *road) becomes(trip time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trip = trip
}

// lanes returns how many connections have read streams so far.
func (r *road) lanes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.tails)
}

// cut ends one of the newest connections that read streams.
func (r *road) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.tails[max(0, len(r.tails)-1-r.chose.IntN(3))].Close()
}

// probed asks a store every second how it is, as a server does; so it knows how far away it is.
func probed(t *testing.T, s *store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			_ = s.Probe(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
}

// arrivals stores a reading every 13 ms, at the store itself, and returns how long
// each was under way. They must come in order and once.
func (b *backend) arrivals(t *testing.T, f *follower, tp reading.Topic, n int, meanwhile func(i int)) []time.Duration {
	t.Helper()
	stored := make([]time.Time, n)
	var work sync.WaitGroup
	work.Go(func() {
		for i := range n {
			time.Sleep(13 * time.Millisecond)
			meanwhile(i)
			stored[i] = time.Now()
			b.xadd(t, tp, "value", i)
		}
	})
	defer work.Wait()
	took := make([]time.Duration, 0, n)
	for len(took) < n {
		select {
		case batch := <-f.batches:
			for _, r := range flat(batch) {
				i := len(took)
				if show([]reading.Reading{r}) != show([]reading.Reading{number(tp, r.Time, float64(i))}) {
					t.Fatalf("%v came as number %d", r, i)
				}
				took = append(took, time.Since(stored[i]))
			}
		case <-f.errs:
		case <-time.After(time.Minute):
			t.Fatalf("%d of %d readings came", len(took), n)
		}
	}
	return took
}

// On a far link a reading that just misses a read does not wait for two replies,
// and a near store is read over one connection.
func TestAFarStoreIsReadByTwoLanes(t *testing.T) {
	const trip = 200 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		b := onEmbedded(t)
		road := distant(t, b, 0)
		s := b.open(t)
		probed(t, s)
		tp := topic(t)
		f := follow(t, s, tp, reading.Cursor{})
		b.arrivals(t, f, tp, 100, func(int) {})
		near := road.lanes()
		road.becomes(trip)
		time.Sleep(2 * trip)
		b.arrivals(t, f, tp, 300, func(int) {}) // it is noticed
		far := road.lanes()
		const n = 2000
		late := 0
		for _, took := range b.arrivals(t, f, tp, n, func(int) {}) {
			if took > 2*trip {
				late++
			}
		}
		if late > n/50 { // with one lane they are four times as many
			t.Errorf("%d of %d readings took two round trips", late, n)
		}
		if lanes := road.lanes(); near != 2 || far != 2*near || lanes != far {
			t.Errorf("%d lanes when it was near, %d when it was far and %d in the end, want 2 for two readers, then 4", near, far, lanes)
		}
		road.becomes(0)
		b.arrivals(t, f, tp, 300, func(int) {})
		if lanes := road.lanes(); lanes != far {
			t.Errorf("%d lanes when it is near again", lanes)
		}
	})
}

// Whatever befalls the lanes, each reading comes once and in order.
func TestFarLanesAreCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := onEmbedded(t)
		road := distant(t, b, 200*time.Millisecond)
		s := b.open(t)
		probed(t, s)
		tp := topic(t)
		f := follow(t, s, tp, reading.Cursor{})
		b.arrivals(t, f, tp, 200, func(int) {})
		b.arrivals(t, f, tp, 3000, func(i int) {
			if i%37 == 36 {
				road.cut()
			}
		})
		if lanes := road.lanes(); lanes < 20 {
			t.Errorf("there were %d lanes: nothing was cut", lanes)
		}
	})
}

// An address may lead to several servers. Then the second lane is given up, and
// brings nothing from another than the first.
func TestASecondLaneLeadsElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, other := onEmbedded(t), onEmbedded(t)
		here := b.options.Dial
		var elsewhere atomic.Bool
		b.options.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if elsewhere.Load() {
				return other.options.Dial(ctx, network, addr)
			}
			return here(ctx, network, addr)
		}
		road := distant(t, b, 0)
		s := b.open(t)
		probed(t, s)
		tp := topic(t)
		f := follow(t, s, tp, reading.Cursor{})
		b.arrivals(t, f, tp, 10, func(int) {})
		synctest.Wait()
		elsewhere.Store(true) // for all connections that are made from now on
		other.xadd(t, tp, "value", -1)
		before := road.lanes()
		road.becomes(200 * time.Millisecond)
		time.Sleep(time.Second)
		b.arrivals(t, f, tp, 1000, func(int) {})
		if lanes := road.lanes(); lanes != 2*before {
			t.Errorf("%d lanes were tried beside %d: that one leads elsewhere is known after the first try", lanes-before, before)
		}
	})
}
