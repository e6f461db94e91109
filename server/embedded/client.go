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
	gone        <-chan struct{} // closed when nobody waits for an answer any more
	out         []byte
	waits       *wait        // the command before is an XREAD that waits
	transaction *transaction // between MULTI and EXEC
	leaves      bool         // it said QUIT
	name        string
	say         *slog.Logger
	noted       int64 // how far the log must be written before out may be sent
	forced      bool  // it must be on the disk too
}

// most commands that run before others get the lock.
const turn = 256

// serve answers a connection until it ends.
func (c *client) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	defer c.stopWaiting()
	r := newRequests(conn)
	for more := false; !c.leaves; {
		if !more && r.fill() != nil {
			return
		}
		var err error
		more, err = c.guarded(r)
		if errors.Is(err, errPanic) || !c.answer(conn) {
			return
		}
		if err != nil {
			_, _ = conn.Write(appendError(nil, "ERR "+err.Error()))
			return
		}
		if c.waits != nil && (c.await(nil, nil) != nil || !c.answer(conn)) {
			return
		}
	}
}

// errPanic says that a command had a mistake of ours.
var errPanic = errors.New("panic in the store")

// guarded is run. A mistake of ours ends this connection, not the store.
func (c *client) guarded(r *requests) (more bool, err error) {
	defer c.rescue(&err)
	return c.run(r)
}

// rescue is deferred: a panic becomes an error.
func (c *client) rescue(err *error) {
	if p := recover(); p != nil {
		c.say.Error(errPanic.Error(), "panic", p, "stack", string(debug.Stack()))
		*err = errPanic
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

// answer sends what is answered.
func (c *client) answer(conn net.Conn) bool {
	if c.commit() != nil {
		return false
	}
	if len(c.out) == 0 {
		return true
	}
	_, err := conn.Write(c.out)
	c.sent()
	return err == nil
}

// committed reports whether the log holds what is answered. It waits for nobody.
func (c *client) committed() bool {
	l := c.db.log
	return l == nil || len(c.out) == 0 || !c.forced && l.holds(c.noted)
}

// commit returns when the log holds what is answered. When it does not, nobody
// knows whether it will: the connection ends without a word.
func (c *client) commit() error {
	if c.committed() {
		return nil
	}
	if c.forced {
		c.forced = false
		return c.db.log.sync(c.noted)
	}
	return c.db.log.commit(c.noted)
}

// sent makes room for further answers.
func (c *client) sent() {
	if cap(c.out) > keep {
		c.out = nil
	}
	c.out = c.out[:0]
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
		s.serve(conn)
	}
}

// is compares as Redis does, without regard to case.
func is(word []byte, name string) bool {
	return len(word) == len(name) && strings.EqualFold(string(word), name)
}

func upper(word []byte) string { return strings.ToUpper(string(word)) }
func lower(word []byte) string { return strings.ToLower(string(word)) }

// clip makes a word of a client fit for an error, as Redis does.
func clip(word []byte) string {
	word, _, _ = bytes.Cut(word, []byte{0})
	return string(word[:min(len(word), 128)])
}
