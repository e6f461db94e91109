package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"readout/server/reading"
	"readout/server/store"
)

type subcommand func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int

// noServer is an address of this machine that nothing listens on any more.
func noServer(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(nil)
	server.Close()
	return server.URL
}

func TestCommandLineTakesFlagsAnywhere(t *testing.T) {
	for _, c := range []struct {
		args string
		rest string
		url  string
		yes  bool
	}{
		{"orders 42", "orders 42", "", false},
		{"orders 42 --url http://a --yes", "orders 42", "http://a", true},
		{"--url=http://a orders -yes -5", "orders -5", "http://a", true},
		{"orders -1.5e3 -", "orders -1.5e3 -", "", false},
		{"--yes=false orders", "orders", "", false},
		{"--yes -- --url -x", "--url -x", "", true},
		{"--url -5 orders", "orders", "-5", false},
	} {
		f := flag.NewFlagSet("x", flag.ContinueOnError)
		url, yes := f.String("url", "", ""), f.Bool("yes", false, "")
		rest, _, ok := commandLine(f, "", strings.Fields(c.args), io.Discard, io.Discard)
		if got := strings.Join(rest, " "); !ok || got != c.rest || *url != c.url || *yes != c.yes {
			t.Errorf("%s: rest %q, url %q, yes %v, ok %v", c.args, got, *url, *yes, ok)
		}
	}
}

// What a wrong line says, and that help is an answer: on standard output, with 0.
func TestCommandLines(t *testing.T) {
	away := noServer(t)
	t.Setenv("READOUT_URL", away)
	t.Setenv("READOUT_TOKEN", "")
	commands := map[string]subcommand{"collect": runCollect, "push": runPush, "tail": runTail, "key": runKey}
	for name, command := range commands {
		for _, help := range []string{"-h", "--help"} {
			var out, complaint strings.Builder
			code := command(t.Context(), []string{"orders", help}, nil, &out, &complaint)
			if code != 0 || complaint.Len() > 0 || !strings.HasPrefix(out.String(), "Usage: readout "+name) || !strings.Contains(out.String(), "Examples:") {
				t.Errorf("%s %s: code %d, stderr %q, stdout %q", name, help, code, complaint.String(), out.String())
			}
		}
	}
	for _, c := range []struct {
		line string
		code int
		says string
	}{
		{"push", 2, "give a topic and a value"},
		{"push orders", 2, "give a value behind the topic"},
		{"push or{ders 42", 2, "does not end with }"},
		{"push orders 42 --ndjson", 2, "with --ndjson the topics stand in the lines"},
		{"push orders 42 --colour", 2, "not defined: -colour"},
		{"push orders 42 --url ftp://a", 2, "is not an address"},
		{"push orders 42 --url http://me:secret@a", 2, "is not an address"},
		{"push orders 42 --token a\nb", 2, "the token holds"},
		{"push orders 42 --retry soon", 2, "invalid value"},
		{"push orders 42", 1, "Is readout serve running there? --url or READOUT_URL"},
		{"tail", 2, "give one topic"},
		{"tail a b", 2, "give one topic"},
		{"tail http_*", 2, "allowed are"},
		{"tail orders --after yesterday", 2, "is not a cursor"},
		{"tail orders --last -1", 2, "--last is 0 or more"},
		{"tail orders", 1, "Is readout serve running there?"},
		{"key", 2, "give one topic"},
		{"key a//b", 2, "segment"},
		{"collect cpu", 2, "goes behind --collect"},
		{"collect --collect disc", 2, "choose from host, cpu, cores"},
		{"collect --collect probe", 2, "write it like probe:https://example.org"},
		{"collect --collect probe:http://127.0.0.1", 2, "--allow-targets 127.0.0.1 permits it"},
		{"collect --collect redis:redis://me:secret@10.0.0.1", 2, "10.0.0.1 is a private address"},
		{"collect --collect cpu@soon", 2, "write it like cpu@10s"},
		{"collect --allow-targets 10.0.0.1/8", 2, "write 10.0.0.0/8"},
		{"collect --spool-limit lots", 2, "write it like 256MiB"},
		{"collect --collect none", 2, "nothing to collect"},
		{"collect --interval 1ms", 2, "at least 100ms"},
		{"collect --to ftp://a", 2, "is not an address"},
	} {
		args := strings.Split(c.line, " ")
		var out, complaint strings.Builder
		// Were a line taken, the command would see an end at once, and not hang.
		ctx, cancel := context.WithCancel(t.Context())
		if args[0] == "collect" {
			cancel()
		}
		code := commands[args[0]](ctx, args[1:], strings.NewReader(""), &out, &complaint)
		cancel()
		if code != c.code || !strings.Contains(complaint.String(), c.says) || out.Len() > 0 {
			t.Errorf("readout %s: code %d, want %d; stdout %q, stderr %q, want %q", c.line, code, c.code, out.String(), complaint.String(), c.says)
		}
		if code == 2 && !strings.Contains(complaint.String(), "readout "+args[0]+" --help") {
			t.Errorf("readout %s: stderr %q does not name the help", c.line, complaint.String())
		}
	}
}

// The address of every topic reads back as the topic, decoded once.
func TestTopicAddress(t *testing.T) {
	for topic, want := range map[reading.Topic]string{
		"orders":                    "/t/orders",
		"shop/till-1:a.b":           "/t/shop/till-1:a.b",
		`cpu{host="a b/../c//%2F"}`: "/t/cpu%7Bhost=%22a%20b%2F..%2Fc%2F%2F%252F%22%7D",
		`a{b="?#&;+é"}`:             "/t/a%7Bb=%22%3F%23&%3B+%C3%A9%22%7D",
	} {
		for _, base := range []string{"localhost:8080", "http://localhost:8080/"} {
			r := remote{address: base}
			if err := r.resolve(); err != nil {
				t.Fatal(err)
			}
			if got := r.topic(topic); got != "http://localhost:8080"+want {
				t.Errorf("%s at %s: %s", topic, base, got)
			}
		}
		r := remote{address: "https://x/base"}
		if err := r.resolve(); err != nil || r.readings() != "https://x/base/api/v1/readings" || !strings.HasPrefix(r.topic(topic), "https://x/base/t/") {
			t.Errorf("below a path: %s, %s, %v", r.readings(), r.topic(topic), err)
		}
		q := httptest.NewRequest("GET", want, nil)
		if got := strings.TrimPrefix(q.URL.Path, "/t/"); got != string(topic) {
			t.Errorf("a server reads %s as %s", topic, got)
		}
	}
}

func TestKey(t *testing.T) {
	var out, complaint strings.Builder
	if code := runKey(t.Context(), []string{`cpu{ host="it's" }`}, nil, &out, &complaint); code != 0 {
		t.Fatalf("code %d: %s", code, complaint.String())
	}
	key := store.Key(`cpu{host="it's"}`)
	want := fmt.Sprintf("%s\nredis-cli XADD '%s' '*' value 42\n", key, strings.ReplaceAll(key, "'", `'\''`))
	if out.String() != want {
		t.Errorf("printed\n%swant\n%s", out.String(), want)
	}
}
