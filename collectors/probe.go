package collectors

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"sync"
	"syscall"
	"time"

	"readout/server/reading"
)

// probeInterval is how often a target is asked unless its item says otherwise.
const probeInterval = 10 * time.Second

// Probe asks one target whether it is there: by HTTP (GET, up to 5 redirects) or
// by opening a TCP connection. Each collection takes new connections, so that
// its phases are those of a first visitor.
//
// A target that is down is no failure of the collector: it is what there is to
// tell. Its reading then has state "down" and reason, one of dns, refused,
// timeout, tls, status, too_large, not_allowed and error.
type Probe struct {
	name   string
	topic  reading.Topic
	target *url.URL
	guard  *Guard
}

// NewProbe makes the collector of topic probe{target="..."}; the target is
// http://..., https://... or tcp://host:port. The error says what is wrong with
// the target.
func NewProbe(target string, guard *Guard) (*Probe, error) {
	u, err := guard.Target(target, "http", "https", "tcp")
	if err != nil {
		return nil, err
	}
	if u.Scheme == "tcp" && (u.Port() == "" || u.Path != "" || u.RawQuery != "") {
		return nil, reading.Refuse("bad_target", "%s: a tcp:// target is a host and a port, like tcp://db.example:5432", reading.Quote(target))
	}
	topic, err := reading.NewTopic("probe", reading.Label{Name: "target", Value: target})
	if err != nil {
		return nil, err
	}
	return &Probe{name: "probe:" + target, topic: topic, target: u, guard: guard}, nil
}

// Name is probe: and the target.
func (p *Probe) Name() string { return p.name }

// Interval is 10 seconds.
func (p *Probe) Interval() time.Duration { return probeInterval }

// Describe gives every column that this kind of target may have.
func (p *Probe) Describe() Description {
	columns := []reading.Column{
		{Name: "state", Kind: reading.State},
		{Name: "latency", Unit: "ms", Kind: reading.Gauge},
	}
	if p.target.Scheme != "tcp" {
		columns = append(columns,
			reading.Column{Name: "status", Kind: reading.Gauge},
			reading.Column{Name: "certificate_days", Unit: "days", Kind: reading.Gauge})
	}
	columns = append(columns,
		reading.Column{Name: "dns", Unit: "ms", Kind: reading.Gauge},
		reading.Column{Name: "connect", Unit: "ms", Kind: reading.Gauge})
	if p.target.Scheme != "tcp" {
		columns = append(columns,
			reading.Column{Name: "tls", Unit: "ms", Kind: reading.Gauge},
			reading.Column{Name: "first_byte", Unit: "ms", Kind: reading.Gauge})
	}
	return Description{p.topic: append(columns, reading.Column{Name: "reason", Kind: reading.State})}
}

// Collect asks once.
func (p *Probe) Collect(ctx context.Context) ([]reading.Reading, error) {
	within, cancel := almost(ctx)
	defer cancel()
	ph := &phases{begun: map[string]time.Time{}, took: map[string]time.Duration{}}
	within = httptrace.WithClientTrace(within, ph.trace())
	begin := time.Now()
	var values []reading.Named
	var reason string
	if p.target.Scheme == "tcp" {
		reason = p.connect(within)
	} else {
		values, reason = p.get(within)
	}
	took := time.Since(begin)
	if ctx.Err() != nil {
		return nil, ctx.Err() // stopping; that says nothing about the target
	}
	state := "up"
	if reason != "" {
		state = "down"
	}
	all := []reading.Named{{Name: "state", Value: reading.TextOf(state)}}
	if reason == "" || reason == "status" { // an answer that did not come took no time
		all = append(all, milliseconds("latency", took))
	}
	all = append(append(all, values...), ph.values()...)
	if reason != "" {
		all = append(all, reading.Named{Name: "reason", Value: reading.TextOf(reason)})
	}
	return []reading.Reading{{Topic: p.topic, Time: begin.UnixMilli(), Values: all}}, nil
}

func (p *Probe) connect(ctx context.Context) (reason string) {
	conn, err := p.guard.Dial(ctx, "tcp", p.target.Host)
	if err != nil {
		return reasonOf(err)
	}
	_ = conn.Close()
	return ""
}

// get makes one request and reads its answer to the end: a server that breaks
// off in the middle is not up.
func (p *Probe) get(ctx context.Context) (values []reading.Named, reason string) {
	transport := p.guard.transport()
	transport.DisableKeepAlives = true
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.target.String(), nil)
	if err != nil {
		return nil, "error"
	}
	request.Header.Set("User-Agent", "readout-probe")
	response, err := p.guard.client(transport, maxRedirects).Do(request)
	if err != nil {
		var bad *tls.CertificateVerificationError
		if errors.As(err, &bad) && len(bad.UnverifiedCertificates) > 0 {
			values = append(values, days(bad.UnverifiedCertificates[0].NotAfter))
		}
		return values, reasonOf(err)
	}
	defer func() { _ = response.Body.Close() }()
	values = append(values, reading.Named{Name: "status", Value: reading.NumberOf(float64(response.StatusCode))})
	if response.TLS != nil && len(response.TLS.PeerCertificates) > 0 {
		values = append(values, days(response.TLS.PeerCertificates[0].NotAfter))
	}
	n, err := io.Copy(io.Discard, io.LimitReader(response.Body, maxTargetBody+1))
	switch {
	case n > maxTargetBody:
		return values, "too_large"
	case err != nil:
		return values, reasonOf(err)
	case response.StatusCode >= 400:
		return values, "status"
	}
	return values, ""
}

// days is how long a certificate is still valid; below 0 it is not any more.
func days(until time.Time) reading.Named {
	return reading.Named{Name: "certificate_days", Value: reading.NumberOf(math.Round(time.Until(until).Hours()/24*100) / 100)}
}

// reasonOf sorts what keeps a target from being up into the few words that the
// column reason has.
func reasonOf(err error) string {
	var refused *reading.Error
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &refused):
		return "not_allowed"
	case errors.Is(err, errTooLarge):
		return "too_large"
	case errors.As(err, &dns) && !dns.IsTimeout:
		return "dns"
	case errors.As(err, &certificate), errors.As(err, &record), errors.As(err, &alert):
		return "tls"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	default:
		return "error"
	}
}

// almost ends a little before the context of a collection, so that there is time
// left to hand over what is known.
func almost(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithTimeout(ctx, targetTimeout)
	}
	return context.WithTimeout(ctx, min(time.Until(end)*9/10, targetTimeout))
}

func milliseconds(name string, d time.Duration) reading.Named {
	return reading.Named{Name: name, Value: reading.NumberOf(float64(d.Microseconds()) / 1000)}
}

// phases adds up where the time of a request went, over all its redirects.
// Several addresses of a host may be tried at once, so it has a lock.
type phases struct {
	mu    sync.Mutex
	begun map[string]time.Time
	took  map[string]time.Duration
}

func (p *phases) begin(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun[key] = time.Now()
}

func (p *phases) end(key, phase string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at, ok := p.begun[key]; ok && err == nil {
		p.took[phase] += time.Since(at)
	}
	delete(p.begun, key)
}

func (p *phases) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart:             func(httptrace.DNSStartInfo) { p.begin("dns") },
		DNSDone:              func(i httptrace.DNSDoneInfo) { p.end("dns", "dns", i.Err) },
		ConnectStart:         func(_, address string) { p.begin(address) },
		ConnectDone:          func(_, address string, err error) { p.end(address, "connect", err) },
		TLSHandshakeStart:    func() { p.begin("tls") },
		TLSHandshakeDone:     func(_ tls.ConnectionState, err error) { p.end("tls", "tls", err) },
		WroteRequest:         func(httptrace.WroteRequestInfo) { p.begin("first_byte") },
		GotFirstResponseByte: func() { p.end("first_byte", "first_byte", nil) },
	}
}

func (p *phases) values() []reading.Named {
	p.mu.Lock()
	defer p.mu.Unlock()
	var values []reading.Named
	for _, name := range []string{"dns", "connect", "tls", "first_byte"} {
		if took, ok := p.took[name]; ok {
			values = append(values, milliseconds(name, took))
		}
	}
	return values
}
