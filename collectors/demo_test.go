package collectors

import (
	"math"
	"reflect"
	"testing"
	"time"

	"readout/server/reading"
)

// noon is where the tests of the demo begin.
func noon() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) }

func TestDemoIsWhatItDescribes(t *testing.T) {
	d := NewDemo()
	described := d.Describe()
	list := d.at(noon())
	if len(list) != len(described) {
		t.Errorf("%d readings, %d topics described", len(list), len(described))
	}
	for _, r := range list {
		if topic, err := reading.ParseTopic(string(r.Topic)); err != nil || topic != r.Topic {
			t.Errorf("%s is not canonical: %s, %v", r.Topic, topic, err)
		}
		if err := r.Validate(noon(), time.Time{}); err != nil {
			t.Errorf("%s: %v", r.Topic, err)
		}
		columns := described[r.Topic]
		if len(columns) != len(r.Values) {
			t.Errorf("%s has %d values, %d described", r.Topic, len(r.Values), len(columns))
			continue
		}
		for i, c := range columns {
			if err := c.Validate(); err != nil || c.Name != r.Values[i].Name || (c.Kind == reading.State) != (r.Values[i].Value.Kind() == reading.Text) {
				t.Errorf("%s: column %+v, value %+v, %v", r.Topic, c, r.Values[i], err)
			}
		}
	}
	now, err := d.Collect(t.Context())
	if err != nil || len(now) != len(list) || now[0].Validate(time.Now(), time.Now().Add(-time.Minute)) != nil {
		t.Errorf("Collect: %v, %v", now, err)
	}
}

// Two replicas, or one after a restart, say the same; another moment differs.
func TestDemoFollowsTheClock(t *testing.T) {
	if a, b := NewDemo().at(noon()), NewDemo().at(noon()); !reflect.DeepEqual(a, b) {
		t.Errorf("one moment, two stories:\n%v\n%v", a, b)
	}
	if a, b := NewDemo().at(noon()), (&Demo{seed: 21}).at(noon()); reflect.DeepEqual(a, b) {
		t.Error("another seed tells the same story")
	}
	if a, b := NewDemo().at(noon()), NewDemo().at(noon().Add(time.Second)); reflect.DeepEqual(a[0].Values, b[0].Values) {
		t.Error("nothing moves within a second")
	}
}

// Over a day the figures stay in their bounds, counters never fall, every state
// is seen and what hangs together moves together.
func TestDemoIsBelievable(t *testing.T) {
	d := NewDemo()
	placed := map[reading.Topic]float64{}
	states := map[reading.Topic]map[string]int{}
	bounds := map[string][2]float64{
		"depth": {0, 3000}, "oldest": {0, 300}, "p50": {10, 250}, "p95": {20, 700}, "p99": {25, 1800},
		"temperature": {-22, 24}, "humidity": {30, 95}, "basket": {25, 80},
	}
	var calm, strained []float64 // p95 of checkout
	var queueUp, queueDown []float64
	midnight := noon().Truncate(24 * time.Hour)
	for s := range 24 * 60 * 3 {
		now := midnight.Add(time.Duration(s) * 20 * time.Second)
		figures := map[reading.Topic]map[string]float64{}
		for _, r := range d.at(now) {
			figures[r.Topic] = map[string]float64{}
			for _, v := range r.Values {
				if text, ok := v.Value.Text(); ok {
					if states[r.Topic] == nil {
						states[r.Topic] = map[string]int{}
					}
					states[r.Topic][text]++
					continue
				}
				n, _ := v.Value.Number()
				figures[r.Topic][v.Name] = n
				if v.Name == "placed" {
					if n < placed[r.Topic] || n > placed[r.Topic]+80 {
						t.Fatalf("%v: %s went from %v to %v", now, r.Topic, placed[r.Topic], n)
					}
					placed[r.Topic] = n
				} else if b := bounds[v.Name]; n < b[0] || n > b[1] || math.IsNaN(n) {
					t.Errorf("%v: %s %s is %v, want %v", now, r.Topic, v.Name, n, b)
				}
			}
		}
		at := float64(now.Unix())
		if d.health(seedCheckout, at) == "up" {
			calm = append(calm, figures[demoCheckout]["p95"])
		} else {
			strained = append(strained, figures[demoCheckout]["p95"])
		}
		if d.health(seedMail, at) == "down" {
			queueDown = append(queueDown, figures[demoInvoices]["depth"])
		} else {
			queueUp = append(queueUp, figures[demoInvoices]["depth"])
		}
	}
	for topic, want := range map[reading.Topic][]string{
		demoUpShop: {"up", "slow", "down"}, demoUpFind: {"up", "slow", "down"}, demoUpMail: {"up", "slow", "down"},
		demoColdDoor: {"open", "closed"}, demoBayDoor: {"open", "closed"},
	} {
		if len(states[topic]) != len(want) {
			t.Errorf("%s was %v, want %v", topic, states[topic], want)
		}
		for _, state := range want {
			if states[topic][state] == 0 {
				t.Errorf("%s was never %s in a day", topic, state)
			}
		}
		if usual := states[topic][want[0]]; topic.Name() == "service" && usual < 4320*6/10 {
			t.Errorf("%s is up for %d of 4320 moments only", topic, usual)
		}
	}
	if calm, strained := mean(calm), mean(strained); strained < 2*calm {
		t.Errorf("latency is %v while slow or down, %v while up", strained, calm)
	}
	if up, down := mean(queueUp), mean(queueDown); down < 2*up {
		t.Errorf("the queue is %v while mail is down, %v otherwise", down, up)
	}
	if n := placed[demoBerlin]; n < 86400 || n > 86400*1.7 {
		t.Errorf("Berlin took %v orders in a day", n)
	}
}

func mean(list []float64) float64 {
	sum := 0.0
	for _, n := range list {
		sum += n
	}
	return sum / float64(len(list))
}

// At midnight UTC the count of the day begins again.
func TestDemoMidnight(t *testing.T) {
	d := NewDemo()
	midnight := noon().Truncate(24 * time.Hour)
	before, _ := d.at(midnight.Add(-time.Second))[0].Values[0].Value.Number()
	after, _ := d.at(midnight.Add(2 * time.Second))[0].Values[0].Value.Number()
	if before < 1000 || after > 20 {
		t.Errorf("placed went from %v to %v at midnight", before, after)
	}
}

func BenchmarkDemo(b *testing.B) {
	d := NewDemo()
	for b.Loop() {
		if _, err := d.Collect(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
