package embedded

import "strconv"

// The commands about strings and hashes.

// text returns the string at a key; ok is false when it holds another kind,
// which the client has been told.
func (c *client) text(name []byte) (k *key, value []byte, ok bool) {
	k = c.db.get(name)
	if k == nil {
		return nil, nil, true
	}
	if value, ok = k.value.([]byte); !ok {
		c.fail(errWrongType)
	}
	return k, value, ok
}

func (c *client) getText(args [][]byte) {
	k, value, ok := c.text(args[1])
	switch {
	case !ok:
	case k == nil:
		c.out = append(c.out, replyNil...)
	default:
		c.out = appendBulk(c.out, value)
	}
}

// setText serves SET key value [NX|XX] [GET] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL].
func (c *client) setText(args [][]byte) {
	var onlyNew, onlyOld, get, keep bool
	expires := int64(0)
	for i := 3; i < len(args); i++ {
		word := upper(args[i])
		switch word {
		case "NX":
			onlyNew = true
		case "XX":
			onlyOld = true
		case "GET":
			get = true
		case "KEEPTTL":
			keep = true
		case "EX", "PX", "EXAT", "PXAT":
			if i+1 == len(args) || expires != 0 {
				c.fail(errSyntax)
				return
			}
			i++
			n, ok := parseInt(args[i])
			if !ok {
				c.fail("ERR value is not an integer or out of range")
				return
			}
			unit, whence := int64(1), int64(0)
			if word[0] == 'E' {
				unit = 1000
			}
			if len(word) == 2 {
				whence = nowMs()
			}
			if n <= 0 || n > (1<<62-whence)/unit {
				c.fail("ERR invalid expire time in 'set' command")
				return
			}
			expires = whence + n*unit
		default:
			c.fail(errSyntax)
			return
		}
	}
	if onlyNew && onlyOld || keep && expires != 0 {
		c.fail(errSyntax)
		return
	}
	k := c.db.get(args[1])
	if get {
		var ok bool
		var value []byte
		if k, value, ok = c.text(args[1]); !ok {
			return
		}
		if k == nil {
			c.out = append(c.out, replyNil...)
		} else {
			c.out = appendBulk(c.out, value)
		}
	}
	if onlyNew && k != nil || onlyOld && k == nil {
		if !get {
			c.out = append(c.out, replyNil...)
		}
		return
	}
	c.db.set(args[1], args[2], expires, keep)
	if !get {
		c.out = append(c.out, replyOK...)
	}
}

// set makes a key a string, which expires at a time (ms) unless that is 0.
func (d *db) set(name, value []byte, expires int64, keep bool) {
	k := d.get(name)
	own := append([]byte(nil), value...)
	if k == nil {
		k = d.put(name, own)
	} else {
		d.bytes -= size(k)
		k.value = own
		d.bytes += size(k)
		if !keep {
			d.never(k)
		}
	}
	switch {
	case expires != 0:
		d.note(k.name, "SET", k.name, string(own), "PXAT", strconv.FormatInt(expires, 10))
		k.expires = expires
		d.expireLater(k)
	case keep:
		d.note(k.name, "SET", k.name, string(own), "KEEPTTL")
	default:
		d.note(k.name, "SET", k.name, string(own))
	}
}

func (c *client) setNew(args [][]byte) {
	if c.db.get(args[1]) != nil {
		c.out = appendInt(c.out, 0)
		return
	}
	c.db.set(args[1], args[2], 0, false)
	c.out = appendInt(c.out, 1)
}

func (c *client) getMany(args [][]byte) {
	c.out = appendArray(c.out, len(args)-1)
	for _, name := range args[1:] {
		k := c.db.get(name)
		if k == nil {
			c.out = append(c.out, replyNil...)
			continue
		}
		if value, ok := k.value.([]byte); ok {
			c.out = appendBulk(c.out, value)
		} else {
			c.out = append(c.out, replyNil...)
		}
	}
}

// hash returns the hash at a key, as text does.
func (c *client) hash(name []byte) (k *key, h hash, ok bool) {
	k = c.db.get(name)
	if k == nil {
		return nil, nil, true
	}
	if h, ok = k.value.(hash); !ok {
		c.fail(errWrongType)
	}
	return k, h, ok
}

func (c *client) hget(args [][]byte) {
	_, h, ok := c.hash(args[1])
	if !ok {
		return
	}
	if value, there := h[string(args[2])]; there {
		c.out = appendBulk(c.out, value)
	} else {
		c.out = append(c.out, replyNil...)
	}
}

func (c *client) hset(args [][]byte) {
	if len(args)%2 != 0 {
		c.fail("ERR wrong number of arguments for '" + lower(args[0]) + "' command")
		return
	}
	_, _, ok := c.hash(args[1])
	if !ok {
		return
	}
	n := c.db.setFields(args[1], args[2:])
	c.out = appendInt(c.out, n)
}

// setFields sets fields of a hash, which may be new, and returns how many are.
func (d *db) setFields(name []byte, pairs [][]byte) (added int64) {
	k := d.get(name)
	if k == nil {
		k = d.put(name, hash{})
	}
	h := k.value.(hash)
	words := append(make([]string, 0, len(pairs)+2), "HSET", k.name)
	for i := 0; i < len(pairs); i += 2 {
		field := string(pairs[i])
		old, there := h[field]
		if !there {
			added++
			d.bytes += fieldCost + len(field)
		}
		d.bytes += len(pairs[i+1]) - len(old)
		h[field] = append([]byte(nil), pairs[i+1]...)
		words = append(words, field, string(pairs[i+1]))
	}
	d.note(k.name, words...)
	return added
}

func (c *client) hdel(args [][]byte) {
	k, _, ok := c.hash(args[1])
	if !ok {
		return
	}
	n := int64(0)
	if k != nil {
		n = c.db.deleteFields(k, args[2:])
	}
	c.out = appendInt(c.out, n)
}

// deleteFields deletes fields, and the hash with the last of them.
func (d *db) deleteFields(k *key, fields [][]byte) (n int64) {
	h := k.value.(hash)
	words := []string{"HDEL", k.name}
	for _, field := range fields {
		if value, there := h[string(field)]; there {
			d.bytes -= fieldCost + len(field) + len(value)
			delete(h, string(field))
			words = append(words, string(field))
			n++
		}
	}
	switch {
	case n == 0:
	case len(h) == 0:
		d.remove(k)
	default:
		d.note(k.name, words...)
	}
	return n
}

func (c *client) hgetall(args [][]byte) {
	_, h, ok := c.hash(args[1])
	if !ok {
		return
	}
	c.out = appendArray(c.out, 2*len(h))
	for field, value := range h {
		c.out = appendBulk(c.out, field)
		c.out = appendBulk(c.out, value)
	}
}

func (c *client) hlen(args [][]byte) {
	if _, h, ok := c.hash(args[1]); ok {
		c.out = appendInt(c.out, int64(len(h)))
	}
}
