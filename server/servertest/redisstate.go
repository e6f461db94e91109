package servertest

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// RedisReplica starts a copy of the primary at an address, which may be a proxy's,
// and waits until it has what the primary has.
func RedisReplica(tb testing.TB, primary string, args ...string) *RedisServer {
	tb.Helper()
	s := Redis(tb, args...)
	s.Follow(primary)
	s.until("copied its primary", func() bool { return s.Info("master_link_status") == "up" })
	return s
}

// Follow demotes the server: from now on it is a copy of the primary at an address.
func (s *RedisServer) Follow(primary string) {
	s.tb.Helper()
	host, port, _ := strings.Cut(primary, ":")
	s.Do("REPLICAOF", host, port)
}

// Crash kills a server that keeps an append-only file, and never while it syncs
// that: with everysec Redis acknowledges meanwhile what it has not written yet,
// and loses it even when only the process dies.
func (s *RedisServer) Crash() {
	s.tb.Helper()
	s.Configure("appendfsync", "no")
	s.Kill()
}

// HandOver makes a primary and its copy change places. Nothing is lost by it.
func (s *RedisServer) HandOver() {
	s.tb.Helper()
	s.Do("FAILOVER")
	s.until("handed over", func() bool { return s.Info("role") == "slave" && s.Info("master_link_status") == "up" })
}

// Failover makes a Sentinel promote the copy of its primary and waits until it has.
func (s *RedisServer) Failover() {
	s.tb.Helper()
	primary := func() string { return s.Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "readout") }
	before := primary()
	// It refuses while it does not know a copy that it could promote.
	s.until("accepted a failover", func() bool {
		_, err := ask(s.Addr(), "SENTINEL", "FAILOVER", "readout")
		return err == nil
	})
	s.until("promoted another", func() bool { return primary() != before })
}

// Configure sets one directive of the running server.
func (s *RedisServer) Configure(name, value string) {
	s.tb.Helper()
	s.Do("CONFIG", "SET", name, value)
}

// Info returns one field of INFO, empty if there is none.
func (s *RedisServer) Info(field string) string {
	s.tb.Helper()
	for line := range strings.Lines(s.Do("INFO", "everything")) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Rejected returns how often the server has refused each command before it ran
// since it was started, as it does while it loads.
func (s *RedisServer) Rejected() map[string]int {
	s.tb.Helper()
	rejected := map[string]int{}
	for line := range strings.Lines(s.Do("INFO", "commandstats")) {
		command, figures, _ := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":")
		if _, count, ok := strings.Cut(figures, "rejected_calls="); ok {
			count, _, _ = strings.Cut(count, ",")
			rejected[command], _ = strconv.Atoi(count) // Redis writes numbers there
		}
	}
	return rejected
}

// Fill stores so many keys that are nothing to Readout.
func (s *RedisServer) Fill(keys int) {
	s.tb.Helper()
	s.Do("EVAL", `for i = 1, ARGV[1] do redis.call("SET", "filler:" .. i, string.rep("x", 100)) end`, "0", strconv.Itoa(keys))
}

// RestartLoading kills a running server and starts it again, and returns while it
// loads what it kept and refuses commands. It goes on loading until Loaded. It
// must keep an append-only file and hold some hundred keys.
func (s *RedisServer) RestartLoading() {
	s.tb.Helper()
	s.Configure("rdbcompression", "no") // compressed, many keys would come between two answers
	s.Do("BGREWRITEAOF")                // what was written since then is loaded without a pause
	s.until("rewritten its file", func() bool {
		return s.Info("aof_rewrite_in_progress") == "0" && s.Info("aof_rewrite_scheduled") == "0"
	})
	s.Crash()
	// The two directives with which Redis tests its own loading: a pause after
	// each key, and clients are answered meanwhile.
	p, err := s.launch("--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024")
	if err != nil {
		s.tb.Fatal(err)
	}
	s.until("began to load", func() bool {
		_, err := ask(s.Addr(), "PING")
		select {
		case <-p.ready:
			s.tb.Fatal("redis-server had nothing to load slowly")
		case <-p.ended:
			s.tb.Fatalf("redis-server ended: %s", p.said())
		default:
		}
		return err != nil && strings.HasPrefix(err.Error(), "LOADING")
	})
}

// Loaded lets a server finish loading and waits until it serves.
func (s *RedisServer) Loaded() {
	s.tb.Helper()
	s.Configure("key-load-delay", "0")
	s.until("finished loading", func() bool { reply, err := ask(s.Addr(), "PING"); return err == nil && reply == "PONG" })
}

// log returns the end of what the server has said.
func (s *RedisServer) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return ""
	}
	text := s.process.said()
	return text[max(0, len(text)-2000):]
}

// until waits for what a server announces to nobody.
func (s *RedisServer) until(what string, done func() bool) {
	s.tb.Helper()
	late := time.After(startPatience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-late:
			s.tb.Fatalf("redis-server on port %d has not %s within %v; its log:\n%s", s.port, what, startPatience, s.log())
		}
	}
}
