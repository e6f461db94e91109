package collectors

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestItems(t *testing.T) {
	host := strings.Join(hostNames(), " ")
	info := func(string, *Guard) (func(context.Context) (string, error), error) {
		return func(context.Context) (string, error) { return "", nil }, nil
	}
	for _, c := range []struct {
		items    string // separated by |
		allow    string
		interval time.Duration
		want     string // names; @ an interval that is not the collector's own
		err      string
	}{
		{items: "", err: `no collector ""`},
		{items: "none", want: ""},
		{items: "host", want: host},
		{items: "memory, cpu ", want: "memory cpu"},
		{items: "cpu|cpu,memory", want: "cpu memory"},
		{items: "cpu,host", want: host},
		{items: "demo", want: "demo"},
		{items: "cpu@10s,memory", want: "cpu@10s memory"},
		{items: "cpu@10s,memory", interval: time.Minute, want: "cpu@10s memory@1m0s"},
		{items: "probe:https://example.org/a,b:c", want: "probe:https://example.org/a,b:c"},
		{items: "cpu,probe@1m:tcp://db.example:5432", want: "cpu probe:tcp://db.example:5432@1m0s"},
		{items: "scrape:http://10.0.0.7:9100/metrics", allow: "10.0.0.0/8", want: "scrape:http://10.0.0.7:9100/metrics"},
		{items: "redis:redis://:secret@redis.example", want: "redis:redis.example:6379"},
		{items: "exec@1s:echo a:b, c@d", want: "exec:echo a:b, c@d@1s"},
		{items: "none,cpu", err: "none cannot stand beside others"},
		{items: "none@1s", err: "none has no interval"},
		{items: "disc", err: `no collector "disc"; choose from host, cpu, cores`},
		{items: "disc", err: "probe:https://example.org"},
		{items: "cpu:x", err: "cpu takes no target"},
		{items: "host:", err: "host takes no target"},
		{items: "probe", err: "write it like probe:https://example.org"},
		{items: "exec: ", err: "write it like exec:COMMAND"},
		{items: "cpu@", err: "write it like cpu@10s"},
		{items: "cpu@fast", err: "write it like cpu@10s"},
		{items: "cpu@10ms", err: "at least 100ms"},
		{items: "cpu@-1s", err: "at least 100ms"},
		{items: "scrape:http://10.0.0.7:9100/metrics", err: "10.0.0.7 is a private address; --allow-targets 10.0.0.7 permits it"},
		{items: "scrape:file:///etc/passwd", err: "begin with http:// or https://"},
		{items: "redis:redis://:secret@127.0.0.1", err: "127.0.0.1 is a loopback address"},
		{items: "PROBE:https://example.org", err: `no collector "PROBE"`},
		{items: "cpu,,memory", err: `no collector ""`},
	} {
		list, err := Items(strings.Split(c.items, "|"), ItemOptions{Interval: c.interval, Allow: allowed(t, c.allow).allow, Redis: info})
		var names []string
		for _, made := range list {
			name := made.Name()
			if p, ok := made.(paced); ok {
				name += "@" + p.Interval().String()
			}
			names = append(names, name)
		}
		if got := strings.Join(names, " "); err == nil && got != c.want {
			t.Errorf("%q is %q, want %q", c.items, got, c.want)
		}
		if (err == nil) != (c.err == "") || err != nil && (!strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%q: error %v, want %q", c.items, err, c.err)
		}
	}
	if list, err := Items(nil, ItemOptions{}); err != nil || len(list) > 0 {
		t.Errorf("no items: %v, %v", list, err)
	}
	if _, err := Items([]string{"redis:redis://redis.example"}, ItemOptions{}); err == nil {
		t.Error("a redis item was made without a way to ask")
	}
	broken := func(string, *Guard) (func(context.Context) (string, error), error) { return nil, errors.New("no") }
	if _, err := Items([]string{"redis:redis://:secret@redis.example"}, ItemOptions{Redis: broken}); err == nil || err.Error() != "the redis at redis.example:6379: no" {
		t.Errorf("a Redis that cannot be asked: %v", err)
	}
	// A Runner takes what Items makes.
	list, err := Items([]string{"host", "demo", "probe:https://example.org", "exec:true", "exec:false"}, ItemOptions{Host: "web1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewRunner(list, &ledger{}, RunnerOptions{}); err != nil {
		t.Error(err)
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "4096": 4096, "64KiB": 64 << 10, "256 MiB": 256 << 20, "1GiB": 1 << 30} {
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("%s is %d, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "MiB", "-1", "1MB", "1.5GiB", "99999999999GiB"} {
		if got, err := ParseBytes(bad); err == nil {
			t.Errorf("%s is %d", bad, got)
		}
	}
}
