package embedded

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"runtime/debug"
	"strings"
)

// client is one connection: what it has asked for and what it has not been sent yet.
type client struct {
	db          *db
	conn        net.Conn
	gone        <-chan struct{} // closed when nobody waits for an answer any more
	out         []byte
	waits       *reading     // the command before is an XREAD that waits
	transaction *transaction // between MULTI and EXEC
	leaves      bool         // it said QUIT
	name        string
	say         *slog.Logger
	noted       int64 // how far the log must be written before out may be sent
}

// most commands that run before others get the lock.
const turn = 256

// serve answers until the connection ends.
func (c *client) serve() {
	defer func() { _ = c.conn.Close() }()
	defer func() {
		if p := recover(); p != nil { // a mistake of ours ends this connection, not the store
			c.say.Error("panic in the store", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	r := newRequests(c.conn)
	for !c.leaves {
		if err := r.fill(); err != nil {
			return
		}
		for {
			more, err := c.run(r)
			if !c.answer() {
				return
			}
			if errors.Is(err, errProtocol) {
				c.out = appendError(nil, "ERR "+err.Error())
				_, _ = c.conn.Write(c.out)
				return
			}
			if c.waits != nil {
				c.await()
				if !c.answer() {
					return
				}
				more = true
			}
			if !more || c.leaves {
				break
			}
		}
	}
}

// run executes commands that have come, until there are none, until others have
// waited long enough, or until one waits.
func (c *client) run(r *requests) (more bool, err error) {
	c.db.mu.Lock()
	defer c.db.mu.Unlock()
	if l := c.db.log; l != nil {
		before := l.noted
		defer func() {
			if l.noted != before {
				c.noted = l.noted
			}
		}()
	}
	for range turn {
		words, err := r.next()
		if err != nil || len(words) == 0 {
			return false, err
		}
		c.execute(words)
		if c.waits != nil || c.leaves {
			return true, nil
		}
	}
	return true, nil
}

// answer sends what is answered, once the log holds what it speaks of. When it
// does not, nobody knows whether it will: the connection ends without a word.
func (c *client) answer() bool {
	if len(c.out) == 0 {
		return true
	}
	if c.db.log != nil {
		if err := c.db.log.commit(c.noted); err != nil {
			return false
		}
	}
	_, err := c.conn.Write(c.out)
	if cap(c.out) > keep {
		c.out = nil
	}
	c.out = c.out[:0]
	return err == nil
}

// fail answers with an error. Its text begins with a code.
func (c *client) fail(text string) {
	c.db.stats.Errors++
	if c.transaction != nil && !c.transaction.running {
		c.transaction.broken = true
	}
	c.out = appendError(c.out, text)
}

// serveAll serves what a listener accepts, for redis-cli and other programs.
func (s *Server) serveAll(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return // it is closed
		}
		s.serve(conn, s.done)
	}
}

func upper(word []byte) string { return strings.ToUpper(string(word)) }
func lower(word []byte) string { return strings.ToLower(string(word)) }

// clip makes a word of a client fit for an error, as Redis does.
func clip(word []byte) string {
	word, _, _ = bytes.Cut(word, []byte{0})
	return string(word[:min(len(word), 128)])
}
