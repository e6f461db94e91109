//go:build faults

package faults

import (
	"bytes"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"readout/server"
	"readout/server/servertest"
)

// F21: Redis is full and evicts nothing. Pushes are refused, what is stored is shown.
func TestRedisIsFull(t *testing.T) {
	t.Parallel()
	redis := servertest.Redis(t, "--maxmemory", "64mb")
	s := service(t, redis.URL())
	shape := load()
	o := servertest.NewOracle(t, servertest.Run{Fault: "F21", Servers: []*servertest.Server{s}, Truth: redis.URL(), Load: shape})
	o.Start()
	o.For(phase(time.Second, 20*time.Second))
	o.Begin()
	redis.Do("SETRANGE", "filler", strconv.Itoa(64<<20), "x")
	becomesUnready(t, o, s, "full")
	mustRefuse(t, s, "storage_full")
	o.Eventually(noticed, "every viewer is told", func() bool { return len(o.Told("store:full")) == shape.Viewers })
	viewer := s.Dial()
	viewer.Subscribe(o.Topic(0))
	awaits(t, viewer, noticed, "a snapshot with readings", func(f servertest.Frame) bool { return f.Type == "snapshot" && len(f.Rows) > 0 })
	storesNothing(t, o, phase(2*time.Second, 20*time.Second))
	redis.Do("DEL", "filler")
	o.Heal()
	becomesReady(t, o, s)
	o.For(phase(2*time.Second, 20*time.Second))
	r := o.Finish()
	r.AtMost(t, "503 p99", r.Refusals.P99(), 1500*time.Millisecond)
	r.AtMost(t, "recovery p99", r.Recover, 3*time.Second)
	unharmed(t, r)
}

// F22: Redis throws streams away when it is full. That is warned of at the start,
// and whoever showed such a stream is told.
func TestRedisEvicts(t *testing.T) {
	t.Parallel()
	redis := servertest.Redis(t, "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")
	log := &journal{}
	s := service(t, redis.URL(), func(o *server.Options) { o.Logger = slog.New(slog.NewTextHandler(log, nil)) })
	o := servertest.NewOracle(t, servertest.Run{Fault: "F22", Servers: []*servertest.Server{s}, Truth: redis.URL(), Load: load()})
	o.Eventually(noticed, "the start warns of the policy", func() bool { return strings.Contains(log.String(), "allkeys-lru") })
	o.Start()
	o.For(phase(time.Second, 20*time.Second))
	o.Begin()
	o.Losing(func() {
		used, err := strconv.Atoi(redis.Info("used_memory"))
		if err != nil {
			t.Fatal(err)
		}
		redis.Configure("maxmemory", strconv.Itoa(used-used/8))
		o.Eventually(noticed, "streams are evicted", func() bool {
			evicted, _ := strconv.Atoi(redis.Info("evicted_keys"))
			return evicted > 0
		})
		redis.Configure("maxmemory", "0")
	})
	o.Heal()
	o.For(phase(4*time.Second, 20*time.Second))
	r := o.Finish()
	if r.Lost == 0 {
		t.Error("F22: no reading was evicted: nothing was tried")
	}
	r.AtMost(t, "reset", r.ToldReset, 2*time.Second)
	r.AtMost(t, "recovery p99", r.Recover, 2*time.Second)
	r.None(t, "viewers and topics that never recovered", r.Unhealed)
	r.None(t, "sockets closed", r.Closed)
}

// journal is a log that is read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(line)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}
