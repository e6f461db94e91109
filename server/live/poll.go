package live

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"readout/server/hub"
	"readout/server/problem"
)

const (
	gatherFor = 50 * time.Millisecond  // what comes so soon after something new goes with it
	settleFor = 250 * time.Millisecond // until then a poll is still being told what stands
	settleMax = 2 * time.Second        // and until then if a cursor of it is not confirmed yet
	pollBytes = 64 << 10               // bytes of news above which a poll waits for no more
)

// Poll serves POST /live/poll, for viewers whose way here keeps answers back until
// they are whole: it waits until there is something new and answers all of it.
// Between two polls the server remembers nothing. The viewer sends the cursors
// it has, so nothing is lost, and the state it was told, so that what it knows
// already does not end its next poll at once.
func (l *Live) Poll(w http.ResponseWriter, r *http.Request) error {
	viewer, err := l.admit(r)
	if err != nil {
		return err
	}
	known, err := knownState(r)
	if err != nil {
		return err
	}
	wants, err := l.requests(w, r)
	if err != nil {
		return err
	}
	subscriber, leave := l.join(viewer, longPoll)
	defer leave()
	subscriber.Shuffle()
	p := poll{wait: l.o.Ping, known: known, idle: map[string]int{}, heard: map[string]struct{}{}}
	for _, want := range wants {
		p.asked += len(want.After)
	}
	if known != "" {
		p.pace = paceOf(wants)
	}
	for _, want := range wants {
		subscriber.Subscribe(want)
	}
	p.began = time.Now() // a look through a large catalog may have taken longer than a poll settles
	if p.gather(r.Context(), subscriber); r.Context().Err() != nil {
		return nil // the viewer is gone
	}
	b := p.answer(hub.Welcome(l.o.Replica, time.Now(), l.o.Hub.Limits())) // pages take their clock from it
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	_ = writePieces(w, http.NewResponseController(w), b)
	return nil
}

// knownState is the state of the answer before, as the viewer sends it back.
func knownState(r *http.Request) (string, error) {
	query := r.URL.Query()
	for name, values := range query {
		if name != "state" || len(values) != 1 || len(values[0]) > 32 {
			return "", problem.New("bad_request", "a poll takes one parameter: state, as the answer before had it")
		}
	}
	return query.Get("state"), nil
}

// paceOf is the time that lies between two messages at the highest rate of all
// the subscriptions; 0 when one of them has none.
func paceOf(wants []hub.Subscription) time.Duration {
	rate := 0.0
	for _, want := range wants {
		if want.Rate == 0 {
			return 0
		}
		rate = max(rate, want.Rate)
	}
	return time.Duration(float64(time.Second) / rate)
}

// poll gathers what one poll is answered.
type poll struct {
	began  time.Time
	wait   time.Duration // at most
	pace   time.Duration // the viewer wants no answer earlier than this
	known  string        // the state that the viewer knows
	frames [][]byte
	bytes  int                 // of the frames that are new
	fresh  time.Time           // when the first of them came; zero for none
	idle   map[string]int      // topics that were confirmed and had nothing more, and the place of that frame
	asked  int                 // how many cursors it came with
	heard  map[string]struct{} // topics of which something was said
	stands standing
	closed *hub.Closed
}

// gather returns when the poll is to be answered, or its viewer has gone.
func (p *poll) gather(ctx context.Context, subscriber *hub.Subscriber) {
	for {
		due := p.due()
		if !time.Now().Before(due) {
			return
		}
		wait, cancel := context.WithDeadline(ctx, due)
		frames, err := subscriber.Next(wait)
		cancel()
		if errors.As(err, &p.closed) || ctx.Err() != nil {
			return
		}
		for _, frame := range frames {
			p.add(frame)
		}
	}
}

func (p *poll) add(frame []byte) {
	kind, rest := kindOf(frame)
	switch kind {
	case "readings", "snapshot", "gap", "reset":
		topic := textOf(rest, "topic")
		p.heard[topic] = struct{}{}
		p.stands.mend(topic)
		if kind == "readings" && confirms(frame) {
			p.idle[topic] = len(p.frames)
		} else {
			delete(p.idle, topic)
			p.news(frame)
		}
	case "topics", "drain":
		p.news(frame)
	case "stale":
		p.heard[textOf(rest, "topic")] = struct{}{}
		p.stands.tell(frame)
	default:
		p.stands.tell(frame)
	}
	p.frames = append(p.frames, frame)
}

func (p *poll) news(frame []byte) {
	p.bytes += len(frame)
	if p.fresh.IsZero() {
		p.fresh = time.Now()
	}
}

// due is when the poll is answered if nothing more comes.
func (p *poll) due() time.Time {
	due := p.began.Add(p.wait)
	switch {
	case p.bytes >= pollBytes:
		return p.began
	case !p.fresh.IsZero():
		due = earlier(due, later(p.fresh.Add(gatherFor), p.began.Add(p.pace)))
	case p.stands.state() != p.known && len(p.heard) < p.asked:
		due = earlier(due, p.began.Add(settleMax))
	case p.stands.state() != p.known:
		due = earlier(due, later(p.stands.changed.Add(gatherFor), p.began.Add(settleFor)))
	}
	return due
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// answer is the body. A viewer who knows how things stand needs no confirmation
// of a thousand topics in which nothing has happened.
func (p *poll) answer(welcome []byte) []byte {
	state := p.stands.state()
	if state == p.known {
		for _, at := range p.idle {
			p.frames[at] = nil
		}
	}
	b := make([]byte, 0, p.bytes+512)
	b = append(append(b, `{"frames":[`...), welcome...)
	for _, frame := range p.frames {
		if frame != nil {
			b = append(append(b, ','), frame...)
		}
	}
	b = append(append(append(b, `],"state":"`...), state...), '"')
	if p.closed != nil {
		b = appendClose(append(b, `,"close":`...), p.closed)
	}
	return append(b, "}\n"...)
}
