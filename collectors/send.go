package collectors

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"
)

// This file is the sending half of the Pusher: one goroutine, one request at a
// time, and what each answer means.

const (
	firstBackoff = 500 * time.Millisecond
	lastBackoff  = 30 * time.Second
	maxAnswer    = 256 << 10 // bytes of an answer that are read
	refusalEvery = time.Minute
)

// Backoff is how long to wait after so many failures in a row (1 or more): full
// jitter, at random up to 0.5 s, 1 s, 2 s ... 30 s, so that senders that failed
// together do not come back together.
func Backoff(failures int) time.Duration {
	return rand.N(min(firstBackoff<<min(max(failures-1, 0), 10), lastBackoff)) + 1
}

// verdict is what an attempt means for its batch.
type verdict uint8

const (
	accepted verdict = iota
	retry
	refused
)

// attempt is one request and its answer.
type attempt struct {
	verdict    verdict
	err        error         // why it is not accepted
	retryAfter time.Duration // what the server asked for
	rejected   int           // readings of an accepted batch that the server refused
	first      string        // what it said about the first of them
	connected  bool          // it went over a connection that was new
}

// run sends batches until Stop has been called and none is left.
func (p *Pusher) run() {
	defer close(p.ended)
	var away state
	var news refusals
	failures := 0
	hurried := false // the one pause that Stop cuts short
	for {
		b, wait, stopping := p.next()
		if b == nil {
			if stopping || !p.pause(wait, true) {
				return
			}
			continue
		}
		a := p.send(b)
		p.settle(b, a)
		switch a.verdict {
		case accepted:
			if failed, since := away.works(); failed > 0 {
				p.log.Info("pushing again", "url", p.url, "attempts", failed, "after", time.Since(since).Round(time.Millisecond), "dropped", p.Stats().Dropped)
			}
			if a.rejected > 0 {
				news.note(p.log, p.url, a.first, a.rejected)
			}
			failures = 0
		case refused:
			news.note(p.log, p.url, a.err.Error(), b.readings)
			failures = 0
		case retry:
			failures++
			if p.abort.Err() != nil {
				return
			}
			if away.fails("away") {
				where := "memory"
				if p.o.Spool != "" {
					where = "the spool"
				}
				p.log.Warn("cannot push; readings wait in "+where, "url", p.url, "err", a.err)
			}
			until := time.Now().Add(max(Backoff(failures), a.retryAfter))
			for time.Until(until) > 0 && (hurried || !p.isStopping()) {
				if !p.pause(time.Until(until), !hurried) {
					return
				}
			}
			hurried = hurried || p.isStopping()
		}
	}
}

func (p *Pusher) isStopping() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopping
}

// pause waits so long, or, if that is below 0, for ever; a signal ends it early
// where wake is set. It returns false when sending must end.
func (p *Pusher) pause(wait time.Duration, wake bool) bool {
	var timeout <-chan time.Time
	if wait >= 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		timeout = timer.C
	}
	signal := p.wake
	if !wake {
		signal = nil
	}
	select {
	case <-p.abort.Done():
		return false
	case <-signal:
	case <-timeout:
	}
	return true
}

// settle takes a batch that is over off the queue and counts it.
func (p *Pusher) settle(b *batch, a attempt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onWire = nil
	switch a.verdict {
	case retry:
		if b.lost {
			p.stats.Dropped += int64(b.readings)
			p.current = nil
		}
		p.persist()
		return
	case accepted:
		p.dropping = false
		p.stats.Stored += int64(b.readings - a.rejected)
		p.stats.Rejected += int64(a.rejected)
		if a.connected && !b.describe {
			p.tellAll()
		}
	case refused:
		p.stats.Refused += int64(b.readings)
		if b.describe {
			p.tellAll()
		}
	}
	p.finish(b)
}

// send makes one attempt.
func (p *Pusher) send(b *batch) attempt {
	var a attempt
	ctx := httptrace.WithClientTrace(p.abort, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { a.connected = !info.Reused },
	})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(b.body.Bytes()))
	if err != nil {
		a.verdict, a.err = refused, err
		return a
	}
	h := request.Header
	h.Set("Content-Type", "application/json")
	h.Set("Content-Encoding", "gzip")
	h.Set("Accept", "application/json")
	h.Set("Idempotency-Key", b.key)
	h.Set("User-Agent", "readout-collect")
	if p.o.Token != "" {
		h.Set("Authorization", "Bearer "+p.o.Token)
	}
	response, err := p.client.Do(request)
	if err != nil {
		var inner *url.Error
		if errors.As(err, &inner) {
			err = inner.Err // the log names the address beside it
		}
		a.verdict, a.err = retry, err
		return a
	}
	defer func() { _ = response.Body.Close() }()
	// An answer that breaks off after its status still tells what counts.
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	a.judge(response, body, b.readings)
	return a
}

// answer is what POST /api/v1/readings says.
type answer struct {
	Stored   *int `json:"stored"`
	Rejected []struct {
		Index   int    `json:"index"`
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"rejected"`
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

func (a *attempt) judge(response *http.Response, body []byte, readings int) {
	var said answer
	readable := json.Unmarshal(body, &said) == nil
	status := response.StatusCode
	switch {
	case status >= 200 && status < 300 && len(body) > 0 && !strings.Contains(response.Header.Get("Content-Type"), "json"):
		a.verdict = refused
		a.err = fmt.Errorf("%s, but not from Readout: check the address", response.Status)
	case status >= 200 && status < 300:
		a.verdict = accepted
	case status == http.StatusUnprocessableEntity && readable && said.Stored != nil:
		a.verdict = accepted
		a.rejected = min(max(readings-*said.Stored, 0), readings)
		a.first = "422"
		if len(said.Rejected) > 0 {
			a.first = fmt.Sprintf("%s: %s", said.Rejected[0].Code, said.Rejected[0].Message)
		}
	case status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= 500:
		a.verdict = retry
		a.retryAfter = RetryAfter(response.Header, time.Now())
		a.err = fmt.Errorf("%s: %s", response.Status, cmp.Or(said.Error.Message, "no reason given"))
	case status >= 300 && status < 400:
		a.verdict = refused
		a.err = fmt.Errorf("%s to %s: give the address that answers itself", response.Status, response.Header.Get("Location"))
	default:
		a.verdict = refused
		a.err = fmt.Errorf("%s: %s", response.Status, cmp.Or(said.Error.Message, "no reason given"))
	}
}

// refusals keeps the log quiet while the server refuses again and again: one
// line when the reason is new, and one each minute with the count.
type refusals struct {
	reason string
	logged time.Time
	count  int
}

func (r *refusals) note(log *slog.Logger, url, reason string, readings int) {
	r.count += readings
	now := time.Now()
	if reason == r.reason && now.Sub(r.logged) < refusalEvery {
		return
	}
	log.Warn("the server refuses readings; they are dropped", "url", url, "readings", r.count, "reason", reason)
	*r = refusals{reason: reason, logged: now}
}
