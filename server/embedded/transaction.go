package embedded

import "slices"

// transaction is what a client has queued between MULTI and EXEC.
type transaction struct {
	queued  [][][]byte
	broken  bool // a command was refused: EXEC refuses all
	running bool
}

func (*transaction) leads(word []byte) bool {
	switch upper(word) {
	case "EXEC", "DISCARD", "MULTI", "QUIT":
		return true
	}
	return false
}

// queue keeps a command; its words lie in a buffer that is used again.
func (t *transaction) queue(words [][]byte) {
	kept := make([][]byte, len(words))
	for i, w := range words {
		kept[i] = slices.Clone(w)
	}
	t.queued = append(t.queued, kept)
}

func (c *client) multi([][]byte) {
	if c.transaction != nil {
		c.out = appendError(c.out, "ERR MULTI calls can not be nested")
		return
	}
	c.transaction = &transaction{}
	c.out = append(c.out, replyOK...)
}

func (c *client) discard([][]byte) {
	if c.transaction == nil {
		c.fail("ERR DISCARD without MULTI")
		return
	}
	c.transaction = nil
	c.out = append(c.out, replyOK...)
}

func (c *client) exec([][]byte) {
	t := c.transaction
	if t == nil {
		c.fail("ERR EXEC without MULTI")
		return
	}
	defer func() { c.transaction = nil }()
	if t.broken {
		c.out = appendError(c.out, "EXECABORT Transaction discarded because of previous errors.")
		return
	}
	t.running = true
	c.out = appendArray(c.out, len(t.queued))
	defer c.db.together()()
	for _, words := range t.queued {
		c.execute(words)
	}
}
