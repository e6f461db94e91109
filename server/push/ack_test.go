package push_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"readout/server/push"
	"readout/server/reading"
)

// Readout-Ack reaches the store, on both ways.
func TestAck(t *testing.T) {
	for header, want := range map[string]push.Ack{"": push.Stored, "copied": push.Copied, "synced": push.Synced} {
		store := &recorder{}
		server := httptest.NewServer(router(push.New(store.options())))
		sent := http.Header{"Content-Type": {"application/json"}}
		if header != "" {
			sent.Set("Readout-Ack", header)
		}
		for path, body := range map[string]string{"/t/a": "42", "/api/v1/readings": `{"topic":"a","value":1}`} {
			if status, a := post(t, server.URL+path, sent, strings.NewReader(body)); status != 200 {
				t.Errorf("%s with %q: %d %s", path, header, status, a.Error.Message)
			}
		}
		server.Close()
		if len(store.acks) != 2 || store.acks[0] != want || store.acks[1] != want {
			t.Errorf("%q asks the store for %q, want %q twice", header, store.acks, want)
		}
	}
}

// As many as can wait for copies do, and neither they nor those that find no place
// hold up a push that waits for none.
func TestWhoWaitsHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 4
		store := &recorder{}
		options := store.options()
		options.Inflight = most
		options.Append = func(ctx context.Context, readings []reading.Reading, once push.Once, ack push.Ack) ([]reading.StreamID, error) {
			if ack != push.Stored {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return store.append(ctx, readings, once, ack)
		}
		handler := router(push.New(options))
		ctx, cancel := context.WithCancel(t.Context())
		push := func(ack string) int {
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/t/a", strings.NewReader("42"))
			if ack != "" {
				r.Header.Set("Readout-Ack", ack)
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			return w.Code
		}
		for range most {
			go push("copied")
		}
		synctest.Wait()
		began := time.Now()
		if status := push(""); status != http.StatusOK || time.Since(began) != 0 {
			t.Errorf("beside those that wait a push is answered %d after %v", status, time.Since(began))
		}
		if status := push("synced"); status != http.StatusServiceUnavailable || time.Since(began) > time.Second {
			t.Errorf("one more that would wait is answered %d after %v", status, time.Since(began))
		}
		cancel()
		synctest.Wait()
	})
}
