//go:build faults

package faults

import (
	"testing"
	"time"

	"readout/server/servertest"
)

// kept are the arguments of a redis-server as most run it.
var kept = []string{"--appendonly", "yes", "--appendfsync", "everysec"}

// F5: Redis is killed and comes back with everything it had acknowledged.
func TestRedisKilled(t *testing.T) {
	t.Parallel()
	redis := servertest.Redis(t, kept...)
	s := service(t, redis.URL())
	o := servertest.NewOracle(t, servertest.Run{Fault: "F5", Servers: []*servertest.Server{s}, Truth: redis.URL(), Load: load()})
	o.Start()
	o.For(phase(time.Second, 20*time.Second))
	o.Begin()
	redis.Crash()
	o.For(time.Second)
	redis.Restart()
	o.Heal()
	o.For(phase(2*time.Second, 20*time.Second))
	r := o.Finish()
	r.AtMost(t, "recovery p99", r.Recover, 2*time.Second)
	unharmed(t, r)
}

// F6: the same without a file. All is lost, and every viewer is told so.
func TestRedisKilledWithoutAFile(t *testing.T) {
	t.Parallel()
	redis := servertest.Redis(t)
	s := service(t, redis.URL())
	shape := load()
	o := servertest.NewOracle(t, servertest.Run{Fault: "F6", Servers: []*servertest.Server{s}, Truth: redis.URL(), Load: shape})
	o.Start()
	o.For(phase(time.Second, 20*time.Second))
	o.Begin()
	o.Losing(func() {
		redis.Kill()
		o.For(time.Second)
		redis.Restart()
	})
	o.Heal()
	o.Eventually(noticed, "every viewer is told", func() bool { return len(o.Told("reset")) == shape.Viewers })
	o.For(phase(2*time.Second, 20*time.Second))
	counted := figure(t, s, "readout_resets_total")
	r := o.Finish()
	r.AtMost(t, "reset", r.ToldReset, 2*time.Second)
	r.AtMost(t, "recovery p99", r.Recover, 2*time.Second)
	r.None(t, "viewers and topics that never recovered", r.Unhealed)
	r.None(t, "sockets closed", r.Closed)
	if counted < shape.Viewers*shape.Each {
		t.Errorf("%d resets are counted at /metrics, want one for each of %d topics of %d viewers", counted, shape.Each, shape.Viewers)
	}
}

// F7: Redis comes and goes ten times. Nobody gives up.
func TestRedisRestartsInALoop(t *testing.T) {
	t.Parallel()
	redis := servertest.Redis(t, kept...)
	s := service(t, redis.URL())
	o := servertest.NewOracle(t, servertest.Run{Fault: "F7", Servers: []*servertest.Server{s}, Truth: redis.URL(), Load: load()})
	o.Start()
	o.Begin()
	for range 10 {
		redis.Crash()
		o.For(phase(200*time.Millisecond, 1500*time.Millisecond))
		redis.Restart()
		o.For(phase(200*time.Millisecond, 1500*time.Millisecond))
	}
	o.Heal()
	o.For(phase(2*time.Second, 20*time.Second))
	r := o.Finish()
	r.AtMost(t, "recovery p99", r.Recover, 2*time.Second)
	r.None(t, "viewers and topics that never recovered", r.Unhealed)
	r.AtMost(t, "503 p99", r.Refusals.P99(), 1500*time.Millisecond)
	r.None(t, "lost", r.Lost)
	r.None(t, "resets", r.Resets)
	r.None(t, "sockets closed", r.Closed)
}

// F8: Redis is back and refuses everything while it loads its file.
func TestRedisLoads(t *testing.T) {
	t.Parallel()
	redis := servertest.Redis(t, kept...)
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
