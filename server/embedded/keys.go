package embedded

import (
	"container/heap"
	"hash/maphash"
	"strconv"
	"sync"
	"time"
)

// shards are parts of the key space. SCAN and compaction go through them one by
// one, so that neither needs the whole at once or an order of keys.
const shards = 1024

// hash is the value of a hash key.
type hash map[string][]byte

// entry of the key space: value is []byte, hash or *stream.
type key struct {
	name    string
	value   any
	expires int64 // ms; 0 for never
	place   int   // among those that expire
}

// db is the key space. Everything happens under its one lock, command by command,
// as in Redis.
type db struct {
	mu      sync.Mutex // guards everything below
	seed    maphash.Seed
	keys    [shards]map[string]*key
	count   int
	expires expiries
	bytes   int // about what all values take
	waits   map[string]map[*wait]struct{}
	log     *log // nil in memory only
	limits  Limits
	stats   Stats
	timer   *time.Timer // of the next expiry
	loading bool        // the log is read: what has expired stays until all of it is
	loaded  int64       // commands read from it
}

func newDB(limits Limits) *db {
	return &db{seed: maphash.MakeSeed(), waits: map[string]map[*wait]struct{}{}, limits: limits}
}

func (d *db) shard(name []byte) int { return int(maphash.Bytes(d.seed, name) % shards) }

// get returns a key that is there; its time may have come.
func (d *db) get(name []byte) *key {
	k := d.keys[d.shard(name)][string(name)]
	if k != nil && k.expires != 0 && !d.loading && k.expires <= nowMs() {
		d.remove(k)
		d.stats.Expired++
		return nil
	}
	return k
}

// put adds a key that is not there.
func (d *db) put(name []byte, value any) *key {
	k := &key{name: string(name), value: value, place: -1}
	at := d.shard(name)
	if d.keys[at] == nil {
		d.keys[at] = map[string]*key{}
	}
	d.keys[at][k.name] = k
	d.count++
	d.bytes += size(k)
	return k
}

// remove deletes a key and notes it in the log.
func (d *db) remove(k *key) {
	d.never(k)
	delete(d.keys[d.shard([]byte(k.name))], k.name)
	d.count--
	d.bytes -= size(k)
	d.note(k.name, "DEL", k.name)
}

const (
	keyCost   = 120 // about what a key takes beside its name and value
	fieldCost = 64  // about what a field of a hash takes beside its name and value
)

func size(k *key) int {
	n := keyCost + len(k.name)
	switch v := k.value.(type) {
	case []byte:
		n += len(v)
	case hash:
		for field, value := range v {
			n += fieldCost + len(field) + len(value)
		}
	case *stream:
		n += v.bytes
	}
	return n
}

// nowMs is the clock of IDs and of expiry.
func nowMs() int64 { return time.Now().UnixMilli() }

// expire sets when a key goes, ms; what that is in the past goes at once.
func (d *db) expire(k *key, at int64) {
	if at <= nowMs() && !d.loading { // a later line of the log may have postponed it
		d.remove(k)
		return
	}
	k.expires = at
	d.expireLater(k)
	d.note(k.name, "PEXPIREAT", k.name, strconv.FormatInt(at, 10))
}

// expireLater puts a key in its place among those that expire.
func (d *db) expireLater(k *key) {
	if k.place >= 0 {
		heap.Fix(&d.expires, k.place)
	} else {
		heap.Push(&d.expires, k)
	}
	if k.place == 0 {
		d.schedule()
	}
}

// never takes a key out of those that expire.
func (d *db) never(k *key) {
	if k.place >= 0 {
		heap.Remove(&d.expires, k.place)
	}
	k.expires = 0
}

const expireEvery = 100 * time.Millisecond

// schedule wakes the expiry when the next key is due: nothing runs while none is.
func (d *db) schedule() {
	if len(d.expires) == 0 || d.timer == nil {
		return
	}
	due := time.UnixMilli(d.expires[0].expires)
	d.timer.Reset(max(time.Until(due), expireEvery))
}

// sweep removes the keys whose time has come, a bounded number at once.
func (d *db) sweep() {
	const most = 1000
	d.mu.Lock()
	defer d.mu.Unlock()
	now := nowMs()
	for range most {
		if len(d.expires) == 0 || d.expires[0].expires > now {
			break
		}
		d.remove(d.expires[0])
		d.stats.Expired++
	}
	d.schedule()
}

// expiries is a heap of keys by when they go.
type expiries []*key

func (e expiries) Len() int           { return len(e) }
func (e expiries) Less(i, j int) bool { return e[i].expires < e[j].expires }
func (e expiries) Swap(i, j int) {
	e[i], e[j] = e[j], e[i]
	e[i].place, e[j].place = i, j
}
func (e *expiries) Push(x any) {
	k := x.(*key)
	k.place = len(*e)
	*e = append(*e, k)
}
func (e *expiries) Pop() any {
	old := *e
	k := old[len(old)-1]
	old[len(old)-1] = nil
	*e = old[:len(old)-1]
	k.place = -1
	return k
}

func kindOf(k *key) string {
	switch k.value.(type) {
	case hash:
		return "hash"
	case *stream:
		return "stream"
	default:
		return "string"
	}
}

// The commands about keys of any kind.

func (c *client) del(args [][]byte) {
	n := int64(0)
	for _, name := range args[1:] {
		if k := c.db.get(name); k != nil {
			c.db.remove(k)
			n++
		}
	}
	c.out = appendInt(c.out, n)
}

func (c *client) exists(args [][]byte) {
	n := int64(0)
	for _, name := range args[1:] {
		if c.db.get(name) != nil {
			n++
		}
	}
	c.out = appendInt(c.out, n)
}

func (c *client) kind(args [][]byte) {
	word := "none"
	if k := c.db.get(args[1]); k != nil {
		word = kindOf(k)
	}
	c.out = append(append(append(c.out, '+'), word...), "\r\n"...)
}

// expireIn serves PEXPIRE, EXPIRE, PEXPIREAT and EXPIREAT: unit is how many ms
// the number counts, and whence what it is added to.
func expireIn(unit int64, whence func() int64) func(*client, [][]byte) {
	return func(c *client, args [][]byte) {
		n, ok := parseInt(args[2])
		if !ok {
			c.fail("ERR value is not an integer or out of range")
			return
		}
		at := whence()
		if most := (int64(1)<<62 - at) / unit; n > most || n < -most {
			c.fail("ERR invalid expire time in '" + lower(args[0]) + "' command")
			return
		}
		k := c.db.get(args[1])
		if k == nil {
			c.out = appendInt(c.out, 0)
			return
		}
		c.db.expire(k, at+n*unit)
		c.out = appendInt(c.out, 1)
	}
}

func epoch() int64 { return 0 }

func timeLeft(unit int64) func(*client, [][]byte) {
	return func(c *client, args [][]byte) {
		k := c.db.get(args[1])
		switch {
		case k == nil:
			c.out = appendInt(c.out, -2)
		case k.expires == 0:
			c.out = appendInt(c.out, -1)
		default:
			c.out = appendInt(c.out, (k.expires-nowMs()+unit/2)/unit)
		}
	}
}

func (c *client) persist(args [][]byte) {
	k := c.db.get(args[1])
	if k == nil || k.expires == 0 {
		c.out = appendInt(c.out, 0)
		return
	}
	c.db.never(k)
	c.db.note(k.name, "PERSIST", k.name)
	c.out = appendInt(c.out, 1)
}

func (c *client) dbsize([][]byte) { c.out = appendInt(c.out, int64(c.db.count)) }

func (c *client) flushAll([][]byte) {
	for _, all := range c.db.keys {
		for _, k := range all {
			c.db.remove(k)
		}
	}
	c.out = append(c.out, replyOK...)
}

// scan answers with whole shards, until it has about as many keys as were asked
// for; the cursor is the next shard. So a key that stays is found, whatever
// comes and goes meanwhile.
func (c *client) scan(args [][]byte) {
	at, ok := parseUint(args[1])
	if !ok {
		c.fail("ERR invalid cursor")
		return
	}
	pattern, kind, count := "", "", int64(10)
	for i := 2; i < len(args); i += 2 {
		if i+1 == len(args) {
			c.fail(errSyntax)
			return
		}
		switch upper(args[i]) {
		case "MATCH":
			pattern = string(args[i+1])
		case "TYPE":
			kind = lower(args[i+1])
		case "COUNT":
			if count, ok = parseInt(args[i+1]); !ok {
				c.fail("ERR value is not an integer or out of range")
				return
			}
			if count < 1 {
				c.fail(errSyntax)
				return
			}
		default:
			c.fail(errSyntax)
			return
		}
	}
	var found []string
	now := nowMs()
	seen := int64(0)
	for ; at < shards && seen < count; at++ {
		for name, k := range c.db.keys[at] {
			seen++
			expired := k.expires != 0 && k.expires <= now
			if !expired && (pattern == "" || matches(pattern, name)) && (kind == "" || kind == kindOf(k)) {
				found = append(found, name)
			}
		}
	}
	c.out = appendArray(c.out, 2)
	c.out = appendBulk(c.out, strconv.FormatUint(at%shards, 10))
	c.out = appendArray(c.out, len(found))
	for _, name := range found {
		c.out = appendBulk(c.out, name)
	}
}

func (c *client) keysLike(args [][]byte) {
	var found []string
	now := nowMs()
	for _, all := range c.db.keys {
		for name, k := range all {
			if (k.expires == 0 || k.expires > now) && matches(string(args[1]), name) {
				found = append(found, name)
			}
		}
	}
	c.out = appendArray(c.out, len(found))
	for _, name := range found {
		c.out = appendBulk(c.out, name)
	}
}
