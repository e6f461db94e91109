package hub

import (
	"slices"
	"time"

	"readout/server/reading"
)

// Defaults of a subscription.
const (
	defaultWindow = 5 * time.Minute
	defaultPoints = 600
)

// Subscription is what a subscriber asks for.
type Subscription struct {
	ID     int64    // the subscriber's own number for it
	Topics []string // topics and selectors
	After  map[string]string
	Window time.Duration // of snapshots; 0 for 5 min
	Points int           // readings in a snapshot at most; 0 for 600
	Rate   float64       // messages a second for each topic at most; 0 for all
}

type subscription struct {
	Subscription
	selectors []reading.Selector
	topics    map[reading.Topic]struct{}
}

// Subscribe adds topics and selectors; what is wrong with one of them is told in
// an error frame and does not stop the others. An ID that is in use gets more topics.
func (s *Subscriber) Subscribe(want Subscription) {
	s.requests.Lock()
	defer s.requests.Unlock()
	sub := s.subscriptions[want.ID]
	if sub == nil {
		sub = &subscription{topics: map[reading.Topic]struct{}{}}
		s.subscriptions[want.ID] = sub
	}
	sub.Subscription = s.defaults(want)
	after := s.cursors(want)

	var left []reading.Topic
	for _, text := range want.Topics {
		selector, err := reading.ParseSelector(text)
		if err != nil {
			s.push(ErrorFrame(want.ID, text, err))
			continue
		}
		topic, one := selector.Topic()
		if !one {
			sub.selectors = append(sub.selectors, selector)
			s.selecting.Store(true)
			left = append(left, s.expand(sub, selector, after)...)
			continue
		}
		if err := s.can(topic); err != nil {
			s.push(ErrorFrame(want.ID, string(topic), err))
		} else if !s.add(sub, topic, after) {
			left = append(left, topic)
		}
	}
	if len(left) > 0 {
		s.push(overLimit(want.ID, left))
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
	for topic := range sub.topics {
		if !s.covered(topic) {
			s.drop(topic)
		}
	}
}

func (s *Subscriber) covered(topic reading.Topic) bool {
	for _, sub := range s.subscriptions {
		if _, ok := sub.topics[topic]; ok {
			return true
		}
	}
	return false
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
func (s *Subscriber) cursors(want Subscription) map[reading.Topic]reading.Cursor {
	after := make(map[reading.Topic]reading.Cursor, len(want.After))
	for text, id := range want.After {
		topic, err := reading.ParseTopic(text)
		var cursor reading.Cursor
		if err == nil {
			cursor, err = reading.ParseCursor(id)
		}
		if err != nil {
			s.push(ErrorFrame(want.ID, text, err))
			continue
		}
		after[topic] = cursor
	}
	return after
}

// expand adds what a selector picks now and returns what the limit leaves out.
func (s *Subscriber) expand(sub *subscription, selector reading.Selector, after map[reading.Topic]reading.Cursor) (left []reading.Topic) {
	for _, topic := range s.hub.o.Topics(selector.Match) {
		if s.can(topic) == nil && !s.add(sub, topic, after) {
			left = append(left, topic)
		}
	}
	return left
}

// grow adds a topic that has just appeared to the subscriptions that select it.
func (s *Subscriber) grow(topic reading.Topic) {
	s.requests.Lock()
	defer s.requests.Unlock()
	if s.ctx.Err() != nil || s.can(topic) != nil {
		return
	}
	for _, sub := range s.subscriptions {
		if _, has := sub.topics[topic]; has || !slices.ContainsFunc(sub.selectors, func(sel reading.Selector) bool { return sel.Match(topic) }) {
			continue
		}
		if s.add(sub, topic, nil) {
			s.push(grown(sub.ID, []reading.Topic{topic}))
		} else {
			s.push(overLimit(sub.ID, []reading.Topic{topic}))
		}
	}
}

// add lets a topic flow for a subscription. It is false when the limit is reached.
func (s *Subscriber) add(sub *subscription, topic reading.Topic, after map[reading.Topic]reading.Cursor) bool {
	f := s.flows[topic]
	if f == nil {
		if len(s.flows) >= s.hub.o.Limits.Topics {
			return false
		}
		f = &flow{subscriber: s, st: s.hub.watch(topic), window: sub.Window, points: sub.Points, every: every(sub.Rate)}
		f.last, f.resume = after[topic], false
		if cursor, ok := after[topic]; ok {
			f.last, f.resume = cursor, true
		}
		s.flows[topic] = f
		f.st.mu.Lock()
		f.st.flows[f] = struct{}{}
		since := f.st.stale
		f.st.mu.Unlock()
		if !since.IsZero() {
			s.push(stale(topic, since))
		}
		s.join(f)
	} else {
		f.st.mu.Lock()
		f.every = min(f.every, every(sub.Rate)) // the highest rate wins
		f.st.mu.Unlock()
	}
	sub.topics[topic] = struct{}{}
	return true
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
	f.st.mu.Unlock()
	s.mu.Lock()
	delete(s.behind, f)
	s.mu.Unlock()
	s.hub.release(f.st)
}
