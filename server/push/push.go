// Package push answers those who send readings over HTTP. It holds the limits,
// asks who may push what, has server/ingest decode the body, and answers only
// when the readings are stored. Its handlers return errors; the server turns
// them into answers in one place.
package push

import (
	"context"
	"net/http"
	"runtime"
	"time"

	"readout/server/ingest"
	"readout/server/problem"
	"readout/server/reading"
)

// Limits of one request. They stand in the table of codes too.
const (
	MaxBody     = 1 << 20 // bytes as sent
	MaxInflated = 8 << 20 // bytes after decompression
	MaxKey      = 200     // bytes in an Idempotency-Key
)

// slotWait is how long a request waits for its turn before it is refused. Below
// it bursts even out; above it waiting would only add latency to an overload.
const slotWait = 250 * time.Millisecond

// Once names a request, so that its retries are stored once. The zero Once, with
// an empty Key, names none.
type Once struct {
	Token string   // ID of the token that sent it; empty on an open server
	Key   string   // its Idempotency-Key
	Body  [32]byte // SHA-256 of what it asks for
}

// Ack is how safe readings are before their push is answered: Readout-Ack.
type Ack string

// The values of Ack.
const (
	Stored Ack = ""       // the store has them
	Copied Ack = "copied" // and so has a copy of it
	Synced Ack = "synced" // and they are on its disk
)

// Options is what the handlers get from the rest of the server. Every func is required.
type Options struct {
	// Append stores readings and returns the ID of the entry that holds each,
	// in the same order. It returns only when the store has them as safely as ack says.
	Append func(ctx context.Context, readings []reading.Reading, once Once, ack Ack) ([]reading.StreamID, error)
	// Describe keeps what the values of a topic mean.
	Describe func(ctx context.Context, topic reading.Topic, columns []reading.Column) error
	// Can is asked for every topic: nil, or an unauthorized or forbidden *problem.Error.
	Can func(r *http.Request, topic reading.Topic) error
	// Sender returns the ID of the request's token; empty on an open server.
	Sender func(r *http.Request) string
	// URL returns the address of a topic's page.
	URL func(r *http.Request, topic reading.Topic) string

	Retention time.Duration    // readings older than this are refused; 0 for no bound
	Now       func() time.Time // nil for time.Now
	Inflight  int              // requests that are decoded and stored at once, and of those with a Readout-Ack as many; 0 for 64 per core
}

// Handlers are the handlers of pushes. They may be used by any number of requests at once.
type Handlers struct {
	options Options
	slots   chan struct{}
	waiting chan struct{} // slots of those that wait for more than that they are stored
	lines   ingest.Lines
}

// New makes the handlers.
func New(options Options) *Handlers {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Inflight <= 0 {
		options.Inflight = 64 * runtime.GOMAXPROCS(0)
	}
	return &Handlers{options: options, slots: make(chan struct{}, options.Inflight), waiting: make(chan struct{}, options.Inflight)}
}

// begin waits for a slot and returns where to give it back. A request takes its
// slot when its body has arrived, so that slow senders hold none. Those that wait
// for copies and disks have slots of their own, so that they hold up no others.
func (h *Handlers) begin(ctx context.Context, ack Ack) (slots <-chan struct{}, err error) {
	all := h.slots
	if ack != Stored {
		all = h.waiting
	}
	select {
	case all <- struct{}{}:
		return all, nil
	default:
	}
	timer := time.NewTimer(slotWait)
	defer timer.Stop()
	select {
	case all <- struct{}{}:
		return all, nil
	case <-ctx.Done():
	case <-timer.C:
	}
	return nil, &problem.Error{Code: "overloaded", Message: "this replica has as many requests in hand as it can store in time", Cause: ctx.Err()}
}

func (h *Handlers) bounds() ingest.Bounds {
	b := ingest.Bounds{Now: h.options.Now()}
	if h.options.Retention > 0 {
		b.Oldest = b.Now.Add(-h.options.Retention)
	}
	return b
}
