package servertest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const startPatience = 20 * time.Second

// program is a store that runs as a process of its own, on a free loopback port.
type program struct {
	tb      testing.TB
	name    string
	port    int
	command func(more ...string) *exec.Cmd // that runs it on the port

	mu      sync.Mutex
	process *process // nil when it does not run
}

// process is one run of a program.
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

func (s *program) startAnywhere() {
	s.tb.Helper()
	s.tb.Cleanup(s.Kill)
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
func (s *program) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL returns what --redis takes.
func (s *program) URL() string { return "redis://" + s.Addr() }

// Freeze stops the server where it stands: connections stay, nothing is answered.
func (s *program) Freeze() { s.signal(syscall.SIGSTOP) }

// Continue lets a frozen server go on; it then also executes what it was sent meanwhile.
func (s *program) Continue() { s.signal(syscall.SIGCONT) }

func (s *program) signal(sig syscall.Signal) {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		s.tb.Fatalf("this %s does not run", s.name)
	}
	if err := s.process.cmd.Process.Signal(sig); err != nil {
		s.tb.Fatal(err)
	}
}

// Kill ends the server at once, as kill -9 does, also when it is frozen. Killing
// it twice does nothing. One that has ended by itself before is a failure of the
// test: nobody would see it once the server was started again.
func (s *program) Kill() {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return
	}
	p := s.process
	s.process = nil
	if end := p.kill(); end.Signal() != syscall.SIGKILL {
		s.tb.Errorf("%s on port %d ended by itself with %d: %s", s.name, s.port, end.ExitStatus(), p.said())
	}
}

// kill ends the process and returns how it ended, now or before.
func (p *process) kill() syscall.WaitStatus {
	_ = p.cmd.Process.Kill()
	<-p.ended
	return p.cmd.ProcessState.Sys().(syscall.WaitStatus)
}

// Restart starts the server again on the same port and directory, after a Kill
// if it still runs. Without persistence it comes back empty.
func (s *program) Restart() {
	s.tb.Helper()
	s.Kill()
	if err := s.start(); err != nil {
		s.tb.Fatal(err)
	}
}

// Do sends one command and returns its reply as text: nothing for nil, the items
// of an array one to a line. It is for setting up tests, not for speed.
func (s *program) Do(words ...string) string {
	s.tb.Helper()
	reply, err := ask(s.Addr(), words...)
	if err != nil {
		s.tb.Fatalf("%s: %s: %v", s.name, strings.Join(words, " "), err)
	}
	return reply
}

// start runs the server and waits until it serves.
func (s *program) start() error {
	s.tb.Helper()
	p, err := s.launch()
	if err != nil {
		return err
	}
	if err = s.serves(p); err != nil {
		_ = p.kill()
		s.runs(nil)
	}
	return err
}

// serves waits until a process does.
func (s *program) serves(p *process) error {
	select {
	case <-p.ready:
	case <-p.ended:
		return fmt.Errorf("%s ended: %s", s.name, p.said())
	case <-time.After(startPatience):
		return fmt.Errorf("%s on port %d was not ready within %v", s.name, s.port, startPatience)
	}
	if reply, err := ask(s.Addr(), "PING"); err != nil || reply != "PONG" {
		return fmt.Errorf("%s on port %d answers PING with %q, %v", s.name, s.port, reply, err)
	}
	return nil
}

// launch runs the server, with more arguments this once, and does not wait.
func (s *program) launch(more ...string) (*process, error) {
	s.tb.Helper()
	p := &process{cmd: s.command(more...), ready: make(chan struct{}), ended: make(chan struct{})}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stderr = p.cmd.Stdout
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.watch(out)
	s.runs(p)
	return p, nil
}

func (s *program) runs(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process = p
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
