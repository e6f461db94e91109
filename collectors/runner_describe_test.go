package collectors

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"readout/server/reading"
)

// growing is a collector that brings one more disk with every collection, and
// in its fourth another value of the first.
type growing struct {
	n int
}

func (g *growing) Name() string            { return "disk" }
func (g *growing) Interval() time.Duration { return time.Second }

func (g *growing) Describe() Description {
	d := Description{}
	for i := range g.n {
		columns := []reading.Column{{Name: "read", Unit: "bytes", Kind: reading.Counter}}
		if i == 0 && g.n > 3 {
			columns = append(columns, reading.Column{Name: "busy", Unit: "s", Kind: reading.Counter})
		}
		d[reading.Topic(fmt.Sprint("disk", i))] = columns
	}
	return d
}

func (g *growing) Collect(context.Context) ([]reading.Reading, error) {
	g.n = min(g.n+1, 4)
	var list []reading.Reading
	for i := range min(g.n, 3) {
		r := one(fmt.Sprint("disk", i), 1)[0]
		r.Values[0].Name = "read"
		if i == 0 && g.n > 3 {
			r.Values = append(r.Values, reading.Named{Name: "busy", Value: reading.NumberOf(1)})
		}
		list = append(list, r)
	}
	return list, nil
}

// describedLedger is a ledger that takes descriptions too.
type describedLedger struct {
	ledger
	refuse int // so many descriptions
	told   []string
}

func (l *describedLedger) Describe(_ context.Context, d Description) error {
	text, err := d.MarshalJSON()
	if err != nil {
		return err
	}
	if l.refuse > 0 {
		l.refuse--
		return errors.New("away")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = append(l.told, fmt.Sprintf("%v after %d appends: %s", sinceBubble(), len(l.lines), text))
	return nil
}

func TestRunnerDescribesWhatAppears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &describedLedger{}
		r := newRunner(t, sink, nil, &growing{n: 1})
		if !r.Feeds("disk0") || r.Feeds("disk1") || !r.Feeds(`readout_collector{collector="disk",host="web1"}`) {
			t.Error("before the start: disk0 and the self readings are known, disk1 is not")
		}
		r.Start(t.Context())
		time.Sleep(6 * time.Second)
		r.Stop()
		read := `"read":{"unit":"bytes","kind":"counter"}`
		equalLines(t, sink.told, []string{
			`250ms after 0 appends: {"disk1":{` + read + `}}`,
			`1.25s after 1 appends: {"disk2":{` + read + `}}`,
			`2.25s after 2 appends: {"disk0":{` + read + `,"busy":{"unit":"s","kind":"counter"}}}`,
		})
		if !r.Feeds("disk2") || r.Feeds("disk3") {
			t.Error("after the collections: disk2 is known, disk3 is not")
		}
	})
}

// A store that is away for a while still gets the units, and the log two lines.
func TestRunnerDescribesAgainAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink, book := &describedLedger{refuse: 3}, &logBook{}
		r := newRunner(t, sink, book, &growing{n: 3})
		r.Start(t.Context())
		time.Sleep(6 * time.Second)
		r.Stop()
		if len(sink.told) != 1 || !strings.HasPrefix(sink.told[0], "3.25s after 3 appends: ") {
			t.Errorf("described: %q", sink.told)
		}
		equalLines(t, book.lines(), []string{
			`level=WARN msg="units are not stored; trying again with every collection" collector=disk err=away`,
			`level=INFO msg="units are stored again" collector=disk failures=3 after=3s`,
		})
	})
}

// One that describes nothing, and a sink that takes no descriptions, change nothing.
func TestRunnerWithoutDescriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &ledger{}
		r := newRunner(t, sink, nil, &growing{})
		r.Start(t.Context())
		time.Sleep(3 * time.Second)
		r.Stop()
		if got := len(sink.take()); got != 3 {
			t.Errorf("%d appends, want 3", got)
		}
		if !r.Feeds("disk1") {
			t.Error("a topic that came is not known")
		}
	})
}

func TestRunnerForgetsWhatItKnowsOfTooMany(t *testing.T) {
	j := &job{}
	for i := range mostKnown + 2 {
		j.learn(nil, one(fmt.Sprint("process", i), 1))
	}
	if len(j.known) > mostKnown+1 {
		t.Errorf("%d topics are remembered, want at most %d", len(j.known), mostKnown+1)
	}
	if fresh := j.fresh(one(fmt.Sprint("process", mostKnown+1), 1)); fresh != nil {
		t.Errorf("the newest is not known: %v", fresh)
	}
}
