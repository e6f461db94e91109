package main

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"readout/collectors"
	"readout/server"
	"readout/server/embedded"
	"readout/server/reading"
	"readout/server/servertest"
	"readout/server/store"
)

// far is a Readout that can stop and start again on the same store, and whose
// answers get lost now and then.
type far struct {
	t    *testing.T
	o    servertest.Options
	mu   sync.Mutex
	up   *servertest.Server // nil while it is down
	dice *rand.Rand
	lost int
}

func newFar(t *testing.T, o servertest.Options) *far {
	f := &far{t: t, o: o, dice: rand.New(rand.NewPCG(1, 2))}
	f.start()
	return f
}

func (f *far) start() {
	up := servertest.New(f.t, &f.o)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.up = up
}

func (f *far) stop() {
	f.mu.Lock()
	up := f.up
	f.up = nil
	f.mu.Unlock()
	up.Stop()
}

// RoundTrip passes a request to the server; one answer in ten is lost after the
// server has stored what it was sent.
func (f *far) RoundTrip(q *http.Request) (*http.Response, error) {
	f.mu.Lock()
	up := f.up
	lose := up != nil && f.dice.IntN(10) == 0
	f.mu.Unlock()
	if up == nil {
		return nil, errors.New("connection refused")
	}
	answer, err := up.Client.Transport.RoundTrip(q)
	if err == nil && lose {
		_ = answer.Body.Close()
		f.mu.Lock()
		f.lost++
		f.mu.Unlock()
		return nil, errors.New("connection reset")
	}
	return answer, err
}

func (f *far) pusher(dir string) *collectors.Pusher {
	f.t.Helper()
	p, err := collectors.NewPusher(collectors.PusherOptions{
		URL: "http://localhost", Transport: f, Spool: dir, BatchReadings: 50, Log: slog.New(slog.DiscardHandler),
		Describe: collectors.Description{"orders": {{Name: "value", Unit: "orders", Kind: reading.Counter}}},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	p.Start()
	return p
}

func send(t *testing.T, p *collectors.Pusher, i int) {
	t.Helper()
	err := p.Append(t.Context(), []reading.Reading{{Topic: "orders", Time: time.Now().UnixMilli(),
		Values: []reading.Named{{Name: "value", Value: reading.NumberOf(float64(i))}}}})
	if err != nil {
		t.Fatal(err)
	}
}

func end(t *testing.T, p *collectors.Pusher, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// stored asserts that the store holds exactly 0 to n-1 of orders, in this order.
func stored(t *testing.T, o store.Options, n int) {
	t.Helper()
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	history, err := s.Range(t.Context(), "orders", store.RangeQuery{})
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for _, entry := range history.Entries {
		for _, r := range entry.Readings {
			if v, _ := r.Values[0].Value.Number(); v != float64(i) {
				t.Fatalf("stored reading %d is %v", i, v)
			}
			i++
		}
	}
	if i != n {
		t.Errorf("%d readings are stored, want %d", i, n)
	}
	if info, ok := s.Info("orders"); !ok || len(info.Columns) != 1 || info.Columns[0].Unit != "orders" {
		t.Errorf("orders is described as %+v", info.Columns)
	}
}

// F52: Readout is away for 10 minutes, by a clock that is stopped between steps.
// The collector keeps everything on its disk, and all of it arrives once.
func TestOutageOfTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, err := embedded.Start(embedded.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer memory.Close()
		kept := store.Options{URL: embedded.URL, Dial: memory.Dial}
		f := newFar(t, servertest.Options{Change: func(o *server.Options) { o.Store = kept }})
		p := f.pusher(t.TempDir())
		for i := range 900 {
			switch i {
			case 100:
				f.stop()
			case 700:
				if s := p.Stats(); s.Waiting < 590 || s.Spooled == 0 || s.Dropped > 0 {
					t.Errorf("after 10 minutes: %+v", s)
				}
				f.start()
			}
			send(t, p, i)
			time.Sleep(time.Second)
		}
		end(t, p, time.Minute)
		f.stop()
		if s := p.Stats(); s.Stored != 900 || s.Dropped != 0 || s.Rejected != 0 || f.lost == 0 {
			t.Errorf("%+v, %d answers lost", s, f.lost)
		}
		stored(t, kept, 900)
	})
}

// F52 on a real Redis, with both sides started anew while readings wait.
func TestOutageAndRestarts(t *testing.T) {
	redis := servertest.Redis(t)
	f := newFar(t, servertest.Options{Redis: redis.URL()})
	dir := t.TempDir()
	const n = 2000
	p := f.pusher(dir)
	for i := range n {
		switch i {
		case 500:
			f.stop()
		case 1000, 1500: // the collector stops while the server is away, and starts again
			end(t, p, 50*time.Millisecond)
			p = f.pusher(dir)
		}
		send(t, p, i)
	}
	end(t, p, 50*time.Millisecond)
	f.start()
	p = f.pusher(dir)
	if s := p.Stats(); s.Waiting < n-500 || s.Dropped > 0 {
		t.Errorf("before the end: %+v", s)
	}
	for sent := p.Stats().Waiting; sent > 0; sent = p.Stats().Waiting { // each Stop retries once at once
		end(t, p, 20*time.Second)
		p = f.pusher(dir)
	}
	end(t, p, time.Second)
	stored(t, store.Options{URL: redis.URL()}, n)
}
