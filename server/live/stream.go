package live

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"readout/server/hub"
	"readout/server/reading"
)

// Stream serves POST /live/sse: what a socket is sent, as Server-Sent Events, for
// viewers whose way here lets no WebSocket through.
func (l *Live) Stream(w http.ResponseWriter, r *http.Request) error {
	viewer, err := l.admit(r)
	if err != nil {
		return err
	}
	wants, err := l.requests(w, r)
	if err != nil {
		return err
	}
	subscriber, leave := l.join(viewer, eventStream)
	defer leave()
	subscriber.Send(hub.Welcome(l.o.Replica, time.Now(), l.o.Hub.Limits()))
	for _, want := range wants {
		subscriber.Subscribe(want)
	}
	l.stream(r.Context(), newEvents(w, r), subscriber)
	return nil
}

// stream sends events until the subscriber ends or its viewer goes away.
func (l *Live) stream(ctx context.Context, out *events, subscriber *hub.Subscriber) {
	code := codeCut
	defer func() { l.closed.add(code) }()
	out.begin()
	for {
		wait, cancel := context.WithTimeout(ctx, l.o.Ping*3/4)
		frames, err := subscriber.Next(wait)
		cancel()
		var closed *hub.Closed
		switch {
		case errors.As(err, &closed):
			code = closed.Code
			_ = out.close(closed)
			return
		case ctx.Err() != nil:
			return
		case err != nil:
			err = out.comment()
		default:
			err = out.frames(frames)
		}
		if err != nil {
			return
		}
	}
}

// connKey is where the connection of a request lies in its context.
type connKey struct{}

// KeepConn is http.Server's ConnContext: event streams need their connection.
func KeepConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}

// events is an event stream that is written.
type events struct {
	w       http.ResponseWriter
	control *http.ResponseController
	ids     bool // each event has its frame's cursor as id, which browsers send back as Last-Event-ID
	buffer  []byte
}

func newEvents(w http.ResponseWriter, r *http.Request) *events {
	if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok {
		boundBuffer(conn)
	}
	return &events{w: w, control: http.NewResponseController(w)}
}

// begin sends the head of the answer.
func (e *events) begin() {
	_ = e.control.SetReadDeadline(time.Time{}) // the request is read; what bounds bodies must not end the stream
	h := e.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	e.w.WriteHeader(http.StatusOK)
}

// frames sends an event for each frame, which is one line of JSON.
func (e *events) frames(frames [][]byte) error {
	b := e.buffer[:0]
	for _, frame := range frames {
		if id := cursorOf(frame); e.ids && id != nil {
			b = append(append(append(b, "id: "...), id...), '\n')
		}
		b = append(append(append(b, "data: "...), frame...), "\n\n"...)
	}
	const keep = 4 << 10 // a larger buffer is for the next garbage collection
	if e.buffer = b; cap(b) > keep {
		e.buffer = nil
	}
	return e.write(b)
}

// comment keeps proxies from cutting a stream that is silent.
func (e *events) comment() error { return e.write([]byte(": still here\n\n")) }

// close tells the viewer why the stream ends and when to come back.
func (e *events) close(c *hub.Closed) error {
	return e.write(append(appendClose([]byte("event: close\ndata: "), c), "\n\n"...))
}

func (e *events) write(b []byte) error {
	if err := writePieces(e.w, e.control, b); err != nil {
		return err
	}
	return e.control.Flush()
}

// appendClose writes what a close frame is to a socket.
func appendClose(b []byte, c *hub.Closed) []byte {
	b = strconv.AppendInt(append(b, `{"code":`...), int64(c.Code), 10)
	b = reading.AppendJSONString(append(b, `,"reason":`...), c.Reason)
	b = strconv.AppendInt(append(b, `,"retry_ms":`...), c.Retry.Milliseconds(), 10)
	return append(b, '}')
}

// writePieces writes as long as the viewer takes something: a thin line may need
// long for all of it, and one that stands still is given up.
func writePieces(w http.ResponseWriter, control *http.ResponseController, b []byte) error {
	const piece = 16 << 10
	for len(b) > 0 {
		n := min(len(b), piece)
		// A recorder has no deadlines, and nobody who does not read.
		_ = control.SetWriteDeadline(time.Now().Add(writeWait))
		if _, err := w.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
