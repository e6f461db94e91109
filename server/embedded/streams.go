package embedded

import (
	"math"
)

const (
	errSyntax    = "ERR syntax error"
	errWrongType = "WRONGTYPE Operation against a key holding the wrong kind of value"
	errNoKey     = "ERR no such key"
	errID        = "ERR Invalid stream ID specified as stream command argument"
	errInteger   = "ERR value is not an integer or out of range"
)

// stream returns the stream at a key; ok is false when it holds another kind,
// which the client has been told.
func (c *client) stream(name []byte) (k *key, s *stream, ok bool) {
	k = c.db.get(name)
	if k == nil {
		return nil, nil, true
	}
	if s, ok = k.value.(*stream); !ok {
		c.fail(errWrongType)
	}
	return k, s, ok
}

// xadd serves XADD key [NOMKSTREAM] [MAXLEN|MINID ...] *|ms-*|ms-seq field value ...
func (c *client) xadd(args [][]byte) {
	at := 2
	var t trimming
	create := true
	for at < len(args) && len(args[at]) > 1 && args[at][0] >= 'A' { // an ID begins with a digit or *
		if is(args[at], "NOMKSTREAM") {
			create = false
			at++
			continue
		}
		if !is(args[at], "MAXLEN") && !is(args[at], "MINID") {
			break
		}
		if t.asked {
			c.fail(errSyntax)
			return
		}
		var ok bool
		if t, at, ok = c.trimming(args, at); !ok {
			return
		}
	}
	const few = "ERR wrong number of arguments for 'xadd' command"
	if at >= len(args) {
		c.fail(few)
		return
	}
	want, automatic, ok := parseNewID(args[at])
	if !ok {
		c.fail(errID)
		return
	}
	if c.refused(t) {
		return
	}
	if pairs := len(args) - at - 1; pairs < 2 || pairs%2 != 0 {
		c.fail(few)
		return
	}
	if automatic == givenID && want == firstID {
		c.fail("ERR The ID specified in XADD must be greater than 0-0")
		return
	}
	k, s, ok := c.stream(args[1])
	if !ok {
		return
	}
	if k == nil && !create {
		c.out = append(c.out, replyNil...)
		return
	}
	if !c.db.room(args[1]) {
		c.fail(errFull)
		return
	}
	var last id
	if s != nil {
		last = s.last
	}
	if last == lastID {
		c.fail("ERR The stream has exhausted the last possible ID, unable to add more items")
		return
	}
	stamp, ok := newID(want, automatic, last)
	if !ok {
		c.fail("ERR The ID specified in XADD is equal or smaller than the target stream top item")
		return
	}
	c.db.append(k, args[1], stamp, args[at+1:], t)
	if !c.db.loading { // nobody reads the replies to a file
		c.out = appendID(c.out, stamp)
	}
}

// How much of a new entry's ID was left to the server.
const (
	givenID = iota
	givenMs // ms-*
	noID    // *
)

func parseNewID(text []byte) (want id, automatic int, ok bool) {
	if len(text) == 1 && text[0] == '*' {
		return id{}, noID, true
	}
	if n := len(text); n > 2 && text[n-1] == '*' && text[n-2] == '-' {
		ms, ok := parseUint(text[:n-2])
		return id{ms: ms}, givenMs, ok
	}
	want, ok = parseID(text, 0)
	return want, givenID, ok
}

// newID makes the ID of an entry that follows last; ok is false when the wanted
// one does not.
func newID(want id, automatic int, last id) (id, bool) {
	switch automatic {
	case noID:
		now := id{ms: uint64(nowMs())}
		if now.compare(last) > 0 && now.ms > last.ms {
			return now, true
		}
		return last.next()
	case givenMs:
		if want.ms == last.ms {
			if last.seq == math.MaxUint64 {
				return want, false
			}
			return id{last.ms, last.seq + 1}, true
		}
		return want, want.ms > last.ms
	}
	return want, want.compare(last) > 0
}

// append adds an entry to the stream of a key, which is made if it is nil, wakes
// who waits for it and notes in the log what has happened: the ID as it was made,
// and how long the stream is after trimming.
func (d *db) append(k *key, name []byte, stamp id, fields [][]byte, t trimming) {
	if k == nil {
		k = d.put(name, &stream{})
	}
	s := k.value.(*stream)
	d.bytes -= s.bytes
	s.add(stamp, fields)
	trimmed := int64(0)
	if t.asked {
		trimmed = s.trim(t.most, t.oldest, t.roughly && t.most >= shortStream)
	}
	d.bytes += s.bytes
	if d.log != nil {
		d.noteEntry(k.name, stamp, fields, trimmed > 0, s.length)
	}
	d.wake(k.name)
}

func (c *client) xlen(args [][]byte) {
	_, s, ok := c.stream(args[1])
	if !ok {
		return
	}
	n := int64(0)
	if s != nil {
		n = s.length
	}
	c.out = appendInt(c.out, n)
}

func (c *client) xrange(args [][]byte)    { c.between(args, args[2], args[3], false) }
func (c *client) xrevrange(args [][]byte) { c.between(args, args[3], args[2], true) }

// between answers with the entries of a range.
func (c *client) between(args [][]byte, begin, end []byte, back bool) {
	from, ok := c.bound(begin, 0)
	if !ok {
		return
	}
	to, ok := c.bound(end, math.MaxUint64)
	if !ok {
		return
	}
	count := int64(-1)
	for i := 4; i < len(args); i += 2 {
		if !is(args[i], "COUNT") || i+1 == len(args) {
			c.fail(errSyntax)
			return
		}
		if count, ok = parseInt(args[i+1]); !ok {
			c.fail(errInteger)
			return
		}
		count = max(count, 0)
	}
	_, s, ok := c.stream(args[1])
	if !ok {
		return
	}
	if s == nil {
		c.out = appendArray(c.out, 0)
		return
	}
	if count == 0 {
		c.out = append(c.out, replyNilArray...)
		return
	}
	walk := s.each
	if back {
		walk = s.eachBack
	}
	c.entries(count, from, to, walk)
}

// entries answers with as many entries as a walk finds; the count of an array
// stands before its items, so room for it is left open.
func (c *client) entries(count int64, from, to id, walk func(from, to id, f func(*block, item) bool)) int {
	const room = 24
	begin := len(c.out)
	c.out = append(c.out, make([]byte, room)...)
	n := 0
	walk(from, to, func(b *block, e item) bool {
		c.out = b.reply(c.out, e)
		n++
		return count < 0 || int64(n) < count
	})
	head := appendArray(make([]byte, 0, room), n)
	// The head is shorter than the room: what follows moves up.
	copy(c.out[begin:], head)
	c.out = append(c.out[:begin+len(head)], c.out[begin+room:]...)
	return n
}

// bound reads one end of a range: - + ID ms or ( before one that does not belong to it.
func (c *client) bound(text []byte, seq uint64) (id, bool) {
	if len(text) == 1 && text[0] == '-' {
		return firstID, true
	}
	if len(text) == 1 && text[0] == '+' {
		return lastID, true
	}
	exclusive := len(text) > 1 && text[0] == '('
	if exclusive {
		text = text[1:]
	}
	at, ok := parseID(text, seq)
	if !ok {
		c.fail(errID)
		return at, false
	}
	if !exclusive {
		return at, true
	}
	if seq == 0 {
		if at, ok = at.next(); !ok {
			c.fail("ERR invalid start ID for the interval")
		}
		return at, ok
	}
	if at, ok = at.before(); !ok {
		c.fail("ERR invalid end ID for the interval")
	}
	return at, ok
}

func (c *client) xdel(args [][]byte) {
	k, s, ok := c.stream(args[1])
	if !ok {
		return
	}
	n := int64(0)
	if s != nil {
		ids := make([]id, 0, len(args)-2)
		for _, text := range args[2:] {
			at, ok := parseID(text, 0)
			if !ok {
				c.fail(errID)
				return
			}
			ids = append(ids, at)
		}
		c.db.bytes -= s.bytes
		for _, at := range ids {
			if s.delete(at) {
				n++
				c.db.note(k.name, "XDEL", k.name, string(at.append(nil)))
			}
		}
		c.db.bytes += s.bytes
	}
	c.out = appendInt(c.out, n)
}

// xsetid serves XSETID key last-id [ENTRIESADDED n MAXDELETEDID id].
func (c *client) xsetid(args [][]byte) {
	last, ok := parseID(args[2], 0)
	if !ok {
		c.fail(errID)
		return
	}
	added, removed := int64(-1), id{}
	given := false
	for i := 3; i < len(args); i += 2 {
		if i+1 == len(args) {
			c.fail(errSyntax)
			return
		}
		switch upper(args[i]) {
		case "ENTRIESADDED":
			if added, ok = parseInt(args[i+1]); !ok {
				c.fail(errInteger)
				return
			}
			if added < 0 {
				c.fail("ERR entries_added must be positive")
				return
			}
		case "MAXDELETEDID":
			if removed, ok = parseID(args[i+1], 0); !ok {
				c.fail(errID)
				return
			}
			if last.compare(removed) < 0 {
				c.fail("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
				return
			}
			given = true
		default:
			c.fail(errSyntax)
			return
		}
	}
	k, s, ok := c.stream(args[1])
	if !ok {
		return
	}
	if s == nil {
		c.fail(errNoKey)
		return
	}
	if s.length > 0 {
		if _, e, _ := s.newest(); last.compare(e.id) < 0 {
			c.fail("ERR The ID specified in XSETID is smaller than the target stream top item")
			return
		}
		if added >= 0 && added < s.length {
			c.fail("ERR The entries_added specified in XSETID is smaller than the target stream length")
			return
		}
	}
	s.last = last
	if added >= 0 {
		s.added = added
	}
	if given && removed != firstID {
		s.removed = removed
	}
	words := make([]string, len(args))
	for i, word := range args {
		words[i] = string(word)
	}
	c.db.note(k.name, words...)
	c.out = append(c.out, replyOK...)
}

func (c *client) xinfo(args [][]byte) {
	_, s, ok := c.stream(args[2])
	if !ok {
		return
	}
	if s == nil {
		c.fail(errNoKey)
		return
	}
	c.out = appendArray(c.out, 20)
	count := func(name string, n int64) { c.out = appendInt(appendBulk(c.out, name), n) }
	stamp := func(name string, at id) { c.out = appendID(appendBulk(c.out, name), at) }
	entry := func(name string, b *block, e item, ok bool) {
		c.out = appendBulk(c.out, name)
		if ok {
			c.out = b.reply(c.out, e)
		} else {
			c.out = append(c.out, replyNil...)
		}
	}
	b, first, some := s.first()
	count("length", s.length)
	count("radix-tree-keys", int64(len(s.blocks)))
	count("radix-tree-nodes", int64(len(s.blocks))+1)
	stamp("last-generated-id", s.last)
	stamp("max-deleted-entry-id", s.removed)
	count("entries-added", s.added)
	stamp("recorded-first-entry-id", first.id)
	count("groups", 0)
	entry("first-entry", b, first, some)
	b, newest, some := s.newest()
	entry("last-entry", b, newest, some)
}
