package servertest_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"readout/server/servertest"
)

func TestRedisIsReal(t *testing.T) {
	r := servertest.Redis(t, "--maxmemory", "100mb")
	if got := r.Do("CONFIG", "GET", "maxmemory"); got != "maxmemory\n104857600" {
		t.Errorf("its arguments did not arrive: %q", got)
	}
	r.Do("SET", "a key", "a value")
	if got := r.Do("GET", "a key"); got != "a value" {
		t.Errorf("GET after SET: %q", got)
	}
	if got := r.Do("GET", "nothing"); got != "" {
		t.Errorf("GET of nothing: %q", got)
	}
	r.Restart()
	if got := r.Do("GET", "a key"); got != "" {
		t.Errorf("after Restart without persistence: %q", got)
	}
}

func TestRedisFreezes(t *testing.T) {
	r := servertest.Redis(t)
	conn, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	answer := func(within time.Duration) error {
		_ = conn.SetReadDeadline(time.Now().Add(within))
		_, err := bufio.NewReader(conn).ReadString('\n')
		return err
	}
	r.Freeze()
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := answer(100 * time.Millisecond); err == nil {
		t.Error("a frozen server answered")
	}
	r.Continue()
	if err := answer(10 * time.Second); err != nil {
		t.Errorf("the server did not go on: %v", err)
	}
	r.Freeze()
	r.Kill()
	r.Kill()
	if err := answer(10 * time.Second); err == nil {
		t.Error("a killed server answered")
	}
}

func TestRedisClusterIsHealthy(t *testing.T) {
	c := servertest.StartRedisCluster(t)
	if n := len(strings.Split(c.URL(), ",")); n != 3 {
		t.Errorf("%d hosts in %s, want 3", n, c.URL())
	}
	for _, node := range c.Nodes {
		if info := node.Do("CLUSTER", "INFO"); !strings.Contains(info, "cluster_slots_ok:16384") {
			t.Errorf("not all slots are served:\n%s", info)
		}
	}
}

func TestFaultProxyDropsReplies(t *testing.T) {
	r := servertest.Redis(t)
	p := servertest.NewFaultProxy(t, r.Addr(), 1)
	ask := func() (string, error) {
		conn, err := net.Dial("tcp", p.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.WriteString(conn, "INCR n\r\n"); err != nil {
			t.Fatal(err)
		}
		return bufio.NewReader(conn).ReadString('\n')
	}
	if reply, err := ask(); reply != ":1\r\n" || err != nil {
		t.Fatalf("passing: %q, %v", reply, err)
	}
	p.DropReplies(1)
	if reply, err := ask(); err != io.EOF {
		t.Errorf("dropping: %q, %v, want the end of the connection", reply, err)
	}
	if p.Dropped() != 1 {
		t.Errorf("%d dropped, want 1", p.Dropped())
	}
	p.DropReplies(0)
	if reply, err := ask(); reply != ":3\r\n" || err != nil {
		t.Errorf("passing again: %q, %v: the dropped request must have been executed once", reply, err)
	}
}
