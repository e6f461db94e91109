package servertest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"readout/server/reading"
)

const (
	sendPatience = 10 * time.Second // for the answer of one push
	lastTries    = 5 * time.Second  // how long a keyed push is repeated after the run has ended
)

// write pushes one number after the other to a topic until the run ends. When the
// service is slow it pushes less, as a sender does that waits for its answers.
func (o *Oracle) write(i int) {
	choose := rand.New(rand.NewPCG(o.run.Seed, uint64(i)))
	every := time.Duration(float64(time.Second) / o.run.Load.Rate)
	start := time.NewTimer(time.Duration(choose.Int64N(int64(every)))) // not all at once
	defer start.Stop()
	select {
	case <-start.C:
	case <-o.writing.Done():
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		o.gate.RLock()
		o.push(i, choose)
		o.gate.RUnlock()
		select {
		case <-tick.C:
		case <-o.writing.Done():
			return
		}
	}
}

// Hold stops the writers, each after its push is answered, until Release.
func (o *Oracle) Hold() { o.gate.Lock() }

// Release lets the writers go on.
func (o *Oracle) Release() { o.gate.Unlock() }

// Push makes one push to a topic while the writers are held, and returns whether
// it was acknowledged.
func (o *Oracle) Push(i int) bool {
	return o.push(i, rand.New(rand.NewPCG(o.run.Seed, uint64(i)))) == acked
}

// Wrote has the next number of a topic stored by somebody else, while the writers
// are held: store is given the number and returns the ID of its entry. The topic
// has one reading in a push.
func (o *Oracle) Wrote(i int, store func(n int64) (id string)) {
	o.tb.Helper()
	l := o.ledgers[i]
	at := l.begin(time.Now())
	n, _ := l.numbers(at)
	id, err := reading.ParseStreamID(store(n))
	if err != nil {
		o.tb.Fatal(err)
	}
	l.answered(at, acked, id)
}

// push makes one push and repeats it, if it has a key, until it is acknowledged.
func (o *Oracle) push(i int, choose *rand.Rand) outcome {
	l := o.ledgers[i]
	at := l.begin(time.Now())
	first, last := l.numbers(at)
	keyed := o.run.Load.Keys == AllKeys || o.run.Load.Keys == EveryOther && i%2 == 1
	var deadline time.Time
	for result := refused; ; {
		r := o.request(i, first, last, keyed)
		began := time.Now()
		said, id := o.send(r, began)
		switch {
		case said == acked:
			l.answered(at, acked, id)
			return acked
		case said == unknown:
			result = unknown // and stays so, whatever a later attempt says
		}
		if deadline.IsZero() && o.writing.Err() != nil {
			deadline = time.Now().Add(lastTries)
		}
		if !keyed || o.ending.Load() || !deadline.IsZero() && time.Now().After(deadline) {
			l.answered(at, result, reading.StreamID{})
			return result
		}
		timer := time.NewTimer(50*time.Millisecond + time.Duration(choose.Int64N(int64(50*time.Millisecond))))
		<-timer.C
		l.again(at, time.Now())
	}
}

func (o *Oracle) request(i int, first, last int64, keyed bool) *http.Request {
	s := o.run.Servers[i%len(o.run.Servers)]
	topic := string(o.ledgers[i].topic)
	var r *http.Request
	if first == last {
		r, _ = http.NewRequest(http.MethodPost, s.URL+"/t/"+url.PathEscape(topic), strings.NewReader(fmt.Sprint(first)))
	} else {
		var b strings.Builder
		for n := first; n <= last; n++ {
			b.WriteString([]string{"[", ","}[min(n-first, 1)])
			fmt.Fprintf(&b, `{"topic":%q,"value":%d}`, topic, n)
		}
		r, _ = http.NewRequest(http.MethodPost, s.URL+"/api/v1/readings", strings.NewReader(b.String()+"]"))
		r.Header.Set("Content-Type", "application/json")
	}
	if keyed {
		r.Header.Set("Idempotency-Key", fmt.Sprintf("%s-%d-%d-%d", o.run.Fault, o.run.Seed, i, first))
	}
	if o.run.Load.Ack != "" {
		r.Header.Set("Readout-Ack", o.run.Load.Ack)
	}
	r.Header.Set("Accept", "application/json")
	return r
}

// send sends a push and reads what its answer promises.
func (o *Oracle) send(r *http.Request, began time.Time) (outcome, reading.StreamID) {
	ctx, cancel := context.WithTimeout(context.Background(), sendPatience)
	defer cancel()
	server := o.run.Servers[0]
	for _, s := range o.run.Servers {
		if strings.HasPrefix(r.URL.String(), s.URL) {
			server = s
		}
	}
	answer, err := server.Client.Do(r.WithContext(ctx))
	if err != nil {
		return unknown, reading.StreamID{}
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	took := time.Since(began)
	if err != nil {
		return unknown, reading.StreamID{}
	}
	var said struct {
		ID     string `json:"id"`
		LastID string `json:"last_id"`
		Error  struct {
			Outcome string `json:"outcome"`
		} `json:"error"`
	}
	_ = json.Unmarshal(body, &said)
	phase := o.phase(began)
	switch answer.StatusCode {
	case http.StatusOK:
		o.answers[phase].Add(took)
		id, err := reading.ParseStreamID(said.ID + said.LastID)
		if err != nil {
			o.tb.Errorf("%s, seed %d: a push is answered without its ID: %s", o.run.Fault, o.run.Seed, body)
		}
		return acked, id
	case http.StatusServiceUnavailable:
		o.refusals[phase].Add(took)
		if answer.Header.Get("Retry-After") == "" {
			o.tally.mu.Lock()
			o.tally.mute++
			o.tally.mu.Unlock()
		}
	default:
		o.tally.mu.Lock()
		o.tally.bad[answer.StatusCode]++
		o.tally.mu.Unlock()
	}
	if said.Error.Outcome != "" { // unknown, or stored and not as safe as was asked
		return unknown, reading.StreamID{}
	}
	return refused, reading.StreamID{}
}

// Acked returns how many readings were acknowledged so far.
func (o *Oracle) Acked() int64 {
	n := int64(0)
	for i := range o.ledgers {
		n += o.AckedOf(i)
	}
	return n
}

// AckedOf returns how many readings of a topic were acknowledged so far.
func (o *Oracle) AckedOf(i int) int64 {
	yes, _, _ := o.ledgers[i].tally()
	return yes
}

// Refused returns how many pushes were answered 503 so far.
func (o *Oracle) Refused() int64 {
	n := int64(0)
	for i := range o.refusals {
		n += o.refusals[i].Count()
	}
	return n
}
