package store

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"

	"readout/server/problem"
)

// dialError marks an error that happened before anything could be sent, so that
// a failed write is known not to have happened.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// The kinds of failure, as Stats counts them.
const (
	kindRefused = "refused" // the server said no: nothing was written
	kindFull    = "full"    // the server has no memory left: nothing was written
	kindTimeout = "timeout" // no answer in time: a write may have happened
	kindCut     = "cut"     // the connection ended: a write may have happened
	kindDial    = "dial"    // no connection: nothing was written
	kindWrong   = "wrong"   // the server did not understand: a mistake of ours or a foreign key
)

// refusals are the beginnings of replies with which a server refuses a command
// that it did not execute, for reasons that pass.
var refusals = []string{
	"READONLY", "LOADING", "CLUSTERDOWN", "MASTERDOWN", "NOREPLICAS", "TRYAGAIN", "MOVED", "ASK", "BUSY",
	"MISCONF", "UNBLOCKED", "EXECABORT", "NOAUTH", "WRONGPASS", "NOPERM", "ERR max number of clients", "ERR invalid password",
}

// judge tells the kind of a go-redis error, which is not nil, and whether a
// write that ended with it may have happened all the same.
func judge(err error) (kind string, unknown bool) {
	var reply redis.Error
	var dial *dialError
	switch {
	case errors.As(err, &reply):
		text := reply.Error()
		if strings.Contains(text, "OOM command not allowed") { // scripts put words before it
			return kindFull, false
		}
		for _, prefix := range refusals {
			if strings.HasPrefix(text, prefix) {
				return kindRefused, false
			}
		}
		return kindWrong, false
	case errors.As(err, &dial):
		return kindDial, false
	case errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted), errors.Is(err, redis.ErrClosed),
		strings.Contains(err.Error(), "all sentinels specified in configuration are unreachable"):
		return kindDial, false
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return kindTimeout, true
	}
	return kindCut, true
}

// failure maps every error of Redis and of the network to the one table of
// problems. write says that the failed operation changes data: then an error
// after sending leaves its outcome unknown, and only then is Outcome set.
func failure(err error, write bool) error {
	if err == nil {
		return nil
	}
	var already *problem.Error
	if errors.As(err, &already) {
		return already
	}
	kind, unknown := judge(err)
	p := &problem.Error{Code: "store_unavailable", Cause: err}
	switch kind {
	case kindFull:
		p.Code, p.Message = "storage_full", "the store has no memory left"
	case kindRefused:
		p.Message = "the store takes no commands now"
	case kindDial:
		p.Message = "the store cannot be reached"
	case kindWrong:
		if redis.HasErrorPrefix(err, "WRONGTYPE") {
			p.Code, p.Message = "wrong_type", "the key of this topic holds another Redis type"
			break
		}
		p.Code, p.Message = "internal", "the store did not understand"
	default:
		p.Message = "the store did not answer in time"
	}
	if write && unknown {
		p.Outcome = "unknown"
		p.Message += "; the readings may be stored all the same"
	}
	return p
}
