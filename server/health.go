package server

import (
	"context"
	"net/http"
	"sync"
	"time"

	"readout/server/problem"
	"readout/server/reading"
)

// livez says that the process runs. It never asks the store, whose outage a
// restart of this process would not mend.
func (s *Server) livez(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte("alive\n"))
	return nil
}

// readyz says whether this replica should get traffic, and which dependency
// fails. The store is asked to write and read, at most once a second.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) error {
	var err error = problem.New("draining", "this replica is stopping")
	if !s.draining.Load() {
		err = s.probe.ask(r.Context())
	}
	status, code, word := http.StatusOK, "ok", "ready"
	if err != nil {
		p, _ := problem.Of(err)
		status, code, word = http.StatusServiceUnavailable, p.Code, "not ready"
	}
	kept := "redis"
	if s.o.MemoryOnly {
		kept = "memory only: readings are gone when this process ends"
	}
	b := reading.AppendJSONString([]byte(`{"status":`), word)
	b = reading.AppendJSONString(append(b, `,"checks":{"store":`...), code)
	b = reading.AppendJSONString(append(b, `},"store":`...), kept)
	b = reading.AppendJSONString(append(b, `,"replica":`...), s.o.Replica)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, "}\n"...))
	return nil
}

// probe remembers the store's last answer for a second.
type probe struct {
	store func(context.Context) error

	mu   sync.Mutex // held during a probe, so that only one runs; guards:
	at   time.Time
	last error
}

func (p *probe) ask(ctx context.Context) error {
	const fresh, wait = time.Second, 1500 * time.Millisecond
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.at.IsZero() && time.Since(p.at) < fresh {
		return p.last
	}
	// Whoever asks may go away, and the answer is for the others too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), wait)
	defer cancel()
	p.last = p.store(ctx)
	p.at = time.Now()
	return p.last
}
