//go:build e2e

package e2e_test

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"readout/server/servertest"
)

// gateway is a reverse proxy between a browser and a server, as companies have
// them. What it does to live connections can be changed while it runs.
type gateway struct {
	url string

	mu       sync.Mutex
	upgrades answer
	buffers  bool
	drops    int
	asked    map[string]int // requests by method and path; a handshake is UPGRADE
}

// answer is what a gateway does with a WebSocket's handshake.
type answer int

const (
	passes   answer = iota // the server sees it
	forbids                // 403
	rejects                // 400
	swallows               // nothing, ever
)

func newGateway(t *testing.T, s *servertest.Server) *gateway {
	t.Helper()
	to, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{asked: map[string]int{}}
	transport := &http.Transport{}
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
		},
		ModifyResponse: func(r *http.Response) error {
			if socket, ok := r.Body.(io.ReadWriteCloser); ok && r.StatusCode == http.StatusSwitchingProtocols {
				r.Body = &lossy{ReadWriteCloser: socket, from: bufio.NewReader(socket), drops: g.dropsFrame}
			}
			// Browsers keep no page for their Back button that came with no-store.
			if strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
				r.Header.Set("Cache-Control", "no-cache")
			}
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {}, // the browser went away
	}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		upgrades, buffers := g.met(r)
		switch isStream := r.Method == http.MethodPost && r.URL.Path == "/live/sse"; {
		case r.Header.Get("Upgrade") != "" && upgrades == forbids:
			http.Error(w, "no WebSockets here", http.StatusForbidden)
		case r.Header.Get("Upgrade") != "" && upgrades == rejects:
			http.Error(w, "no WebSockets here", http.StatusBadRequest)
		case r.Header.Get("Upgrade") != "" && upgrades == swallows:
			<-r.Context().Done()
		case isStream && buffers:
			whole := httptest.NewRecorder() // an answer that never ends never arrives
			proxy.ServeHTTP(whole, r)
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	g.url = site.URL
	t.Cleanup(func() {
		site.CloseClientConnections()
		site.Close()
		transport.CloseIdleConnections()
	})
	return g
}

// met takes note of a request and says how it is to be treated.
func (g *gateway) met(r *http.Request) (upgrades answer, buffers bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	method := r.Method
	if r.Header.Get("Upgrade") != "" {
		method = "UPGRADE"
	}
	g.asked[method+" "+r.URL.Path]++
	return g.upgrades, g.buffers
}

// set says what becomes of handshakes, and whether event streams are held back.
func (g *gateway) set(upgrades answer, buffers bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.upgrades, g.buffers = upgrades, buffers
}

// requests returns how often something was asked for, as "POST /live/sse" or "UPGRADE /live".
func (g *gateway) requests(what string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked[what]
}

// dropNext makes the gateway swallow so many messages with readings from WebSockets.
func (g *gateway) dropNext(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.drops = n
}

// dropping returns how many of them are still to come.
func (g *gateway) dropping() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.drops
}

func (g *gateway) dropsFrame(payload []byte) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	var f servertest.Frame
	if g.drops == 0 || json.Unmarshal(payload, &f) != nil || f.Type != "readings" || len(f.Rows) == 0 {
		return false
	}
	g.drops--
	return true
}

// lossy is the server's end of a WebSocket of which whole messages may get lost.
type lossy struct {
	io.ReadWriteCloser
	from  *bufio.Reader
	rest  []byte // of the message that is being passed on
	drops func(payload []byte) bool
}

func (l *lossy) Read(b []byte) (int, error) {
	for len(l.rest) == 0 {
		header, err := l.from.Peek(2)
		if err != nil {
			return 0, err
		}
		// A server's messages are not masked, and ours are never in parts.
		size, start := int(header[1]), 2
		switch header[1] {
		case 126:
			start = 4
		case 127:
			start = 10
		}
		if header, err = l.from.Peek(start); err != nil {
			return 0, err
		}
		switch start {
		case 4:
			size = int(binary.BigEndian.Uint16(header[2:]))
		case 10:
			size = int(binary.BigEndian.Uint64(header[2:]))
		}
		frame := make([]byte, start+size)
		if _, err := io.ReadFull(l.from, frame); err != nil {
			return 0, err
		}
		if !l.drops(frame[start:]) {
			l.rest = frame
		}
	}
	n := copy(b, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}
