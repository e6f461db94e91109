package collectors

import (
	"time"
)

// This file is how the Pusher uses its spool: what is on the disk is older than
// what is in memory. All of it is called with mu held.

// oldest returns the batch whose turn it is, or nil.
func (p *Pusher) oldest() *batch {
	if p.current != nil {
		return p.current
	}
	if p.spool != nil {
		b, dropped := p.spool.next()
		p.spoolDropped(dropped)
		if b != nil {
			return b
		}
	}
	if len(p.queue) > 0 {
		return p.queue[0]
	}
	return nil
}

// persist moves what is in memory to the disk, in order. A disk that does not
// take it leaves it in memory, where BufferBytes bounds it.
func (p *Pusher) persist() {
	for p.spool != nil && len(p.queue) > 0 {
		b := p.queue[0]
		at, dropped, err := p.spool.append(b)
		p.spoolDropped(dropped)
		if err != nil {
			if p.disk.fails("disk") {
				p.log.Warn("cannot write to the spool; readings wait in memory", "dir", p.o.Spool, "err", err)
			}
			return
		}
		if failed, since := p.disk.works(); failed > 0 {
			p.log.Info("writing to the spool again", "dir", p.o.Spool, "failures", failed, "after", time.Since(since).Round(time.Millisecond))
		}
		b.place = at
		p.queue = p.queue[1:]
		p.queued -= b.size()
	}
}

// spoolDropped counts what the spool gave up. A batch that is being sent may be
// among it: whether its readings are lost, its answer says.
func (p *Pusher) spoolDropped(readings int64) {
	if readings == 0 {
		return
	}
	p.stats.Waiting -= readings
	if c := p.current; c != nil && c.place.segment != 0 && !c.lost && !p.spool.holds(c.place) {
		if p.onWire == c {
			c.lost = true
			readings -= int64(c.readings)
		} else {
			p.current = nil
		}
	}
	p.drops(readings, p.o.SpoolBytes)
	p.tellAll() // the description may have been in it
}

// finish takes a batch that is over off the queue or the spool.
func (p *Pusher) finish(b *batch) {
	p.current = nil
	switch {
	case b.lost: // it has no place any more
	case b.place.segment != 0:
		p.spool.done(b)
		p.stats.Waiting -= int64(b.readings)
	default:
		p.remove(b)
	}
}

// endSpool moves what was not sent to the disk and ends the use of the spool. It
// takes mu itself.
func (p *Pusher) endSpool() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spool == nil {
		return nil
	}
	if p.open != nil {
		p.close()
	}
	p.persist()
	if p.spool.readings > 0 {
		p.log.Info("readings wait in the spool for the next start", "dir", p.o.Spool, "readings", p.spool.readings, "bytes", p.spool.bytes)
	}
	p.stats.Waiting -= p.spool.readings
	err := p.spool.close()
	p.spool = nil
	return err
}
