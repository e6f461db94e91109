// Package live carries a subscriber's frames to a viewer: over a WebSocket at
// /live and as Server-Sent Events. It decides nothing about readings; the hub does.
package live

import (
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"readout/server/hub"
	"readout/server/reading"
)

// Viewer is who opened a connection. Can says whether it may view a topic; a
// nil Can means that it has shown no token yet and needs to.
type Viewer struct {
	Can     func(reading.Topic) error
	Expires time.Time // zero for never
}

// Options are what Live needs; all functions are required.
type Options struct {
	Hub    *hub.Hub
	Viewer func(r *http.Request) (Viewer, error) // from the handshake
	Hello  func(token string) (Viewer, error)    // from a first message
	Origin func(r *http.Request) error           // refuses pages of other sites

	Replica string
	Logger  *slog.Logger
}

// Stats are counters for /metrics.
type Stats struct {
	Open   int64         // connections now
	Panics int64         // mistakes of ours that ended one socket
	Closed map[int]int64 // sockets ended, by close code; 1006 for those that went without a word
}

// Live serves the connections of viewers.
type Live struct {
	o       Options
	open    atomic.Int64
	unknown atomic.Int64 // sockets that have not said hello
	closed  codeCounts
	panics  atomic.Int64
	sockets sync.WaitGroup
}

// New returns a Live.
func New(o Options) *Live { return &Live{o: o} }

// Wait returns when every socket has ended; the hub ends them. http.Server.Shutdown
// neither closes nor waits for them.
func (l *Live) Wait() { l.sockets.Wait() }

// Stats returns the counters.
func (l *Live) Stats() Stats {
	return Stats{Open: l.open.Load(), Panics: l.panics.Load(), Closed: l.closed.snapshot()}
}
