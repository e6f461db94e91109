package hub_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"readout/server"
	"readout/server/reading"
	"readout/server/servertest"
)

var chainSeed = flag.Uint64("chain.seed", 0, "run TestChain with this seed only")

// TestChain proves the chain: whatever publishers and viewers do, each stored
// reading reaches each viewer once and in order, or stands in the count of a
// message that others stand for it, or in a gap. The whole service runs; what
// viewers got is held against what was stored when everything has come to rest.
func TestChain(t *testing.T) {
	seeds := []uint64{1, 2, 3, 4, 5, 6}
	met := map[string]int{}
	for range 2 {
		seeds = append(seeds, rand.Uint64N(1e6)) // a new corner in every run; a failure prints its name
	}
	if *chainSeed != 0 {
		seeds = []uint64{*chainSeed}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("chain.seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// A short stream, so that what a viewer missed is sometimes gone.
				s := servertest.New(t, &servertest.Options{Change: func(o *server.Options) { o.Store.MaxEntries = 60 }})
				m := &model{t: t, s: s, random: rand.New(rand.NewPCG(seed, 0)), stored: map[string][]stored{}, rates: map[string]map[int64]rate{}, newest: map[string]int64{}, met: met}
				m.run()
			})
		})
	}
	for _, kind := range []string{"snapshot", "readings", "conflated", "resumed", "gap", "rate", "rate after a resume", "no rate"} {
		if *chainSeed == 0 && met[kind] == 0 {
			t.Errorf("%s was never met: the test proves less than it says", kind)
		}
	}
	t.Log(met)
}

var chainTopics = []string{"orders", `cpu{host="a"}`, "rare"}

// stored is one entry: the values of its readings. No value is ever pushed twice.
type stored struct {
	id     reading.StreamID
	values []float64
}

// rate is what a reading is to a viewer who asks for rates.
type rate struct {
	value float64 // as it was stored
	rate  float64
	first bool // of its topic: there is no rate
}

type model struct {
	t      *testing.T
	s      *servertest.Server
	random *rand.Rand
	next   float64
	stored map[string][]stored
	rates  map[string]map[int64]rate // by topic and the reading's own time, which no two share
	newest map[string]int64          // times of the topics' newest readings
	clock  int64                     // ms: the newest of these
	met    map[string]int            // how often each thing was seen
}

func (m *model) run() {
	for _, topic := range chainTopics[:2] { // the values of the third stay what they are
		if err := m.s.Describe(m.t.Context(), reading.Topic(topic), []reading.Column{{Name: "n", Unit: "orders", Kind: reading.Counter}}); err != nil {
			m.t.Fatal(err)
		}
	}
	viewers := make([]*viewer, 4)
	for i := range viewers {
		viewers[i] = &viewer{m: m, acks: i == 0, rates: i >= 2, on: map[string]string{}, connected: map[string]bool{}}
		for _, topic := range chainTopics {
			viewers[i].on[topic] = ""
		}
		viewers[i].connect()
	}
	for range 300 {
		v := viewers[m.random.IntN(len(viewers))]
		topic := chainTopics[m.random.IntN(2)]
		switch n := m.random.IntN(100); {
		case n < 45:
			m.push(topic, 1)
		case n < 55:
			m.push(topic, 2+m.random.IntN(200))
		case n < 60:
			for range 10 + m.random.IntN(30) {
				m.push(topic, 1)
			}
		case n < 62: // more than the stream and the streamer's ring hold
			for range 65 {
				m.push(topic, 12)
			}
		case n < 63:
			m.push("rare", 1)
		case n < 73:
			v.pauseOrResume()
		case n < 78:
			v.rate(topic)
		case n < 86:
			v.reconnect()
		case n < 91:
			v.toggle(chainTopics[m.random.IntN(3)])
		case n < 94:
			v.stall()
		default:
			time.Sleep(time.Duration(m.random.Int64N(int64(3 * time.Second))))
		}
		time.Sleep(time.Duration(m.random.Int64N(int64(100 * time.Millisecond))))
	}
	time.Sleep(15 * time.Second) // stalls end, or the server has hung up
	for _, v := range viewers {
		if v.ended() {
			m.met["hung up"]++
			v.connect()
		}
		v.send(`{"type":"resume"}`)
	}
	time.Sleep(15 * time.Second) // the slowest rate is one message in two seconds
	synctest.Wait()
	seen := 0
	for _, v := range viewers {
		seen += v.check()
		v.socket.Close()
	}
	if seen == 0 {
		m.t.Error("nobody got anything")
	}
}

// push stores n readings of a topic in one request, which is one entry.
func (m *model) push(topic string, n int) {
	m.t.Helper()
	entry := stored{}
	var body strings.Builder
	for i := range n {
		m.next += 1 + float64(m.random.IntN(3))
		m.clock = max(m.clock+1+m.random.Int64N(3), time.Now().UnixMilli())
		m.remember(topic, m.clock, m.next)
		entry.values = append(entry.values, m.next)
		extra := ""
		if m.random.IntN(40) == 0 { // columns come as the topic lives
			extra = fmt.Sprintf(`,"extra%d":"text"`, m.random.IntN(3))
		}
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"topic":%q,"t":%d,"values":{"n":%g%s}}`, topic, m.clock, m.next, extra)
	}
	a := m.s.Do(http.MethodPost, "/api/v1/readings", "["+body.String()+"]", "Content-Type", "application/json")
	var answer struct {
		Stored int
		LastID string `json:"last_id"`
	}
	if err := json.Unmarshal([]byte(a.Body), &answer); err != nil || answer.Stored != n {
		m.t.Fatalf("%d %s", a.Status, a.Body)
	}
	var err error
	if entry.id, err = reading.ParseStreamID(answer.LastID); err != nil {
		m.t.Fatal(err)
	}
	m.stored[topic] = append(m.stored[topic], entry)
}

// remember notes a reading that is about to be stored and its rate.
func (m *model) remember(topic string, ms int64, value float64) {
	all := m.rates[topic]
	if all == nil {
		all = map[int64]rate{}
		m.rates[topic] = all
	}
	one := rate{value: value, rate: value}
	if topic != "rare" {
		newest := m.newest[topic]
		one.first = newest == 0
		one.rate = (value - all[newest].value) * 1000 / float64(ms-newest)
	}
	all[ms] = one
	m.newest[topic] = ms
}

// between returns the entries after one place of a topic's stream and up to another.
func (m *model) between(topic string, after, to reading.Cursor) []stored {
	all := m.stored[topic]
	place := func(c reading.Cursor) int {
		at, found := slices.BinarySearchFunc(all, c.ID, func(e stored, id reading.StreamID) int { return e.id.Compare(id) })
		if found {
			at++
		}
		return at
	}
	from, end := place(after), place(to)
	return all[min(from, end):end]
}

func flatten(entries []stored) []float64 {
	var values []float64
	for _, e := range entries {
		values = append(values, e.values...)
	}
	return values
}

// event is something that befell a viewer: a frame, or its own word.
type event struct {
	frame servertest.Frame
	begun string // topic that was subscribed, after the cursor after
	after string
	ended string // topic that was unsubscribed
}

// viewer is one browser: it has one socket at a time and comes back with the
// cursors of what it has read.
type viewer struct {
	m         *model
	socket    *servertest.Socket
	acks      bool
	rates     bool // it asks for rates
	paused    bool
	on        map[string]string // topics it wants, and the rate of each
	connected map[string]bool   // topics subscribed on this socket

	mu     sync.Mutex // guards the fields below, which its reading goroutine uses
	events []event
	last   map[string]string
	gate   chan struct{} // not nil: read nothing until it is closed
	over   chan struct{} // closed when the socket has ended
}

func (v *viewer) connect() {
	v.socket = v.m.s.Dial()
	v.paused = false
	clear(v.connected)
	v.mu.Lock()
	v.over = make(chan struct{})
	resume := v.last
	v.last = map[string]string{}
	v.mu.Unlock()
	for _, topic := range chainTopics {
		if rate, on := v.on[topic]; on {
			after := resume[topic]
			if v.m.random.IntN(5) == 0 {
				after = "" // a page that was loaded anew
			}
			v.subscribe(topic, after, rate)
		}
	}
	go v.read(v.socket, v.over)
}

func (v *viewer) subscribe(topic, after, rate string) {
	v.connected[topic] = true
	cursors := ""
	if after != "" {
		cursors = fmt.Sprintf(`,"after":{%q:%q}`, topic, after)
	}
	v.mu.Lock()
	v.events = append(v.events, event{begun: topic, after: after})
	v.last[topic] = after
	v.mu.Unlock()
	id := 1 + slices.Index(chainTopics, topic)
	// If the server has hung up, the reading goroutine sees it too.
	_ = v.socket.TrySend(fmt.Sprintf(`{"type":"subscribe","id":%d,"topics":[%q],"rates":%t%s%s}`, id, topic, v.rates, cursors, rate))
}

// read ends with the socket.
func (v *viewer) read(socket *servertest.Socket, over chan struct{}) {
	defer close(over)
	for n := 0; ; n++ {
		v.mu.Lock()
		gate := v.gate
		v.mu.Unlock()
		if gate != nil {
			<-gate
		}
		f, err := socket.TryRead(v.m.t.Context())
		if err != nil && f.Raw == "" {
			return
		}
		v.mu.Lock()
		v.events = append(v.events, event{frame: f})
		switch f.Type {
		case "snapshot", "readings":
			v.last[f.Topic] = f.Cursor()
		case "gap":
			v.last[f.Topic] = f.To
		}
		v.mu.Unlock()
		if v.acks && n%5 == 0 {
			_ = socket.TrySend(`{"type":"ack","bytes":1}`)
		}
	}
}

func (v *viewer) ended() bool {
	select {
	case <-v.over:
		return true
	default:
		return false
	}
}

func (v *viewer) send(message string) {
	if err := v.socket.TrySend(message); err != nil && !v.ended() {
		synctest.Wait() // the reading goroutine learns of it in its own time
	}
}

func (v *viewer) pauseOrResume() {
	v.paused = !v.paused
	v.send(map[bool]string{true: `{"type":"pause"}`, false: `{"type":"resume"}`}[v.paused])
}

// rate subscribes a topic again with another rate.
func (v *viewer) rate(topic string) {
	if !v.connected[topic] || v.ended() {
		return
	}
	rate := []string{"", `,"rate":0.5`, `,"rate":2`, `,"rate":20`}[v.m.random.IntN(4)]
	v.on[topic] = rate
	v.send(fmt.Sprintf(`{"type":"subscribe","id":%d,"topics":[%q],"rates":%t%s}`, 1+slices.Index(chainTopics, topic), topic, v.rates, rate))
}

// reconnect goes away without a word and comes back later.
func (v *viewer) reconnect() {
	v.resumeReading()
	v.socket.Cut()
	<-v.over
	time.Sleep(time.Duration(v.m.random.Int64N(int64(2 * time.Second))))
	v.connect()
}

// toggle unsubscribes a topic, or subscribes it again.
func (v *viewer) toggle(topic string) {
	v.resumeReading()
	synctest.Wait()
	if v.ended() || v.paused {
		return
	}
	if !v.connected[topic] {
		v.on[topic] = ""
		v.subscribe(topic, "", "")
		return
	}
	v.send(fmt.Sprintf(`{"type":"unsubscribe","id":%d}`, 1+slices.Index(chainTopics, topic)))
	synctest.Wait() // what was on its way has arrived
	delete(v.connected, topic)
	delete(v.on, topic)
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.last, topic)
	v.events = append(v.events, event{ended: topic})
}

// stall reads nothing for a while; the server may hang up over it.
func (v *viewer) stall() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.gate != nil {
		return
	}
	gate := make(chan struct{})
	v.gate = gate
	time.AfterFunc(time.Duration(v.m.random.Int64N(int64(8*time.Second))), func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.gate == gate {
			close(gate)
			v.gate = nil
		}
	})
}

func (v *viewer) resumeReading() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.gate != nil {
		close(v.gate)
		v.gate = nil
	}
}

// check holds everything that a viewer got against the model, and returns how
// many readings its messages stood for.
func (v *viewer) check() (stood int) {
	t := v.m.t
	v.mu.Lock()
	defer v.mu.Unlock()
	last := map[string]string{} // by subscribed topic; empty before its first message
	whole := map[string]bool{}  // the reading before the next one is there, so that it has a rate
	for _, e := range v.events {
		f := e.frame
		fail := func(format string, args ...any) {
			t.Helper()
			t.Fatalf("%s\nin %.300s\nafter %q", fmt.Sprintf(format, args...), f.Raw, last[f.Topic])
		}
		switch {
		case e.begun != "":
			last[e.begun] = e.after
			whole[e.begun] = e.after != ""
			if e.after != "" {
				v.m.met["resumed"]++
			}
			continue
		case e.ended != "":
			delete(last, e.ended)
			continue
		}
		switch f.Type {
		case "welcome", "lag":
			continue
		case "snapshot", "readings", "gap":
		default:
			fail("nothing went wrong, and yet this came")
		}
		v.m.met[f.Type]++
		before, on := last[f.Topic]
		if !on {
			fail("the topic is not subscribed")
		}
		switch f.Type {
		case "snapshot":
			if before != "" {
				fail("a snapshot in the middle")
			}
			all := flatten(v.m.between(f.Topic, reading.Cursor{}, parse(t, f.Cursor())))
			rows := v.numbers(f, false)
			whole[f.Topic] = true
			if len(all) > 0 && (len(rows) == 0 || rows[len(rows)-1] != all[len(all)-1]) {
				fail("the snapshot does not end with the newest reading, %g", all[len(all)-1])
			}
			if !within(rows, all) {
				fail("rows that are not stored, or not in this order")
			}
			last[f.Topic] = f.Cursor()
		case "readings":
			if f.Prev != before {
				fail("the chain is broken")
			}
			all := flatten(v.m.between(f.Topic, parse(t, f.Prev), parse(t, f.Cursor())))
			rows := v.numbers(f, whole[f.Topic])
			whole[f.Topic] = whole[f.Topic] || len(rows) > 0
			if f.Of != len(all) {
				fail("it stands for %d readings, %d are stored there", f.Of, len(all))
			}
			if !within(rows, all) || len(rows) > f.Of {
				fail("rows that are not stored there, or not in this order")
			}
			if len(all) > 0 && (len(rows) == 0 || rows[len(rows)-1] != all[len(all)-1]) {
				fail("it does not end with the newest reading, %g", all[len(all)-1])
			}
			stood += f.Of
			if f.Of > len(rows) {
				v.m.met["conflated"]++
			}
			last[f.Topic] = f.Cursor()
		case "gap":
			if f.From != before {
				fail("the chain is broken")
			}
			lost := v.m.between(f.Topic, parse(t, f.From), parse(t, f.To))
			if f.Lost != nil && *f.Lost != int64(len(lost)) || len(lost) == 0 {
				fail("%d entries are stored there", len(lost))
			}
			last[f.Topic] = f.To
			whole[f.Topic] = false
		}
	}
	for topic := range v.on {
		all := v.m.stored[topic]
		want := reading.StreamID{}
		if len(all) > 0 {
			want = all[len(all)-1].id
		}
		if got := last[topic]; got == "" || parse(t, got).ID != want {
			t.Errorf("%s ends at %q, and the stream at %v", topic, got, want)
		}
	}
	return stood
}

func parse(t *testing.T, s string) reading.Cursor {
	t.Helper()
	c, err := reading.ParseCursor(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// numbers returns the column n of a frame's rows, as it was stored; it is always
// the first, since columns keep their places. Rates are held against the model:
// only the first reading of all, and the first that came where the one before is
// not there (whole is false), may have none.
func (v *viewer) numbers(f servertest.Frame, whole bool) []float64 {
	t := v.m.t
	t.Helper()
	var list []float64
	for i, row := range f.Rows {
		n, ok := row[1].(float64)
		if !v.rates {
			if !ok {
				t.Fatalf("a row without its first column: %v", row)
			}
			list = append(list, n)
			continue
		}
		ms, _ := row[0].(float64)
		want, known := v.m.rates[f.Topic][int64(ms)]
		switch {
		case !known:
			t.Fatalf("a row of a time that no reading has: %v", row)
		case ok && math.Abs(n-want.rate) > 1e-9*want.rate:
			t.Fatalf("row %d has a rate of %g, want %g in %.300s", i, n, want.rate, f.Raw)
		case ok && i == 0 && whole && f.Prev != "":
			v.m.met["rate after a resume"]++
		case ok:
			v.m.met["rate"]++
		// The first row after a resume names the columns. The entry before it may have been
		// trimmed, and nobody knows its rate then.
		case !want.first && (i > 0 || whole && f.Columns == nil):
			t.Fatalf("row %d has no rate, want %g in %.300s", i, want.rate, f.Raw)
		default:
			v.m.met["no rate"]++
		}
		list = append(list, want.value)
	}
	return list
}

// within reports whether some is a part of all, in its order.
func within(some, all []float64) bool {
	at := 0
	for _, n := range some {
		for at < len(all) && all[at] != n {
			at++
		}
		if at == len(all) {
			return false
		}
		at++
	}
	return true
}
