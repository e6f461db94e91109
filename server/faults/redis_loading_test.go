//go:build faults

package faults

import (
	"testing"
	"time"

	"readout/server/servertest"
)

// F8: Redis is back and refuses everything while it loads its file.
func TestRedisLoads(t *testing.T) {
	t.Parallel()
	redis := keptRedis(t)
	redis.Fill(3000) // a minute of loading, if nobody ends it
	s := service(t, redis.URL())
	o := servertest.NewOracle(t, servertest.Run{Fault: "F8", Servers: []*servertest.Server{s}, Truth: redis.URL(), Load: load()})
	o.Start()
	o.For(phase(time.Second, 20*time.Second))
	redis.RestartLoading()
	o.Begin()
	started, before := time.Now(), probes(redis)
	becomesUnready(t, o, s, "refused")
	storesNothing(t, o, phase(3*time.Second, 20*time.Second))
	asked, took := probes(redis)-before, time.Since(started)
	redis.Loaded()
	o.Heal()
	becomesReady(t, o, s)
	o.For(phase(2*time.Second, 20*time.Second))
	r := o.Finish()
	r.AtMost(t, "503 p99", r.Refusals.P99(), 1500*time.Millisecond)
	r.AtMost(t, "recovery p99", r.Recover, 2*time.Second)
	unharmed(t, r)
	each := float64(asked) / took.Seconds()
	t.Logf("F8: %.1f probes a second while Redis loads", each)
	if asked == 0 || each > 20 {
		t.Errorf("F8: %.1f probes a second, want some and at most 20", each)
	}
}

// probes counts the commands that a loading server has refused, without those of
// pushes and of this test.
func probes(redis *servertest.RedisServer) int {
	n := 0
	for command, count := range redis.Rejected() {
		switch command {
		case "xadd", "evalsha", "eval", "ping":
		default:
			n += count
		}
	}
	return n
}
