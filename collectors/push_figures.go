package collectors

import (
	"cmp"
	"context"
	"sync/atomic"
	"time"

	"readout/server/reading"
)

// pushInterval is how often the figures of a Pusher are taken.
const pushInterval = 10 * time.Second

// PushFigures is the collector of what a Pusher says of itself: topic
// readout_push{host="..."}. It is made before the Pusher, which describes it.
type PushFigures struct {
	topic  reading.Topic
	pusher atomic.Pointer[Pusher]
}

// NewPushFigures makes the collector for this host; empty for this machine's
// name. The error says why host cannot be a label.
func NewPushFigures(host string) (*PushFigures, error) {
	topic, err := reading.NewTopic("readout_push", reading.Label{Name: "host", Value: cmp.Or(host, Host())})
	return &PushFigures{topic: topic}, err
}

// Watch says whose figures these are. Before, there are none.
func (f *PushFigures) Watch(p *Pusher) { f.pusher.Store(p) }

// Name is push.
func (f *PushFigures) Name() string { return "push" }

// Interval is 10 seconds.
func (f *PushFigures) Interval() time.Duration { return pushInterval }

// Describe gives every column.
func (f *PushFigures) Describe() Description {
	columns := []reading.Column{
		{Name: "waiting", Unit: "readings", Kind: reading.Gauge},
		{Name: "spooled", Unit: "bytes", Kind: reading.Gauge},
	}
	for _, name := range []string{"stored", "rejected", "refused", "dropped"} {
		columns = append(columns, reading.Column{Name: name, Unit: "readings", Kind: reading.Counter})
	}
	return Description{f.topic: append(columns,
		reading.Column{Name: "requests", Kind: reading.Counter}, reading.Column{Name: "retries", Kind: reading.Counter})}
}

// Collect takes the figures.
func (f *PushFigures) Collect(context.Context) ([]reading.Reading, error) {
	p := f.pusher.Load()
	if p == nil {
		return nil, nil
	}
	s := p.Stats()
	of := func(name string, n int64) reading.Named {
		return reading.Named{Name: name, Value: reading.NumberOf(float64(n))}
	}
	return []reading.Reading{{Topic: f.topic, Time: time.Now().UnixMilli(), Values: []reading.Named{
		of("waiting", s.Waiting), of("spooled", s.Spooled), of("stored", s.Stored), of("rejected", s.Rejected),
		of("refused", s.Refused), of("dropped", s.Dropped), of("requests", s.Requests), of("retries", s.Retries),
	}}}, nil
}
