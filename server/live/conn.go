package live

//lint:file-ignore SA1019 The mission names nhooyr.io/websocket; github.com/coder/websocket, its maintained
// successor, has the same API. This is the only file that imports it, so that changing over is one line.

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"nhooyr.io/websocket"

	"readout/server/problem"
)

// Subprotocol is what a socket speaks.
const Subprotocol = "readout.v1"

const (
	writeWait  = 5 * time.Second // no progress of a write for this long ends the socket
	closeWait  = time.Second     // how long a viewer has to answer a close
	sendBuffer = 64 << 10        // bytes the kernel may hold for a viewer that does not read
	pingsAMin  = 240             // more pings a minute than this are a flood
	frameText  = 0x81            // FIN and opcode text
	opClose    = 0x88
	opPong     = 0x8a
)

// Conn is one accepted socket. The library does the handshake, reads, answers
// pings and closes; readings are written beside it, because a broadcast frame is
// the same bytes for everyone and the library would copy and flush each alone.
// That is sound as long as every data frame takes this way: the library then
// only writes control frames, each in one Write.
type Conn struct {
	ws  *websocket.Conn
	out *out
}

// out is the connection under the library: one frame, one Write, one lock.
type out struct {
	net.Conn
	started time.Time

	// turn guards the fields below and holds frames apart: who writes has its one
	// place. A channel and not a mutex, because one may wait here for as long as a
	// viewer does not read, and the clock of a test stands still behind a mutex.
	turn   chan struct{}
	buffer []byte
	pings  int64 // answered since started
	closed bool  // a close frame was sent: nothing may follow
}

// flooded says that the viewer pings without measure. The caller has the turn.
func (o *out) flooded() bool {
	minutes := 1 + int64(time.Since(o.started)/time.Minute)
	return o.pings > pingsAMin*minutes
}

// Write is what the library writes with: control frames, each at once.
func (o *out) Write(frame []byte) (int, error) {
	o.turn <- struct{}{}
	defer func() { <-o.turn }()
	if o.closed {
		return len(frame), nil // the answer to the viewer's close, after ours
	}
	if len(frame) > 0 {
		switch frame[0] {
		case opClose:
			o.closed = true
		case opPong:
			// The library answers pings inside its read, without end. Only a read that
			// fails brings a flood to the one who reads, and the connection must live
			// on for the close frame: after a failed write the library would end it.
			if o.pings++; o.flooded() {
				return len(frame), o.SetReadDeadline(time.Now())
			}
		}
	}
	return o.write(frame)
}

func (o *out) write(b []byte) (int, error) {
	if err := o.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return 0, err
	}
	return o.Conn.Write(b)
}

// upgrader hands the library a connection that it shares with out, and small
// buffers: what it writes are control frames of at most 127 bytes.
type upgrader struct {
	http.ResponseWriter
	out *out
}

func (u *upgrader) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(u.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	boundBuffer(conn)
	u.out = &out{Conn: conn, started: time.Now(), turn: make(chan struct{}, 1)}
	early, err := rw.Reader.Peek(rw.Reader.Buffered()) // what came with the handshake
	if err != nil {
		return nil, nil, err
	}
	const small = 256
	from := io.Reader(u.out)
	if len(early) > 0 {
		from = io.MultiReader(bytes.NewReader(bytes.Clone(early)), u.out)
	}
	// The library peeks what is buffered and reads on from the connection, so the
	// early bytes must lie in the new reader's buffer.
	reader := bufio.NewReaderSize(from, max(small, len(early)))
	if len(early) > 0 {
		if _, err := reader.Peek(len(early)); err != nil {
			return nil, nil, err
		}
	}
	return u.out, bufio.NewReadWriter(reader, bufio.NewWriterSize(u.out, small)), nil
}

// boundBuffer bounds what the kernel holds for a viewer: without it one that does
// not read costs megabytes.
func boundBuffer(conn net.Conn) {
	if outer, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS, or late deadlines
		conn = outer.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer)
	}
}

// checkHandshake refuses what is not a WebSocket handshake, with a code of the table.
func checkHandshake(r *http.Request) error {
	switch {
	case r.Method != http.MethodGet:
		return problem.New("upgrade_required", "a socket is opened by GET")
	case !r.ProtoAtLeast(1, 1) || r.ProtoMajor > 1:
		return problem.New("upgrade_required", "a socket needs HTTP/1.1, not %s", r.Proto)
	case !hasToken(r.Header, "Connection", "upgrade") || !hasToken(r.Header, "Upgrade", "websocket"):
		return problem.New("upgrade_required", "this address is a WebSocket; the request has no Upgrade: websocket")
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		return problem.New("upgrade_required", "Sec-WebSocket-Version must be 13")
	case !hasKey(r.Header.Values("Sec-WebSocket-Key")):
		return problem.New("bad_request", "the handshake needs one Sec-WebSocket-Key of 16 bytes in base64")
	}
	return nil
}

// hasKey checks what the library would refuse with a text instead of a code.
func hasKey(values []string) bool {
	const size = 16
	if len(values) != 1 {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(values[0]))
	return err == nil && len(key) == size
}

// offers reports whether the handshake offers the protocol of this package.
func offers(r *http.Request) bool { return hasToken(r.Header, "Sec-WebSocket-Protocol", Subprotocol) }

func hasToken(h http.Header, key, token string) bool {
	for _, line := range h.Values(key) {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// accept upgrades a request whose handshake and origin are checked. After an
// error the answer is written.
func accept(w http.ResponseWriter, r *http.Request) (*Conn, error) {
	u := &upgrader{ResponseWriter: w}
	ws, err := websocket.Accept(u, r, &websocket.AcceptOptions{
		Subprotocols:       []string{Subprotocol},
		InsecureSkipVerify: true, // Origin is checked before, against scheme, host and port; the library sees only the host
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		return nil, err
	}
	return &Conn{ws: ws, out: u.out}, nil
}

// SetReadLimit bounds one message, in bytes after inflation.
func (c *Conn) SetReadLimit(bytes int64) { c.ws.SetReadLimit(bytes) }

// Read returns the next text message. The error is a *codeError when the viewer
// broke the protocol, so that it is told how, and io.EOF after its own close.
func (c *Conn) Read(ctx context.Context) ([]byte, error) {
	kind, message, err := c.ws.Read(ctx)
	switch {
	case err == nil && kind != websocket.MessageText:
		return nil, &codeError{codeUnsupported, "send text messages"}
	case err == nil && !utf8.Valid(message):
		return nil, &codeError{codeBadUTF8, "a text message must be UTF-8"}
	case err == nil:
		return message, nil
	case websocket.CloseStatus(err) != -1: // the viewer's own close
		return nil, io.EOF
	case c.flooded():
		return nil, &codeError{codePolicy, "too many pings"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, context.Canceled):
		return nil, err
	case strings.Contains(err.Error(), "read limited at"):
		return nil, &codeError{codeTooBig, "the message is too large"}
	default:
		var network net.Error
		if errors.As(err, &network) {
			return nil, err
		}
		return nil, &codeError{codeProtocol, "protocol error"}
	}
}

func (c *Conn) flooded() bool {
	c.out.turn <- struct{}{}
	defer func() { <-c.out.turn }()
	return c.out.flooded()
}

// WriteFrames sends messages in one Write.
func (c *Conn) WriteFrames(messages [][]byte) error {
	o := c.out
	o.turn <- struct{}{}
	defer func() { <-o.turn }()
	if o.closed {
		return net.ErrClosed
	}
	b := o.buffer[:0]
	for _, m := range messages {
		b = append(appendHeader(b, len(m)), m...)
	}
	const keep = 4 << 10 // a larger buffer is for the next garbage collection
	if o.buffer = b; cap(b) > keep {
		o.buffer = nil
	}
	_, err := o.write(b)
	return err
}

// appendHeader writes the header of a whole, unmasked text frame.
func appendHeader(b []byte, size int) []byte {
	switch {
	case size < 126:
		return append(b, frameText, byte(size))
	case size < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, frameText, 126), uint16(size))
	default:
		return binary.BigEndian.AppendUint64(append(b, frameText, 127), uint64(size))
	}
}

// Ping returns when the viewer has answered. It needs a Read under way.
func (c *Conn) Ping(ctx context.Context) error { return c.ws.Ping(ctx) }

// Close tells the viewer why, gives it a moment to answer, and ends the
// connection. read is closed when the goroutine that reads has ended.
func (c *Conn) Close(code int, reason string, read <-chan struct{}) {
	if c.sendClose(code, reason) == nil && c.out.SetReadDeadline(time.Now().Add(closeWait)) == nil {
		<-read
		// What the viewer still sends is read: closing over unread bytes would
		// reset the connection, and the close frame with its reason would be lost.
		const most = 4 << 20
		_, _ = io.Copy(io.Discard, io.LimitReader(c.out.Conn, most))
	}
	_ = c.ws.CloseNow()
}

// Drop ends the connection without a word: a part of a frame may be on its way.
func (c *Conn) Drop() { _ = c.ws.CloseNow() }

func (c *Conn) sendClose(code int, reason string) error {
	const most = 123 // bytes that a control frame has left for the reason
	if len(reason) > most {
		reason = reason[:most]
	}
	o := c.out
	o.turn <- struct{}{}
	defer func() { <-o.turn }()
	if o.closed {
		return nil // the library has told it already
	}
	o.closed = true
	b := append(make([]byte, 0, 2+2+len(reason)), opClose, byte(2+len(reason)))
	b = append(binary.BigEndian.AppendUint16(b, uint16(code)), reason...)
	_, err := o.write(b)
	if err != nil {
		return fmt.Errorf("close frame: %w", err)
	}
	return nil
}
