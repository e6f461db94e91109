package server

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"readout/server/hub"
	"readout/server/reading"
	"readout/server/store"
)

const (
	probeEvery = time.Second
	probeTries = 3                       // a connection that was cut is no outage
	probeWait  = 1500 * time.Millisecond // all of them
)

// livez says that the process runs. It never asks the store, whose outage a
// restart of this process would not mend.
func (s *Server) livez(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte("alive\n"))
	return nil
}

// readyz says whether this replica should get traffic, and which check fails.
// What it says of the store is what viewers are told.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) error {
	state := s.probe.ask(r.Context())
	replica, kept := "ok", "redis"
	if s.draining.Load() {
		replica = "draining"
	}
	if s.o.MemoryOnly {
		kept = "memory only: readings are gone when this process ends"
	} else if s.o.Embedded != nil {
		kept = "a file of this process"
	}
	status, word, code := http.StatusOK, "ready", "ok"
	if state.Code != store.Well {
		code = state.Code
	}
	if code != "ok" || replica != "ok" {
		status, word = http.StatusServiceUnavailable, "not ready"
	}
	b := reading.AppendJSONString([]byte(`{"status":`), word)
	b = reading.AppendJSONString(append(b, `,"checks":{"replica":`...), replica)
	b = reading.AppendJSONString(append(b, `,"store":`...), code)
	b = append(b, '}')
	if code != "ok" {
		b = strconv.AppendInt(append(b, `,"since":`...), state.Since.UnixMilli(), 10)
		b = reading.AppendJSONString(append(b, `,"message":`...), state.Message)
	}
	b = reading.AppendJSONString(append(b, `,"store":`...), kept)
	b = reading.AppendJSONString(append(b, `,"replica":`...), s.o.Replica)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, "}\n"...))
	return nil
}

// probe knows how the store is. It has it write and read at most once a second:
// when it is asked, while somebody is there to be told, and until it is well.
type probe struct {
	store func(context.Context) error
	tell  func(hub.StoreState)
	heard func() bool // somebody is told
	log   *slog.Logger

	mu    sync.Mutex // held during a probe, so that only one runs; guards:
	at    time.Time  // of the last probe
	ended time.Time  // when it had its answer
	state hub.StoreState
}

// keepProbing starts what endProbe ends.
func (s *Server) keepProbing() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.probe.keep(ctx)
	}()
	s.endProbe = func() {
		cancel()
		<-ended
	}
}

// keep probes until ctx ends.
func (p *probe) keep(ctx context.Context) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if p.heard() || p.ill() {
			p.ask(ctx)
		}
	}
}

func (p *probe) ill() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state.Code != store.Well
}

// ask returns how the store is, or was less than a second ago.
func (p *probe) ask(ctx context.Context) hub.StoreState {
	asked := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.at.IsZero() && time.Since(p.at) < probeEvery*9/10 { // the ticker is no exact clock
		return p.state
	}
	if p.ended.After(asked) { // all who waited for one probe share its answer, however long it took
		return p.state
	}
	// Whoever asks may go away, and the answer is for the others too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeWait)
	defer cancel()
	p.at = time.Now()
	err := p.store(ctx)
	for tries := 1; err != nil && tries < probeTries && ctx.Err() == nil; tries++ {
		err = p.store(ctx)
	}
	code, message := store.Condition(err)
	switch {
	case p.state.Since.IsZero() || code != p.state.Code:
		if code != store.Well {
			p.log.Warn("the store is not well", "state", code, "err", err)
		} else if !p.state.Since.IsZero() {
			p.log.Info("the store is well again", "after", time.Since(p.state.Since).Round(time.Millisecond))
		}
		p.state = hub.StoreState{Code: code, Message: message, Since: time.Now()}
	default:
		p.state.Message = message
	}
	p.ended = time.Now()
	p.tell(p.state)
	return p.state
}
