package collectors

import (
	"context"
	"maps"
	"slices"

	"readout/server/ingest"
	"readout/server/reading"
)

// This file is what the Pusher tells the server of units and kinds.

var _ Describer = (*Pusher)(nil)

// maxTold bounds, in bytes, the description that one batch carries; more goes
// with the batches after it.
const maxTold = 256 << 10

// Describe lets the next batch carry what is described, so that it arrives no
// later than the readings that come after this call.
func (p *Pusher) Describe(_ context.Context, described Description) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping {
		return ErrStopped
	}
	if p.columns == nil || len(p.columns)+len(described) > ingest.MaxReadings {
		p.columns, p.tell = Description{}, nil // topics come and go; those that are still there are described again
	}
	maps.Copy(p.columns, described)
	waiting := make(map[reading.Topic]bool, len(p.tell))
	for _, topic := range p.tell {
		waiting[topic] = true
	}
	for _, topic := range slices.Sorted(maps.Keys(described)) {
		if !waiting[topic] {
			p.tell = append(p.tell, topic)
		}
	}
	if p.open != nil {
		p.close()
		p.signal()
	}
	return nil
}

// tellAll lets the next batches carry the whole description. The caller holds mu.
func (p *Pusher) tellAll() { p.tell = slices.Sorted(maps.Keys(p.columns)) }

// opening is how the body of a new batch begins. The caller holds mu.
func (p *Pusher) opening() []byte {
	b := []byte{'{'}
	for told := 0; len(p.tell) > 0; told++ {
		topic := p.tell[0]
		// One topic as {"topic":{...}}; maps of strings always marshal.
		one, _ := Description{topic: p.columns[topic]}.MarshalJSON()
		if told > 0 && len(b)+len(one) > maxTold {
			break
		}
		if told == 0 {
			b = append(b, `"describe":{`...)
		} else {
			b = append(b, ',')
		}
		b = append(b, one[1:len(one)-1]...)
		p.tell = p.tell[1:]
	}
	if len(b) > 1 {
		b = append(b, "},"...)
	}
	return append(b, `"readings":[`...)
}
