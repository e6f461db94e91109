package server_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"readout/server"
	"readout/server/access"
	"readout/server/servertest"
)

// The rows B51 to B58 of PROMISES 4: what Readout answers to bad handshakes
// and frames of a socket. Where DESIGN and the row differ, DESIGN
// holds, and a comment says how.

// locked is a server with tokens. secret holds one reading, 12345.
type locked struct {
	*servertest.Server
	view, push, all, shop, expired string // tokens; shop may view shop_*
}

func newLocked(t *testing.T) *locked {
	t.Helper()
	l := &locked{}
	var tokens []access.Token
	mint := func(name string, scopes []access.Action, selector string, expires time.Time) string {
		text, token, err := access.Mint(name, scopes, []string{selector}, expires)
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token)
		return text
	}
	view, push := []access.Action{access.View}, []access.Action{access.Push}
	l.view = mint("view", view, "*", time.Time{})
	l.push = mint("push", push, "*", time.Time{})
	l.all = mint("all", access.Actions, "*", time.Time{})
	l.shop = mint("shop", view, "shop_*", time.Time{})
	l.expired = mint("expired", access.Actions, "*", time.Now().Add(-time.Minute))
	known, err := access.NewTokens(tokens)
	if err != nil {
		t.Fatal(err)
	}
	l.Server = servertest.New(t, &servertest.Options{Change: func(o *server.Options) { o.Tokens = known }})
	if a := l.Do(http.MethodPost, "/t/secret", "12345", "Authorization", "Bearer "+l.push); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return l
}

// handshake is one by the book. A row replaces its headers; an empty value drops one.
func handshake(path string, replace ...string) string {
	headers := [][2]string{
		{"Host", "localhost"}, {"Connection", "Upgrade"}, {"Upgrade", "websocket"},
		{"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
	}
	for i := 0; i+1 < len(replace); i += 2 {
		headers = slices.DeleteFunc(headers, func(h [2]string) bool { return h[0] == replace[i] })
	}
	for i := 0; i+1 < len(replace); i += 2 {
		if replace[i+1] != "" {
			headers = append(headers, [2]string{replace[i], replace[i+1]})
		}
	}
	request := "GET " + path + " HTTP/1.1\r\n"
	for _, h := range headers {
		request += h[0] + ": " + h[1] + "\r\n"
	}
	return request + "\r\n"
}

// wire is a socket without a library: what is sent and read is bytes.
type wire struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// open sends a handshake and returns its answer.
func open(t *testing.T, s *servertest.Server, handshake string) (*wire, *http.Response) {
	t.Helper()
	w := &wire{t: t, conn: s.Raw()}
	w.in = bufio.NewReader(w.conn)
	go func() { _, _ = io.WriteString(w.conn, handshake) }()
	answer, err := http.ReadResponse(w.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return w, answer
}

// send writes bytes without waiting for the server to take them.
func (w *wire) send(b []byte) {
	go func() { _, _ = w.conn.Write(b) }() // ends with the connection
}

// frame reads one frame of the server.
func (w *wire) frame() (opcode byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(w.in, head[:]); err != nil {
		return 0, nil, err
	}
	if head[0]&0xf0 != 0x80 || head[1]&0x80 != 0 {
		w.t.Errorf("the server's frame begins with % x", head)
	}
	size := uint64(head[1])
	var more [8]byte
	switch size {
	case 126:
		_, err = io.ReadFull(w.in, more[6:])
		size = binary.BigEndian.Uint64(more[:])
	case 127:
		_, err = io.ReadFull(w.in, more[:])
		size = binary.BigEndian.Uint64(more[:])
	}
	if err == nil {
		payload = make([]byte, size)
		_, err = io.ReadFull(w.in, payload)
	}
	return head[0] & 0xf, payload, err
}

// closed reads until the server closes and returns the close code, 1005 for a
// close frame without one and 1006 for none.
func (w *wire) closed() int {
	for {
		opcode, payload, err := w.frame()
		switch {
		case err != nil:
			return 1006
		case opcode == 8 && len(payload) < 2:
			return 1005
		case opcode == 8:
			return int(binary.BigEndian.Uint16(payload))
		}
	}
}

// masked is a frame of a viewer; first is the first byte of its header.
func masked(first byte, payload []byte) []byte {
	b := []byte{first}
	switch size := len(payload); {
	case size < 126:
		b = append(b, 0x80|byte(size))
	case size < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(size))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(size))
	}
	mask := [4]byte{0x12, 0x34, 0x56, 0x78}
	b = append(b, mask[:]...)
	for i, c := range payload {
		b = append(b, c^mask[i%4])
	}
	return b
}

func text(message string) []byte { return masked(0x81, []byte(message)) }

// B51 to B54.
func TestBadHandshakes(t *testing.T) {
	const protocol, origin = "Sec-WebSocket-Protocol", "Origin"
	public := func(o *server.Options) { o.PublicURL = "https://ok.example" }
	for _, row := range []struct {
		name   string
		locked bool
		change func(*server.Options) // of an open server
		send   func(l *locked) []string
		status int
		code   string
	}{
		{name: "B51 no token", locked: true, status: 401, code: "unauthorized"},
		{name: "B51 expired token", locked: true, send: func(l *locked) []string { return []string{"Authorization", "Bearer " + l.expired} }, status: 401, code: "unauthorized"},
		{name: "B51 garbage token", locked: true, send: func(*locked) []string { return []string{"Authorization", "Bearer garbage"} }, status: 401, code: "unauthorized"},
		{name: "B51 token of 1 KB", locked: true, send: func(*locked) []string { return []string{"Authorization", "Bearer " + strings.Repeat("x", 1000)} }, status: 401, code: "unauthorized"},
		{name: "B51 token of nobody", locked: true, send: func(*locked) []string { return []string{"Authorization", "Bearer rdo_abcdefghabcdefgh_abc"} }, status: 401, code: "unauthorized"},
		{name: "B51 expired token as subprotocol", locked: true, send: func(l *locked) []string { return []string{protocol, "readout.v1, readout.bearer." + l.expired} }, status: 401, code: "unauthorized"},
		{name: "B51 another scheme", locked: true, send: func(l *locked) []string { return []string{"Authorization", "Digest " + l.view} }, status: 401, code: "unauthorized"},
		{name: "B51 two tokens", locked: true, send: func(l *locked) []string {
			return []string{"Authorization", "Bearer " + l.view, "Authorization", "Bearer " + l.push}
		}, status: 401, code: "unauthorized"},
		{name: "B51 another protocol", locked: true, send: func(*locked) []string { return []string{protocol, "readout.v2"} }, status: 401, code: "unauthorized"},
		// PROMISES B51 opens no socket without a token. DESIGN 4 has hello, where
		// nothing else can carry the token: who offers readout.v1 may say it.
		{name: "B51 no token, but our protocol", locked: true, send: func(*locked) []string { return []string{protocol, "readout.v1"} }, status: 101},
		{name: "B51 token", locked: true, send: func(l *locked) []string { return []string{"Authorization", "Bearer " + l.view} }, status: 101},
		{name: "B51 token as subprotocol", locked: true, send: func(l *locked) []string { return []string{protocol, "readout.v1, readout.bearer." + l.view} }, status: 101},

		{name: "B52 evil", send: func(*locked) []string { return []string{origin, "https://evil.example"} }, status: 403, code: "bad_origin"},
		{name: "B52 null", send: func(*locked) []string { return []string{origin, "null"} }, status: 403, code: "bad_origin"},
		{name: "B52 two", send: func(*locked) []string { return []string{origin, "http://localhost", origin, "http://localhost"} }, status: 403, code: "bad_origin"},
		{name: "B52 evil with a token", locked: true, send: func(l *locked) []string {
			return []string{origin, "https://evil.example", "Authorization", "Bearer " + l.view}
		}, status: 403, code: "bad_origin"},
		// PROMISES B52 lets a missing Origin pass only beside a bearer token. Only
		// browsers send credentials unasked, and they send Origin too; a program
		// without one shows whatever credentials it has, or is on an open server.
		{name: "B52 missing", status: 101},
		{name: "B52 our own", send: func(*locked) []string { return []string{origin, "http://localhost"} }, status: 101},

		{name: "B53 ours in front", change: public, send: func(*locked) []string { return []string{"Host", "ok.example", origin, "https://ok.example.evil.com"} }, status: 403, code: "bad_origin"},
		{name: "B53 ours behind", change: public, send: func(*locked) []string { return []string{"Host", "ok.example", origin, "https://evil-ok.example"} }, status: 403, code: "bad_origin"},
		{name: "B53 ours as user", change: public, send: func(*locked) []string { return []string{"Host", "ok.example", origin, "https://ok.example@evil.com"} }, status: 403, code: "bad_origin"},
		{name: "B53 http for https", change: public, send: func(*locked) []string { return []string{"Host", "ok.example", origin, "http://ok.example"} }, status: 403, code: "bad_origin"},
		{name: "B53 another port", change: public, send: func(*locked) []string { return []string{"Host", "ok.example", origin, "https://ok.example:8443"} }, status: 403, code: "bad_origin"},
		{name: "B53 another port of localhost", send: func(*locked) []string { return []string{"Host", "localhost:8080", origin, "http://localhost:3000"} }, status: 403, code: "bad_origin"},
		{name: "B53 localhost for 127.0.0.1", send: func(*locked) []string { return []string{"Host", "127.0.0.1:8080", origin, "http://localhost:8080"} }, status: 403, code: "bad_origin"},
		{name: "B53 ours", change: public, send: func(*locked) []string { return []string{"Host", "ok.example", origin, "https://OK.example"} }, status: 101},
		{name: "B53 ours, asked locally", change: public, send: func(*locked) []string { return []string{origin, "http://localhost"} }, status: 101},

		{name: "B54 version 8", send: func(*locked) []string { return []string{"Sec-WebSocket-Version", "8"} }, status: 426, code: "upgrade_required"},
		{name: "B54 no version", send: func(*locked) []string { return []string{"Sec-WebSocket-Version", ""} }, status: 426, code: "upgrade_required"},
		{name: "B54 no upgrade", send: func(*locked) []string { return []string{"Upgrade", "", "Connection", ""} }, status: 426, code: "upgrade_required"},
		{name: "B54 upgrade to h2c", send: func(*locked) []string { return []string{"Upgrade", "h2c"} }, status: 426, code: "upgrade_required"},
		{name: "B54 no key", send: func(*locked) []string { return []string{"Sec-WebSocket-Key", ""} }, status: 400, code: "bad_request"},
		{name: "B54 key that is no base64", send: func(*locked) []string { return []string{"Sec-WebSocket-Key", "!"} }, status: 400, code: "bad_request"},
		{name: "B54 short key", send: func(*locked) []string { return []string{"Sec-WebSocket-Key", "YQ=="} }, status: 400, code: "bad_request"},
		{name: "B54 two keys", send: func(*locked) []string {
			return []string{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}
		}, status: 400, code: "bad_request"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &locked{}
				if row.locked {
					l = newLocked(t)
				} else {
					l.Server = servertest.New(t, &servertest.Options{Change: row.change})
				}
				var replace []string
				if row.send != nil {
					replace = row.send(l)
				}
				w, answer := open(t, l.Server, handshake("/live", replace...))
				if answer.StatusCode != row.status {
					t.Errorf("answered %d, want %d", answer.StatusCode, row.status)
				}
				if answer.StatusCode == http.StatusSwitchingProtocols {
					if _, payload, err := w.frame(); err != nil || !bytes.Contains(payload, []byte(`"welcome"`)) {
						t.Errorf("first frame: %s, %v", payload, err)
					}
					return
				}
				body, err := io.ReadAll(answer.Body)
				if err != nil {
					t.Fatal(err)
				}
				if p := readPushed(t, string(body)); p.Error.Code != row.code {
					t.Errorf("answered %q, want %q", p.Error.Code, row.code)
				}
				if answer.StatusCode == http.StatusUpgradeRequired && answer.Header.Get("Sec-WebSocket-Version") != "13" {
					t.Error("the version that is spoken is not named")
				}
			})
		})
	}
}

// B54: CONNECT of HTTP/2 is not served: the listener speaks no HTTP/2 without TLS.
func TestNoHTTP2WithoutTLS(t *testing.T) {
	t.Run("B54 HTTP/2", func(t *testing.T) {
		s := servertest.New(t, nil)
		answer, _ := exchange(t, s, strings.NewReader("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
		if answer.StatusCode < 400 {
			t.Errorf("answered %d", answer.StatusCode)
		}
	})
}

// B55 to B58: frames that no library sends, and the code that each is closed with.
func TestBadFrames(t *testing.T) {
	closing := func(code uint16, reason string) []byte {
		return append(binary.BigEndian.AppendUint16(nil, code), reason...)
	}
	join := func(frames ...[]byte) []byte { return bytes.Join(frames, nil) }
	rsv := func(bit byte) []byte { return masked(0x81|bit, []byte(`{"type":"pause"}`)) }
	fragments := func(n int) []byte {
		piece := bytes.Repeat([]byte(" "), n/64)
		b := masked(0x01, piece)
		for range 62 {
			b = append(b, masked(0x00, piece)...)
		}
		return append(b, masked(0x80, piece)...)
	}
	sized := func(n int) []byte {
		return text(`{"type":"pause"` + strings.Repeat(" ", n-len(`{"type":"pause"}`)) + "}")
	}
	for _, row := range []struct {
		name   string
		locked bool // before hello
		send   []byte
		code   int
	}{
		// PROMISES B55 reads 16 KiB. DESIGN 4: 16 KiB before authentication, 256 KiB
		// after it; on an open server everyone is known from the beginning.
		{"B55 16 KiB before hello", true, join(sized(16<<10), masked(0x88, closing(1000, ""))), 1000},
		{"B55 more than 16 KiB before hello", true, sized(16<<10 + 1), 1009},
		{"B55 256 KiB", false, join(sized(256<<10), masked(0x88, closing(1000, ""))), 1000},
		{"B55 more than 256 KiB", false, sized(256<<10 + 1), 1009},
		{"B55 1 MB in fragments", false, fragments(1 << 20), 1009},
		{"B55 1 MB in fragments before hello", true, fragments(1 << 20), 1009},
		{"B55 claims 2^62 bytes", false, join([]byte{0x81, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, bytes.Repeat([]byte("a"), 300<<10)), 1009},
		{"B55 deflated, which was not agreed on", false, masked(0xc1, []byte{0xaa, 0x56, 0x2a, 0xa9, 0x2c, 0x48, 0x55, 0xb2, 0x52, 0x2a, 0x48, 0x2c, 0x2d, 0x4e, 0x55, 0xaa, 0x05, 0x00}), 1002},
		{"B56 binary", false, masked(0x82, []byte(`{"type":"pause"}`)), 1003},
		{"B56 empty binary", false, masked(0x82, nil), 1003},
		{"B56 binary in fragments", false, join(masked(0x02, []byte("a")), masked(0x80, []byte("b"))), 1003},
		{"B57 not UTF-8", false, masked(0x81, []byte("\xff\xfe")), 1007},
		{"B57 not UTF-8 in a text", false, masked(0x81, []byte("{\"type\":\"\xc3\x28\"}")), 1007},
		{"B57 a surrogate", false, masked(0x81, []byte("{\"type\":\"\xed\xa0\x80\"}")), 1007},
		{"B57 half a letter at the end", false, masked(0x81, []byte("\"\xc3")), 1007},
		{"B57 a letter across fragments", false, join(masked(0x01, []byte("{\"type\":\"pause\",\"x\":\"\xc3")), masked(0x80, []byte("\xa4\"}")), masked(0x88, closing(1000, ""))), 1000},
		{"B58 unmasked", false, []byte("\x81\x02{}"), 1002},
		{"B58 unmasked ping", false, []byte("\x89\x00"), 1002},
		{"B58 RSV1", false, rsv(0x40), 1002},
		{"B58 RSV2", false, rsv(0x20), 1002},
		{"B58 RSV3", false, rsv(0x10), 1002},
		{"B58 opcode 3", false, masked(0x83, []byte("{}")), 1002},
		{"B58 opcode 11", false, masked(0x8b, nil), 1002},
		{"B58 ping of 126 bytes", false, masked(0x89, make([]byte, 126)), 1002},
		{"B58 ping in fragments", false, masked(0x09, []byte("a")), 1002},
		{"B58 continuation of nothing", false, masked(0x80, []byte("{}")), 1002},
		{"B58 message inside a message", false, join(masked(0x01, []byte("{")), masked(0x81, []byte("{}"))), 1002},
		{"B58 2^63 bytes", false, []byte("\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04"), 1002},
		{"B58 close code 999", false, masked(0x88, closing(999, "")), 1002},
		{"B58 close code 1005", false, masked(0x88, closing(1005, "")), 1002},
		{"B58 close code 1006", false, masked(0x88, closing(1006, "")), 1002},
		{"B58 close code 5000", false, masked(0x88, closing(5000, "")), 1002},
		{"B58 close of one byte", false, masked(0x88, []byte{3}), 1002},
		{"B58 not HTTP any more", false, []byte("GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n"), 1002},
		// For comparison: what the book allows is answered by the book.
		{"close", false, masked(0x88, closing(1000, "bye")), 1000},
		{"close without a code", false, masked(0x88, nil), 1005},
		{"close with a code of its own", false, masked(0x88, closing(4242, "")), 4242},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &locked{}
				if row.locked {
					l = newLocked(t)
				} else {
					l.Server = servertest.New(t, nil)
				}
				w, answer := open(t, l.Server, handshake("/live", "Sec-WebSocket-Protocol", "readout.v1"))
				if answer.StatusCode != http.StatusSwitchingProtocols {
					t.Fatalf("answered %d", answer.StatusCode)
				}
				began := time.Now()
				w.send(row.send)
				if code := w.closed(); code != row.code {
					t.Errorf("closed with %d, want %d", code, row.code)
				}
				if took := time.Since(began); took > time.Second {
					t.Errorf("closed only after %v", took)
				}
				if _, err := w.in.ReadByte(); err == nil {
					t.Error("something follows the close frame")
				}
				w.conn.Close()
				synctest.Wait()
				if l.view == "" && metric(l.Server, "readout_subscribers") != "0" {
					t.Error("the subscriber outlives its socket")
				}
			})
		})
	}
}
