package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"readout/server/servertest"
)

// A sender that asks for a copy is answered 200 when there is one, and else told
// what became of its reading.
func TestReadoutAck(t *testing.T) {
	t.Parallel()
	primary := servertest.Redis(t)
	link := servertest.NewFaultProxy(t, primary.Addr(), 1)
	replica := servertest.RedisReplica(t, link.Addr())
	s := servertest.New(t, &servertest.Options{Redis: primary.URL(), Loopback: true})
	push := func(key string) servertest.Answer {
		return s.Do(http.MethodPost, "/t/orders", "42", "Readout-Ack", "copied", "Idempotency-Key", key)
	}
	copied := func(key string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); push(key).Status != http.StatusOK; {
			if time.Now().After(deadline) {
				t.Fatalf("it is never copied: %s", push(key).Body)
			}
		}
	}
	copied("first") // it takes a moment until the primary knows its copy
	link.Blackhole()
	for range 2 {
		a := push("second")
		if a.Status != http.StatusServiceUnavailable || !strings.Contains(a.Body, `"code":"not_confirmed"`) || !strings.Contains(a.Body, `"outcome":"stored"`) || a.Header.Get("Retry-After") == "" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	began := time.Now()
	if a := s.Do(http.MethodPost, "/t/others", "1"); a.Status != http.StatusOK || time.Since(began) > time.Second {
		t.Errorf("a push that asks for no copy: %d after %v", a.Status, time.Since(began))
	}
	link.Pass()
	copied("second")
	if n := replica.Do("XLEN", primary.Do("KEYS", "readout:*}:s:orders")); n != "2" {
		t.Errorf("the copy has %s readings, want 2", n)
	}
}

func TestReadoutAckThatCannotBe(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	for ack, want := range map[string]string{"copied": "a Redis with a copy", "synced": "--data", "twice": "copied or synced"} {
		a := s.Do(http.MethodPost, "/t/orders", "42", "Readout-Ack", ack)
		if a.Status != http.StatusBadRequest || !strings.Contains(a.Body, want) {
			t.Errorf("%s: %d %s", ack, a.Status, a.Body)
		}
	}
	if a := s.Do(http.MethodGet, "/api/v1/topics?match=orders", ""); !strings.Contains(a.Body, `"total":0`) {
		t.Errorf("something is stored: %s", a.Body)
	}
}
