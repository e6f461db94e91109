// Package body reads the bodies of requests: within a size and a time, whoever
// sends them.
package body

import (
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"readout/server/problem"
)

// Timeout is how long a body may take to arrive.
const Timeout = 10 * time.Second

// Read reads a body of at most so many bytes, as it was sent. Its errors are
// too_large, body_timeout and bad_request; after one of them the connection ends
// instead of reading on for nothing.
func Read(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	if r.ContentLength > most {
		w.Header().Set("Connection", "close")
		return nil, tooLarge(most)
	}
	// Where the connection has no deadlines, as in a recorder, there is nothing to bound.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(Timeout))
	b, err := read(w, r, most)
	if err == nil {
		// net/http goes on reading, to notice when the sender goes away, and
		// would take an old deadline for that.
		_ = control.SetReadDeadline(time.Time{})
		return b, nil
	}
	w.Header().Set("Connection", "close")
	var large *http.MaxBytesError
	var network net.Error
	switch {
	case errors.As(err, &large):
		return nil, tooLarge(most)
	case errors.As(err, &network) && network.Timeout():
		return nil, problem.New("body_timeout", "the body did not arrive within %v", Timeout)
	default:
		return nil, &problem.Error{Code: "bad_request", Message: "the body could not be read to its end", Cause: err}
	}
}

// small is what is allocated because a request says that it has so much.
const small = 4 << 10

func read(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	if n := r.ContentLength; 0 < n && n <= small {
		b := make([]byte, n) // net/http reads no more than that
		_, err := io.ReadFull(r.Body, b)
		return b, err
	}
	return io.ReadAll(http.MaxBytesReader(w, r.Body, most))
}

func tooLarge(most int64) error {
	return problem.New("too_large", "the body has more than %d bytes; split it", most)
}
