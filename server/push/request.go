package push

import (
	"crypto/sha256"
	"io"
	"net/http"
	"strings"

	"readout/server/ingest"
	"readout/server/problem"
	"readout/server/reading"
)

// inflate undoes the Content-Encoding of a body.
func inflate(r *http.Request, body []byte) ([]byte, error) {
	return ingest.Inflate(strings.Join(r.Header["Content-Encoding"], ", "), body, MaxInflated)
}

// header returns the one value of an option of the push; empty when it is not given.
// Its name is spelled as net/http spells it.
func header(r *http.Request, name string) (string, error) {
	switch values := r.Header[name]; {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", problem.New("bad_request", "the header %s is given %d times", name, len(values))
	case values[0] == "":
		return "", problem.New("bad_request", "the header %s is empty", name)
	default:
		return values[0], nil
	}
}

// once reads the Idempotency-Key of a request. parts and body are what it asks for.
func (h *Handlers) once(r *http.Request, body []byte, parts ...string) (Once, error) {
	key, err := header(r, "Idempotency-Key")
	if err != nil || key == "" {
		return Once{}, err
	}
	if len(key) > MaxKey || strings.ContainsFunc(key, func(c rune) bool { return c < ' ' || c > '~' }) {
		return Once{}, problem.New("bad_request", "Idempotency-Key has 1 to %d printable ASCII characters", MaxKey)
	}
	once := Once{Token: h.options.Sender(r), Key: key}
	hash := sha256.New()
	for _, part := range parts {
		// A NUL stands in no topic, type or time, so that the parts cannot run together.
		_, _ = io.WriteString(hash, part)
		_, _ = hash.Write([]byte{0})
	}
	_, _ = hash.Write(body)
	_, _ = hash.Write([]byte{0}) // as behind the parts
	hash.Sum(once.Body[:0])
	return once, nil
}

// ack reads the Readout-Ack of a request.
func ack(r *http.Request) (Ack, error) {
	value, err := header(r, "Readout-Ack")
	if err != nil {
		return Stored, err
	}
	switch ack := Ack(value); ack {
	case Stored, Copied, Synced:
		return ack, nil
	}
	return Stored, problem.New("bad_request", "Readout-Ack is copied or synced, not %s", reading.Quote(value))
}
