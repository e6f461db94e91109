package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"readout/collectors"
	"readout/server/servertest"
)

func namesOf(t *testing.T, c *collected) string {
	t.Helper()
	list, err := c.make(0, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, made := range list {
		names = append(names, made.Name())
	}
	return strings.Join(names, " ")
}

// What serve collects: the flag again and again, or lines of READOUT_COLLECT.
func TestServeCollects(t *testing.T) {
	for _, c := range []struct {
		args []string
		env  map[string]string
		want string
	}{
		{args: []string{"--collect", "none"}, want: ""},
		{args: []string{"--collect", "cpu,memory"}, want: "cpu memory"},
		{args: []string{"--collect", "cpu", "--collect=probe:https://example.org/a,b", "--collect", "exec:echo 1"}, want: "cpu probe:https://example.org/a,b exec:echo 1"},
		{env: map[string]string{"READOUT_COLLECT": "cpu,memory\n\n probe@5s:https://example.org \nexec:echo 1"}, want: "cpu memory probe:https://example.org exec:echo 1"},
		{args: []string{"--collect", "cpu"}, env: map[string]string{"READOUT_COLLECT": "memory"}, want: "cpu"},
		{
			args: []string{"--collect", "scrape:http://10.0.0.7:9100/metrics", "--collect", "redis:redis://:secret@10.0.0.8"},
			env:  map[string]string{"READOUT_ALLOW_TARGETS": "10.0.0.0/24"},
			want: "scrape:http://10.0.0.7:9100/metrics redis:10.0.0.8:6379",
		},
	} {
		set, err := parseSettings(c.args, func(name string) string { return c.env[name] }, io.Discard, io.Discard)
		if err != nil {
			t.Errorf("%q %v: %v", c.args, c.env, err)
			continue
		}
		if got := namesOf(t, &set.collect); got != c.want {
			t.Errorf("%q %v collects %q, want %q", c.args, c.env, got, c.want)
		}
	}
	if got := namesOf(t, &collected{}); !strings.HasPrefix(got, "cpu cores load memory") {
		t.Errorf("nothing said collects %q", got)
	}
	if _, err := parseSettings([]string{"--collect", " "}, func(string) string { return "" }, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "write none") {
		t.Errorf("an empty item: %v", err)
	}
}

// The items of the environment, a real Redis with a password, a metrics page and
// a command, pushed over HTTP. The password is told to nobody.
func TestCollectItems(t *testing.T) {
	redis := servertest.Redis(t)
	redis.Do("SET", "a", "1")
	redis.Do("CONFIG", "SET", "requirepass", "s3cret")
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "# TYPE jobs_total counter\njobs_total 5\n")
	}))
	defer page.Close()
	s := serveTakes(t)
	t.Setenv("READOUT_COLLECT", "redis:redis://:s3cret@"+redis.Addr()+"\nscrape:"+page.URL+"\nprobe:"+page.URL+"\nexec:echo 'orders{country=\"de\"} 5'")
	t.Setenv("READOUT_ALLOW_TARGETS", "127.0.0.1")
	t.Setenv("READOUT_INTERVAL", "100ms")
	t.Setenv("READOUT_SPOOL", filepath.Join(t.TempDir(), "spool"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, complaint strings.Builder
	ended := make(chan int)
	go func() { ended <- runCollect(ctx, nil, nil, &out, &complaint) }()
	instance := `instance="` + redis.Addr() + `"}`
	missing := []string{
		"redis{" + instance, `redis_keys{db="db0",` + instance, `jobs_total{instance="`, `orders{country="de"}`,
		`probe{target="` + page.URL + `"}`, `scrape{target="` + page.URL + `"}`, "describe jobs_total{", "describe redis_keys{",
	}
	for len(missing) > 0 {
		<-s.got
		s.mu.Lock()
		all := "\n" + strings.Join(s.lines, "\n")
		s.mu.Unlock()
		var still []string
		for _, m := range missing {
			if !strings.Contains(all, "\n"+m) {
				still = append(still, m)
			}
		}
		missing = still
	}
	cancel()
	if code := <-ended; code != 0 || strings.Contains(out.String()+complaint.String(), "s3cret") {
		t.Errorf("code %d, stdout %q, stderr %q", code, out.String(), complaint.String())
	}
}

// The help of both names every kind that there is.
func TestCollectHelp(t *testing.T) {
	var out, complaint strings.Builder
	runCollect(t.Context(), []string{"--help"}, nil, &out, &complaint)
	for _, name := range append(collectors.Names(), collectors.Forms()...) {
		if !strings.Contains(out.String(), name) {
			t.Errorf("the help does not name %s", name)
		}
	}
	if strings.Contains(out.String(), "{{") {
		t.Error("the help holds a mark")
	}
}
