package hub

import (
	"errors"
	"time"

	"readout/server/problem"
	"readout/server/reading"
)

// Defaults of a subscription.
const (
	defaultWindow = 5 * time.Minute
	defaultPoints = 600
)

// What one subscriber may hold beside its topics. Each is looked at whenever a
// topic appears, and a page needs one for each of its panels.
const (
	maxSubscriptions = 200
	maxSelectors     = 100 // over all its subscriptions
)

// maxRefusals is how many error frames one request gets. One of 256 KiB can hold
// 80,000 bad topics, and its sender need not read what it is answered.
const maxRefusals = 100

// Subscription is what a subscriber asks for.
type Subscription struct {
	ID     int64    // the subscriber's own number for it
	Topics []string // topics and selectors
	After  map[string]string
	Window time.Duration // of snapshots; 0 for 5 min
	Points int           // readings in a snapshot at most; 0 for 600
	Rate   float64       // messages a second for each topic at most; 0 for all
	Rates  bool          // counters come as rates a second; one topic comes to one subscriber in one way

	Dashboard string // the dashboard whose changes the subscriber wants to know of; empty for none
}

type subscription struct {
	Subscription
	selectors map[string]reading.Selector // by their canonical spelling
	topics    map[reading.Topic]struct{}
}

// Subscribe adds topics and selectors; what is wrong with one of them is told in
// an error frame and does not stop the others. An ID that is in use gets more topics.
func (s *Subscriber) Subscribe(want Subscription) {
	s.requests.Lock()
	defer s.requests.Unlock()
	sub := s.subscriptions[want.ID]
	if sub == nil {
		if len(s.subscriptions) >= maxSubscriptions {
			s.push(ErrorFrame(want.ID, "", problem.New("limit", "more than %d subscriptions; unsubscribe some, or give one more topics", maxSubscriptions)))
			return
		}
		sub = &subscription{topics: map[reading.Topic]struct{}{}, selectors: map[string]reading.Selector{}}
		s.subscriptions[want.ID] = sub
	}
	sub.Subscription = s.defaults(want)
	sub.Topics, sub.After = nil, nil // a request may be large, and is not needed again
	s.follow(want.ID, want.Dashboard)
	for topic := range sub.topics {
		pace, _ := s.pace(topic)
		s.flows[topic].setPace(pace)
	}
	refused := refusals{s: s, id: want.ID}
	after := s.cursors(want, &refused)
	left := leftOut{}
	selectors := map[string]reading.Selector{} // one that is sent a thousand times is looked for once
	for _, text := range want.Topics {
		selector, err := reading.ParseSelector(text)
		if err != nil {
			refused.tell(text, err)
			continue
		}
		topic, one := selector.Topic()
		switch {
		case !one && s.keep(sub, selector.String(), selector):
			selectors[selector.String()] = selector
		case !one:
			refused.tell(text, problem.New("limit", "more than %d selectors", maxSelectors))
		default:
			if err := s.can(topic); err != nil {
				refused.tell(string(topic), err)
			} else {
				s.want(sub, topic, after, &left, &refused)
			}
		}
	}
	if len(selectors) > 0 { // one look through the catalog for all of them
		for _, topic := range s.hub.o.Topics(func(t reading.Topic) bool { return picked(selectors, t) }) {
			if s.can(topic) == nil {
				s.want(sub, topic, after, &left, &refused)
			}
		}
	}
	if len(left.topics) > 0 {
		s.leaveOut(want.ID, left)
	}
}

// want adds a topic and notes why it cannot be.
func (s *Subscriber) want(sub *subscription, topic reading.Topic, after map[reading.Topic]reading.Cursor, left *leftOut, refused *refusals) {
	switch err := s.add(sub, topic, after); {
	case errors.Is(err, errFull):
		left.add(topic)
	case err != nil:
		refused.tell(string(topic), err)
	}
}

// picked reports whether any of the selectors picks a topic.
func picked(selectors map[string]reading.Selector, topic reading.Topic) bool {
	for _, selector := range selectors {
		if selector.Match(topic) {
			return true
		}
	}
	return false
}

// leftBytes bounds the names of topics above the limit that wait for one subscriber:
// a request of 30 bytes may match a hundred thousand topics, and so may the next.
const leftBytes = 16 << 10

// leftOut is what a request asks for above the limit of topics.
type leftOut struct {
	topics []reading.Topic // the first of them
	bytes  int
	of     int
}

func (l *leftOut) add(topic reading.Topic) {
	l.of++
	if l.bytes += len(topic); l.bytes <= leftBytes {
		l.topics = append(l.topics, topic)
	}
}

// leaveOut tells of topics above the limit: by name while there is room for names,
// and how many they are.
func (s *Subscriber) leaveOut(id int64, left leftOut) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finished != nil {
		return
	}
	n := 0
	for n < len(left.topics) && s.named+len(left.topics[n]) <= leftBytes {
		s.named += len(left.topics[n])
		n++
	}
	s.enqueue(overLimit(id, left.topics[:n], left.of))
}

// keep notes a selector, once. It is false when there are too many.
func (s *Subscriber) keep(sub *subscription, spelling string, selector reading.Selector) bool {
	if _, known := sub.selectors[spelling]; known {
		return true
	}
	all := 0
	for _, other := range s.subscriptions {
		all += len(other.selectors)
	}
	if all >= maxSelectors {
		return false
	}
	sub.selectors[spelling] = selector
	s.selecting.Store(true)
	return true
}

// refusals answers what is wrong with the parts of one request.
type refusals struct {
	s     *Subscriber
	id    int64
	count int
}

func (r *refusals) tell(topic string, err error) {
	r.count++
	switch {
	case r.count <= maxRefusals:
		r.s.push(ErrorFrame(r.id, topic[:min(len(topic), reading.MaxTopic)], err))
	case r.count == maxRefusals+1:
		r.s.push(ErrorFrame(r.id, "", problem.New("limit", "more than %d topics of this request are refused; the others are not named", maxRefusals)))
	}
}

// Unsubscribe ends a subscription; flows that no other one covers end with it.
func (s *Subscriber) Unsubscribe(id int64) {
	s.requests.Lock()
	defer s.requests.Unlock()
	sub := s.subscriptions[id]
	if sub == nil {
		return
	}
	delete(s.subscriptions, id)
	s.follow(id, "")
	for topic := range sub.topics {
		if pace, covered := s.pace(topic); covered {
			s.flows[topic].setPace(pace)
		} else {
			s.drop(topic)
		}
	}
}

// pace returns the shortest time between two messages that any subscription of
// the topic asks for: the highest rate wins.
func (s *Subscriber) pace(topic reading.Topic) (pace time.Duration, covered bool) {
	for _, sub := range s.subscriptions {
		if _, ok := sub.topics[topic]; !ok {
			continue
		}
		if e := every(sub.Rate); !covered || e < pace {
			pace, covered = e, true
		}
	}
	return pace, covered
}

func (s *Subscriber) defaults(want Subscription) Subscription {
	if want.Window == 0 {
		want.Window = defaultWindow
	}
	want.Window = min(want.Window, s.hub.o.Window)
	if want.Points == 0 {
		want.Points = defaultPoints
	}
	want.Points = min(want.Points, s.hub.o.Limits.Points)
	return want
}

// cursors reads the after of a request; a bad one is told and its topic begins with a snapshot.
func (s *Subscriber) cursors(want Subscription, refused *refusals) map[reading.Topic]reading.Cursor {
	after := make(map[reading.Topic]reading.Cursor, len(want.After))
	for text, id := range want.After {
		topic, err := reading.ParseTopic(text)
		var cursor reading.Cursor
		if err == nil {
			cursor, err = reading.ParseCursor(id)
		}
		if err != nil {
			refused.tell(text, err)
			continue
		}
		after[topic] = cursor
	}
	return after
}

// grow adds topics that have appeared to the subscriptions that select them.
func (s *Subscriber) grow(topics ...reading.Topic) {
	s.requests.Lock()
	defer s.requests.Unlock()
	if s.ctx.Err() != nil {
		return
	}
	for _, sub := range s.subscriptions {
		left, refused := leftOut{}, refusals{s: s, id: sub.ID}
		for _, topic := range topics {
			if _, has := sub.topics[topic]; has || !picked(sub.selectors, topic) || s.can(topic) != nil {
				continue
			}
			s.want(sub, topic, nil, &left, &refused)
			if _, has := sub.topics[topic]; has {
				s.push(grown(sub.ID, []reading.Topic{topic}))
			}
		}
		if len(left.topics) > 0 {
			s.leaveOut(sub.ID, left)
		}
	}
}

var errFull = errors.New("the subscriber has as many topics as it may")

// add lets a topic flow for a subscription. The error is errFull or for the viewer.
func (s *Subscriber) add(sub *subscription, topic reading.Topic, after map[reading.Topic]reading.Cursor) error {
	f := s.flows[topic]
	if f == nil {
		if len(s.flows) >= s.hub.o.Limits.Topics {
			return errFull
		}
		f = &flow{subscriber: s, st: s.hub.watch(topic), window: sub.Window, points: sub.Points, rates: sub.Rates, every: every(sub.Rate)}
		f.last, f.resume = after[topic], false
		if cursor, ok := after[topic]; ok {
			f.last, f.resume = cursor, true
		}
		s.flows[topic] = f
		f.st.mu.Lock()
		f.st.flows[f] = struct{}{}
		if f.st.failed { // since it was found
			s.fail()
		}
		if f.rates {
			f.st.wantRates()
		}
		f.st.mu.Unlock()
		s.join(f)
		sub.topics[topic] = struct{}{}
		return nil
	}
	if f.rates != sub.Rates {
		return problem.New("bad_request", "this socket has the topic with rates:%t already; unsubscribe that first", f.rates)
	}
	sub.topics[topic] = struct{}{}
	pace, _ := s.pace(topic)
	f.setPace(pace)
	return nil
}

// setPace changes how often a flow may send, from now on: it does not wait as
// long as the old pace asked for.
func (f *flow) setPace(pace time.Duration) {
	f.st.mu.Lock()
	defer f.st.mu.Unlock()
	if pace < f.every && f.state == behind {
		f.subscriber.left(f)
	}
	f.every = pace
}

func every(rate float64) time.Duration {
	if rate <= 0 {
		return 0
	}
	return time.Duration(float64(time.Second) / rate)
}

// drop ends a flow.
func (s *Subscriber) drop(topic reading.Topic) {
	f := s.flows[topic]
	delete(s.flows, topic)
	f.st.mu.Lock()
	delete(f.st.flows, f)
	f.state = gone
	if f.timer != nil {
		f.timer.Stop()
	}
	f.st.mu.Unlock()
	s.mu.Lock()
	delete(s.behind, f)
	s.mu.Unlock()
	s.hub.release(f.st)
}
