package live

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"readout/server/body"
	"readout/server/hub"
	"readout/server/problem"
)

// maxRequests is how many subscriptions one body may have: as many as a subscriber.
const maxRequests = 200

// readJSON reads a body of JSON with at most so many bytes.
func readJSON(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, problem.New("unsupported_type", "send Content-Type application/json")
	}
	if encoding := strings.Join(r.Header.Values("Content-Encoding"), ", "); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, problem.New("unsupported_encoding", "this address takes no compressed body")
	}
	b, err := body.Read(w, r, most)
	switch {
	case err != nil:
		return nil, err
	case len(b) == 0:
		return nil, problem.New("empty_body", "the body is empty")
	case !utf8.Valid(b):
		return nil, problem.New("bad_utf8", "the body is not UTF-8")
	}
	return b, nil
}

// requests reads what a viewer without a socket subscribes to: the message of a
// socket, or a list of them.
func (l *Live) requests(w http.ResponseWriter, r *http.Request) ([]hub.Subscription, error) {
	b, err := readJSON(w, r, int64(l.o.Hub.Limits().Message))
	if err != nil {
		return nil, err
	}
	return decodeRequests(b)
}

func decodeRequests(b []byte) ([]hub.Subscription, error) {
	var messages []json.RawMessage
	if first := bytes.TrimLeft(b, " \t\r\n"); len(first) == 0 || first[0] != '[' {
		messages = []json.RawMessage{b}
	} else if err := json.Unmarshal(b, &messages); err != nil {
		return nil, problem.New("bad_message", "the body is neither one subscribe object nor a list of them")
	}
	if len(messages) == 0 || len(messages) > maxRequests {
		return nil, problem.New("bad_message", "a list holds 1 to %d subscribe objects", maxRequests)
	}
	wants := make([]hub.Subscription, 0, len(messages))
	for _, b := range messages {
		m, err := decodeSubscribe(b)
		if err != nil {
			return nil, err
		}
		wants = append(wants, m.subscription())
	}
	return wants, nil
}

// decodeSubscribe reads one subscribe object; its type may be left out.
func decodeSubscribe(b []byte) (message, error) {
	m := message{Type: "subscribe"}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, problem.New("bad_message", "the body is not a JSON object of the protocol")
	}
	if m.Type != "subscribe" {
		return m, problem.New("bad_message", "only subscribe is understood here")
	}
	return m, m.checkSubscribe()
}
