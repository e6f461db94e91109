package embedded

import (
	"time"
)

// wait is a client that waits for entries of some streams. An append wakes those
// who wait for that stream, and nobody else.
type wait struct {
	keys []string
	woke chan struct{} // holds one token when there may be something
}

// wake tells those who wait for a key.
func (d *db) wake(name string) {
	if len(d.waits) == 0 {
		return
	}
	for w := range d.waits[name] {
		select {
		case w.woke <- struct{}{}:
		default: // it knows
		}
	}
}

func (d *db) addWait(w *wait) {
	for _, name := range w.keys {
		if d.waits[name] == nil {
			d.waits[name] = map[*wait]struct{}{}
		}
		d.waits[name][w] = struct{}{}
	}
}

func (d *db) removeWait(w *wait) {
	for _, name := range w.keys {
		delete(d.waits[name], w)
		if len(d.waits[name]) == 0 {
			delete(d.waits, name)
		}
	}
}

// reading is an XREAD that waits: the streams, the IDs after which it reads and
// how much.
type reading struct {
	keys  [][]byte
	after []id
	count int64
	until time.Time // zero for ever
}

// xread serves XREAD [COUNT n] [BLOCK ms] STREAMS key ... id ...
func (c *client) xread(args [][]byte) {
	r := reading{count: -1}
	block := false
	at := 1
	for ; at < len(args); at++ {
		word := upper(args[at])
		if word == "STREAMS" {
			break
		}
		if word != "COUNT" && word != "BLOCK" || at+1 == len(args) {
			c.fail(errSyntax)
			return
		}
		at++
		n, ok := parseInt(args[at])
		switch {
		case !ok && word == "BLOCK":
			c.fail("ERR timeout is not an integer or out of range")
			return
		case !ok:
			c.fail(errInteger)
			return
		case word == "COUNT":
			if r.count = n; n <= 0 {
				r.count = -1 // as in Redis: no limit
			}
		case n < 0:
			c.fail("ERR timeout is negative")
			return
		default:
			block = true
			r.until = time.Time{}
			if n > 0 {
				r.until = time.Now().Add(time.Duration(min(n, 1<<40)) * time.Millisecond)
			}
		}
	}
	if at == len(args) {
		c.fail(errSyntax)
		return
	}
	rest := args[at+1:]
	if len(rest) == 0 || len(rest)%2 != 0 {
		c.fail("ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.")
		return
	}
	half := len(rest) / 2
	for i, text := range rest[half:] {
		_, s, ok := c.stream(rest[i])
		if !ok {
			return
		}
		after, ok := parseID(text, 0)
		switch {
		case len(text) == 1 && text[0] == '$':
			if s != nil {
				after = s.last
			}
		case !ok:
			c.fail(errID)
			return
		}
		r.keys, r.after = append(r.keys, rest[i]), append(r.after, after)
	}
	if c.readNow(r) {
		return
	}
	if !block || c.transaction != nil {
		c.out = append(c.out, replyNilArray...)
		return
	}
	c.waits = &r
}

// readNow answers with what there is, and is false when there is nothing.
func (c *client) readNow(r reading) bool {
	var found []*stream
	n := 0
	for i, name := range r.keys {
		var s *stream
		if k := c.db.get(name); k != nil {
			s, _ = k.value.(*stream)
		}
		if s != nil {
			// What XDEL took away does not answer, so the newest entry counts and not the last ID.
			if s.length == 0 || s.last.compare(r.after[i]) <= 0 {
				s = nil
			} else if _, e, ok := s.newest(); !ok || e.id.compare(r.after[i]) <= 0 {
				s = nil
			}
		}
		if s != nil {
			n++
		}
		found = append(found, s)
	}
	if n == 0 {
		return false
	}
	c.out = appendArray(c.out, n)
	for i, s := range found {
		if s == nil {
			continue
		}
		c.out = appendArray(c.out, 2)
		c.out = appendBulk(c.out, r.keys[i])
		from, _ := r.after[i].next()
		c.entries(r.count, from, lastID, s.each)
	}
	return true
}

// await runs a waiting read until it has an answer; it is called without the lock.
func (c *client) await() {
	r := *c.waits
	c.waits = nil
	w := &wait{woke: make(chan struct{}, 1)}
	for _, name := range r.keys {
		w.keys = append(w.keys, string(name))
	}
	var late <-chan time.Time
	if !r.until.IsZero() {
		timer := time.NewTimer(time.Until(r.until))
		defer timer.Stop()
		late = timer.C
	}
	c.db.mu.Lock()
	defer c.db.mu.Unlock()
	c.db.addWait(w)
	defer c.db.removeWait(w)
	for !c.readNow(r) {
		c.db.mu.Unlock()
		over := false
		select {
		case <-w.woke:
		case <-late:
			over = true
		case <-c.gone:
			over = true
		}
		c.db.mu.Lock()
		if over {
			c.out = append(c.out, replyNilArray...)
			return
		}
	}
}
