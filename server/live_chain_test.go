package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"readout/server"
	"readout/server/embedded"
	"readout/server/reading"
	"readout/server/servertest"
	"readout/server/store"
)

var roamSeed = flag.Uint64("roam.seed", 0, "run TestOneChainThroughAllTransports with this seed only")

// TestOneChainThroughAllTransports sends viewers from transport to transport and
// from replica to replica, with nothing but their cursors. Some of them stop
// reading for a while, and in the middle one replica stops. Whatever happens,
// each viewer gets each reading once and in order, or is told what it does not get.
func TestOneChainThroughAllTransports(t *testing.T) {
	seeds := []uint64{1, 2, 3, rand.Uint64N(1e6)} // a new corner in every run; a failure prints its name
	if *roamSeed != 0 {
		seeds = []uint64{*roamSeed}
	}
	met := map[string]int{}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("roam.seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newRoaming(t, seed, met).run() })
		})
	}
	for _, what := range []string{
		"by websocket", "by sse", "by poll", "websocket to sse", "sse to poll", "poll to websocket", "sse to websocket", "poll to poll",
		"snapshot", "readings", "conflated", "gap", "closed 1012", "cut", "refused 503",
	} {
		if *roamSeed == 0 && met[what] == 0 {
			t.Errorf("%s was never met: the test proves less than it says", what)
		}
	}
	t.Log(met)
}

var roamTopics = []string{"orders", `cpu{host="a"}`}

// roaming is two replicas on one store, what was stored in it, and the viewers.
type roaming struct {
	t        *testing.T
	random   *rand.Rand // the pusher's; each viewer has its own
	replicas []*servertest.Server
	stored   map[string][]pushedEntry
	next     float64
	viewers  []*roamer

	mu      sync.Mutex // guards the fields below
	drained bool       // replicas[0] is about to stop
	end     map[string]reading.StreamID
	met     map[string]int
}

// pushedEntry is one push: an entry of the stream. No value is ever pushed twice.
type pushedEntry struct {
	id     reading.StreamID
	values []float64
}

func newRoaming(t *testing.T, seed uint64, met map[string]int) *roaming {
	memory, err := embedded.Start(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(memory.Close)
	r := &roaming{t: t, random: rand.New(rand.NewPCG(seed, 0)), stored: map[string][]pushedEntry{}, met: met}
	for _, name := range []string{"r1", "r2"} {
		r.replicas = append(r.replicas, servertest.New(t, &servertest.Options{Change: func(o *server.Options) {
			o.Replica = name
			// A short stream, so that what a viewer missed is sometimes gone.
			o.Store = store.Options{URL: embedded.URL, Dial: memory.Dial, MaxEntries: 60}
		}}))
	}
	for i := range 5 {
		r.viewers = append(r.viewers, &roamer{r: r, random: rand.New(rand.NewPCG(seed, uint64(1+i))), chain: servertest.NewChain(nil), done: make(chan struct{})})
	}
	return r
}

func (r *roaming) run() {
	for _, v := range r.viewers {
		go v.run()
		r.t.Cleanup(func() { <-v.done })
	}
	const steps = 400
	for step := range steps {
		if step == steps/2 {
			r.mu.Lock()
			r.drained = true
			r.mu.Unlock()
			r.replicas[0].Drain()
		}
		topic := roamTopics[r.random.IntN(2)]
		switch n := r.random.IntN(100); {
		case n < 70:
			r.push(topic, 1+r.random.IntN(3))
		case n < 80:
			r.push(topic, 1+r.random.IntN(250))
		case n < 82: // more than the stream holds
			for range 65 {
				r.push(topic, 2)
			}
		default:
			time.Sleep(time.Duration(r.random.Int64N(int64(2 * time.Second))))
		}
		time.Sleep(time.Duration(r.random.Int64N(int64(100 * time.Millisecond))))
	}
	r.mu.Lock()
	r.end = map[string]reading.StreamID{}
	for topic, all := range r.stored {
		r.end[topic] = all[len(all)-1].id
	}
	r.mu.Unlock()
	for i, v := range r.viewers {
		select {
		case <-v.done:
		case <-time.After(5 * time.Minute):
			r.t.Fatalf("viewer %d does not come to the end: it is at %v of %v", i, v.chain.Cursors(), r.end)
		}
		v.check()
	}
}

// push stores n readings of a topic as one entry.
func (r *roaming) push(topic string, n int) {
	r.t.Helper()
	entry := pushedEntry{}
	var body []string
	for range n {
		r.next++
		entry.values = append(entry.values, r.next)
		extra := ""
		if r.random.IntN(40) == 0 { // columns that the replicas come to know in different orders
			extra = fmt.Sprintf(`,"extra%d":"text"`, r.random.IntN(3))
		}
		body = append(body, fmt.Sprintf(`{"topic":%q,"values":{"n":%g%s}}`, topic, r.next, extra))
	}
	a := r.replicas[1].Do(http.MethodPost, readingsPath, "["+strings.Join(body, ",")+"]", "Content-Type", "application/json")
	var answer struct {
		LastID string `json:"last_id"`
	}
	if err := json.Unmarshal([]byte(a.Body), &answer); err != nil || a.Status != http.StatusOK {
		r.t.Fatalf("%d %s", a.Status, a.Body)
	}
	var err error
	if entry.id, err = reading.ParseStreamID(answer.LastID); err != nil {
		r.t.Fatal(err)
	}
	r.stored[topic] = append(r.stored[topic], entry)
}

// between returns the entries after one cursor of a topic and up to another.
func (r *roaming) between(topic, after, to string) []pushedEntry {
	all := r.stored[topic]
	place := func(cursor string) int {
		c, err := reading.ParseCursor(cursor)
		if err != nil {
			r.t.Fatal(err)
		}
		at, found := slices.BinarySearchFunc(all, c.ID, func(e pushedEntry, id reading.StreamID) int { return e.id.Compare(id) })
		if found {
			at++
		}
		return at
	}
	from := 0
	if after != "" {
		from = place(after)
	}
	return all[from:max(from, place(to))]
}

func (r *roaming) meet(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.met[what]++
}

// roamer is one viewer. It is on one transport at a time.
type roamer struct {
	r      *roaming
	random *rand.Rand
	chain  *servertest.Chain
	log    []roamed
	done   chan struct{}
}

// roamed is a frame, or the beginning of a connection.
type roamed struct {
	frame servertest.Frame
	by    string            // of a connection
	after map[string]string // and where it goes on
}

// run ends when the viewer has come to the end of all topics.
func (v *roamer) run() {
	defer close(v.done)
	last := ""
	for !v.atEnd() && v.r.t.Context().Err() == nil {
		by := []string{"websocket", "sse", "poll"}[v.random.IntN(3)]
		if last != "" {
			v.r.meet(last + " to " + by)
		}
		last = by
		v.r.mu.Lock()
		at := 1
		if !v.r.drained || v.random.IntN(10) == 0 {
			at = v.random.IntN(2)
		}
		v.r.mu.Unlock()
		ctx, cancel := context.WithTimeout(v.r.t.Context(), time.Duration(v.random.Int64N(int64(6*time.Second))))
		err := v.connect(ctx, v.r.replicas[at], by)
		gone := ctx.Err() != nil
		cancel()
		var closed *servertest.Closed
		var refused *servertest.Refused
		switch {
		case errors.As(err, &closed):
			v.r.meet(fmt.Sprint("closed ", closed.Code))
		case errors.As(err, &refused):
			v.r.meet(fmt.Sprint("refused ", refused.Status))
		case err != nil && !gone: // by the server, without a word
			v.r.meet("cut")
		}
		time.Sleep(time.Duration(v.random.Int64N(int64(300 * time.Millisecond))))
	}
}

func (v *roamer) atEnd() bool {
	v.r.mu.Lock()
	defer v.r.mu.Unlock()
	cursors := v.chain.Cursors()
	for topic, end := range v.r.end {
		if c, err := reading.ParseCursor(cursors[topic]); err != nil || c.ID != end {
			return false
		}
	}
	return v.r.end != nil
}

// connect follows the topics by one transport until ctx ends or the server ends it.
func (v *roamer) connect(ctx context.Context, s *servertest.Server, by string) error {
	want := servertest.Subscription{Topics: roamTopics, After: v.chain.Cursors(), Rate: []float64{0, 0, 0, 0.5, 2}[v.random.IntN(5)]}
	v.r.meet("by " + by)
	begun := roamed{by: by, after: maps.Clone(want.After)}
	switch by {
	case "websocket":
		socket, answer, err := s.TryDial()
		if err != nil {
			if answer != nil {
				return &servertest.Refused{Answer: servertest.Answer{Status: answer.StatusCode}}
			}
			return err
		}
		defer socket.Cut()
		v.log = append(v.log, begun)
		if err := socket.TrySubscribe(want); err != nil {
			return err
		}
		return v.read(ctx, func() (servertest.Frame, error) { return socket.TryRead(ctx) })
	case "sse":
		stream, err := s.TryStream(ctx, want)
		if err != nil {
			return err
		}
		defer stream.Close()
		v.log = append(v.log, begun)
		return v.read(ctx, stream.TryRead)
	}
	poller := s.Poller(want)
	for {
		begun.after = poller.Cursors()
		frames, err := poller.TryPoll(ctx)
		if len(frames) > 0 {
			v.log = append(v.log, begun)
		}
		for _, f := range frames {
			v.take(f)
		}
		if err != nil || ctx.Err() != nil {
			return err
		}
	}
}

func (v *roamer) read(ctx context.Context, next func() (servertest.Frame, error)) error {
	for ctx.Err() == nil {
		if v.random.IntN(25) == 0 { // the server may hang up over it
			time.Sleep(time.Duration(v.random.Int64N(int64(8 * time.Second))))
		}
		f, err := next()
		if f.Type != "" {
			v.take(f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (v *roamer) take(f servertest.Frame) {
	v.log = append(v.log, roamed{frame: f})
	_ = v.chain.Follow(f) // check says so, with all that came before
}

// check holds everything that the viewer got against what was stored.
func (v *roamer) check() {
	t := v.r.t
	last, columns := map[string]string{}, map[string][]string{}
	by := ""
	for _, e := range v.log {
		f := e.frame
		fail := func(format string, args ...any) {
			t.Helper()
			t.Fatalf("%s\nby %s in %.300s\nafter %q", fmt.Sprintf(format, args...), by, f.Raw, last[f.Topic])
		}
		if e.by != "" {
			by = e.by
			clear(columns)
			if !maps.Equal(e.after, last) {
				fail("it went on after %v", e.after)
			}
			continue
		}
		if f.Columns != nil {
			columns[f.Topic] = f.Columns
		}
		switch f.Type {
		case "welcome", "lag", "drain":
			continue
		case "snapshot":
			if last[f.Topic] != "" {
				fail("a snapshot in the middle")
			}
			entries := v.r.between(f.Topic, "", f.Cursor())
			v.holds(f, columns[f.Topic], entries, fail)
		case "readings":
			if f.Prev != last[f.Topic] {
				fail("the chain is broken")
			}
			entries := v.r.between(f.Topic, f.Prev, f.Cursor())
			if all := flatten(entries); f.Of != len(all) {
				fail("the rows stand for %d readings, and %d were stored", f.Of, len(all))
			}
			if f.Of > len(f.Rows) {
				v.r.meet("conflated")
			}
			v.holds(f, columns[f.Topic], entries, fail)
		case "gap":
			if f.From != last[f.Topic] {
				fail("the chain is broken")
			}
			// The embedded store does not count what it has trimmed, so that lost is
			// null there; a real one is asked by the oracle.
			if lost := len(v.r.between(f.Topic, f.From, f.To)); lost == 0 || f.Lost != nil && *f.Lost != int64(lost) {
				fail("%d entries are missing", lost)
			}
		default:
			fail("nothing went wrong, and yet this came")
		}
		v.r.meet(f.Type)
		if last[f.Topic] = f.Cursor(); f.Type == "gap" {
			last[f.Topic] = f.To
		}
	}
	for topic, end := range v.r.end {
		if c, err := reading.ParseCursor(last[topic]); err != nil || c.ID != end {
			t.Errorf("%s ends at %s instead of %v", topic, last[topic], end)
		}
	}
}

// holds says whether the rows of a frame are whole stored readings in their
// order, the newest among them, and none is missing that no count stands for.
func (v *roamer) holds(f servertest.Frame, columns []string, entries []pushedEntry, fail func(string, ...any)) {
	v.r.t.Helper()
	at := slices.Index(columns, "n")
	if at < 0 && len(f.Rows) > 0 {
		fail("rows without columns")
	}
	all := flatten(entries)
	next := 0
	for _, row := range f.Rows {
		n, _ := row[at].(float64)
		found := slices.Index(all[next:], n)
		if found < 0 {
			fail("%g is not stored here, or not in this order", n)
		}
		next += found + 1
	}
	if next != len(all) && len(all) > 0 {
		fail("the newest, %g, is not there", all[len(all)-1])
	}
}

func flatten(entries []pushedEntry) []float64 {
	var values []float64
	for _, e := range entries {
		values = append(values, e.values...)
	}
	return values
}
