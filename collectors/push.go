package collectors

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"readout/server/reading"
)

// Bounds of a batch that nobody needs to set. The API takes 10,000 readings, 1
// MiB as sent and 8 MiB inflated; a batch stays below even if it does not shrink.
const (
	maxBatchBytes = 512 << 10   // of a batch before compression
	batchOverhead = 512         // bytes in memory beside a batch's body, so that tiny batches count too
	spoolWithin   = time.Second // how long a reading behind a batch that is being sent is in memory only
)

// ErrStopped is what Append answers after Stop.
var ErrStopped = errors.New("the pusher has stopped")

// PusherOptions are the settings of a Pusher; only URL is needed.
type PusherOptions struct {
	// URL is the address of Readout, with or without a path before /api:
	// http://127.0.0.1:8080. Only http and https, without a user in it.
	URL string
	// Token goes into Authorization: Bearer; empty sends none.
	Token string
	// Describe goes with the first batch and again after each new connection:
	// the server behind it may have lost what it knew.
	Describe Description
	// BatchReadings ends a batch; 0 means 1,000.
	BatchReadings int
	// BatchWait is how long a reading may wait for others; 0 means 100 ms.
	BatchWait time.Duration
	// BufferBytes bounds what is kept in memory, compressed, while the server is
	// away; 0 means 8 MiB, which is hours of one machine's figures.
	BufferBytes int
	// Spool is a directory that keeps what waits while the server is away, also
	// over a restart of this process; empty for memory only. No other Pusher may
	// use it at the same time.
	Spool string
	// SpoolBytes bounds it; 0 means 256 MiB, and 1 MiB is the least.
	SpoolBytes int64
	// Timeout ends one attempt, from dialling to the answer's last byte; 0 means 10 s.
	Timeout time.Duration
	// Transport carries the requests; nil for one of its own with timeouts.
	Transport http.RoundTripper
	// Log gets the first failure in a row and every change; nil for slog.Default.
	Log *slog.Logger
}

// Pusher is a Sink that sends to POST {URL}/api/v1/readings: one batch after
// the other, in order, each under an Idempotency-Key that stays with it through
// all its retries, so that a lost answer stores nothing twice (the server
// remembers a key for 10 minutes).
//
// Network errors, 408, 429 and 5xx are tried again, with full jitter of 0.5 s
// growing to 30 s and never before the server's Retry-After. Meanwhile batches
// stay in memory, up to BufferBytes, or in the Spool, up to SpoolBytes; beyond,
// the oldest are dropped and counted. A batch goes to the disk as soon as an
// attempt has failed or another batch waits behind it; while all is well nothing
// does. What is on the disk is sent first after a restart. Anything else that is not a success drops the batch, with a line in the log: it would
// never be taken.
type Pusher struct {
	o      PusherOptions
	url    string
	client *http.Client
	log    *slog.Logger

	wake    chan struct{} // has room for one; says that next may answer otherwise
	ended   chan struct{} // closed when the sending goroutine ends
	abort   context.Context
	aborted context.CancelFunc // ends the sending goroutine even between retries

	mu       sync.Mutex // protects all below
	spool    *spool     // older than queue; nil without one
	disk     state      // of writing to it
	current  *batch     // the oldest, from its first attempt until it is over
	open     *batch     // takes readings; nil when there are none
	zip      *gzip.Writer
	queue    []*batch        // closed batches, oldest first
	queued   int             // bytes of queue
	onWire   *batch          // the one of queue that an attempt is sending right now
	columns  Description     // all that is described
	tell     []reading.Topic // what the next batches carry of it
	dropping bool            // the log knows that batches are dropped; until one is accepted
	started  bool
	stopping bool
	stats    PusherStats
}

var _ Sink = (*Pusher)(nil)

// PusherStats counts readings since Start, and requests.
type PusherStats struct {
	Stored   int64 // readings that the server has
	Rejected int64 // readings that the server or Append refused one by one
	Refused  int64 // readings in batches that the server refused whole
	Dropped  int64 // readings that fell out of the full buffer or spool
	Waiting  int64 // readings not sent yet, at this moment
	Spooled  int64 // bytes in the spool, at this moment
	Requests int64 // attempts
	Retries  int64 // attempts after the first of a batch
}

// batch is one request to be.
type batch struct {
	key      string
	readings int
	plain    int          // bytes before compression
	body     bytes.Buffer // gzip
	due      time.Time    // when it closes even if it is not full
	describe bool         // carries some of the description
	attempts int
	place    place // in the spool; zero while it is in memory only
	lost     bool  // dropped from the spool while it was being sent
}

// NewPusher checks the options. The Pusher takes readings at once and sends
// from Start on.
func NewPusher(o PusherOptions) (*Pusher, error) {
	base, err := url.Parse(o.URL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the address %s is not a URL; write it like http://127.0.0.1:8080", reading.Quote(o.URL))
	case base.Scheme != "http" && base.Scheme != "https" || base.Host == "":
		return nil, fmt.Errorf("the address %s does not begin with http:// or https:// and a host; write it like http://127.0.0.1:8080", reading.Quote(o.URL))
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("the address holds a user, a query or a fragment; give only the address, and the token apart")
	}
	if o.BatchReadings <= 0 {
		o.BatchReadings = 1000
	}
	if o.BatchWait <= 0 {
		o.BatchWait = 100 * time.Millisecond
	}
	if o.BufferBytes <= 0 {
		o.BufferBytes = 8 << 20
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Transport == nil {
		o.Transport = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: o.Timeout,
			IdleConnTimeout:       90 * time.Second,
			MaxIdleConnsPerHost:   1,
			ForceAttemptHTTP2:     true,
		}
	}
	if o.SpoolBytes <= 0 {
		o.SpoolBytes = 256 << 20
	}
	abort, aborted := context.WithCancel(context.Background())
	p := &Pusher{
		o:   o,
		url: base.JoinPath("api/v1/readings").String(),
		client: &http.Client{
			Transport: o.Transport,
			Timeout:   o.Timeout,
			// A redirect would carry the token to another address, or turn the POST into a GET.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		log:     o.Log,
		wake:    make(chan struct{}, 1),
		ended:   make(chan struct{}),
		abort:   abort,
		aborted: aborted,
		columns: maps.Clone(o.Describe),
	}
	p.tellAll()
	if o.Spool != "" {
		if p.spool, err = openSpool(o.Spool, o.SpoolBytes, o.Log); err != nil {
			aborted()
			return nil, err
		}
		p.stats.Waiting, p.stats.Dropped = p.spool.readings, p.spool.dropped
		if p.spool.readings > 0 {
			p.log.Info("readings of before wait in the spool", "dir", o.Spool, "readings", p.spool.readings, "bytes", p.spool.bytes)
		}
	}
	return p, nil
}

// Append queues readings for sending and returns at once. Readings that no
// server would take (a NaN, a bad value name, a time in the far future) are left
// out, counted as rejected and named in the error; the others are queued all the
// same. After Stop it returns ErrStopped.
func (p *Pusher) Append(_ context.Context, readings []reading.Reading) error {
	now := time.Now()
	var refused error
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping {
		return ErrStopped
	}
	if p.spool != nil && p.open != nil && now.Sub(p.open.due) > spoolWithin {
		p.close() // another batch keeps it waiting; a crash shall not cost more than this
	}
	for i := range readings {
		r := &readings[i]
		err := r.Validate(now, time.Time{})
		if err == nil && r.Topic == "" {
			err = reading.Refuse("bad_topic", "the reading has no topic")
		}
		if err != nil {
			p.stats.Rejected++
			refused = errors.Join(refused, fmt.Errorf("%s: %w", r.Topic, err))
			continue
		}
		p.add(now, appendReading(nil, r))
	}
	p.signal()
	return refused
}

// add puts one encoded reading into the open batch. The caller holds mu.
func (p *Pusher) add(now time.Time, encoded []byte) {
	if p.open != nil && (p.open.readings == p.o.BatchReadings || p.open.plain+len(encoded) > maxBatchBytes) {
		p.close()
	}
	separator := []byte{','}
	if p.open == nil {
		b := &batch{key: rand.Text(), due: now.Add(p.o.BatchWait), describe: len(p.tell) > 0}
		p.open = b
		if p.zip == nil {
			// The level does not matter for a few figures a second; the default shrinks a backlog best.
			p.zip = gzip.NewWriter(&b.body)
		} else {
			p.zip.Reset(&b.body)
		}
		separator = p.opening()
	}
	// A gzip.Writer onto a bytes.Buffer cannot fail.
	_, _ = p.zip.Write(separator)
	_, _ = p.zip.Write(encoded)
	p.open.readings++
	p.open.plain += len(separator) + len(encoded)
	p.stats.Waiting++
	if p.open.readings == p.o.BatchReadings {
		p.close()
	}
}

// close ends the open batch, queues it and keeps the queue within its bound.
// The caller holds mu.
func (p *Pusher) close() {
	_, _ = p.zip.Write([]byte("]}"))
	_ = p.zip.Close()
	p.queue = append(p.queue, p.open)
	p.queued += p.open.size()
	p.open = nil
	if p.spool != nil && (len(p.queue) > 1 || p.spool.readings > 0) {
		p.persist()
	}
	for p.queued > p.o.BufferBytes {
		oldest := 0
		if p.queue[0] == p.onWire {
			oldest = 1 // its answer is under way
		}
		if oldest == len(p.queue)-1 {
			break // the newest batch stays, whatever its size
		}
		b := p.queue[oldest]
		p.remove(b)
		p.drops(int64(b.readings), int64(p.o.BufferBytes))
		if b.describe {
			p.tellAll()
		}
	}
}

// drops counts readings that are given up, and says so once. The caller holds mu.
func (p *Pusher) drops(readings, bytes int64) {
	p.stats.Dropped += readings
	if !p.dropping {
		p.dropping = true
		p.log.Warn("the server is away for so long that the oldest readings are dropped", "url", p.url, "buffer_bytes", bytes)
	}
}

func (b *batch) size() int { return b.body.Cap() + batchOverhead }

// remove takes a batch off the queue. The caller holds mu.
func (p *Pusher) remove(b *batch) {
	for i := range p.queue {
		if p.queue[i] == b {
			p.queue = append(p.queue[:i:i], p.queue[i+1:]...)
			p.queued -= b.size()
			p.stats.Waiting -= int64(b.readings)
			if p.current == b {
				p.current = nil
			}
			return
		}
	}
}

// Start begins to send, in one goroutine that Stop ends. It is called once.
func (p *Pusher) Start() {
	p.mu.Lock()
	p.started = true
	p.mu.Unlock()
	go p.run()
}

// Stop takes no more readings, sends those that wait and returns when all are
// sent or ctx ends; then its error says how many were not. A pause before a
// retry is cut short once, since this may be the last chance. What is in the spool
// by then is no error: the next start sends it.
func (p *Pusher) Stop(ctx context.Context) error {
	p.mu.Lock()
	started := p.started
	p.stopping = true
	p.mu.Unlock()
	p.signal()
	if started {
		select {
		case <-p.ended:
		case <-ctx.Done():
			p.aborted()
			<-p.ended
		}
	}
	p.aborted()
	p.client.CloseIdleConnections()
	if err := p.endSpool(); err != nil {
		return err
	}
	if waiting := p.Stats().Waiting; waiting > 0 {
		return fmt.Errorf("%d readings could not be sent to %s before the end", waiting, p.url)
	}
	return nil
}

// Stats returns the counts so far.
func (p *Pusher) Stats() PusherStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	stats := p.stats
	if p.spool != nil {
		stats.Spooled = p.spool.bytes
	}
	return stats
}

func (p *Pusher) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// next returns the batch to send now, or how long to wait for one; below 0 is
// until the next signal. While batches queue, the open one keeps growing past
// its time: fewer and fuller requests are what a server that comes back needs.
func (p *Pusher) next() (b *batch, wait time.Duration, stopping bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	oldest := p.oldest()
	if oldest == nil && p.open != nil {
		if wait = time.Until(p.open.due); wait <= 0 || p.stopping {
			p.close()
			oldest = p.oldest()
		}
	}
	switch {
	case oldest != nil:
		b = oldest
		p.current, p.onWire = b, b
		p.stats.Requests++
		if b.attempts > 0 {
			p.stats.Retries++
		}
		b.attempts++
	case p.open == nil:
		wait = -1
	}
	return b, wait, p.stopping
}

// appendReading appends {"topic":...,"t":...,"values":{...}}.
func appendReading(b []byte, r *reading.Reading) []byte {
	b = append(b, `{"topic":`...)
	b = reading.AppendJSONString(b, string(r.Topic))
	b = append(b, `,"t":`...)
	b = strconv.AppendInt(b, r.Time, 10)
	b = append(b, `,"values":{`...)
	for i, v := range r.Values {
		if i > 0 {
			b = append(b, ',')
		}
		b = reading.AppendJSONString(b, v.Name)
		b = append(b, ':')
		b = v.Value.AppendJSON(b)
	}
	return append(b, '}', '}')
}

// RetryAfter reads the header of that name: seconds or a date. It is 0 without
// one, and at most 5 minutes: no server may silence its senders for a day.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	const most = 5 * time.Minute
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, most)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), most)
	}
	return 0
}
