package pages

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"readout/server/problem"
	"readout/server/reading"
)

// maxPatch bounds the body of a PATCH, in bytes.
const maxPatch = 1 << 10

// DeleteTopic serves DELETE /t/{topic}: the topic and its readings are gone. It
// comes back with the next reading.
func (p *Pages) DeleteTopic(w http.ResponseWriter, r *http.Request, topic reading.Topic) error {
	if err := p.manages(r, topic); err != nil {
		return err
	}
	if err := p.o.API.Delete(r, topic); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// ChangeTopic serves PATCH /t/{topic}: {"hidden":true} leaves it out of lists,
// false shows it again.
func (p *Pages) ChangeTopic(w http.ResponseWriter, r *http.Request, topic reading.Topic) error {
	if err := p.manages(r, topic); err != nil {
		return err
	}
	body, err := readBody(w, r, maxPatch)
	if err != nil {
		return err
	}
	hidden, err := readHidden(body)
	if err != nil {
		return err
	}
	if err := p.o.API.Hide(r, topic, hidden); err != nil {
		return err
	}
	return answer(w, map[string]any{"topic": topic, "hidden": hidden})
}

// manages says whether the request may change a topic, before anything is told
// of it. A query would be labels in a push: here it would change another topic
// than the one that was meant.
func (p *Pages) manages(r *http.Request, topic reading.Topic) error {
	if r.URL.RawQuery != "" {
		return problem.New("bad_request", "this address takes no query; labels stand in the path: %s", `/t/cpu{host="web1"}`)
	}
	return p.o.API.Manage(r, topic)
}

// readHidden reads {"hidden":true} and nothing else: the key in its exact case
// and once.
func readHidden(body []byte) (bool, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	bad := func() error {
		return problem.New("bad_json", `the body is not {"hidden":true} or {"hidden":false}, at byte %d`, dec.InputOffset())
	}
	if token, err := dec.Token(); err != nil || token != json.Delim('{') {
		return false, bad()
	}
	hidden, given := false, false
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return false, bad()
		}
		switch name, _ := key.(string); {
		case name != "hidden":
			return false, problem.New("unknown_field", "%s is no field of a topic; hidden is one", reading.Quote(name))
		case given:
			return false, problem.New("duplicate_key", "hidden is given twice")
		}
		value, err := dec.Token()
		if err != nil {
			return false, bad()
		}
		if hidden, given = value.(bool); !given {
			return false, problem.New("bad_json", "hidden is true or false")
		}
	}
	if _, err := dec.Token(); err != nil || !given {
		return false, bad()
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return false, bad()
	}
	return hidden, nil
}
