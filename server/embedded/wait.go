package embedded

import (
	"time"
)

// wait is an XREAD of a client that waits for entries of some streams. An append
// wakes those who wait for that stream, and nobody else.
type wait struct {
	reading
	names []string      // of the streams
	woke  chan struct{} // holds one token when there may be something
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
	for _, name := range w.names {
		if d.waits[name] == nil {
			d.waits[name] = map[*wait]struct{}{}
		}
		d.waits[name][w] = struct{}{}
	}
}

func (d *db) removeWait(w *wait) {
	for _, name := range w.names {
		delete(d.waits[name], w)
		if len(d.waits[name]) == 0 {
			delete(d.waits, name)
		}
	}
}

// reading is what an XREAD asks for: the streams, the IDs after which it reads, how
// much, and how long it waits.
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
	c.startWaiting(r)
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

// startWaiting makes the client one that waits. The caller holds the lock.
func (c *client) startWaiting(r reading) {
	w := &wait{reading: r, woke: make(chan struct{}, 1)}
	for i, name := range r.keys { // its words lie in a buffer that is used again
		w.names = append(w.names, string(name))
		w.keys[i] = []byte(w.names[i])
	}
	c.waits = w
	c.db.addWait(w)
}

// stopWaiting ends that without an answer.
func (c *client) stopWaiting() {
	if c.waits == nil {
		return
	}
	c.db.mu.Lock()
	defer c.db.mu.Unlock()
	c.db.removeWait(c.waits)
	c.waits = nil
}

// await waits until the read is answered, or until late or changed come, after
// which it goes on waiting. It is called without the lock.
func (c *client) await(late <-chan time.Time, changed <-chan struct{}) (err error) {
	defer c.rescue(&err)
	w := c.waits
	var over <-chan time.Time
	if !w.until.IsZero() {
		timer := time.NewTimer(time.Until(w.until))
		defer timer.Stop()
		over = timer.C
	}
	for {
		last := false
		select {
		case <-w.woke:
		case <-over:
			last = true
		case <-c.gone:
			last = true
		case <-late:
			return nil
		case <-changed:
			return nil
		}
		if c.readAgain(w, last) {
			return nil
		}
	}
}

// readAgain answers with what there is now, the last time also with nothing.
func (c *client) readAgain(w *wait, last bool) (answered bool) {
	c.db.mu.Lock()
	defer c.db.mu.Unlock()
	if !c.readNow(w.reading) {
		if !last {
			return false
		}
		c.out = append(c.out, replyNilArray...)
	}
	c.db.removeWait(w)
	c.waits = nil
	return true
}
