//go:build faults

package faults

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"readout/server/servertest"
	"readout/server/store"
)

// sentinelURL is what --redis takes for a primary that a Sentinel names.
func sentinelURL(sentinel *servertest.RedisServer) string {
	return "redis+sentinel://" + sentinel.Addr() + "?master_name=readout"
}

// F16: the primary dies with readings that its copy did not get. Exactly these
// are lost, and every viewer is told.
func TestRedisFailsOverWithLag(t *testing.T) {
	t.Parallel()
	primary := servertest.Redis(t)
	link := servertest.NewFaultProxy(t, primary.Addr(), 1)
	replica := servertest.RedisReplica(t, link.Addr())
	sentinel := servertest.RedisSentinel(t, primary)
	s := service(t, sentinelURL(sentinel))
	shape := load()
	shape.Batch = 0 // an entry is a reading: the copy can be counted
	o := servertest.NewOracle(t, servertest.Run{Fault: "F16", Servers: []*servertest.Server{s}, Truth: replica.URL(), Load: shape})
	o.Start()
	o.For(phase(time.Second, 20*time.Second))
	link.Blackhole()
	before := o.Acked()
	o.Eventually(10*time.Second, "500 readings are acknowledged by the primary alone", func() bool { return o.Acked() >= before+600 })
	o.Begin()
	lost := 0
	o.Losing(func() {
		primary.Kill()
		for i := range shape.Topics {
			copied, err := strconv.Atoi(replica.Do("XLEN", o.Key(i)))
			if err != nil {
				t.Fatal(err)
			}
			lost += int(o.AckedOf(i)) - copied
		}
		sentinel.Failover()
	})
	o.Heal()
	o.Eventually(10*time.Second, "every viewer is told", func() bool { return len(o.Told("reset")) == shape.Viewers })
	o.For(phase(2*time.Second, 20*time.Second))
	r := o.Finish()
	if lost < 500 || r.Lost != lost || r.MayLose != lost {
		t.Errorf("F16: %d readings are lost and %d are explained, want exactly the %d (500 at least) that were not copied", r.Lost, r.MayLose, lost)
	}
	r.AtMost(t, "reset", r.ToldReset, 2*time.Second)
	r.AtMost(t, "recovery p99", r.Recover, 3*time.Second)
	r.None(t, "viewers and topics that never recovered", r.Unhealed)
	r.None(t, "sockets closed", r.Closed)
}

// F16 with Readout-Ack: nothing that was acknowledged is lost, since nothing is
// acknowledged that no copy has.
func TestRedisFailsOverCopied(t *testing.T) {
	t.Parallel()
	primary := servertest.Redis(t)
	link := servertest.NewFaultProxy(t, primary.Addr(), 1)
	replica := servertest.RedisReplica(t, link.Addr())
	sentinel := servertest.RedisSentinel(t, primary)
	s := service(t, sentinelURL(sentinel))
	shape := load()
	shape.Ack = "copied"
	o := servertest.NewOracle(t, servertest.Run{Fault: "F16-copied", Servers: []*servertest.Server{s}, Truth: replica.URL(), Load: shape})
	o.Start()
	o.Eventually(noticed, "pushes are acknowledged", func() bool { return o.Acked() > 0 })
	healthy := o.Refused()
	o.For(phase(time.Second, 20*time.Second))
	if n := o.Refused() - healthy; n > 0 {
		t.Errorf("F16-copied: %d pushes were refused while all was well", n)
	}
	link.Blackhole()
	o.For(2 * time.Second) // what was under way is answered
	before, refused := o.Acked(), o.Refused()
	o.Begin()
	o.For(phase(3*time.Second, 20*time.Second))
	if n := o.Acked() - before; n > 0 || o.Refused() == refused {
		t.Errorf("F16-copied: %d readings were acknowledged and %d pushes refused while no copy had them", n, o.Refused()-refused)
	}
	o.Losing(func() { // what was stored and not acknowledged
		primary.Kill()
		sentinel.Failover()
	})
	servertest.RedisReplica(t, replica.Addr())
	o.Heal()
	o.Eventually(10*time.Second, "every viewer is told", func() bool { return len(o.Told("reset")) == shape.Viewers })
	o.Eventually(10*time.Second, "pushes are acknowledged again", func() bool { return o.Acked() > before })
	o.For(phase(2*time.Second, 20*time.Second))
	r := o.Finish()
	r.None(t, "lost", r.Lost)
	r.AtMost(t, "503 p99", r.Refusals.P99(), 1500*time.Millisecond)
	r.AtMost(t, "recovery p99", r.Recover, 5*time.Second)
	r.None(t, "viewers and topics that never recovered", r.Unhealed)
	r.None(t, "sockets closed", r.Closed)
}

// F18: the primary becomes a copy while reads wait there. They move on.
func TestRedisIsDemoted(t *testing.T) {
	t.Parallel()
	const moved = 3 * time.Second
	primary := servertest.Redis(t)
	replica := servertest.RedisReplica(t, primary.Addr())
	sentinel := servertest.RedisSentinel(t, primary)
	s := service(t, sentinelURL(sentinel))
	o := servertest.NewOracle(t, servertest.Run{Fault: "F18", Servers: []*servertest.Server{s}, Truth: replica.URL(), Load: load()})
	o.Start()
	o.For(phase(time.Second, 20*time.Second))
	if !tailed(primary) {
		t.Error("F18: nobody waits at the primary: nothing is tried")
	}
	o.Begin()
	o.Losing(func() { // what the old primary takes while both think that they are one
		sentinel.Failover()
		primary.Follow(replica.Addr())
	})
	o.Heal()
	o.Eventually(moved, "the tail reads at the new primary only", func() bool { return !tailed(primary) && tailed(replica) })
	o.For(phase(3*time.Second, 20*time.Second))
	if tailed(primary) {
		t.Error("F18: the tail is back at the demoted server")
	}
	becomesReady(t, o, s)
	r := o.Finish()
	r.AtMost(t, "recovery p99", r.Recover, moved)
	r.None(t, "viewers and topics that never recovered", r.Unhealed)
	r.None(t, "sockets closed", r.Closed)
}

// tailed says that somebody waits for readings at a server.
func tailed(redis *servertest.RedisServer) bool {
	return strings.Contains(redis.Do("CLIENT", "LIST"), "cmd=xread")
}

// F19: there is only a copy. It is read, and everyone is told that it takes nothing.
func TestRedisIsReadOnly(t *testing.T) {
	t.Parallel()
	redis := servertest.Redis(t)
	other := servertest.RedisReplica(t, redis.Addr())
	s := service(t, redis.URL())
	shape := load()
	o := servertest.NewOracle(t, servertest.Run{Fault: "F19", Servers: []*servertest.Server{s}, Truth: redis.URL(), Load: shape})
	o.Start()
	viewer := s.Dial()
	viewer.Subscribe("copied")
	awaits(t, viewer, noticed, "the snapshot", func(f servertest.Frame) bool { return f.Type == "snapshot" })
	o.For(phase(time.Second, 20*time.Second))
	o.Begin()
	redis.HandOver()
	becomesUnready(t, o, s, "read_only")
	mustRefuse(t, s, "store_unavailable")
	awaits(t, viewer, noticed, "read-only", func(f servertest.Frame) bool {
		return f.Type == "store" && strings.Contains(f.Raw, `"state":"read_only"`)
	})
	o.Eventually(noticed, "every viewer is told", func() bool { return len(o.Told("store:read_only")) == shape.Viewers })
	other.Do("XADD", store.Key("copied"), "*", "value", "42")
	awaits(t, viewer, 2*time.Second, "what another writes", func(f servertest.Frame) bool { return holds(f, 42) })
	storesNothing(t, o, phase(2*time.Second, 20*time.Second))
	other.HandOver()
	o.Heal()
	becomesReady(t, o, s)
	awaits(t, viewer, noticed, "the end of it", func(f servertest.Frame) bool {
		return f.Type == "store" && strings.Contains(f.Raw, `"state":"ok"`)
	})
	o.For(phase(2*time.Second, 20*time.Second))
	r := o.Finish()
	r.AtMost(t, "503 p99", r.Refusals.P99(), 1500*time.Millisecond)
	r.AtMost(t, "recovery p99", r.Recover, 2*time.Second)
	unharmed(t, r)
}

// F20: the primary has fewer copies than it wants to write. Nothing is acknowledged.
func TestRedisMissesCopies(t *testing.T) {
	t.Parallel()
	redis := servertest.Redis(t)
	s := service(t, redis.URL())
	shape := load()
	o := servertest.NewOracle(t, servertest.Run{Fault: "F20", Servers: []*servertest.Server{s}, Truth: redis.URL(), Load: shape})
	o.Start()
	o.For(phase(time.Second, 20*time.Second))
	o.Begin()
	redis.Configure("min-replicas-to-write", "1")
	becomesUnready(t, o, s, "refused")
	mustRefuse(t, s, "store_unavailable")
	o.Eventually(noticed, "every viewer is told", func() bool { return len(o.Told("store:refused")) == shape.Viewers })
	if a := s.Do(http.MethodGet, "/t/"+o.Topic(0)+"?format=json", ""); a.Status != http.StatusOK {
		t.Errorf("F20: reading was answered %d %s", a.Status, a.Body)
	}
	storesNothing(t, o, phase(2*time.Second, 20*time.Second))
	redis.Configure("min-replicas-to-write", "0")
	o.Heal()
	becomesReady(t, o, s)
	o.For(phase(2*time.Second, 20*time.Second))
	r := o.Finish()
	r.AtMost(t, "503 p99", r.Refusals.P99(), 1500*time.Millisecond)
	r.AtMost(t, "recovery p99", r.Recover, 2*time.Second)
	unharmed(t, r)
}
