package store_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"readout/server/embedded"
	"readout/server/problem"
	"readout/server/reading"
	"readout/server/servertest"
	"readout/server/store"
)

// copiedTo is a primary with one copy, and the link between them.
func copiedTo(t *testing.T) (primary, replica *servertest.RedisServer, link *servertest.FaultProxy, s *store.Store) {
	t.Helper()
	primary = servertest.Redis(t)
	link = servertest.NewFaultProxy(t, primary.Addr(), 1)
	replica = servertest.RedisReplica(t, link.Addr())
	s, err := store.Open(t.Context(), store.Options{URL: primary.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	eventually(t, "the primary knows its copy", func() bool {
		_, err := acked(t, s, store.Copied, store.Once{}, number(topic(t, "first"), 1, 1))
		return err == nil
	})
	return primary, replica, link, s
}

func acked(t *testing.T, s *store.Store, ack store.Ack, once store.Once, readings ...reading.Reading) ([]reading.StreamID, error) {
	t.Helper()
	return s.AppendAcked(t.Context(), readings, once, ack)
}

// What is answered copied is at the copy, on every way in which it is stored.
func TestCopied(t *testing.T) {
	t.Parallel()
	_, replica, _, s := copiedTo(t)
	for i := range 50 {
		one, many := topic(t, fmt.Sprint(i)), topic(t, "many", fmt.Sprint(i))
		var once store.Once
		if i%2 == 0 {
			once = store.Once{Token: "t", Key: fmt.Sprint(i)}
		}
		ids, err := acked(t, s, store.Copied, once, number(one, 1, 1), number(many, 1, 1), number(many, 2, 2))
		if err != nil {
			t.Fatal(err)
		}
		for k, key := range []string{store.Key(one), store.Key(many)} {
			if got := replica.Do("XRANGE", key, ids[k].String(), ids[k].String()); got == "" {
				t.Fatalf("%d: the copy does not have %v", i, ids)
			}
		}
	}
}

// While the copy hears nothing a copied append is stored and not confirmed, and
// says so in time. Its repetition stores nothing more and waits again.
func TestNotCopied(t *testing.T) {
	t.Parallel()
	primary, replica, link, s := copiedTo(t)
	plain, keyed := topic(t, "plain"), topic(t, "keyed")
	once := store.Once{Token: "t", Key: "k"}
	mustAppend(t, s, number(plain, 1, 1), number(keyed, 1, 1))
	before := s.Stats().AppendErrors["unconfirmed"] // until the copy was there
	link.Blackhole()
	for range 3 {
		began := time.Now()
		_, err := acked(t, s, store.Copied, once, number(keyed, 2, 2))
		mustProblem(t, err, "not_confirmed", "stored")
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("answered after %v", took)
		}
		if n := primary.Do("XLEN", store.Key(keyed)); n != "2" {
			t.Fatalf("%s entries after a repetition, want 2", n)
		}
		// WAIT speaks of what its own connection wrote, so a repetition writes too.
		record := primary.Do("KEYS", "readout:*}:i:*")
		if left, _ := strconv.Atoi(primary.Do("TTL", record)); left < 500 {
			t.Errorf("the record %s was not written: it has %d s left", record, left)
		}
		primary.Do("EXPIRE", record, "100")
	}
	_, err := acked(t, s, store.Copied, store.Once{}, number(plain, 2, 2))
	mustProblem(t, err, "not_confirmed", "stored")
	if n := s.Stats().AppendErrors["unconfirmed"] - before; n != 4 {
		t.Errorf("%d appends are counted as unconfirmed, want 4", n)
	}
	link.Pass()
	eventually(t, "the copy is back", func() bool {
		_, err := acked(t, s, store.Copied, once, number(keyed, 2, 2))
		return err == nil
	})
	if n := replica.Do("XLEN", store.Key(keyed)); n != "2" {
		t.Errorf("the copy has %s entries, want 2", n)
	}
	primary.Do("CONFIG", "SET", "min-replicas-to-write", "2") // a repetition is answered and cannot write
	_, err = acked(t, s, store.Copied, once, number(keyed, 2, 2))
	mustProblem(t, err, "not_confirmed", "stored")
}

// deaf is a connection that hears nothing after the reply to a write.
type deaf struct {
	net.Conn
	wrote bool
}

func (d *deaf) Read(b []byte) (int, error) {
	for {
		n, err := d.Conn.Read(b)
		if err != nil || !d.wrote {
			d.wrote = n > 0 && b[0] == '$'
			return n, err
		}
	}
}

// What is stored is known to be, also when nobody hears whether it is copied.
func TestNotCopiedAndNotHeard(t *testing.T) {
	t.Parallel()
	primary, _, link, s := copiedTo(t)
	plain, keyed := topic(t, "plain"), topic(t, "keyed")
	mustAppend(t, s, number(plain, 1, 1), number(keyed, 1, 1))
	var isDeaf atomic.Bool
	s, err := store.Open(t.Context(), store.Options{URL: primary.URL(), Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err == nil && isDeaf.Load() {
			conn = &deaf{Conn: conn}
		}
		return conn, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	isDeaf.Store(true)
	link.Blackhole()
	_, err = acked(t, s, store.Copied, store.Once{}, number(plain, 2, 2))
	mustProblem(t, err, "not_confirmed", "stored")
	_, err = acked(t, s, store.Copied, store.Once{Key: "k"}, number(keyed, 2, 2))
	mustProblem(t, err, "not_confirmed", "stored")
}

// An append that waits for a copy holds up no other.
func TestWhoWaitsForACopyHoldsUpNobody(t *testing.T) {
	t.Parallel()
	_, _, link, s := copiedTo(t)
	tp := topic(t)
	mustAppend(t, s, number(tp, 1, 1))
	link.Blackhole()
	const waiting = 64
	var work sync.WaitGroup
	errs := make([]error, waiting)
	for i := range waiting {
		work.Go(func() { _, errs[i] = acked(t, s, store.Copied, store.Once{}, number(tp, 2, 2)) })
	}
	eventually(t, "they are stored", func() bool {
		return len(flat(mustRange(t, s, tp, store.RangeQuery{}).Entries)) == waiting+1
	})
	began := time.Now()
	for i := range 10 {
		mustAppend(t, s, number(tp, int64(i+3), 3))
	}
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("ten others took %v", took)
	}
	work.Wait()
	for _, err := range errs {
		mustProblem(t, err, "not_confirmed", "stored")
	}
}

// What a store could never confirm it refuses before it stores anything.
func TestNeverConfirmed(t *testing.T) {
	t.Parallel()
	onDisk := func(t testing.TB) *backend {
		server, err := embedded.Start(embedded.Options{Data: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Close)
		b := onEmbedded(t)
		b.options.Dial = server.Dial
		return b
	}
	for _, row := range []struct {
		name  string
		on    func(testing.TB) *backend
		ack   store.Ack
		code  string // empty when it is confirmed
		words string
	}{
		{"alone", onRedis, store.Copied, "not_confirmed", "no copy of the store is connected"},
		{"Redis 7.0", onRedis, store.Synced, "bad_request", "appendfsync always"},
		{"cluster", onCluster, store.Synced, "bad_request", "appendfsync always"},
		{"cluster without copies", onCluster, store.Copied, "not_confirmed", "no copy of the store is connected"},
		{"in memory", onEmbedded, store.Synced, "bad_request", "--data"},
		{"in memory", onEmbedded, store.Copied, "bad_request", "a Redis with a copy"},
		{"on a disk", onDisk, store.Copied, "bad_request", "a Redis with a copy"},
		{"on a disk", onDisk, store.Synced, "", ""},
	} {
		t.Run(row.name+"/"+string(row.ack), func(t *testing.T) {
			t.Parallel()
			s := row.on(t).open(t)
			for i, once := range []store.Once{{}, {Key: "k"}} {
				tp := topic(t, fmt.Sprint(i))
				_, err := acked(t, s, row.ack, once, number(tp, 1, 1))
				if row.code == "" {
					if err != nil {
						t.Error(err)
					}
					continue
				}
				mustProblem(t, err, row.code, "")
				var p *problem.Error
				if errors.As(err, &p) && !strings.Contains(p.Message, row.words) {
					t.Errorf("%q does not say %q", p.Message, row.words)
				}
				if known := s.Topics(func(name reading.Topic) bool { return name == tp }); len(known) > 0 {
					t.Error("the catalog has its topic")
				}
				if entries := mustRange(t, s, tp, store.RangeQuery{}).Entries; len(entries) > 0 {
					t.Errorf("it is stored: %v", entries)
				}
			}
		})
	}
}

// In a Cluster each primary confirms what it took.
func TestCopiedInACluster(t *testing.T) {
	t.Parallel()
	servers := servertest.StartRedisCluster(t)
	var links []*servertest.FaultProxy
	var copies []*servertest.RedisServer
	for i, node := range servers.Nodes {
		link := servertest.NewFaultProxy(t, node.Addr(), uint64(i))
		links = append(links, link)
		copies = append(copies, servertest.RedisReplica(t, link.Addr()))
	}
	s, err := store.Open(t.Context(), store.Options{URL: servers.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	var readings []reading.Reading
	for i := range 30 {
		readings = append(readings, number(topic(t, fmt.Sprint(i)), 1, 1))
	}
	eventually(t, "the primaries know their copies", func() bool {
		_, err := acked(t, s, store.Copied, store.Once{}, readings...)
		return err == nil
	})
	for _, once := range []store.Once{{}, {Key: "k"}} {
		if _, err := acked(t, s, store.Copied, once, readings...); err != nil {
			t.Fatal(err)
		}
		copied := 0
		for _, r := range readings {
			for _, c := range copies {
				if c.Do("EXISTS", store.Key(r.Topic)) == "1" {
					copied++
				}
			}
		}
		if copied != len(readings) {
			t.Errorf("%d of %d topics are at a copy", copied, len(readings))
		}
	}
	links[1].Blackhole()
	for _, once := range []store.Once{{}, {Key: "l"}, {Key: "l"}} {
		_, err := acked(t, s, store.Copied, once, readings...)
		mustProblem(t, err, "not_confirmed", "stored")
	}
}
