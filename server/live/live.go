// Package live carries a subscriber's frames to a viewer: over a WebSocket at
// /live, as Server-Sent Events, or in the answers of long polls. It decides
// nothing about readings; the hub does.
package live

import (
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"readout/server/hub"
	"readout/server/problem"
	"readout/server/reading"
)

// transport is a way by which frames reach a viewer.
type transport int

const (
	webSocket transport = iota
	eventStream
	longPoll
)

// transportNames are the transports as viewers and metrics name them.
var transportNames = [...]string{webSocket: "websocket", eventStream: "sse", longPoll: "poll"}

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

	Ping    time.Duration // how long a connection may be silent before the server says something; default 20 s
	Replica string
	Logger  *slog.Logger
}

// Stats are counters for /metrics.
type Stats struct {
	Open       int64         // connections now
	Panics     int64         // mistakes of ours that ended one socket
	Closed     map[int]int64 // sockets and event streams ended, by close code; 1006 for those that went without a word
	Transports []TransportStats
	Reported   Reported
}

// TransportStats are the connections of one transport.
type TransportStats struct {
	Name    string // websocket, sse or poll
	Open    int64  // connections now
	Resumes int64  // how often viewers came back by it, as they report
}

// Live serves the connections of viewers.
type Live struct {
	o       Options
	open    [len(transportNames)]atomic.Int64
	unknown atomic.Int64 // sockets that have not said hello
	closed  codeCounts
	panics  atomic.Int64
	sockets sync.WaitGroup
	reports reports
}

// New returns a Live.
func New(o Options) *Live {
	if o.Ping == 0 {
		o.Ping = pingUsually
	}
	return &Live{o: o}
}

// Wait returns when every socket has ended; the hub ends them. http.Server.Shutdown
// neither closes nor waits for them.
func (l *Live) Wait() { l.sockets.Wait() }

// Stats returns the counters.
func (l *Live) Stats() Stats {
	s := Stats{Panics: l.panics.Load(), Closed: l.closed.snapshot(), Reported: l.reports.snapshot()}
	for by, name := range transportNames {
		open := l.open[by].Load()
		s.Open += open
		s.Transports = append(s.Transports, TransportStats{name, open, l.reports.resumes[by].Load()})
	}
	return s
}

// admit lets a viewer in whose request itself says who it is: over plain HTTP
// there is no hello.
func (l *Live) admit(r *http.Request) (Viewer, error) {
	if err := l.o.Origin(r); err != nil {
		return Viewer{}, err
	}
	viewer, err := l.o.Viewer(r)
	if err == nil && viewer.Can == nil {
		err = problem.New("unauthorized", "send Authorization: Bearer with a token that may view")
	}
	return viewer, err
}

// join makes a subscriber of a viewer that was admitted. It ends with the
// viewer's token; leave gives it up.
func (l *Live) join(v Viewer, by transport) (s *hub.Subscriber, leave func()) {
	l.open[by].Add(1)
	s = l.o.Hub.Join(v.Can)
	expiry := expire(s, v.Expires)
	return s, func() {
		if expiry != nil {
			expiry.Stop()
		}
		s.Leave()
		l.open[by].Add(-1)
	}
}

// expire closes a subscriber when its viewer's token ends; nil for one that never does.
func expire(s *hub.Subscriber, at time.Time) *time.Timer {
	if at.IsZero() {
		return nil
	}
	return time.AfterFunc(time.Until(at), func() { s.Close(hub.Closed{Code: codeExpired, Reason: "the token has expired"}) })
}
