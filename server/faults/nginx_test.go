//go:build faults

package faults

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"readout/server"
	"readout/server/servertest"
)

const installNginx = "apt-get install -y --no-install-recommends nginx"

// proxied is a site of nginx before a server, as its manual has it: the proxied
// connection ends when nothing came by it for so long.
const proxied = `daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr error;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	map $http_upgrade $upgraded {
		default upgrade;
		'' '';
	}
	server {
		listen 127.0.0.1:%[2]d;
		location / {
			proxy_pass %[3]s;
			proxy_http_version 1.1;
			proxy_set_header Host $http_host;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $upgraded;
			proxy_read_timeout %[4]ds;
		}
	}
}
`

// nginx runs Debian's nginx before a server and returns the server's address
// behind it. It ends with the test.
func nginx(t *testing.T, s *servertest.Server, readTimeout time.Duration) string {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		t.Fatalf("this test needs nginx; install it: %s", installNginx)
	}
	dir := t.TempDir()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	_ = free.Close()
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, proxied, dir, port, s.URL, int(readTimeout.Seconds())), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	process := exec.Command(path, "-p", dir, "-c", config)
	process.Stderr = &said
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait() // says only that it was killed
		if t.Failed() {
			t.Logf("nginx: %s", said.String())
		}
	})
	address := fmt.Sprintf("http://127.0.0.1:%d", port)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); ; <-tick.C {
		if conn, err := net.Dial("tcp", strings.TrimPrefix(address, "http://")); err == nil {
			_ = conn.Close()
			return address
		}
		if time.Now().After(end) {
			t.Fatalf("nginx does not listen: %s", said.String())
		}
	}
}

// behind makes a server's clients reach it through nginx.
func behind(t *testing.T, s *servertest.Server, readTimeout time.Duration) {
	t.Helper()
	s.URL = nginx(t, s, readTimeout)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	s.Client = &http.Client{Transport: transport}
}

// quiet is a viewer of a topic that says nothing for a while.
type quiet struct {
	transport string
	next      func(ctx context.Context) ([]servertest.Frame, error)
}

// reading waits for the message that ends the quiet. The error is why none came.
func (q quiet) reading(ctx context.Context) (servertest.Frame, error) {
	for {
		frames, err := q.next(ctx)
		if err != nil {
			return servertest.Frame{}, err
		}
		for _, f := range frames {
			if len(f.Rows) > 0 {
				return f, nil
			}
		}
	}
}

// viewers follow a topic through nginx, each by its transport.
func viewers(s *servertest.Server, topic string) []quiet {
	want := servertest.Subscription{Topics: []string{topic}}
	socket := s.Dial()
	socket.SubscribeTo(want)
	socket.ReadType("snapshot")
	stream := s.Stream(want)
	stream.ReadType("snapshot")
	poller := s.Poller(want)
	poller.PollFor("snapshot")
	return []quiet{
		{"websocket", func(ctx context.Context) ([]servertest.Frame, error) {
			f, err := socket.TryRead(ctx)
			return []servertest.Frame{f}, err
		}},
		{"sse", func(context.Context) ([]servertest.Frame, error) { // the test's end closes it
			f, err := stream.TryRead()
			return []servertest.Frame{f}, err
		}},
		{"poll", poller.TryPoll},
	}
}

// F37: a topic is quiet for long behind nginx, which ends connections by which
// nothing comes. No viewer is cut: what comes after the quiet comes by the
// connection that was open before it. In the long form it is nginx's usual
// minute, ten minutes and the pings of every server; in the short one five
// seconds, and pings every two.
func TestQuietBehindNginx(t *testing.T) {
	t.Parallel()
	ping := phase(2*time.Second, 20*time.Second)
	readTimeout := phase(5*time.Second, time.Minute)
	pause := phase(12*time.Second, 10*time.Minute)
	s := service(t, emptyStore(t).URL(), func(o *server.Options) { o.Ping = ping })
	behind(t, s, readTimeout)
	s.Push("orders", "1")
	all := viewers(s, "orders")
	type heard struct {
		transport string
		frame     servertest.Frame
		err       error
	}
	ctx, cancel := context.WithTimeout(t.Context(), pause+20*time.Second)
	defer cancel()
	ends := make(chan heard, len(all))
	for _, v := range all {
		go func() { // ends with ctx
			f, err := v.reading(ctx)
			ends <- heard{v.transport, f, err}
		}()
	}
	select {
	case early := <-ends:
		t.Fatalf("%s ended in the quiet: %s, %v", early.transport, early.frame.Raw, early.err)
	case <-time.After(pause): // the quiet itself
	}
	s.Push("orders", "2")
	disconnects := 0
	for range all {
		h := <-ends
		if h.err != nil || h.frame.Type != "readings" {
			t.Errorf("%s after the quiet: %s, %v", h.transport, h.frame.Raw, h.err)
			disconnects++
		}
	}
	t.Logf("fault=F37 quiet=%v proxy_read_timeout=%v ping=%v viewers=%d disconnects=%d", pause, readTimeout, ping, len(all), disconnects)
}

// A server that says nothing in the quiet is cut by this nginx: without pings
// TestQuietBehindNginx would fail.
func TestNginxCutsTheSilent(t *testing.T) {
	t.Parallel()
	s := service(t, emptyStore(t).URL())
	behind(t, s, time.Second)
	s.Push("orders", "1")
	socket := s.Dial()
	socket.Subscribe("orders")
	socket.ReadType("snapshot")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if f, err := socket.TryRead(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("after ten seconds of silence the socket is still open: %s, %v", f.Raw, err)
	}
}
