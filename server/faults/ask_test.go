//go:build faults

package faults

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"readout/server/reading"
	"readout/server/servertest"
	"readout/server/store"
)

// key is where a topic's stream is.
func key(topic reading.Topic) string { return store.Key(topic) }

// What a fault of Redis may last until /readyz and the viewers say so (PROMISES P13).
const noticed = 3 * time.Second

// readiness returns the status of /readyz and what it says of the store.
func readiness(t *testing.T, s *servertest.Server) (status int, store string) {
	t.Helper()
	a := s.Do(http.MethodGet, "/readyz", "")
	var body struct {
		Checks struct{ Store string }
	}
	if err := json.Unmarshal([]byte(a.Body), &body); err != nil {
		t.Fatalf("/readyz: %d %s: %v", a.Status, a.Body, err)
	}
	return a.Status, body.Checks.Store
}

// becomesUnready waits until /readyz refuses because of the store's state.
func becomesUnready(t *testing.T, o *servertest.Oracle, s *servertest.Server, state string) {
	t.Helper()
	o.Eventually(noticed, "/readyz says "+state, func() bool {
		status, store := readiness(t, s)
		return status == http.StatusServiceUnavailable && store == state
	})
}

// becomesReady waits until /readyz agrees.
func becomesReady(t *testing.T, o *servertest.Oracle, s *servertest.Server) {
	t.Helper()
	o.Eventually(noticed, "/readyz agrees", func() bool { status, _ := readiness(t, s); return status == http.StatusOK })
}

// figure reads one figure of /metrics that has no label.
func figure(t *testing.T, s *servertest.Server, name string) int {
	t.Helper()
	for line := range strings.Lines(s.Do(http.MethodGet, "/metrics", "").Body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatalf("/metrics: %s: %v", line, err)
			}
			return int(n)
		}
	}
	t.Fatalf("/metrics has no %s", name)
	return 0
}

// mustRefuse pushes one reading and wants a 503 with a code and Retry-After.
func mustRefuse(t *testing.T, s *servertest.Server, code string) {
	t.Helper()
	a := s.Do(http.MethodPost, "/t/refused", "1")
	if a.Status != http.StatusServiceUnavailable || !strings.Contains(a.Body, `"`+code+`"`) || a.Header.Get("Retry-After") == "" {
		t.Errorf("a push was answered %d %s (Retry-After %q), want 503 %s", a.Status, a.Body, a.Header.Get("Retry-After"), code)
	}
}

// storesNothing lets it run and fails the test if a push was stored meanwhile, or
// none was tried.
func storesNothing(t *testing.T, o *servertest.Oracle, d time.Duration) {
	t.Helper()
	before := o.Acked()
	o.For(d)
	if n := o.Acked() - before; n != 0 {
		t.Errorf("%d readings were acknowledged by a store that takes none", n)
	}
}

// awaits reads a socket's frames until one is as wanted.
func awaits(t *testing.T, c *servertest.Socket, within time.Duration, what string, wanted func(servertest.Frame) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	for {
		f, err := c.TryRead(ctx)
		if err != nil {
			t.Fatalf("%s did not come within %v: %v", what, within, err)
		}
		if wanted(f) {
			return
		}
	}
}

// holds says that a frame holds a reading whose only value is n.
func holds(f servertest.Frame, n float64) bool {
	return slices.ContainsFunc(f.Rows, func(row []any) bool { return len(row) == 2 && row[1] == n })
}
