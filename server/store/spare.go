package store

import (
	"time"

	"github.com/redis/go-redis/v9"
)

const spareFor = 100 * time.Millisecond // how long a connection is kept aside

// spare is a connection that was of use less than spareFor ago, kept aside for the next
// single command: to take one from the pool, which looks whether it still stands, costs
// as much as the command. Only one to a server in this process stands without a look.
type spare struct {
	conn  *redis.Conn
	since time.Time
}

// spare returns a connection for a single command, and nil where there is none or more
// to send. The caller holds w.mu.
func (w *writer) spare(cmds []*redis.Cmd, now time.Time) *redis.Conn {
	client, single := w.db.(*redis.Client)
	if !single || len(cmds) != 1 || !w.inside() {
		return nil
	}
	if last := len(w.spares) - 1; last >= 0 {
		if now.Sub(w.spares[last].since) < spareFor {
			conn := w.spares[last].conn
			w.spares = w.spares[:last]
			return conn
		}
		old := w.spares // all others are older
		w.spares = nil
		w.spawn(func() {
			for _, s := range old {
				_ = s.conn.Close()
			}
		})
	}
	return client.Conn()
}

// keep keeps a connection aside. The caller holds w.mu.
func (w *writer) keep(conn *redis.Conn, now time.Time) {
	if len(w.spares) < freeFlights {
		w.spares = append(w.spares, spare{conn, now})
	} else {
		w.spawn(func() { _ = conn.Close() })
	}
}
