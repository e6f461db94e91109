package servertest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	installRedis  = "apt-get install -y --no-install-recommends redis-server"
	startPatience = 20 * time.Second
)

// RedisServer is a real redis-server of one test, on a free loopback port.
type RedisServer struct {
	tb   testing.TB
	dir  string
	port int
	args []string

	config string // a file with its configuration, for a Sentinel

	mu      sync.Mutex
	process *process // nil when it does not run
}

// process is one run of a redis-server.
type process struct {
	cmd   *exec.Cmd
	ready chan struct{} // closed when it accepts connections
	ended chan struct{} // closed when it was waited for

	mu  sync.Mutex
	log strings.Builder
}

// said returns the process' log so far.
func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// Redis starts a redis-server and waits until it answers. It ends with the test.
// args go to its command line; it keeps nothing on disk unless they say so.
func Redis(tb testing.TB, args ...string) *RedisServer {
	tb.Helper()
	s := &RedisServer{tb: tb, dir: tb.TempDir(), args: args}
	s.startAnywhere()
	return s
}

// RedisSentinel starts a Sentinel that watches a server under the name "readout".
func RedisSentinel(tb testing.TB, primary *RedisServer) *RedisServer {
	tb.Helper()
	s := &RedisServer{tb: tb, dir: tb.TempDir(), args: []string{"--sentinel"}}
	s.config = filepath.Join(s.dir, "sentinel.conf") // it keeps its state there
	watch := fmt.Appendf(nil, "sentinel monitor readout 127.0.0.1 %d 1\nsentinel down-after-milliseconds readout 1000\n", primary.port)
	if err := os.WriteFile(s.config, watch, 0o600); err != nil {
		tb.Fatal(err)
	}
	s.startAnywhere()
	return s
}

func (s *RedisServer) startAnywhere() {
	s.tb.Helper()
	var err error
	for range 5 { // somebody else may take the free port before the server does
		s.port = freePort(s.tb)
		if err = s.start(); err == nil {
			return
		}
	}
	s.tb.Fatal(err)
}

// Addr returns the server's host:port.
func (s *RedisServer) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL returns what --redis takes.
func (s *RedisServer) URL() string { return "redis://" + s.Addr() }

// Freeze stops the server where it stands: connections stay, nothing is answered.
func (s *RedisServer) Freeze() { s.signal(syscall.SIGSTOP) }

// Continue lets a frozen server go on; it then also executes what it was sent meanwhile.
func (s *RedisServer) Continue() { s.signal(syscall.SIGCONT) }

func (s *RedisServer) signal(sig syscall.Signal) {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		s.tb.Fatal("this redis-server does not run")
	}
	if err := s.process.cmd.Process.Signal(sig); err != nil {
		s.tb.Fatal(err)
	}
}

// Kill ends the server at once, as kill -9 does, also when it is frozen. Killing
// it twice does nothing.
func (s *RedisServer) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		_ = s.process.cmd.Process.Kill()
		<-s.process.ended
		s.process = nil
	}
}

// Restart starts the server again on the same port and directory, after a Kill
// if it still runs. Without persistence in its args it comes back empty.
func (s *RedisServer) Restart() {
	s.tb.Helper()
	s.Kill()
	if err := s.start(); err != nil {
		s.tb.Fatal(err)
	}
}

// Do sends one command and returns its reply as text: nothing for nil, the items
// of an array one to a line. It is for setting up tests, not for speed.
func (s *RedisServer) Do(words ...string) string {
	s.tb.Helper()
	reply, err := ask(s.Addr(), words...)
	if err != nil {
		s.tb.Fatalf("redis %s: %v", strings.Join(words, " "), err)
	}
	return reply
}

// start runs the server and waits until it serves.
func (s *RedisServer) start() error {
	s.tb.Helper()
	p, err := s.launch()
	if err != nil {
		return err
	}
	select {
	case <-p.ready:
	case <-p.ended:
		return fmt.Errorf("redis-server ended: %s", p.said())
	case <-time.After(startPatience):
		return fmt.Errorf("redis-server on port %d was not ready within %v", s.port, startPatience)
	}
	if reply, err := ask(s.Addr(), "PING"); err != nil || reply != "PONG" {
		return fmt.Errorf("redis-server on port %d answers PING with %q, %v", s.port, reply, err)
	}
	return nil
}

// launch runs the server, with more arguments this once, and does not wait.
func (s *RedisServer) launch(more ...string) (*process, error) {
	s.tb.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		s.tb.Fatalf("this test needs redis-server; install it: %s", installRedis)
	}
	p := &process{ready: make(chan struct{}), ended: make(chan struct{})}
	args := []string{"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir}
	if s.config != "" {
		args = append([]string{s.config}, args...)
	} else {
		args = append(args, "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0")
	}
	p.cmd = exec.Command(path, slices.Concat(args, s.args, more)...)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.watch(out)
	s.tb.Cleanup(func() { // by its own process id, whatever became of s
		_ = p.cmd.Process.Kill()
		<-p.ended
	})
	s.mu.Lock()
	s.process = p
	s.mu.Unlock()
	return p, nil
}

// watch reads the server's log until the server ends.
func (p *process) watch(out io.Reader) {
	defer close(p.ended)
	lines := bufio.NewScanner(out)
	isReady := false
	for lines.Scan() {
		p.mu.Lock()
		if p.log.Len() < 64<<10 {
			p.log.WriteString(lines.Text() + "\n")
		}
		p.mu.Unlock()
		if !isReady && (strings.Contains(lines.Text(), "Ready to accept connections") || strings.Contains(lines.Text(), "Sentinel ID is")) {
			isReady = true
			close(p.ready)
		}
	}
	_ = p.cmd.Wait() // says only that it was killed
}

// freePort returns a loopback port that was free just now.
func freePort(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// ask speaks just enough of the Redis protocol to set up a test, so that the
// test kit does not depend on the library under test.
func ask(addr string, words ...string) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	if _, err := io.WriteString(conn, b.String()); err != nil {
		return "", err
	}
	return readReply(bufio.NewReader(conn))
}

func readReply(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", errors.New("an empty reply")
	}
	kind, rest := line[0], line[1:]
	switch kind {
	case '+', ':':
		return rest, nil
	case '-':
		return "", errors.New(rest)
	}
	n, err := strconv.Atoi(rest)
	if err != nil || n < 0 {
		return "", err
	}
	if kind == '$' {
		text := make([]byte, n+2)
		_, err := io.ReadFull(r, text)
		return string(text[:n]), err
	}
	items := make([]string, n)
	for i := range items {
		if items[i], err = readReply(r); err != nil {
			return "", err
		}
	}
	return strings.Join(items, "\n"), nil
}
