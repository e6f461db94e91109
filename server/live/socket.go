package live

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"readout/server/hub"
	"readout/server/problem"
	"readout/server/reading"
)

const (
	limitBefore = 16 << 10 // bytes of a message before authentication
	maxUnknown  = 100      // sockets at once that have not said hello

	messageRate  = 20 // messages a second; an ack counts a tenth
	messageBurst = 40
	badMessages  = 10 // bad messages a minute
)

// Socket serves GET /live. Errors before the upgrade are returned, so that they
// get a status; after it they are frames and close codes.
func (l *Live) Socket(w http.ResponseWriter, r *http.Request) error {
	if err := checkHandshake(r); err != nil {
		if p, row := problem.Of(err); row.Status == http.StatusUpgradeRequired {
			w.Header().Set("Upgrade", "websocket")
			w.Header().Set("Sec-WebSocket-Version", "13")
			return p
		}
		return err
	}
	if err := l.o.Origin(r); err != nil {
		return err
	}
	viewer, err := l.o.Viewer(r)
	if err != nil {
		return err
	}
	waits := viewer.Can == nil
	if waits {
		// Only who speaks our protocol can say hello; anyone else is refused here,
		// where a plain HTTP status still tells why.
		if !offers(r) {
			return problem.New("unauthorized", "send a token with the handshake, or offer %s and say hello", Subprotocol)
		}
		if l.unknown.Add(1) > maxUnknown {
			l.unknown.Add(-1)
			return problem.New("limit", "too many sockets wait for hello")
		}
	}
	l.sockets.Add(1)
	defer l.sockets.Done()
	conn, err := accept(w, r)
	if err != nil {
		if waits {
			l.unknown.Add(-1)
		}
		l.o.Logger.Info("socket not accepted", "err", err)
		return nil // the library has answered
	}
	s := &socket{live: l, conn: conn, viewer: viewer, waits: waits, tokens: messageBurst}
	s.subscriber = l.o.Hub.Join(s.can)
	s.serve()
	return nil
}

// socket is one open WebSocket.
type socket struct {
	live       *Live
	conn       *Conn
	subscriber *hub.Subscriber

	mu     sync.Mutex // guards the fields below: hello may change them
	viewer Viewer
	waits  bool // it counts among those that have not said hello
	expiry *time.Timer

	// Only the reading goroutine uses these.
	tokens float64
	filled time.Time
	bad    []time.Time
}

func (s *socket) can(topic reading.Topic) error {
	s.mu.Lock()
	can := s.viewer.Can
	s.mu.Unlock()
	if can == nil {
		return problem.New("unauthorized", "say hello with a token first")
	}
	return can(topic)
}

// serve runs until the socket ends: this goroutine writes, another reads, and a
// timer pings.
func (s *socket) serve() {
	l := s.live
	l.open[webSocket].Add(1)
	defer l.open[webSocket].Add(-1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.conn.SetReadLimit(limitBefore)
	s.admit(s.viewer)
	read := make(chan struct{})
	stopPing := s.pingEvery(ctx)
	closed := &hub.Closed{Code: codeInternal, Reason: "a mistake of this server"}
	defer func() {
		s.caught(recover())
		stopPing()
		l.closed.add(closed.Code)
		if closed.Code == codeCut {
			s.conn.Drop()
		} else {
			s.conn.Close(closed.Code, closed.Reason, read)
		}
		cancel()
		<-read
		s.leave()
		s.subscriber.Leave()
	}()
	s.subscriber.Send(hub.Welcome(l.o.Replica, time.Now(), l.o.Hub.Limits()))

	first := time.AfterFunc(firstMessage, func() {
		s.end(codeSilent, "no first message in 10 s")
	})
	defer first.Stop()
	go func() { // ends when the connection does
		defer close(read)
		defer func() { s.caught(recover()) }()
		s.end(s.read(ctx, first))
	}()
	for {
		frames, err := s.subscriber.Next(ctx)
		if err != nil {
			errors.As(err, &closed)
			return
		}
		if err := s.conn.WriteFrames(frames); err != nil {
			closed = &hub.Closed{Code: codeCut}
			return
		}
	}
}

// caught ends a socket in which something panicked, and that socket alone.
func (s *socket) caught(p any) {
	if p == nil {
		return
	}
	s.live.panics.Add(1)
	s.live.o.Logger.Error("panic in a socket", "panic", p, "stack", string(debug.Stack()))
	s.end(codeInternal, "a mistake of this server")
}

func (s *socket) end(code int, reason string) {
	s.subscriber.Close(hub.Closed{Code: code, Reason: reason})
}

// admit lets a viewer in and ends the socket when its token does.
func (s *socket) admit(v Viewer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.viewer = v
	if s.expiry != nil {
		s.expiry.Stop()
		s.expiry = nil
	}
	if v.Can == nil {
		return
	}
	s.arrived()
	s.conn.SetReadLimit(int64(s.live.o.Hub.Limits().Message))
	s.expiry = expire(s.subscriber, v.Expires)
}

// arrived gives back the place among those that wait for hello. The caller holds s.mu.
func (s *socket) arrived() {
	if s.waits {
		s.waits = false
		s.live.unknown.Add(-1)
	}
}

// leave ends what admit began.
func (s *socket) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrived()
	if s.expiry != nil {
		s.expiry.Stop()
	}
}

// pingEvery pings so that proxies keep the connection and a dead viewer is
// noticed. It has no goroutine of its own while it waits.
func (s *socket) pingEvery(ctx context.Context) (stop func()) {
	var mu sync.Mutex
	stopped := false
	var timer *time.Timer
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(s.live.o.Ping, func() {
		wait, cancel := context.WithTimeout(ctx, pongWait)
		defer cancel()
		if err := s.conn.Ping(wait); err != nil && ctx.Err() == nil {
			s.end(codeSilent, "no pong")
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if !stopped {
			timer.Reset(s.live.o.Ping)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	}
}

// read handles messages until the socket ends and says how it did.
func (s *socket) read(ctx context.Context, first *time.Timer) (code int, reason string) {
	for {
		b, err := s.conn.Read(ctx)
		var broke *codeError
		switch {
		case errors.As(err, &broke):
			return broke.code, broke.reason
		case errors.Is(err, io.EOF):
			return codeNormal, ""
		case err != nil:
			return codeGoingAway, "the connection is gone"
		}
		m, err := decode(b)
		if !s.allow(m.Type) {
			return codePolicy, "more than 20 messages a second"
		}
		if err == nil {
			err = s.handle(m, first)
		}
		if err != nil {
			s.subscriber.Send(hub.ErrorFrame(m.ID, "", err))
			if s.tooBad() {
				return codePolicy, "too many bad messages"
			}
		}
	}
}

func (s *socket) handle(m message, first *time.Timer) error {
	s.mu.Lock()
	known := s.viewer.Can != nil
	s.mu.Unlock()
	if m.Type == "hello" {
		if known { // flows of the earlier token are open: another one begins on another socket
			return problem.New("bad_message", "this socket has shown its token already; reconnect with the other one")
		}
		viewer, err := s.live.o.Hello(m.Token)
		if err != nil {
			return err
		}
		s.admit(viewer)
		first.Stop()
		return nil
	}
	if !known {
		return problem.New("unauthorized", "say hello with a token first")
	}
	first.Stop()
	switch m.Type {
	case "subscribe":
		s.subscriber.Subscribe(m.subscription())
	case "unsubscribe":
		s.subscriber.Unsubscribe(m.ID)
	case "pause":
		s.subscriber.Pause()
	case "resume":
		s.subscriber.Resume()
	case "ack":
		s.subscriber.Ack(m.Bytes)
	}
	return nil
}

// allow is a token bucket.
func (s *socket) allow(kind string) bool {
	now := time.Now()
	if !s.filled.IsZero() {
		s.tokens = min(messageBurst, s.tokens+messageRate*now.Sub(s.filled).Seconds())
	}
	s.filled = now
	if kind == "ack" {
		s.tokens -= 0.1
	} else {
		s.tokens--
	}
	return s.tokens >= 0
}

// tooBad counts a bad message.
func (s *socket) tooBad() bool {
	now := time.Now()
	s.bad = append(s.bad, now)
	for len(s.bad) > 0 && now.Sub(s.bad[0]) > time.Minute {
		s.bad = s.bad[1:]
	}
	return len(s.bad) >= badMessages
}

// codeCounts counts closes by code.
type codeCounts struct {
	mu     sync.Mutex // guards counts
	counts map[int]int64
}

func (c *codeCounts) add(code int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[int]int64{}
	}
	c.counts[code]++
}

func (c *codeCounts) snapshot() map[int]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}
