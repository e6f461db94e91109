package hub_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"readout/server"
	"readout/server/reading"
	"readout/server/servertest"
	"readout/server/store"
)

// These tests do to a real Redis what a tail cannot see, or leave it, and hold the
// times in which a viewer is told against what is promised.

// onRedis starts a server over a Redis, pushes a few readings and subscribes.
func onRedis(t *testing.T, url string, topics ...string) (*servertest.Server, *servertest.Socket) {
	t.Helper()
	s := servertest.New(t, &servertest.Options{Redis: url, Change: func(o *server.Options) { o.Store.MaxEntries = 100 }})
	for _, topic := range topics {
		for i := range 5 {
			s.Push(topic, strconv.Itoa(i))
		}
	}
	viewer := s.Dial()
	viewer.Subscribe(topics...)
	for range topics {
		viewer.ReadType("snapshot")
	}
	return s, viewer
}

// next reads until a frame of a kind comes, which must be in time and the first of
// a kind that says something is wrong.
func next(t *testing.T, viewer *servertest.Socket, kind string, limit time.Duration) servertest.Frame {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	last := "nothing"
	for {
		f, err := viewer.TryRead(ctx)
		if err != nil {
			t.Fatalf("no %s: %v; the last was %s", kind, err, last)
		}
		last = f.Raw
		switch f.Type {
		case kind:
			if took := time.Since(began); took > limit {
				t.Errorf("%s took %v, want %v at most", kind, took, limit)
			}
			return f
		case "gap", "reset", "error":
			t.Fatalf("%s instead of %s", f.Raw, kind)
		}
	}
}

func TestAnEmptiedRedisIsTold(t *testing.T) {
	key := store.Key(reading.Topic("a"))
	for name, empty := range map[string]func(r *servertest.RedisServer){
		"FLUSHALL":           func(r *servertest.RedisServer) { r.Do("FLUSHALL") },
		"FLUSHALL and back":  func(r *servertest.RedisServer) { r.Do("FLUSHALL"); r.Do("XADD", key, "*", "value", "7") },
		"DEL":                func(r *servertest.RedisServer) { r.Do("DEL", key) },
		"DEL and back":       func(r *servertest.RedisServer) { r.Do("DEL", key); r.Do("XADD", key, "*", "value", "7") },
		"DEL and back lower": func(r *servertest.RedisServer) { r.Do("DEL", key); r.Do("XADD", key, "5-1", "value", "7") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := servertest.Redis(t)
			s, viewer := onRedis(t, r.URL(), "a")
			empty(r)
			next(t, viewer, "reset", 2*time.Second)
			next(t, viewer, "snapshot", 2*time.Second)
			s.Push("a", "8")
			for {
				f := next(t, viewer, "readings", 2*time.Second)
				if n := len(f.Rows); n > 0 && f.Rows[n-1][1] == 8.0 {
					return
				}
			}
		})
	}
}

// A Redis that comes back without what it held, with IDs below those that the tail
// has read, stalls nobody.
func TestARedisThatForgotIsTold(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t)
	s, viewer := onRedis(t, r.URL(), "a")
	r.Restart()
	r.Do("XADD", store.Key(reading.Topic("a")), "5-1", "value", "7")
	next(t, viewer, "reset", 4*time.Second) // the tail waits half a second between its attempts
	f := next(t, viewer, "snapshot", 2*time.Second)
	if f.Cursor()[:3] != "5-1" {
		t.Errorf("after the restart: %s", f.Raw)
	}
	r.Do("XADD", store.Key(reading.Topic("a")), "6-1", "value", "8")
	if f := next(t, viewer, "readings", 2*time.Second); f.Rows[0][1] != 8.0 {
		t.Errorf("after the restart: %s", f.Raw)
	}
	if a := s.Do("GET", "/healthz", ""); a.Status != 200 {
		t.Errorf("healthz: %d", a.Status)
	}
}

// While Redis is frozen it is said to be stale in time, and live again in time;
// nothing is lost, and no gap is told.
func TestAFrozenRedisIsStale(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t)
	s, viewer := onRedis(t, r.URL(), "a")
	r.Freeze()
	next(t, viewer, "stale", 3*time.Second)
	r.Continue()
	next(t, viewer, "readings", 2*time.Second)
	s.Push("a", "8")
	if f := next(t, viewer, "readings", 2*time.Second); f.Rows[0][1] != 8.0 {
		t.Errorf("after the frost: %s", f.Raw)
	}
}

func TestABlackholedRedisIsStale(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t)
	proxy := servertest.NewFaultProxy(t, r.Addr(), 1)
	_, viewer := onRedis(t, "redis://"+proxy.Addr(), "a")
	proxy.Blackhole()
	next(t, viewer, "stale", 3*time.Second)
	r.Do("XADD", store.Key(reading.Topic("a")), "*", "value", "8")
	proxy.Pass()
	if f := next(t, viewer, "readings", 2*time.Second); len(f.Rows) != 1 || f.Rows[0][1] != 8.0 {
		t.Errorf("after the blackhole: %s", f.Raw)
	}
}

// A reader that is held up while its stream is trimmed past it tells how many
// entries it missed, each time exactly.
func TestForcedTrimsAreCounted(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t)
	proxy := servertest.NewFaultProxy(t, r.Addr(), 1)
	_, viewer := onRedis(t, "redis://"+proxy.Addr(), "a")
	key := store.Key(reading.Topic("a"))
	random := []int{1, 7, 250}
	for round, more := range random {
		proxy.Stall()
		next(t, viewer, "stale", 3*time.Second)
		const keep = 3
		for i := range more + keep {
			r.Do("XADD", key, "MAXLEN", strconv.Itoa(keep), "*", "value", fmt.Sprint(round*1000+i))
		}
		proxy.Pass()
		f := next(t, viewer, "gap", 5*time.Second)
		if f.Lost == nil || *f.Lost != int64(more) || f.Why != "outage" {
			t.Errorf("of %d lost it says %s", more, f.Raw)
		}
		if f := next(t, viewer, "readings", 2*time.Second); len(f.Rows) != keep {
			t.Errorf("after the gap came %s", f.Raw)
		}
	}
}

// Entries that hold no reading are no hole: a tail that could not read goes on
// after them, and does not begin again.
func TestEntriesWithoutAReadingAreNoHole(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t)
	proxy := servertest.NewFaultProxy(t, r.Addr(), 1)
	s, viewer := onRedis(t, "redis://"+proxy.Addr(), "a")
	s.Push("a", "7")
	next(t, viewer, "readings", 3*time.Second)
	proxy.Stall()
	next(t, viewer, "stale", 3*time.Second)
	key := store.Key(reading.Topic("a"))
	for range 3 {
		r.Do("XADD", key, "*", "p", "no block of readings")
	}
	r.Do("XADD", key, "*", "value", "8")
	proxy.Pass()
	f := next(t, viewer, "readings", 3*time.Second)
	for len(f.Rows) == 0 {
		f = next(t, viewer, "readings", 3*time.Second)
	}
	if len(f.Rows) != 1 || f.Rows[0][1] != 8.0 || f.Columns != nil { // one that begins again names the columns anew
		t.Errorf("after the entries without a reading: %s", f.Raw)
	}
}
