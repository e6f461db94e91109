package embedded

import (
	"math"
	"strconv"
)

// shortStream is how long a stream must be for ~ to spare anything: below it a
// block more or less would be much.
const shortStream = 8 * blockEntries

// trimming is what MAXLEN or MINID ask for.
type trimming struct {
	most    int64
	oldest  id
	roughly bool
	asked   bool
	limited bool
}

// refused says that the parts of a trimming do not go together; the client is told.
func (c *client) refused(t trimming) bool {
	if t.limited && !t.roughly {
		c.fail("ERR syntax error, LIMIT cannot be used without the special ~ option")
		return true
	}
	return false
}

// trimming reads MAXLEN|MINID [=|~] threshold [LIMIT count] at a place of args and
// returns the place after it.
func (c *client) trimming(args [][]byte, at int) (t trimming, next int, ok bool) {
	t = trimming{most: math.MaxInt64, asked: true}
	what := args[at]
	at++
	if at < len(args)-1 && (string(args[at]) == "~" || string(args[at]) == "=") {
		t.roughly = args[at][0] == '~'
		at++
	}
	if at >= len(args) {
		c.fail(errSyntax)
		return t, at, false
	}
	if is(what, "MAXLEN") {
		if t.most, ok = parseInt(args[at]); !ok {
			c.fail(errInteger)
			return t, at, false
		}
		if t.most < 0 {
			c.fail("ERR The MAXLEN argument must be >= 0.")
			return t, at, false
		}
	} else if t.oldest, ok = parseID(args[at], 0); !ok {
		c.fail(errID)
		return t, at, false
	}
	at++
	if at+1 < len(args) && is(args[at], "LIMIT") {
		n, ok := parseInt(args[at+1])
		switch {
		case !ok:
			c.fail(errInteger)
			return t, at, false
		case n < 0:
			c.fail("ERR The LIMIT argument must be >= 0.")
			return t, at, false
		}
		t.limited = true
		at += 2 // whole blocks are dropped in no time: there is nothing to limit
	}
	return t, at, true
}

func (c *client) xtrim(args [][]byte) {
	if !is(args[2], "MAXLEN") && !is(args[2], "MINID") {
		c.fail(errSyntax)
		return
	}
	t, at, ok := c.trimming(args, 2)
	if !ok {
		return
	}
	if at != len(args) {
		c.fail(errSyntax)
		return
	}
	if c.refused(t) {
		return
	}
	k, s, ok := c.stream(args[1])
	if !ok {
		return
	}
	n := int64(0)
	if s != nil {
		t.roughly = false // ~ allows to leave more, and here exactly costs no more
		n = c.db.trim(k, t)
	}
	c.out = appendInt(c.out, n)
}

// trim trims a stream and notes how long it is then.
func (d *db) trim(k *key, t trimming) int64 {
	s := k.value.(*stream)
	d.bytes -= s.bytes
	n := s.trim(t.most, t.oldest, t.roughly)
	d.bytes += s.bytes
	if n > 0 {
		d.note(k.name, "XTRIM", k.name, "MAXLEN", "=", strconv.FormatInt(s.length, 10))
	}
	return n
}
