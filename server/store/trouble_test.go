package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"readout/server/problem"
	"readout/server/reading"
	"readout/server/servertest"
	"readout/server/store"
)

// opened opens a store on a URL; it ends with the test.
func opened(t *testing.T, o store.Options) *store.Store {
	t.Helper()
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

// Every way in which a server answers and does not do what it is asked: pushes
// are refused for sure, probes say how the store is, and when it is over all is
// as before.
func TestARefusingRedis(t *testing.T) {
	for _, c := range []struct {
		name      string
		args      []string
		begin     func(t *testing.T, server *servertest.RedisServer)
		end       func(server *servertest.RedisServer)
		code      string
		condition string
		message   string // a part of it
	}{
		{
			"read only", nil,
			func(_ *testing.T, server *servertest.RedisServer) { server.Do("REPLICAOF", "127.0.0.1", "1") },
			func(server *servertest.RedisServer) { server.Do("REPLICAOF", "NO", "ONE") },
			"store_unavailable", store.ReadOnly, "read-only",
		},
		{
			"no replicas", nil,
			func(_ *testing.T, server *servertest.RedisServer) {
				server.Do("CONFIG", "SET", "min-replicas-to-write", "1")
			},
			func(server *servertest.RedisServer) { server.Do("CONFIG", "SET", "min-replicas-to-write", "0") },
			"store_unavailable", store.Refused, "fewer copies",
		},
		{
			"out of memory", nil,
			func(_ *testing.T, server *servertest.RedisServer) { server.Do("CONFIG", "SET", "maxmemory", "1") },
			func(server *servertest.RedisServer) { server.Do("CONFIG", "SET", "maxmemory", "0") },
			"storage_full", store.Full, "no memory",
		},
		{
			"no disk", []string{"--enable-protected-configs", "yes"},
			func(t *testing.T, server *servertest.RedisServer) {
				gone := t.TempDir()
				server.Do("CONFIG", "SET", "save", "900 1")
				server.Do("CONFIG", "SET", "dir", gone)
				if err := os.RemoveAll(gone); err != nil {
					t.Fatal(err)
				}
				server.Do("BGSAVE")
				eventually(t, "the save fails", func() bool {
					return strings.Contains(server.Do("INFO", "persistence"), "rdb_last_bgsave_status:err")
				})
			},
			func(server *servertest.RedisServer) {
				server.Do("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
			},
			"store_unavailable", store.Refused, "disk",
		},
		{
			"busy", []string{"--busy-reply-threshold", "10"},
			func(t *testing.T, server *servertest.RedisServer) {
				conn, err := net.Dial("tcp", server.Addr())
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = conn.Close() })
				if _, err := io.WriteString(conn, "*3\r\n$4\r\nEVAL\r\n$17\r\nwhile true do end\r\n$1\r\n0\r\n"); err != nil {
					t.Fatal(err)
				}
				raw := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1})
				t.Cleanup(func() { _ = raw.Close() })
				eventually(t, "it is busy", func() bool { return redis.HasErrorPrefix(raw.Get(t.Context(), "x").Err(), "BUSY") })
			},
			func(server *servertest.RedisServer) { server.Do("SCRIPT", "KILL") },
			"store_unavailable", store.Refused, "script",
		},
		{
			"loading", []string{"--appendonly", "yes"},
			func(_ *testing.T, server *servertest.RedisServer) {
				server.Fill(500)
				server.RestartLoading()
			},
			func(server *servertest.RedisServer) { server.Loaded() },
			"store_unavailable", store.Refused, "loading",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := servertest.Redis(t, c.args...)
			s := opened(t, store.Options{URL: server.URL()})
			tp := topic(t)
			mustAppend(t, s, number(tp, 1, 1))
			c.begin(t, server)
			append1 := func(key string) error {
				_, err := s.Append(t.Context(), []reading.Reading{number(tp, 2, 2)}, store.Once{Key: key})
				return err
			}
			eventually(t, "it is refused", func() bool { // after a restart first the old connections are noticed
				condition, _ := store.Condition(append1("first"))
				return condition == c.condition
			})
			for _, key := range []string{"", "k"} {
				err := append1(key)
				mustProblem(t, err, c.code, "")
				var p *problem.Error
				if errors.As(err, &p) && (!strings.Contains(p.Message, c.message) || p.Retry > 5*time.Second) {
					t.Errorf("it says %q, again after %v", p.Message, p.Retry)
				}
			}
			if condition, message := store.Condition(s.Probe(t.Context())); condition != c.condition || !strings.Contains(message, c.message) {
				t.Errorf("the probe says %s: %s", condition, message)
			}
			c.end(server)
			began := time.Now()
			eventually(t, "it is well", func() bool { return s.Probe(t.Context()) == nil })
			if err := append1(""); err != nil {
				t.Errorf("then an append ended with %v", err)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("it took %v until it was well", took)
			}
			if n := server.Do("XLEN", store.Key(tp)); n != "2" {
				t.Errorf("%s entries, want 2: nothing that was refused is stored", n)
			}
		})
	}
}

// What servers answer that a running store seldom hears.
func TestOtherRefusals(t *testing.T) {
	t.Parallel()
	plain := func(t *testing.T, server *servertest.RedisServer) *redis.Client {
		raw := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1})
		t.Cleanup(func() { _ = raw.Close() })
		return raw
	}
	is := func(t *testing.T, err error, condition, message string) {
		t.Helper()
		if got, text := store.Condition(err); got != condition || !strings.Contains(text, message) {
			t.Errorf("%v is %q, %q, want %q, ...%s...", err, got, text, condition, message)
		}
	}
	t.Run("demoted under a blocked reader", func(t *testing.T) {
		server := servertest.Redis(t)
		raw := plain(t, server)
		ended := make(chan error)
		go func() {
			ended <- raw.XRead(context.WithoutCancel(t.Context()), &redis.XReadArgs{Streams: []string{"x", "0"}, Block: 10 * time.Second}).Err()
		}()
		eventually(t, "it blocks", func() bool { return strings.Contains(server.Do("INFO", "clients"), "blocked_clients:1") })
		server.Do("REPLICAOF", "127.0.0.1", "1")
		is(t, <-ended, store.ReadOnly, "copy")
	})
	t.Run("a cluster without slots", func(t *testing.T) {
		server := servertest.Redis(t, "--cluster-enabled", "yes")
		is(t, plain(t, server).Set(t.Context(), "x", "1", 0).Err(), store.Refused, "cluster")
	})
	t.Run("a cluster's other server", func(t *testing.T) {
		servers := servertest.StartRedisCluster(t)
		moved := 0
		for _, node := range servers.Nodes {
			if err := plain(t, node).Set(t.Context(), "x", "1", 0).Err(); err != nil {
				is(t, err, store.Refused, "cluster")
				moved++
			}
		}
		if moved != 2 {
			t.Errorf("%d of 3 servers sent elsewhere", moved)
		}
	})
	t.Run("a password is wanted", func(t *testing.T) {
		server := servertest.Redis(t)
		server.Do("CONFIG", "SET", "requirepass", "secret")
		_, err := store.Open(t.Context(), store.Options{URL: server.URL()})
		mustProblem(t, err, "store_unavailable", "")
		is(t, err, store.Refused, "let this replica in")
		_, err = store.Open(t.Context(), store.Options{URL: "redis://:wrong@" + server.Addr()})
		mustProblem(t, err, "store_unavailable", "")
		is(t, err, store.Refused, "let this replica in")
		appendsAndTails(t, opened(t, store.Options{URL: "redis://:secret@" + server.Addr()}))
	})
	t.Run("the password is another one now", func(t *testing.T) {
		server := servertest.Redis(t)
		s := opened(t, store.Options{URL: server.URL()})
		tp := topic(t)
		mustAppend(t, s, number(tp, 1, 1))
		raw := plain(t, server)
		if err := raw.ConfigSet(t.Context(), "requirepass", "secret").Err(); err != nil {
			t.Fatal(err)
		}
		if err := raw.Do(t.Context(), "client", "kill", "type", "normal", "skipme", "yes").Err(); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"", "k"} {
			_, err := s.Append(t.Context(), []reading.Reading{number(tp, 2, 2)}, store.Once{Key: key})
			mustProblem(t, err, "store_unavailable", "")
			is(t, err, store.Refused, "let this replica in")
		}
		_, err := s.Range(t.Context(), tp, store.RangeQuery{})
		mustProblem(t, err, "store_unavailable", "")
		is(t, err, store.Refused, "let this replica in")
	})
	t.Run("too many connections", func(t *testing.T) {
		server := servertest.Redis(t)
		raw := plain(t, server)
		if err := raw.Ping(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if err := raw.ConfigSet(t.Context(), "maxclients", "1").Err(); err != nil {
			t.Fatal(err)
		}
		_, err := store.Open(t.Context(), store.Options{URL: server.URL()})
		mustProblem(t, err, "store_unavailable", "")
		is(t, err, store.Refused, "too many connections")
	})
	t.Run("a copy without its primary", func(t *testing.T) {
		server := servertest.Redis(t)
		server.Do("CONFIG", "SET", "replica-serve-stale-data", "no")
		server.Do("REPLICAOF", "127.0.0.1", "1")
		is(t, plain(t, server).Get(t.Context(), "x").Err(), store.Refused, "lost its primary")
	})
	t.Run("a user who may do little", func(t *testing.T) {
		server := servertest.Redis(t)
		server.Do("ACL", "SETUSER", "default", "-xadd")
		err := plain(t, server).XAdd(t.Context(), &redis.XAddArgs{Stream: "x", Values: []any{"a", 1}}).Err()
		is(t, err, store.Refused, "do that")
	})
}

// Redis stands still under two hundred pushes at a time. Each is answered within
// 1.5 s, most at once; the breaker lets them all through again as soon as it goes
// on; and what is said to be refused for sure is not stored.
func TestPushesOnAFrozenRedis(t *testing.T) {
	t.Parallel()
	server := servertest.Redis(t)
	s := opened(t, store.Options{URL: server.URL()})
	tp := topic(t)
	mustAppend(t, s, number(tp, 1, 0))
	server.Freeze()
	const senders = 200
	stop := time.Now().Add(4 * time.Second)
	var mu sync.Mutex
	var took []time.Duration
	unknown := map[int64]bool{}
	refused := map[int64]bool{}
	var work sync.WaitGroup
	for sender := range senders {
		work.Go(func() {
			pace := time.NewTicker(50 * time.Millisecond)
			defer pace.Stop()
			for n := int64(0); time.Now().Before(stop); n++ {
				ms := 10 + int64(sender)*100_000 + n
				began := time.Now()
				_, err := s.Append(t.Context(), []reading.Reading{number(tp, ms, 0)}, store.Once{})
				d := time.Since(began)
				var p *problem.Error
				if !errors.As(err, &p) || p.Code != "store_unavailable" {
					t.Errorf("an append on a frozen server ended with %v", err)
					return
				}
				mu.Lock()
				took = append(took, d)
				if p.Outcome == "unknown" {
					unknown[ms] = true
				} else {
					refused[ms] = true
				}
				mu.Unlock()
				<-pace.C
			}
		})
	}
	work.Wait()
	server.Continue()
	began := time.Now()
	eventually(t, "appends work again", func() bool {
		_, err := s.Append(t.Context(), []reading.Reading{number(tp, 2, 0)}, store.Once{})
		return err == nil
	})
	back := time.Since(began)
	slices.Sort(took)
	p50, p99, last := took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	t.Logf("%d answers: p50 %v, p99 %v, slowest %v; %d of unknown outcome; back after %v", len(took), p50, p99, last, len(unknown), back)
	if p99 > 1500*time.Millisecond || p50 > 100*time.Millisecond {
		t.Errorf("p50 %v and p99 %v", p50, p99)
	}
	if back > time.Second {
		t.Errorf("it took %v until appends worked again", back)
	}
	if len(unknown) > senders+40 { // what was sent before it was noticed, and few who found out
		t.Errorf("%d appends of unknown outcome", len(unknown))
	}
	for _, r := range flat(mustRange(t, s, tp, store.RangeQuery{}).Entries) {
		if refused[r.Time] {
			t.Errorf("reading %d is stored, which was refused for sure", r.Time)
		}
	}
}

// A server that is gone is dialled four times a second, however many want it, the
// tail included.
func TestDialsOfAServerThatIsGone(t *testing.T) {
	t.Parallel()
	server := servertest.Redis(t)
	var mu sync.Mutex
	var failed []time.Time
	s := opened(t, store.Options{URL: server.URL(), Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, addr)
		if err != nil {
			mu.Lock()
			failed = append(failed, time.Now())
			mu.Unlock()
		}
		return conn, err
	}})
	for i := range 20 {
		tp := topic(t, strconv.Itoa(i))
		mustAppend(t, s, number(tp, 1, 1))
		follow(t, s, tp, reading.Cursor{}).take(t, 1)
	}
	server.Kill()
	began := time.Now()
	const long = 3 * time.Second
	var work sync.WaitGroup
	for i := range 50 {
		work.Go(func() {
			pace := time.NewTicker(5 * time.Millisecond)
			defer pace.Stop()
			for time.Since(began) < long {
				_, _ = s.Append(t.Context(), []reading.Reading{number(topic(t, strconv.Itoa(i%20)), 2, 2)}, store.Once{})
				<-pace.C
			}
		})
	}
	work.Wait()
	mu.Lock()
	dials := len(failed)
	mu.Unlock()
	t.Logf("%d failed dials in %v", dials, time.Since(began))
	if most := 5 * int(long/time.Second); dials > most || dials < 4 {
		t.Errorf("%d failed dials, at most %d", dials, most)
	}
	server.Restart()
	began = time.Now()
	eventually(t, "appends work again", func() bool {
		_, err := s.Append(t.Context(), []reading.Reading{number(topic(t, "0"), 3, 3)}, store.Once{})
		return err == nil
	})
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v until appends worked again", took)
	}
}

// Behind Sentinel a demoted server is left, and not read from as if nothing were.
func TestSentinelsPrimaryIsDemoted(t *testing.T) {
	t.Parallel()
	primary := servertest.Redis(t)
	sentinel := servertest.RedisSentinel(t, primary)
	s := opened(t, store.Options{URL: "redis+sentinel://" + sentinel.Addr() + "?master_name=readout"})
	tp := topic(t)
	mustAppend(t, s, number(tp, 1, 1))
	f := follow(t, s, tp, reading.Cursor{})
	f.take(t, 1)
	primary.Do("REPLICAOF", "127.0.0.1", "1")
	if condition, _ := store.Condition(s.Probe(t.Context())); condition != store.ReadOnly {
		t.Errorf("the probe says %q", condition)
	}
	select {
	case err := <-f.errs:
		mustProblem(t, err, "store_unavailable", "")
	case <-time.After(patience):
		t.Fatal("the tail stays with the demoted server")
	}
	eventually(t, "even reads are refused", func() bool {
		_, err := s.Range(t.Context(), tp, store.RangeQuery{})
		condition, _ := store.Condition(err)
		return condition == store.ReadOnly
	})
	primary.Do("REPLICAOF", "NO", "ONE")
	eventually(t, "it is the primary again", func() bool {
		_, err := s.Append(t.Context(), []reading.Reading{number(tp, 2, 2)}, store.Once{})
		return err == nil
	})
}

// Without Sentinel a copy is a store to look at.
func TestACopyIsRead(t *testing.T) {
	t.Parallel()
	primary := servertest.Redis(t)
	tp := topic(t)
	mustAppend(t, opened(t, store.Options{URL: primary.URL()}), number(tp, 1, 1))
	replica := servertest.RedisReplica(t, primary.Addr())
	s := opened(t, store.Options{URL: replica.URL()})
	follow(t, s, tp, reading.Cursor{}).take(t, 1)
	if condition, _ := store.Condition(s.Probe(t.Context())); condition != store.ReadOnly {
		t.Errorf("the probe says %q", condition)
	}
}

// A full server lets old readings go, although it takes no new ones.
func TestAFullServerIsTrimmed(t *testing.T) {
	t.Parallel()
	server := servertest.Redis(t, "--stream-node-max-entries", "1")
	tp := topic(t)
	old := time.Now().Add(-time.Hour).UnixMilli()
	for i := range 10 { // of an hour ago, as if nothing had trimmed it since
		server.Do("XADD", store.Key(tp), fmt.Sprintf("%d-%d", old, i+1), "value", "1")
	}
	s := opened(t, store.Options{URL: server.URL(), Retention: time.Minute}) // adopts it at its start
	eventually(t, "it is known", func() bool { _, known := s.Info(tp); return known })
	if n := server.Do("XLEN", store.Key(tp)); n != "10" {
		t.Fatalf("%s entries", n)
	}
	server.Do("CONFIG", "SET", "maxmemory", "1")
	_, err := s.Append(t.Context(), []reading.Reading{number(tp, 1, 1)}, store.Once{})
	mustProblem(t, err, "storage_full", "")
	eventually(t, "it is trimmed", func() bool { return server.Do("XLEN", store.Key(tp)) == "0" })
}

// One entry of a clock that runs ahead does not take the others with it.
func TestAnEntryOfTheFuture(t *testing.T) {
	t.Parallel()
	server := servertest.Redis(t, "--stream-node-max-entries", "1")
	s := opened(t, store.Options{URL: server.URL(), Retention: 30 * time.Minute})
	tp := topic(t)
	for i := range 20 {
		mustAppend(t, s, number(tp, int64(i), 1))
	}
	server.Do("XADD", store.Key(tp), fmt.Sprintf("%d-0", time.Now().Add(time.Hour).UnixMilli()), "value", "1")
	mustAppend(t, s, number(tp, 30, 1))
	trims := s.Stats().Trims
	eventually(t, "it was trimmed", func() bool { return s.Stats().Trims > trims })
	// A second trim is awaited, because the first is counted before it is sent.
	mustAppend(t, s, number(tp, 31, 1))
	trims = s.Stats().Trims
	eventually(t, "it was trimmed again", func() bool { return s.Stats().Trims > trims })
	if n := server.Do("XLEN", store.Key(tp)); n != "23" {
		t.Errorf("%s entries, want 23", n)
	}
}

// The operator is warned of a server that throws keys away.
func TestEvictionIsWarnedOf(t *testing.T) {
	t.Parallel()
	for policy, warned := range map[string]bool{"noeviction": false, "allkeys-lru": true, "volatile-ttl": true} {
		server := servertest.Redis(t, "--maxmemory-policy", policy)
		server.Do("ACL", "SETUSER", "default", "-config") // as hosted servers do
		var log strings.Builder
		opened(t, store.Options{URL: server.URL(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if got := strings.Contains(log.String(), "maxmemory-policy="+policy); got != warned {
			t.Errorf("%s: warned %v: %s", policy, got, log.String())
		}
	}
	server := servertest.Redis(t, "--maxmemory-policy", "allkeys-lru")
	server.Do("ACL", "SETUSER", "default", "-info")
	appendsAndTails(t, opened(t, store.Options{URL: server.URL()}))
}
