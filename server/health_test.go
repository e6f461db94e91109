package server_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"readout/server/servertest"
)

// ready is what /readyz answers.
type ready struct {
	Status  string
	Checks  struct{ Replica, Store string }
	Since   int64
	Message string
	Store   string
}

func readiness(t *testing.T, s *servertest.Server) (int, ready) {
	t.Helper()
	a := s.Do(http.MethodGet, "/readyz", "")
	var r ready
	if err := json.Unmarshal([]byte(a.Body), &r); err != nil {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return a.Status, r
}

// told reads frames until one says how the store is.
func told(t *testing.T, viewer *servertest.Socket) (state, message string, since int64) {
	t.Helper()
	var f struct {
		State, Message string
		Since          int64
	}
	if err := json.Unmarshal([]byte(viewer.ReadType("store").Raw), &f); err != nil {
		t.Fatal(err)
	}
	return f.State, f.Message, f.Since
}

// Whatever befalls the store, within 3 s the viewers and /readyz say it, and as
// soon that it is over; pushes are refused meanwhile, and the sockets stay.
func TestHowTheStoreIs(t *testing.T) {
	const soon = 3 * time.Second
	for _, c := range []struct {
		name       string
		begin, end func(server *servertest.RedisServer)
		state      string
		message    string // a part of it
		code       string // of a push
	}{
		{
			"read only", func(r *servertest.RedisServer) { r.Do("REPLICAOF", "127.0.0.1", "1") },
			func(r *servertest.RedisServer) { r.Do("REPLICAOF", "NO", "ONE") }, "read_only", "read-only", "store_unavailable",
		},
		{
			"full", func(r *servertest.RedisServer) { r.Do("CONFIG", "SET", "maxmemory", "1") },
			func(r *servertest.RedisServer) { r.Do("CONFIG", "SET", "maxmemory", "0") }, "full", "memory", "storage_full",
		},
		{
			"too few copies", func(r *servertest.RedisServer) { r.Do("CONFIG", "SET", "min-replicas-to-write", "1") },
			func(r *servertest.RedisServer) { r.Do("CONFIG", "SET", "min-replicas-to-write", "0") }, "refused", "copies", "store_unavailable",
		},
		{"frozen", (*servertest.RedisServer).Freeze, (*servertest.RedisServer).Continue, "away", "answer", "store_unavailable"},
		{"gone", (*servertest.RedisServer).Kill, (*servertest.RedisServer).Restart, "away", "the store", "store_unavailable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			redis := servertest.Redis(t, "--appendonly", "yes")
			s := servertest.New(t, &servertest.Options{Redis: redis.URL(), Loopback: true})
			if a := s.Do(http.MethodPost, "/t/orders", "42"); a.Status != http.StatusOK {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			eventuallyReady(t, s)
			if status, r := readiness(t, s); status != http.StatusOK || r.Status != "ready" || r.Checks.Store != "ok" || r.Checks.Replica != "ok" || r.Store != "redis" || r.Since != 0 {
				t.Errorf("%d %+v", status, r)
			}
			viewer := s.Dial()
			viewer.Subscribe("orders")
			viewer.ReadType("snapshot")

			began := time.Now()
			c.begin(redis)
			state, message, since := told(t, viewer)
			if took := time.Since(began); took > soon {
				t.Errorf("it took %v until viewers were told", took)
			}
			if state != c.state || !strings.Contains(message, c.message) || since < began.UnixMilli() || since > time.Now().UnixMilli() {
				t.Errorf("viewers were told %s, %q since %d", state, message, since)
			}
			if status, r := readiness(t, s); status != http.StatusServiceUnavailable || r.Status != "not ready" || r.Checks.Store != c.state || r.Checks.Replica != "ok" || r.Since != since || !strings.Contains(r.Message, c.message) { // more may be known by now than viewers were told
				t.Errorf("%d %+v", status, r)
			}
			asked := time.Now()
			a := s.Do(http.MethodPost, "/t/orders", "43")
			if a.Status != http.StatusServiceUnavailable || !strings.Contains(a.Body, `"code":"`+c.code+`"`) || strings.Contains(a.Body, "outcome") {
				t.Errorf("a push: %d %s", a.Status, a.Body)
			}
			if took := time.Since(asked); took > 1500*time.Millisecond {
				t.Errorf("a push was refused after %v", took)
			}
			after := a.Header.Get("Retry-After")
			if ok := len(after) == 1 && after >= "1" && after <= "5" || c.code == "storage_full" && after == "10"; !ok {
				t.Errorf("Retry-After %q", after)
			}
			late := s.Dial() // who comes now is told at once, behind the welcome
			if f := late.Read(); f.Type != "store" || !strings.Contains(f.Raw, `{"type":"store","state":"`+c.state+`"`) {
				t.Errorf("a new viewer was told %s", f.Raw)
			}

			began = time.Now()
			c.end(redis)
			for _, v := range []*servertest.Socket{viewer, late} {
				if state, _, since := told(t, v); state != "ok" || since < began.UnixMilli() {
					t.Errorf("then viewers were told %s since %d", state, since)
				}
			}
			if took := time.Since(began); took > soon {
				t.Errorf("it took %v until viewers were told that it is over", took)
			}
			if status, r := readiness(t, s); status != http.StatusOK || r.Message != "" {
				t.Errorf("then %d %+v", status, r)
			}
			if a := s.Do(http.MethodPost, "/t/orders", "44"); a.Status != http.StatusOK {
				t.Errorf("then a push: %d %s", a.Status, a.Body)
			}
			for { // the first socket is still there and live
				if f := viewer.ReadType("readings"); len(f.Rows) > 0 && f.Rows[len(f.Rows)-1][1] == 44.0 {
					break
				}
			}
		})
	}
}

// A store that takes long is not asked by everyone in turn: many may ask /readyz at
// once, and nobody needs a token for it.
func TestManyAskHowASlowStoreIs(t *testing.T) {
	redis := servertest.Redis(t)
	s := servertest.New(t, &servertest.Options{Redis: redis.URL(), Loopback: true})
	redis.Do("CLIENT", "PAUSE", "60000", "WRITE")
	defer redis.Do("CLIENT", "UNPAUSE")
	const wait = 5 * time.Second // a probe under way and one more take 3 s
	began := time.Now()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if a := s.Do(http.MethodGet, "/readyz", ""); a.Status != http.StatusServiceUnavailable || time.Since(began) > wait {
				t.Errorf("%d after %v", a.Status, time.Since(began))
			}
		})
	}
	all.Wait()
}

// A replica that stops says so, and that its store is well.
func TestADrainingReplicaIsNotReady(t *testing.T) {
	s := servertest.New(t, nil)
	s.Server.Drain()
	if status, r := readiness(t, s); status != http.StatusServiceUnavailable || r.Status != "not ready" || r.Checks.Replica != "draining" || r.Checks.Store != "ok" {
		t.Errorf("%d %+v", status, r)
	}
}

// With "outcome":"unknown" a push may be stored, and it is said only then.
func TestTheOutcomeOfAPush(t *testing.T) {
	redis := servertest.Redis(t)
	s := servertest.New(t, &servertest.Options{Redis: redis.URL(), Loopback: true})
	if a := s.Do(http.MethodPost, "/t/orders", "1"); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	redis.Freeze()
	const unknown = `"outcome":"unknown"`
	there := map[string]bool{"1": true, "99": true}
	for n := 2; n < 10; n++ { // the first are sent, until the server is known to be away
		value := strconv.Itoa(n)
		a := s.Do(http.MethodPost, "/t/orders", value)
		if a.Status != http.StatusServiceUnavailable {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		there[value] = strings.Contains(a.Body, unknown)
	}
	if !there["2"] || there["9"] {
		t.Errorf("of unknown outcome: %v", there)
	}
	redis.Continue()
	for deadline := time.Now().Add(20 * time.Second); ; {
		if a := s.Do(http.MethodPost, "/t/orders", "99"); a.Status == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("pushes are not taken again")
		}
	}
	a := s.Do(http.MethodGet, "/t/orders?format=csv", "")
	for value, there := range there {
		if strings.Contains(a.Body, ","+value+"\n") != there {
			t.Errorf("%s is there: %v: %s", value, !there, a.Body)
		}
	}
}

// eventuallyReady waits until a server that has just started is ready: five Redis
// servers start at once beside it.
func eventuallyReady(t *testing.T, s *servertest.Server) {
	t.Helper()
	tick, late := time.NewTicker(20*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for {
		status, r := readiness(t, s)
		if status == http.StatusOK {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("not ready after 20 s: %d %+v", status, r)
		}
	}
}
