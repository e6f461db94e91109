package store_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"readout/server/problem"
	"readout/server/reading"
	"readout/server/servertest"
	"readout/server/store"
)

func mustProblem(t *testing.T, err error, code, outcome string) {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) || p.Code != code || p.Outcome != outcome {
		t.Errorf("got %v (outcome %q), want %s with outcome %q", err, outcomeOf(p), code, outcome)
	}
}

func outcomeOf(p *problem.Error) string {
	if p == nil {
		return ""
	}
	return p.Outcome
}

// A tenth of all replies is lost. Every keyed append is repeated by its sender
// until it is answered, and each reading is there once.
func TestKeyedAppendsStoreOnce(t *testing.T) {
	t.Parallel()
	const appends, each, senders = 1000, 10, 8
	server := servertest.Redis(t)
	proxy := servertest.NewFaultProxy(t, server.Addr(), 42)
	s, err := store.Open(t.Context(), store.Options{URL: "redis://" + proxy.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	proxy.DropReplies(0.1)
	topics := make([]reading.Topic, 40)
	for i := range topics {
		topics[i] = topic(t, fmt.Sprint(i))
	}
	var work sync.WaitGroup
	next := make(chan int)
	var mu sync.Mutex
	again := 0
	for range senders {
		work.Go(func() {
			for n := range next {
				var readings []reading.Reading
				for k := range each {
					id := n*each + k
					readings = append(readings, number(topics[(n*7+k/2)%len(topics)], int64(id+1), float64(id))) // pairs are packed
				}
				once := store.Once{Token: "t", Key: fmt.Sprint(n), Body: [32]byte{byte(n), byte(n >> 8)}}
				for {
					ids, err := s.Append(t.Context(), readings, once)
					if err == nil {
						for i, id := range ids {
							if id == (reading.StreamID{}) {
								t.Errorf("append %d was answered without an entry for reading %d", n, i)
							}
						}
						break
					}
					var p *problem.Error
					if !errors.As(err, &p) || p.Code != "store_unavailable" {
						t.Errorf("append %d: %v", n, err)
						break
					}
					mu.Lock()
					again++
					mu.Unlock()
				}
			}
		})
	}
	for n := range appends {
		next <- n
	}
	close(next)
	work.Wait()
	proxy.DropReplies(0)
	times := map[int64]int{}
	for _, tp := range topics {
		for _, r := range flat(mustRange(t, s, tp, store.RangeQuery{}).Entries) {
			times[r.Time]++
		}
	}
	lost, double := 0, 0
	for ms := range int64(appends * each) {
		switch times[ms+1] {
		case 0:
			lost++
		case 1:
		default:
			double++
		}
	}
	if lost > 0 || double > 0 || len(times) != appends*each {
		t.Errorf("of %d readings %d are lost and %d double; %d in all", appends*each, lost, double, len(times))
	}
	if proxy.Dropped() < 100 {
		t.Errorf("only %d replies were dropped", proxy.Dropped())
	}
	t.Logf("%d replies dropped, %d retries in the store, %d by the senders", proxy.Dropped(), s.Stats().AppendRetries, again)
}

// An append without a key is never repeated: its reply was lost and it may be stored.
func TestPlainAppendsAreNotRepeated(t *testing.T) {
	t.Parallel()
	server := servertest.Redis(t)
	proxy := servertest.NewFaultProxy(t, server.Addr(), 1)
	s, err := store.Open(t.Context(), store.Options{URL: "redis://" + proxy.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	tp := topic(t)
	mustAppend(t, s, number(tp, 1, 1))
	proxy.DropReplies(1)
	_, err = s.Append(t.Context(), []reading.Reading{number(tp, 2, 2)}, store.Once{})
	mustProblem(t, err, "store_unavailable", "unknown")
	if n := server.Do("XLEN", store.Key(tp)); n != "2" {
		t.Errorf("%s entries, want 2: the lost one was executed once", n)
	}
	_, err = s.Append(t.Context(), []reading.Reading{number(tp, 3, 3)}, store.Once{Key: "k"})
	mustProblem(t, err, "store_unavailable", "unknown") // the claim and the append are one script
	if err := s.Probe(t.Context()); err == nil {
		t.Error("the probe of a store without replies succeeded")
	}
}

// On a frozen server the tail says so within its patience and the writes within
// theirs, and when it goes on nothing that was stored is missed.
func TestFrozenServer(t *testing.T) {
	t.Parallel()
	server := servertest.Redis(t)
	s, err := store.Open(t.Context(), store.Options{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	tp := topic(t)
	mustAppend(t, s, number(tp, 1, 1))
	f := follow(t, s, tp, reading.Cursor{})
	f.take(t, 1)
	server.Freeze()
	began := time.Now()
	_, err = s.Append(t.Context(), []reading.Reading{number(tp, 2, 2)}, store.Once{})
	mustProblem(t, err, "store_unavailable", "unknown")
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the append took %v to fail", took)
	}
	began = time.Now()
	select {
	case err := <-f.errs:
		mustProblem(t, err, "store_unavailable", "")
	case <-time.After(patience):
		t.Fatal("the tail never noticed")
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("the tail took %v to notice", took)
	}
	if s.Stats().WatchdogCuts == 0 {
		t.Error("no cut was counted")
	}
	server.Continue()
	var got []reading.Entry
	for len(flat(got)) < 1 {
		select {
		case batch := <-f.batches: // the first may be empty and says that the store answers again
			got = append(got, batch...)
		case <-f.errs: // attempts while it was frozen
		case <-time.After(patience):
			t.Fatal("the tail did not come back")
		}
	}
	if show(flat(got)) != show([]reading.Reading{number(tp, 2, 2)}) || got[0].Cursor.Ordinal != 2 {
		t.Errorf("after the frost came %v: the append of unknown outcome was executed", got)
	}
	if err := s.Probe(t.Context()); err != nil {
		t.Errorf("after the frost: %v", err)
	}
}

// Closing does not wait for a server that does not answer.
func TestCloseOnAFrozenServer(t *testing.T) {
	t.Parallel()
	server := servertest.Redis(t)
	s, err := store.Open(t.Context(), store.Options{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	tp := topic(t)
	mustAppend(t, s, number(tp, 1, 1))
	f := follow(t, s, tp, reading.Cursor{})
	f.take(t, 1)
	server.Freeze()
	began := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	<-f.ended
	if took := time.Since(began); took > time.Second {
		t.Errorf("Close took %v", took)
	}
}

// A server that is gone refuses at once, with a certain outcome, and the tail
// tells its watchers that it is back although nothing new was written.
func TestRestartedServer(t *testing.T) {
	t.Parallel()
	server := servertest.Redis(t, "--appendonly", "yes", "--appendfsync", "always")
	s, err := store.Open(t.Context(), store.Options{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	tp := topic(t)
	mustAppend(t, s, number(tp, 1, 1))
	f := follow(t, s, tp, reading.Cursor{})
	f.take(t, 1)
	server.Kill()
	select {
	case err := <-f.errs:
		mustProblem(t, err, "store_unavailable", "")
	case <-time.After(patience):
		t.Fatal("the tail never noticed")
	}
	_, err = s.Append(t.Context(), []reading.Reading{number(tp, 2, 2)}, store.Once{})
	mustProblem(t, err, "store_unavailable", "")
	server.Restart()
	for back := false; !back; {
		select {
		case batch := <-f.batches:
			back = true
			if len(batch) != 0 {
				t.Errorf("nothing was written and %v came", batch)
			}
		case <-f.errs:
		case <-time.After(patience):
			t.Fatal("the tail did not come back")
		}
	}
	eventually(t, "appends work again", func() bool {
		_, err := s.Append(t.Context(), []reading.Reading{number(tp, 3, 3)}, store.Once{})
		return err == nil
	})
	if got := f.take(t, 1); flat(got)[0].Time != 3 {
		t.Errorf("after the restart came %v", got)
	}
}

func TestFullServer(t *testing.T) {
	t.Parallel()
	server := servertest.Redis(t)
	s, err := store.Open(t.Context(), store.Options{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	tp := topic(t)
	mustAppend(t, s, number(tp, 1, 1))
	server.Do("CONFIG", "SET", "maxmemory", "1")
	for _, key := range []string{"", "k"} {
		_, err := s.Append(t.Context(), []reading.Reading{number(tp, 2, 2)}, store.Once{Key: key})
		mustProblem(t, err, "storage_full", "")
	}
	mustProblem(t, s.Probe(t.Context()), "storage_full", "")
	if h := mustRange(t, s, tp, store.RangeQuery{}); len(h.Entries) != 1 {
		t.Errorf("a full server must still be read: %v", h)
	}
	// A foreign stream has no epoch, and a full server cannot take one.
	server.Do("CONFIG", "SET", "maxmemory", "0")
	foreign := topic(t, "foreign")
	server.Do("XADD", store.Key(foreign), "*", "value", "1")
	server.Do("CONFIG", "SET", "maxmemory", "1")
	if h := mustRange(t, s, foreign, store.RangeQuery{}); len(h.Entries) != 1 || h.End.Epoch != "" {
		t.Errorf("a foreign stream on a full server: %+v", h)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	server := servertest.Redis(t)
	s, err := store.Open(t.Context(), store.Options{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	tp := topic(t)
	mustAppend(t, s, number(tp, 1, 1))
	append1 := func(key string) error {
		_, err := s.Append(t.Context(), []reading.Reading{number(tp, 2, 2)}, store.Once{Key: key})
		return err
	}
	server.Do("CONFIG", "SET", "min-replicas-to-write", "1") // NOREPLICAS
	mustProblem(t, append1(""), "store_unavailable", "")
	mustProblem(t, append1("k"), "store_unavailable", "")
	server.Do("CONFIG", "SET", "min-replicas-to-write", "0")
	server.Do("REPLICAOF", "127.0.0.1", "1") // READONLY: this copy's primary does not exist
	mustProblem(t, append1(""), "store_unavailable", "")
	mustProblem(t, append1("k"), "store_unavailable", "")
	if h := mustRange(t, s, tp, store.RangeQuery{}); len(h.Entries) != 1 {
		t.Errorf("a copy must be read: %v", h)
	}
	server.Do("CONFIG", "SET", "replica-serve-stale-data", "no") // MASTERDOWN
	_, err = s.Range(t.Context(), tp, store.RangeQuery{})
	mustProblem(t, err, "store_unavailable", "")
	server.Do("REPLICAOF", "NO", "ONE")
	eventually(t, "it takes writes again", func() bool { return append1("") == nil })
	if n := server.Do("XLEN", store.Key(tp)); n != "2" {
		t.Errorf("%s entries, want 2: nothing that was refused is stored", n)
	}
}

// Two hundred topics are watched, and appends and probes do not wait for them.
func TestTailsStarveNobody(t *testing.T) {
	t.Parallel()
	server := servertest.Redis(t)
	s, err := store.Open(t.Context(), store.Options{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	const n = 200
	var followers []*follower
	for i := range n {
		followers = append(followers, follow(t, s, topic(t, fmt.Sprint(i)), reading.Cursor{}))
	}
	eventually(t, "all are followed", func() bool { return s.Stats().Tailed == n+1 })
	var slowest time.Duration
	for round := range 50 {
		began := time.Now()
		mustAppend(t, s, number(topic(t, fmt.Sprint(round)), 1000, 1))
		if err := s.Probe(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Latest(t.Context(), []reading.Topic{topic(t, "1"), topic(t, "2")}, 1); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(began))
	}
	if slowest > time.Second {
		t.Errorf("the slowest of 50 rounds of append, probe and read took %v", slowest)
	}
	for i := range 50 {
		followers[i].take(t, 1)
	}
	if connections := s.Stats().Connections; connections > 50 {
		t.Errorf("%d connections beside the tail's", connections)
	}
	t.Logf("slowest round %v", slowest)
}

// A Cluster that loses a primary goes on serving the topics of the others.
func TestClusterWithoutAPrimary(t *testing.T) {
	t.Parallel()
	servers := servertest.StartRedisCluster(t)
	for _, node := range servers.Nodes {
		node.Do("CONFIG", "SET", "cluster-require-full-coverage", "no")
	}
	s, err := store.Open(t.Context(), store.Options{URL: servers.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	var topics []reading.Topic
	var followers []*follower
	for i := range 30 {
		tp := topic(t, fmt.Sprint(i))
		topics = append(topics, tp)
		mustAppend(t, s, number(tp, 1, 1))
		f := follow(t, s, tp, reading.Cursor{})
		f.take(t, 1)
		followers = append(followers, f)
	}
	servers.Nodes[2].Kill()
	var work sync.WaitGroup
	errs := make([]error, len(topics))
	for i, tp := range topics {
		work.Go(func() { _, errs[i] = s.Append(t.Context(), []reading.Reading{number(tp, 2, 2)}, store.Once{}) })
	}
	work.Wait()
	served, refused := 0, 0
	for i, tp := range topics {
		if errs[i] != nil {
			mustProblem(t, errs[i], "store_unavailable", "")
			refused++
			continue
		}
		served++
		late := time.After(patience)
		for came := false; !came; {
			select {
			case batch := <-followers[i].batches:
				came = len(flat(batch)) == 1 && batch[0].Readings[0].Time == 2
			case <-followers[i].errs:
			case <-late:
				t.Fatalf("%s is served and its tail is silent", tp)
			}
		}
	}
	if served < 10 || refused < 3 {
		t.Errorf("%d topics served and %d refused with one of three primaries gone", served, refused)
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	for _, url := range []string{"redis://" + addr, "redis+cluster://" + addr, "redis+sentinel://" + addr + "?master_name=m"} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		began := time.Now()
		_, err := store.Open(ctx, store.Options{URL: url})
		cancel()
		var p *problem.Error
		if !errors.As(err, &p) || p.Code != "store_unavailable" {
			t.Errorf("%s: %v", url, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: Open took %v", url, took)
		}
	}
}
