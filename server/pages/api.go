package pages

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"readout/server/problem"
	"readout/server/reading"
)

// API is what the addresses below /api/v1 are made from, and what changes a
// topic. The functions are required.
type API struct {
	// Range returns the entries of a topic that hold readings of a window of
	// time, in stream order: from and to are ms of the readings' own time, both
	// included, 0 for open; limit is the newest so many entries.
	Range func(ctx context.Context, topic reading.Topic, from, to int64, limit int) (reading.History, error)
	// Hidden says whether a topic is left out of lists.
	Hidden func(topic reading.Topic) bool
	// Manage says whether the request may delete and hide a topic.
	Manage func(r *http.Request, topic reading.Topic) error
	// Delete forgets a topic and its readings; not_found for one that is not known.
	Delete func(r *http.Request, topic reading.Topic) error
	// Hide leaves a topic out of lists, or shows it again; not_found for one that is not known.
	Hide func(r *http.Request, topic reading.Topic, hidden bool) error
}

// rangeSlots bounds how many windows of readings are in memory at once: one may
// be as large as a whole stream.
func rangeSlots() chan struct{} { return make(chan struct{}, 2*runtime.GOMAXPROCS(0)) }

// slotWait is how long a request waits for its turn before it is refused.
const slotWait = 2 * time.Second

// begin waits for a slot and returns how to give it back.
func (p *Pages) begin(ctx context.Context) (done func(), err error) {
	timer := time.NewTimer(slotWait)
	defer timer.Stop()
	select {
	case p.slots <- struct{}{}:
		return func() { <-p.slots }, nil
	case <-ctx.Done():
	case <-timer.C:
	}
	return nil, &problem.Error{Code: "overloaded", Message: "this replica has as many readings in hand as it can; ask for fewer windows at once", Cause: ctx.Err()}
}

// query is the query of an address below /api/v1: every parameter is known and
// given once, so that a misspelt one is not passed over in silence.
type query map[string]string

func readQuery(r *http.Request, known ...string) (query, error) {
	given, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, problem.New("bad_request", "the query of the address is not well escaped")
	}
	q := make(query, len(given))
	for name, values := range given {
		switch {
		case !slices.Contains(known, name):
			return nil, problem.New("bad_request", "%s is no parameter of this address; use %s", reading.Quote(name), strings.Join(known, ", "))
		case len(values) > 1:
			return nil, problem.New("bad_request", "%s is given twice", name)
		}
		q[name] = values[0]
	}
	return q, nil
}

// number reads a whole number of 1 to most; usual when it is not given.
func (q query) number(name string, usual, most int) (int, error) {
	text, given := q[name]
	if !given {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, problem.New("bad_request", "%s is %s; use a whole number of 1 to %d", name, reading.Quote(text), most)
	}
	return n, nil
}

// yes reads a switch: 1 or true, 0 or false.
func (q query) yes(name string) (bool, error) {
	switch text, given := q[name]; text {
	case "1", "true":
		return true, nil
	case "0", "false":
		return false, nil
	default:
		if !given {
			return false, nil
		}
		return false, problem.New("bad_request", "%s is %s; use 1 or 0", name, reading.Quote(text))
	}
}

// Bounds of a moment in a query, in ms since 1970.
const lastMoment = 253_402_300_799_999 // the end of the year 9999

// moment reads a time of a query, in ms since 1970: digits are just that, then
// RFC 3339, now, and a span before now such as -15m, -1h30m or -7d.
func moment(name, text string, now time.Time) (int64, error) {
	wrong := problem.New("bad_request", "%s is %s; use milliseconds since 1970, RFC 3339, now, or a span before now such as -15m", name, reading.Quote(text))
	if text == "now" {
		return now.UnixMilli(), nil
	}
	if before, ok := strings.CutPrefix(text, "-"); ok {
		span, ok := parseSpan(before)
		if !ok {
			return 0, wrong
		}
		return max(0, now.Add(-span).UnixMilli()), nil
	}
	if text != "" && strings.Trim(text, "0123456789") == "" {
		ms, err := strconv.ParseInt(text, 10, 64)
		if err != nil || ms > lastMoment {
			return 0, problem.New("bad_request", "%s is %s, which is no time in milliseconds", name, reading.Quote(text))
		}
		return ms, nil
	}
	// A + that nobody escaped has become a space.
	at, err := time.Parse(time.RFC3339, strings.ReplaceAll(text, " ", "+"))
	if ms := at.UnixMilli(); err == nil && ms >= 0 && ms <= lastMoment {
		return ms, nil
	}
	return 0, wrong
}

// parseSpan reads a duration that may begin with days: 15m, 1h30m, 7d, 1d12h.
func parseSpan(text string) (time.Duration, bool) {
	const most = 100 * 366 // days, far more than is ever kept
	var span time.Duration
	if days, rest, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 32)
		if err != nil || n > most {
			return 0, false
		}
		span, text = time.Duration(n)*24*time.Hour, rest
		if rest == "" {
			return span, true
		}
	}
	if strings.ContainsAny(text, "+-") { // one sign, and that is gone
		return 0, false
	}
	rest, err := time.ParseDuration(text)
	if err != nil || rest < 0 || rest > most*24*time.Hour {
		return 0, false
	}
	return span + rest, true
}

// answer writes v as JSON.
func answer(w http.ResponseWriter, v any) error { return writeStatus(w, http.StatusOK, v) }

func writeStatus(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the asker may be gone
	return nil
}
