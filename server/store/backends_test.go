package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"readout/server/embedded"
	"readout/server/reading"
	"readout/server/servertest"
	"readout/server/store"
)

// backend is a server under the store, and a plain client for what others do to it.
type backend struct {
	options store.Options
	raw     redis.UniversalClient
	counts  bool // the server knows how many entries a stream ever had
}

func onEmbedded(t testing.TB) *backend {
	t.Helper()
	server, err := embedded.Start(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	raw := redis.NewClient(&redis.Options{Addr: "127.0.0.1:0", Dialer: server.Dial, Protocol: 2, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}})
	t.Cleanup(func() { _ = raw.Close() })
	return &backend{raw: raw, options: store.Options{URL: embedded.URL, Dial: server.Dial}, counts: true}
}

func onRedis(t testing.TB) *backend {
	t.Helper()
	server := servertest.Redis(t)
	raw := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = raw.Close() })
	return &backend{raw: raw, options: store.Options{URL: server.URL()}, counts: true}
}

func onCluster(t testing.TB) *backend {
	t.Helper()
	servers := servertest.StartRedisCluster(t)
	var addrs []string
	for _, node := range servers.Nodes {
		addrs = append(addrs, node.Addr())
	}
	raw := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
	t.Cleanup(func() { _ = raw.Close() })
	return &backend{raw: raw, options: store.Options{URL: servers.URL()}, counts: true}
}

// open opens one more replica's store, which ends with the test.
func (b *backend) open(t testing.TB, change ...func(*store.Options)) *store.Store {
	t.Helper()
	o := b.options
	for _, f := range change {
		f(&o)
	}
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// topic makes a topic of this test's own; parts tell several apart.
func topic(t testing.TB, parts ...string) reading.Topic {
	t.Helper()
	name := strings.NewReplacer("/", ".", "#", "_").Replace(strings.Join(append([]string{t.Name()}, parts...), "."))
	made, err := reading.ParseTopic(name)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// number makes a reading of one number.
func number(topic reading.Topic, ms int64, f float64) reading.Reading {
	return reading.Reading{Topic: topic, Time: ms, Values: []reading.Named{{Name: "value", Value: reading.NumberOf(f)}}}
}

func mustAppend(t testing.TB, s *store.Store, readings ...reading.Reading) []reading.StreamID {
	t.Helper()
	ids, err := s.Append(t.Context(), readings, store.Once{})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func mustRange(t testing.TB, s *store.Store, topic reading.Topic, q store.RangeQuery) reading.History {
	t.Helper()
	h, err := s.Range(t.Context(), topic, q)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func mustResume(t testing.TB, s *store.Store, topic reading.Topic, after reading.Cursor, limit int) reading.Resumed {
	t.Helper()
	r, err := s.Resume(t.Context(), topic, after, limit)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (b *backend) xadd(t testing.TB, topic reading.Topic, fields ...any) reading.StreamID {
	t.Helper()
	text, err := b.raw.XAdd(t.Context(), &redis.XAddArgs{Stream: store.Key(topic), Values: fields}).Result()
	if err != nil {
		t.Fatal(err)
	}
	id, err := reading.ParseStreamID(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// flat lists the readings of entries.
func flat(entries []reading.Entry) []reading.Reading {
	var all []reading.Reading
	for _, e := range entries {
		all = append(all, e.Readings...)
	}
	return all
}

// show prints readings so that two lists are compared at a glance.
func show(readings []reading.Reading) string {
	var b strings.Builder
	for _, r := range readings {
		fmt.Fprintf(&b, "%s@%d", r.Topic, r.Time)
		for _, v := range r.Values {
			fmt.Fprintf(&b, " %s=%s", v.Name, v.Value.AppendJSON(nil))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// follower collects what a Tail yields.
type follower struct {
	batches chan []reading.Entry
	errs    chan error
	ended   chan struct{}
	stop    context.CancelFunc
}

func follow(t testing.TB, s *store.Store, topic reading.Topic, after reading.Cursor) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &follower{make(chan []reading.Entry, 10_000), make(chan error, 10_000), make(chan struct{}), cancel}
	go func() {
		defer close(f.ended)
		for entries, err := range s.Tail(ctx, topic, after) {
			if err != nil {
				f.errs <- err
			} else {
				f.batches <- entries
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-f.ended
	})
	return f
}

// patience is how long a test waits for what must come; nothing waits that long when all is well.
const patience = 20 * time.Second

// take waits for n readings.
func (f *follower) take(t testing.TB, n int) []reading.Entry {
	t.Helper()
	var all []reading.Entry
	late := time.After(patience)
	for len(flat(all)) < n {
		select {
		case batch := <-f.batches:
			all = append(all, batch...)
		case err := <-f.errs:
			t.Fatalf("the tail says %v after %d of %d readings", err, len(flat(all)), n)
		case <-late:
			t.Fatalf("the tail brought %d of %d readings", len(flat(all)), n)
		}
	}
	return all
}

// fails waits until the tail says that the store does not answer.
func (f *follower) fails(t testing.TB) error {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case <-f.batches:
		case err := <-f.errs:
			return err
		case <-late:
			t.Fatal("the tail never noticed")
		}
	}
}

// recovers waits until the tail says that the store answers again, and returns
// what it says that with.
func (f *follower) recovers(t testing.TB) []reading.Entry {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case batch := <-f.batches:
			return batch
		case <-f.errs:
		case <-late:
			t.Fatal("the tail did not come back")
		}
	}
}

// eventually waits until ok says yes, for effects that announce themselves nowhere.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick, late := time.NewTicker(5*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("it never happened that %s", what)
		}
	}
}
