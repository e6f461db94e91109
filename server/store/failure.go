package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"readout/server/problem"
)

// The kinds of failure, as Stats counts them.
const (
	kindRefused = "refused" // the server said no: nothing was written
	kindFull    = "full"    // the server has no memory left: nothing was written
	kindTimeout = "timeout" // no answer in time: a write may have happened
	kindCut     = "cut"     // the connection ended: a write may have happened
	kindDial    = "dial"    // no connection: nothing was written
	kindWrong   = "wrong"   // the server did not understand: a mistake of ours or a foreign key
)

// How the store is, as Condition says it.
const (
	Well     = ""
	Away     = "away"      // it does not answer
	ReadOnly = "read_only" // it is a copy: it is read and takes no readings
	Full     = "full"      // it has no memory left: it is read and takes no readings
	Refused  = "refused"   // it answers and does not do what it is asked
)

// trouble is one row of what can be wrong with a store.
type trouble struct {
	begins    string // how the server's answer begins; empty for what it never said
	kind      string
	condition string
	retry     time.Duration // how long a sender waits at least; 0 for what the code says
	message   string        // for senders and viewers
}

// troubles is the one table of what a server answers to a command that it did
// not execute, for reasons that pass. The first row that fits counts.
var troubles = []trouble{
	{"OOM", kindFull, Full, 0, "the store has no memory left"},
	{"READONLY", kindRefused, ReadOnly, 0, "the store is read-only: it is a copy of another one"},
	{"UNBLOCKED", kindRefused, ReadOnly, time.Second, "the store has just become a copy of another one"},
	{"MASTERDOWN", kindRefused, Refused, 0, "the store is a copy that has lost its primary"},
	{"LOADING", kindRefused, Refused, time.Second, "the store is loading its data"},
	{"NOREPLICAS", kindRefused, Refused, 0, "the store has fewer copies than it must have to take readings"},
	{"MISCONF", kindRefused, Refused, 0, "the store cannot write to its disk"},
	{"BUSY", kindRefused, Refused, time.Second, "the store is busy with a script of somebody else"},
	{"CLUSTERDOWN", kindRefused, Refused, 0, "the store's cluster is down or lacks the part for this topic"},
	{"TRYAGAIN", kindRefused, Refused, time.Second, "the store's cluster is moving this topic"},
	{"MOVED", kindRefused, Refused, time.Second, "the store's cluster has moved this topic"},
	{"ASK", kindRefused, Refused, time.Second, "the store's cluster is moving this topic"},
	{"NOAUTH", kindRefused, Refused, 0, "the store does not let this replica in"},
	{"WRONGPASS", kindRefused, Refused, 0, "the store does not let this replica in"},
	{"NOPERM", kindRefused, Refused, 0, "the store does not let this replica do that"},
	{"ERR invalid password", kindRefused, Refused, 0, "the store does not let this replica in"},
	{"ERR AUTH", kindRefused, Refused, 0, "the store does not let this replica in"},
	{"DENIED", kindRefused, Refused, 0, "the store does not let this replica in"},
	{"ERR max number of clients", kindRefused, Refused, time.Second, "the store has too many connections"},
	{"EXECABORT", kindRefused, Refused, 0, "the store takes no commands now"},
}

// What is wrong when the server did not say it.
var (
	unreached   = trouble{"", kindDial, Away, time.Second, "the store does not answer"}
	unanswered  = trouble{"", kindTimeout, Away, 0, "the store did not answer in time"}
	interrupted = trouble{"", kindCut, Away, time.Second, "the connection to the store was cut"}
	odd         = trouble{"", kindWrong, Refused, 0, "the store did not understand"}
)

// diagnose finds the trouble of a go-redis error, which is not nil, and whether a
// write that ended with it may have happened all the same.
func diagnose(err error) (t trouble, unknown bool) {
	var reply redis.Error
	var dial *dialError
	switch {
	case errors.As(err, &reply):
		return said(reply.Error()), false
	case errors.As(err, &dial):
		return unreached, false
	case errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted), errors.Is(err, redis.ErrClosed),
		strings.Contains(err.Error(), "all sentinels specified in configuration are unreachable"):
		return unreached, false
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return unanswered, true
	}
	return interrupted, true
}

// said finds the trouble of an error that the server answered. Before Redis 7 one
// in a script stands behind words of the script, and a dash.
func said(text string) trouble {
	if strings.HasPrefix(text, "ERR Error running script") {
		if at := strings.LastIndex(text, ": -"); at >= 0 {
			text = text[at+len(": -"):]
		} else if at := strings.LastIndex(text, ": "); at >= 0 {
			text = text[at+len(": "):]
		}
	}
	for _, t := range troubles {
		if strings.HasPrefix(text+" ", t.begins+" ") {
			return t
		}
	}
	return odd
}

// judge tells the kind of a go-redis error, which is not nil, and whether a
// write that ended with it may have happened all the same.
func judge(err error) (kind string, unknown bool) {
	t, unknown := diagnose(err)
	return t.kind, unknown
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
	t, unknown := diagnose(err)
	p := &problem.Error{Code: "store_unavailable", Message: t.message, Retry: t.retry, Cause: err}
	switch {
	case t.kind == kindFull:
		p.Code = "storage_full"
	case t.kind == kindWrong && redis.HasErrorPrefix(err, "WRONGTYPE"):
		p.Code, p.Message = "wrong_type", "the key of this topic holds another Redis type"
	case t.kind == kindWrong:
		p.Code = "internal"
	}
	if write && unknown {
		p.Outcome = "unknown"
		p.Message += "; the readings may be stored all the same"
	}
	return p
}

// Condition says how the store is by what an operation ended with, and what
// people are told of it. A problem of one topic is none of the store.
func Condition(err error) (condition, message string) {
	if err == nil {
		return Well, ""
	}
	var p *problem.Error
	if errors.As(err, &p) && p.Cause == nil {
		return Refused, p.Message
	}
	t, _ := diagnose(err)
	return t.condition, t.message
}
