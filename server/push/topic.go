package push

import (
	"net/http"
	"net/url"
	"strings"

	"readout/server/body"
	"readout/server/ingest"
	"readout/server/problem"
	"readout/server/reading"
)

// Topic handles POST /t/{topic}: one reading, whose values are the body.
func (h *Handlers) Topic(w http.ResponseWriter, r *http.Request) error {
	topic, err := topicOf(r.URL)
	if err != nil {
		return err
	}
	if err := h.options.Can(r, topic); err != nil {
		return err
	}
	ack, err := ack(r)
	if err != nil {
		return err
	}
	at, err := header(r, "Readout-Time")
	if err != nil {
		return err
	}
	sent, err := body.Read(w, r, MaxBody)
	if err != nil {
		return err
	}
	slots, err := h.begin(r.Context(), ack)
	if err != nil {
		return err
	}
	defer func() { <-slots }()

	body, err := inflate(r, sent)
	if err != nil {
		return err
	}
	one := reading.Reading{Topic: topic}
	if one.Values, err = ingest.Values(body); err != nil {
		return err
	}
	bounds := h.bounds()
	one.Time = bounds.Now.UnixMilli()
	if at != "" {
		if one.Time, err = ingest.ParseTime(at); err != nil {
			return err
		}
		if err := reading.ValidateTime(one.Time, bounds.Now, bounds.Oldest); err != nil {
			return err
		}
	}
	once, err := h.once(r, body, "topic", string(topic), at)
	if err != nil {
		return err
	}
	ids, err := h.options.Append(r.Context(), []reading.Reading{one}, once, ack)
	if err != nil {
		return err
	}
	h.answerTopic(w, r, one, ids)
	return nil
}

// PathTopic returns the topic that the path of an address names: everything
// after /t/, decoded once.
func PathTopic(u *url.URL) (reading.Topic, error) {
	escaped, ok := strings.CutPrefix(u.EscapedPath(), "/t/")
	if !ok {
		return "", problem.New("not_found", "there is nothing at this address")
	}
	text, err := url.PathUnescape(escaped)
	if err != nil {
		return "", reading.Refuse("bad_topic", "the topic in the address is not well escaped")
	}
	return reading.ParseTopic(text)
}

// topicOf returns the topic of a push: the one of the path, and the query
// parameters as further labels.
func topicOf(u *url.URL) (reading.Topic, error) {
	topic, err := PathTopic(u)
	if err != nil || u.RawQuery == "" {
		return topic, err
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", reading.Refuse("bad_topic", "the query of the address is not well escaped; its parameters are labels of the topic")
	}
	labels := topic.Labels()
	for name, values := range query {
		for _, value := range values {
			// Addresses end up in logs, and labels on every screen.
			if strings.HasPrefix(value, "rdo_") {
				return "", problem.New("bad_request", "a token does not belong in an address; send Authorization: Bearer rdo_...")
			}
			labels = append(labels, reading.Label{Name: name, Value: value})
		}
	}
	return reading.NewTopic(topic.Name(), labels...)
}
