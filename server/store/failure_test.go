package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"readout/server/problem"
)

type reply string

func (r reply) Error() string { return string(r) }
func (reply) RedisError()     {}

func TestFailure(t *testing.T) {
	for _, c := range []struct {
		err     error
		code    string
		unknown bool // of a write
	}{
		{reply("OOM command not allowed when used memory > 'maxmemory'."), "storage_full", false},
		{reply("ERR Error running script: @user_script:3: OOM command not allowed when used memory > 'maxmemory'."), "storage_full", false},
		{reply("READONLY You can't write against a read only replica."), "store_unavailable", false},
		{reply("LOADING Redis is loading the dataset in memory"), "store_unavailable", false},
		{reply("CLUSTERDOWN The cluster is down"), "store_unavailable", false},
		{reply("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."), "store_unavailable", false},
		{reply("NOREPLICAS Not enough good replicas to write."), "store_unavailable", false},
		{reply("MISCONF Errors writing to the AOF file: No space left on device"), "store_unavailable", false},
		{reply("TRYAGAIN Multiple keys request during rehashing of slot"), "store_unavailable", false},
		{reply("NOAUTH Authentication required."), "store_unavailable", false},
		{reply("EXECABORT Transaction discarded because of previous errors."), "store_unavailable", false},
		{reply("WRONGTYPE Operation against a key holding the wrong kind of value"), "wrong_type", false},
		{reply("ERR unknown command 'XADD'"), "internal", false},
		{redis.ErrPoolTimeout, "store_unavailable", false},
		{redis.ErrClosed, "store_unavailable", false},
		{&dialError{errors.New("connection refused")}, "store_unavailable", false},
		{fmt.Errorf("pool: %w", &dialError{os.ErrDeadlineExceeded}), "store_unavailable", false},
		{errors.New("redis: all sentinels specified in configuration are unreachable: x"), "store_unavailable", false},
		{os.ErrDeadlineExceeded, "store_unavailable", true},
		{context.DeadlineExceeded, "store_unavailable", true},
		{context.Canceled, "store_unavailable", true},
		{io.EOF, "store_unavailable", true},
		{&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, "store_unavailable", true},
		{errReply, "store_unavailable", true},
	} {
		for _, write := range []bool{true, false} {
			var p *problem.Error
			if !errors.As(failure(c.err, write), &p) {
				t.Fatalf("%v is no problem", c.err)
			}
			outcome := ""
			if c.unknown && write {
				outcome = "unknown"
			}
			if p.Code != c.code || p.Outcome != outcome || !errors.Is(p, c.err) {
				t.Errorf("%v (write %v): %s with outcome %q, want %s with %q", c.err, write, p.Code, p.Outcome, c.code, outcome)
			}
		}
	}
	if failure(nil, true) != nil {
		t.Error("no error became one")
	}
	known := problem.New("idempotency_conflict", "x")
	if failure(fmt.Errorf("deeper: %w", known), true) != error(known) {
		t.Error("a problem was mapped to another")
	}
}

// Every row of the table is found by what servers really say, also inside a
// script, and in the order of the table no row hides another.
func TestTroubles(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range troubles {
		if seen[row.begins] || row.begins == "" || row.message == "" {
			t.Errorf("%q stands twice, or says nothing", row.begins)
		}
		seen[row.begins] = true
		if row.retry < 0 || row.retry > 5*time.Second || (row.kind == kindFull) != (row.condition == Full) {
			t.Errorf("%s: %+v", row.begins, row)
		}
		for _, text := range []string{
			row.begins, row.begins + " and more words", row.begins + " words. script: 0a1b, on @user_script:3.",
			"ERR Error running script (call to f_0a1b): @user_script:3: @user_script: 3: -" + row.begins + " words",
		} {
			if got := said(text); got != row {
				t.Errorf("%q is %+v", text, got)
			}
			var p *problem.Error
			if err := failure(reply(text), true); !errors.As(err, &p) || p.Outcome != "" || p.Message != row.message || p.Retry != row.retry {
				t.Errorf("%q answers %+v", text, p)
			}
			if condition, message := Condition(failure(reply(text), false)); condition != row.condition || message != row.message {
				t.Errorf("%q: the store is %q, %q", text, condition, message)
			}
		}
		if said(row.begins+"X") == row {
			t.Errorf("%sX is taken for it", row.begins)
		}
	}
	for _, c := range []struct {
		err       error
		condition string
	}{
		{nil, Well},
		{&dialError{errDown}, Away},
		{fmt.Errorf("open: %w", failure(io.EOF, false)), Away},
		{failure(os.ErrDeadlineExceeded, true), Away},
		{refusal("ERR max number of clients reached"), Refused},
		{&dialError{refusal("DENIED Redis is running in protected mode")}, Refused},
		{errCopy, ReadOnly},
		{problem.New("store_unavailable", "the store did not keep what was written"), Refused},
		{reply("ERR unknown command"), Refused},
	} {
		if got, message := Condition(c.err); got != c.condition || (message == "") != (c.err == nil) {
			t.Errorf("%v: the store is %q, %q", c.err, got, message)
		}
	}
}

func TestURLs(t *testing.T) {
	for url, want := range map[string]string{
		"redis://localhost":                                     "single [localhost:6379] db 0 user - tls false",
		"redis://127.0.0.1:7000/3":                              "single [127.0.0.1:7000] db 3 user - tls false",
		"rediss://alice:secret@db.example:7000":                 "single [db.example:7000] db 0 user alice tls true",
		"valkeys://h":                                           "single [h:6379] db 0 user - tls true",
		"redis+cluster://a,b:7000,[::1]":                        "cluster [a:6379 b:7000 [::1]:6379] db 0 user - tls false",
		"rediss+cluster://u:p@a:1,b:2":                          "cluster [a:1 b:2] db 0 user u tls true",
		"redis+sentinel://u:p@a:1,b/2?master_name=m":            "sentinel [a:1 b:26379] db 2 user u tls false",
		"valkey+sentinel://a?master_name=m&sentinel_username=s": "sentinel [a:26379] db 0 user - tls false",
		"":                               "",
		"localhost:6379":                 "",
		"http://localhost":               "",
		"redis+ring://a":                 "",
		"redis://a:1,b:2":                "",
		"redis://u:secret@a:port":        "",
		"redis://u:secret@a/database":    "",
		"redis://u:secret@a?max_speed=9": "",
		"redis+sentinel://u:secret@a":    "",
		"redis+cluster://u:secret@a,b/1": "",
		"redis+cluster://u:secret@a,,b":  "",
		"redis://u:sec%ret@a":            "",
	} {
		l, err := newLink(Options{URL: url})
		if err != nil {
			if want != "" || strings.Contains(err.Error(), "sec") {
				t.Errorf("%s: %v", url, err)
			}
			continue
		}
		user := l.options.Username
		if user == "" {
			user = "-"
		}
		got := fmt.Sprintf("%s %v db %d user %s tls %v", [...]string{"single", "sentinel", "cluster"}[l.mode], l.options.Addrs, l.options.DB, user, l.tls != nil)
		if got != want {
			t.Errorf("%s is %s, want %s", url, got, want)
		}
	}
}
