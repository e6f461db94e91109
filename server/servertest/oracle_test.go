package servertest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"readout/server/servertest"
)

// witness keeps what a run finds wrong instead of failing its test.
type witness struct {
	testing.TB
	errors []string
}

func (w *witness) Errorf(format string, args ...any) {
	w.errors = append(w.errors, fmt.Sprintf(format, args...))
}

// A whole service that fails nothing is believed on every transport, and one whose
// readings are taken out behind its back is not.
func TestOracleJudgesAService(t *testing.T) {
	t.Parallel()
	for _, steal := range []bool{false, true} {
		redis := servertest.Redis(t)
		s := servertest.New(t, &servertest.Options{Redis: redis.URL(), Loopback: true})
		w := &witness{TB: t}
		o := servertest.NewOracle(w, servertest.Run{
			Fault: "none", Seed: 1, Servers: []*servertest.Server{s}, Truth: redis.URL(),
			Load: servertest.Load{Topics: 4, Rate: 20, Batch: 1, Viewers: 9, Each: 3, Churn: 500 * time.Millisecond},
		})
		o.Start()
		o.Eventually(time.Minute, "readings are pushed", func() bool { return o.AckedOf(0) >= 20 && o.AckedOf(1) >= 20 })
		if steal {
			ids := strings.Fields(redis.Do("XRANGE", o.Key(1), "-", "+"))
			redis.Do("XDEL", o.Key(1), ids[len(ids)/2/5*5]) // an entry is its ID, t, its time, value, its number
		}
		r := o.Finish()
		switch {
		case !steal && len(w.errors) > 0:
			t.Errorf("nothing is wrong, and it finds: %s", w.errors)
		case steal && (r.Lost != 1 || len(w.errors) == 0):
			t.Errorf("one reading was stolen: %s", r.Line())
		}
		if r.Deliveries < 9*3*20 || r.Acked < 80 {
			t.Errorf("little was seen: %s", r.Line())
		}
	}
}

func TestTimes(t *testing.T) {
	var times servertest.Times
	if times.P99() != 0 || times.Max() != 0 {
		t.Errorf("of none: %v %v", times.P99(), times.Max())
	}
	for ms := range 1000 {
		times.Add(time.Duration(ms+1) * time.Millisecond)
	}
	for share, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond, 1: time.Second} {
		if got := times.Quantile(share); got < want || got > want*104/100 {
			t.Errorf("%v of 1 to 1,000 ms is %v, want %v", share, got, want)
		}
	}
	if times.Count() != 1000 || times.Max() != time.Second {
		t.Errorf("%d, the longest %v", times.Count(), times.Max())
	}
}
