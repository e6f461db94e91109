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
	"testing"
	"time"
)

const installRedis = "apt-get install -y --no-install-recommends redis-server"

// RedisServer is a real redis-server of one test, on a free loopback port.
type RedisServer struct {
	program
	args []string
}

// Redis starts a redis-server and waits until it answers. It ends with the test.
// args go to its command line; it keeps nothing on disk unless they say so.
func Redis(tb testing.TB, args ...string) *RedisServer {
	tb.Helper()
	return startRedis(tb, slices.Concat([]string{"--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0", "--dir", tb.TempDir()}, args))
}

// RedisSentinel starts a Sentinel that watches a server under the name "readout".
func RedisSentinel(tb testing.TB, primary *RedisServer) *RedisServer {
	tb.Helper()
	dir := tb.TempDir()
	config := filepath.Join(dir, "sentinel.conf") // it keeps its state there
	watch := fmt.Appendf(nil, "sentinel monitor readout 127.0.0.1 %d 1\nsentinel down-after-milliseconds readout 1000\n", primary.port)
	if err := os.WriteFile(config, watch, 0o600); err != nil {
		tb.Fatal(err)
	}
	return startRedis(tb, []string{config, "--sentinel", "--dir", dir})
}

func startRedis(tb testing.TB, args []string) *RedisServer {
	tb.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		tb.Fatalf("this test needs redis-server; install it: %s", installRedis)
	}
	s := &RedisServer{program{tb: tb, name: "redis-server"}, args}
	s.command = func(more ...string) *exec.Cmd {
		return exec.Command(path, slices.Concat(args, []string{"--bind", "127.0.0.1", "--port", strconv.Itoa(s.port)}, more)...)
	}
	s.startAnywhere()
	return s
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
