package embedded

import (
	"crypto/sha1"
	"encoding/hex"

	"readout/server/store/scripts"
)

// steps are Go functions that do what the scripts of the same name do: the store
// sends no other ones, and a language in the process for these five would be
// larger than everything else here.
var steps = map[string]step{
	"append":   {(*client).stepAppend, 1, 4},
	"claim":    {(*client).stepClaim, 1, 2},
	"delete":   {(*client).stepDelete, 3, 1},
	"describe": {(*client).stepDescribe, 1, 1},
	"forget":   {(*client).stepForget, 2, 2},
}

// step is one of them, and how many keys and arguments it takes at least.
type step struct {
	run        func(c *client, keys, args [][]byte)
	keys, args int
}

const errArguments = "ERR the script was called with other arguments than it takes"

// stepBySHA finds a step by the SHA-1 of its script's text, as EVALSHA names it.
// A text that was changed is not known any more, until its function follows.
var stepBySHA = func() map[string]step {
	known := map[string]step{}
	for name, step := range steps {
		known[shaOf(scripts.Text(name))] = step
	}
	return known
}()

func shaOf(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func (c *client) evalSHA(args [][]byte) {
	c.step(lower(args[1]), args, "NOSCRIPT No matching script. Please use EVAL.")
}

func (c *client) eval(args [][]byte) {
	c.step(shaOf(string(args[1])), args, "ERR this store runs no scripts but those of Readout")
}

func (c *client) step(sha string, args [][]byte, unknown string) {
	step, known := stepBySHA[sha]
	if !known {
		c.fail(unknown)
		return
	}
	count, ok := parseInt(args[2])
	if !ok || count < 0 || count > int64(len(args)-3) {
		c.fail("ERR Number of keys can't be greater than number of args")
		return
	}
	keys, rest := args[3:3+count], args[3+count:]
	switch {
	case len(keys) < step.keys || len(rest) < step.args:
		c.fail(errArguments)
	case !c.db.writable():
		c.fail(errDisk)
	default:
		defer c.db.together()()
		step.run(c, keys, rest)
	}
}

// stepText is text for a script: what the key holds, nil for nothing.
func (c *client) stepText(name []byte) (value []byte, ok bool) {
	_, value, ok = c.text(name)
	return value, ok
}

func (c *client) stepAppend(keys, args [][]byte) {
	life, _ := parseInt(args[1])
	most, _ := parseInt(args[2])
	claim, ok := parseInt(args[3])
	if !ok || claim < 0 || claim > int64(len(keys)) {
		c.fail(errArguments)
		return
	}
	if claim > 0 && !c.claims(keys[claim-1], args[0], life) {
		return
	}
	seen, ok := c.stepText(keys[0])
	if !ok {
		return
	}
	if seen != nil {
		if string(seen[:min(64, len(seen))]) != string(args[0]) {
			c.fail("CONFLICT the key stands for another body")
			return
		}
		c.out = appendBulk(c.out, seen[min(65, len(seen)):])
		return
	}
	for _, name := range keys[max(1, claim):] {
		if k := c.db.get(name); k != nil && kindOf(k) != "stream" {
			c.fail("WRONGTYPE a key of a stream holds a " + kindOf(k))
			return
		}
		if !c.db.room(name) {
			c.fail(errFull)
			return
		}
	}
	var answer []byte
	for at := 4; at+2 < len(args); {
		place, _ := parseInt(args[at])
		count, _ := parseInt(args[at+2])
		if place <= max(1, claim) || place > int64(len(keys)) || count < 2 || count%2 != 0 || at+3+int(count) > len(args) {
			c.fail(errArguments)
			return
		}
		name := keys[place-1]
		var last id
		k := c.db.get(name)
		if k != nil {
			last = k.value.(*stream).last
		}
		stamp, _ := newID(id{}, noID, last)
		c.db.append(k, name, stamp, args[at+3:at+3+int(count)], trimming{most: most, roughly: true, asked: true})
		if len(answer) > 0 {
			answer = append(answer, ' ')
		}
		answer = append(append(stamp.append(answer), ' '), args[at+1]...)
		at += 3 + int(count)
	}
	record := append(append(append([]byte(nil), args[0]...), ' '), answer...)
	c.db.set(keys[0], record, nowMs()+life, false)
	c.out = appendBulk(c.out, answer)
}

// claims makes the claim of a body, and is false when the key stands for another
// one, which the client has been told.
func (c *client) claims(name, body []byte, life int64) bool {
	held, ok := c.stepText(name)
	switch {
	case !ok:
		return false
	case held == nil:
		c.db.set(name, body, nowMs()+life, false)
	case string(held) != string(body):
		c.fail("CONFLICT the key stands for another body")
		return false
	}
	return true
}

func (c *client) stepClaim(keys, args [][]byte) {
	body, ok := c.stepText(keys[0])
	switch {
	case !ok:
	case body == nil:
		life, _ := parseInt(args[1])
		c.db.set(keys[0], args[0], nowMs()+life, false)
		c.out = appendInt(c.out, 1)
	case string(body) == string(args[0]):
		c.out = appendInt(c.out, 1)
	default:
		c.out = appendInt(c.out, 0)
	}
}

func (c *client) stepDelete(keys, args [][]byte) {
	k, h, ok := c.hash(keys[0])
	if !ok {
		return
	}
	row, there := h[string(args[0])]
	gone := false
	for i, name := range keys[1:3] {
		if key := c.db.get(name); key != nil {
			c.db.remove(key)
			gone = gone || i == 0
		}
	}
	switch {
	case there:
		c.db.deleteFields(k, args[:1])
		c.out = appendBulk(c.out, row)
	case gone:
		c.out = appendBulk(c.out, "")
	default:
		c.out = appendInt(c.out, 0)
	}
}

func (c *client) stepDescribe(keys, args [][]byte) {
	if len(args) < 1+4*(len(keys)-1) {
		c.fail(errArguments)
		return
	}
	_, h, ok := c.hash(keys[0])
	if !ok {
		return
	}
	life, _ := parseInt(args[0])
	c.out = appendArray(c.out, len(keys)-1)
	for i, epochKey := range keys[1:] {
		at := 1 + 4*i
		topic, before, after, epoch := args[at], args[at+1], args[at+2], args[at+3]
		row := h[string(topic)]
		if string(row) != string(before) && string(row) != string(after) {
			c.out = appendBulk(c.out, row)
			continue
		}
		if string(row) != string(after) {
			c.db.setFields(keys[0], [][]byte{topic, after})
			_, h, _ = c.hash(keys[0]) // it may be new
		}
		if c.db.get(epochKey) == nil {
			c.db.set(epochKey, epoch, nowMs()+life, false)
		}
		c.out = appendInt(c.out, 1)
	}
}

func (c *client) stepForget(keys, args [][]byte) {
	k, h, ok := c.hash(keys[0])
	if !ok {
		return
	}
	n := int64(0)
	if row, there := h[string(args[0])]; c.db.get(keys[1]) == nil && there && string(row) == string(args[1]) {
		n = c.db.deleteFields(k, args[:1])
	}
	c.out = appendInt(c.out, n)
}
