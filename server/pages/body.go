package pages

import (
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"readout/server/problem"
)

// bodyTimeout is how long a body may take to arrive.
const bodyTimeout = 10 * time.Second

// readBody reads a body of at most so many bytes, and not an empty one.
func readBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	tooLarge := problem.New("too_large", "the body has more than %d bytes", most)
	if r.ContentLength > most {
		w.Header().Set("Connection", "close") // instead of reading on for nothing
		return nil, tooLarge
	}
	// Where the connection has no deadlines, as in a recorder, there is nothing to bound.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err == nil {
		_ = control.SetReadDeadline(time.Time{}) // net/http reads on, to notice when the sender goes away
		if len(body) == 0 {
			return nil, problem.New("empty_body", "the body is empty")
		}
		return body, nil
	}
	w.Header().Set("Connection", "close")
	var large *http.MaxBytesError
	var network net.Error
	switch {
	case errors.As(err, &large):
		return nil, tooLarge
	case errors.As(err, &network) && network.Timeout():
		return nil, problem.New("body_timeout", "the body did not arrive within %v", bodyTimeout)
	default:
		return nil, &problem.Error{Code: "bad_request", Message: "the body could not be read to its end", Cause: err}
	}
}
