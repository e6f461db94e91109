package pages

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"sort"
	"time"

	"readout/server/problem"
	"readout/server/reading"
)

// Limits of a list of topics.
const (
	usualListed = 100
	mostListed  = 500
	lastEntries = 32   // newest entries of each listed topic that are read
	maxMatch    = 2048 // bytes of a selector, as of a topic
)

type topicItem struct {
	Topic    reading.Topic   `json:"topic"`
	Columns  []columnItem    `json:"columns"`
	Last     json.RawMessage `json:"last"`     // [t, value...] in the order of the columns; null without a reading
	Rate     float64         `json:"rate"`     // readings per second over the last minute
	Interval int64           `json:"interval"` // usual ms between readings; 0 for unknown
	Hidden   bool            `json:"hidden"`
}

type columnItem struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
	Kind string `json:"kind"`
}

// TopicsAPI serves GET /api/v1/topics: the topics that a selector picks, those
// of them that the viewer may see, a part at a time.
func (p *Pages) TopicsAPI(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r, "match", "limit", "after", "hidden")
	if err != nil {
		return err
	}
	limit, err := q.number("limit", usualListed, mostListed)
	if err != nil {
		return err
	}
	hidden, err := q.yes("hidden")
	if err != nil {
		return err
	}
	after, err := readNext(q["after"])
	if err != nil {
		return err
	}
	match := func(reading.Topic) bool { return true }
	if text := q["match"]; text != "" {
		if len(text) > maxMatch {
			return problem.New("bad_request", "match has %d bytes; at most %d are allowed", len(text), maxMatch)
		}
		selector, err := reading.ParseSelector(text)
		if err != nil {
			return err
		}
		match = selector.Match
		if _, one := selector.Topic(); one {
			hidden = true // who names it asks for it
		}
	}
	topics := p.o.Topics(p.listed(r, hidden, match))
	answered := struct {
		Topics []topicItem `json:"topics"`
		Total  int         `json:"total"`
		Next   string      `json:"next,omitempty"`
	}{Total: len(topics), Topics: []topicItem{}}
	if after != "" {
		// Topics are in order, so that a page stays where it was when topics come and go.
		topics = topics[sort.Search(len(topics), func(i int) bool { return topics[i] > after }):]
	}
	if len(topics) > limit {
		topics = topics[:limit]
		answered.Next = next(topics[limit-1])
	}
	latest, err := p.o.Latest(r.Context(), topics, lastEntries)
	if err != nil {
		return err
	}
	now := time.Now().UnixMilli()
	for i, topic := range topics {
		item := describe(topic, p.o.Columns(topic), latest[i], now)
		item.Hidden = p.o.API.Hidden(topic)
		answered.Topics = append(answered.Topics, item)
	}
	return answer(w, answered)
}

// describe is what a list says of one topic.
func describe(topic reading.Topic, known []reading.Column, entries []reading.Entry, now int64) topicItem {
	var list []reading.Reading
	for _, e := range entries {
		list = append(list, e.Readings...)
	}
	sort.SliceStable(list, func(i, k int) bool { return list[i].Time < list[k].Time })
	item := topicItem{Topic: topic, Columns: []columnItem{}, Last: json.RawMessage("null"), Interval: reading.Interval(list), Rate: rate(list, now)}
	columns := columnsOf(known, list)
	for _, c := range columns {
		item.Columns = append(item.Columns, columnItem(c))
	}
	if len(list) > 0 {
		last := list[len(list)-1]
		row := make([]reading.Value, len(columns))
		fill(row, places(columns), last)
		item.Last = appendRow(nil, last.Time, row)
	}
	return item
}

// next is the place after a topic in a list, opaque to who asks for more.
func next(topic reading.Topic) string {
	return base64.RawURLEncoding.EncodeToString([]byte("1" + topic))
}

// readNext reads what next made; the empty text is the beginning.
func readNext(text string) (reading.Topic, error) {
	if text == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil && len(raw) > 1 && raw[0] == '1' {
		if topic, err := reading.ParseTopic(string(raw[1:])); err == nil {
			return topic, nil
		}
	}
	return "", problem.New("bad_request", "after is not the next of an answer; leave it out to begin again")
}
