package servertest

//lint:file-ignore SA1019 See server/live/conn.go.

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"nhooyr.io/websocket"
)

// Socket is a viewer's WebSocket. It proves the chain of every topic as it reads.
type Socket struct {
	s    *Server
	conn *websocket.Conn
	*Chain
	got int64 // bytes of frames
}

// Dial opens a socket and reads its welcome. Headers are name, value, name, value.
func (s *Server) Dial(headers ...string) *Socket {
	s.tb.Helper()
	socket, answer, err := s.TryDial(headers...)
	if err != nil {
		s.tb.Fatalf("dial: %v (%v)", err, answer)
	}
	if f := socket.Read(); f.Type != "welcome" {
		s.tb.Fatalf("first frame: %s", f.Raw)
	}
	return socket
}

// TryDial opens a socket or returns why that failed.
func (s *Server) TryDial(headers ...string) (*Socket, *http.Response, error) {
	s.tb.Helper()
	h := http.Header{}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Add(headers[i], headers[i+1])
	}
	o := &websocket.DialOptions{HTTPClient: s.Client, HTTPHeader: h, Subprotocols: []string{"readout.v1"}}
	conn, answer, err := websocket.Dial(s.tb.Context(), "ws"+strings.TrimPrefix(s.URL, "http")+"/live", o)
	if err != nil {
		return nil, answer, err
	}
	conn.SetReadLimit(64 << 20)
	s.tb.Cleanup(func() { _ = conn.CloseNow() })
	return &Socket{s: s, conn: conn, Chain: NewChain(nil)}, answer, nil
}

// Send sends a message as it is.
func (c *Socket) Send(message string) {
	c.s.tb.Helper()
	if err := c.conn.Write(c.s.tb.Context(), websocket.MessageText, []byte(message)); err != nil {
		c.s.tb.Fatalf("send %s: %v", message, err)
	}
}

// SendBinary sends a binary message.
func (c *Socket) SendBinary(message []byte) error {
	return c.conn.Write(c.s.tb.Context(), websocket.MessageBinary, message)
}

// TrySend sends a message to a server that may have hung up.
func (c *Socket) TrySend(message string) error {
	return c.conn.Write(c.s.tb.Context(), websocket.MessageText, []byte(message))
}

// Subscribe subscribes topics and selectors, with id 1.
func (c *Socket) Subscribe(topics ...string) {
	c.s.tb.Helper()
	list, _ := json.Marshal(topics)
	c.Send(fmt.Sprintf(`{"type":"subscribe","id":1,"topics":%s}`, list))
}

// SubscribeAfter subscribes one topic after a cursor.
func (c *Socket) SubscribeAfter(topic, cursor string) {
	c.s.tb.Helper()
	c.SubscribeTo(Subscription{Topics: []string{topic}, After: map[string]string{topic: cursor}})
}

// SubscribeTo subscribes; the chain goes on after the cursors of what is wanted.
func (c *Socket) SubscribeTo(want Subscription) {
	c.s.tb.Helper()
	if err := c.TrySubscribe(want); err != nil {
		c.s.tb.Fatalf("subscribe: %v", err)
	}
}

// TrySubscribe subscribes at a server that may have hung up.
func (c *Socket) TrySubscribe(want Subscription) error {
	maps.Copy(c.last, want.After)
	return c.TrySend(want.message("subscribe"))
}

// Read returns the next frame and fails the test if the chain of its topic breaks.
func (c *Socket) Read() Frame {
	c.s.tb.Helper()
	f, err := c.TryRead(c.s.tb.Context())
	if err != nil {
		c.s.tb.Fatalf("read: %v", err)
	}
	return f
}

// ReadType reads frames until one has the type, and returns it.
func (c *Socket) ReadType(kind string) Frame {
	c.s.tb.Helper()
	for {
		if f := c.Read(); f.Type == kind {
			return f
		}
	}
}

// TryRead returns the next frame, an error when the socket ends, or a broken chain.
func (c *Socket) TryRead(ctx context.Context) (Frame, error) {
	_, message, err := c.conn.Read(ctx)
	if err != nil {
		return Frame{}, err
	}
	c.got += int64(len(message))
	f, err := decodeFrame(message)
	if err != nil {
		return f, err
	}
	return f, c.Follow(f)
}

// Ack tells the server what was read.
func (c *Socket) Ack() {
	c.s.tb.Helper()
	c.Send(fmt.Sprintf(`{"type":"ack","bytes":%d}`, c.got))
}

// Closed reads until the server closes and returns its close code, -1 if it hung up without one.
func (c *Socket) Closed() int {
	c.s.tb.Helper()
	ctx, cancel := context.WithTimeout(c.s.tb.Context(), 2*time.Minute)
	defer cancel()
	for {
		if _, err := c.TryRead(ctx); err != nil {
			return int(websocket.CloseStatus(err))
		}
	}
}

// Close closes the socket as a viewer does.
func (c *Socket) Close() { _ = c.conn.Close(websocket.StatusNormalClosure, "") }

// Cut ends the connection without a word.
func (c *Socket) Cut() { _ = c.conn.CloseNow() }
