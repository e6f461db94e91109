//go:build faults

package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"readout/server/servertest"
)

// born makes a stream whose IDs are an hour ahead, as after the push of a machine
// whose clock is.
func born(store process, key string) {
	store.Do("XADD", key, ahead(), "value", "0")
	store.Do("XTRIM", key, "MAXLEN", "0")
}

// ahead is a stream ID that the right clock reaches in an hour.
func ahead() string { return fmt.Sprintf("%d-0", time.Now().Add(time.Hour).UnixMilli()) }

// F27: streams vanish under those who watch them: one, one whose IDs begin lower
// again, and all.
func TestStoreIsEmptied(t *testing.T) {
	t.Parallel()
	const told = 2 * time.Second
	store := emptyStore(t)
	s := service(t, store.URL())
	shape := load()
	o := servertest.NewOracle(t, servertest.Run{Fault: "F27", Servers: []*servertest.Server{s}, Truth: store.URL(), Load: shape})
	o.Start()
	born(store, key("lower"))
	s.Push("lower", "1")
	viewer := s.Dial()
	viewer.Subscribe("lower")
	awaits(t, viewer, told, "a snapshot", func(f servertest.Frame) bool { return holds(f, 1) })
	o.For(phase(time.Second, 20*time.Second))
	o.Begin()
	o.Losing(func() { store.Do("DEL", o.Key(1)) }, 1)
	store.Do("DEL", key("lower"))
	s.Push("lower", "2")
	awaits(t, viewer, told, "a reset", func(f servertest.Frame) bool { return f.Type == "reset" })
	awaits(t, viewer, told, "what is there now", func(f servertest.Frame) bool { return f.Type == "snapshot" && holds(f, 2) })
	s.Push("lower", "3")
	awaits(t, viewer, told, "what comes next", func(f servertest.Frame) bool { return holds(f, 3) })
	o.For(phase(3*time.Second, 20*time.Second))
	o.Losing(func() { store.Do("FLUSHALL") })
	o.Heal()
	o.Eventually(noticed, "every viewer is told", func() bool { return len(o.Told("reset")) == shape.Viewers })
	o.For(phase(3*time.Second, 20*time.Second))
	r := o.Finish()
	r.AtMost(t, "reset", r.ToldReset, told)
	r.AtMost(t, "recovery p99", r.Recover, told)
	r.None(t, "viewers and topics that never recovered", r.Unhealed)
	r.None(t, "sockets closed", r.Closed)
}

// F28: somebody whose clock is an hour ahead wrote to a stream. It goes on, with
// the times of its readings, and nothing of it is trimmed too early.
func TestStoreHasAnIDAhead(t *testing.T) {
	t.Parallel()
	const pushed = 300 // some nodes of a stream: it is trimmed by whole nodes
	store := emptyStore(t)
	s := service(t, store.URL())
	o := servertest.NewOracle(t, servertest.Run{Fault: "F28", Servers: []*servertest.Server{s}, Truth: store.URL(), Load: load()})
	born(store, o.Key(0))
	born(store, o.Key(1))
	o.Start()
	viewer := s.Dial()
	viewer.Subscribe("ahead")
	for n := range pushed {
		s.Push("ahead", fmt.Sprint(n))
	}
	store.Do("XADD", key("ahead"), ahead(), "t", fmt.Sprint(time.Now().UnixMilli()), "value", fmt.Sprint(pushed))
	s.Push("ahead", fmt.Sprint(pushed+1))
	awaits(t, viewer, noticed, "what follows the ID ahead", func(f servertest.Frame) bool {
		for _, row := range f.Rows {
			if at := time.UnixMilli(int64(row[0].(float64))); time.Until(at).Abs() > time.Minute {
				t.Errorf("F28: a reading of now is shown at %v", at)
			}
		}
		return holds(f, pushed+1)
	})
	trims := figure(t, s, "readout_trims_total")
	o.Eventually(30*time.Second, "streams are trimmed", func() bool { return figure(t, s, "readout_trims_total") > trims })
	o.For(phase(time.Second, 20*time.Second))
	var history struct{ Rows [][]float64 }
	a := s.Do(http.MethodGet, "/api/v1/readings?topic=ahead&points=1000", "")
	if err := json.Unmarshal([]byte(a.Body), &history); err != nil || len(history.Rows) != pushed+2 {
		t.Errorf("F28: %d readings are left (%d, %v), want %d", len(history.Rows), a.Status, err, pushed+2)
	}
	r := o.Finish()
	r.None(t, "refused", int(r.Refused))
	r.None(t, "lost", r.Lost)
	r.None(t, "resets", r.Resets)
	r.None(t, "gaps", r.Gaps)
	r.None(t, "sockets closed", r.Closed)
}
