package live

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"readout/server/problem"
)

// PaintBounds are the upper bounds, in milliseconds, of what viewers count from
// a push to the paint that shows it. Each later viewer counts by the same.
var PaintBounds = [...]int64{25, 50, 100, 250, 500, 1000, 2500}

const (
	maxReport  = 8 << 10   // bytes of a report
	maxCounted = 1_000_000 // of anything else, in one report: a page sends one in 30 s
)

// Nobody can prove a broken chain, so what viewers may add to their count is
// bounded: one violation says as much as a thousand, that there is a bug.
const (
	maxViolations = 100 // in one report: a page tells of the first within a second
	maxComplaints = 10  // reports of violations a minute, of all viewers
)

// report is what a page tells of itself since its last one. Fields that a later
// version adds are ignored.
type report struct {
	Transport  string   `json:"transport"`
	Violations int64    `json:"violations"` // frames that did not continue the chain: a bug, whosever it is
	Resumes    int64    `json:"resumes"`    // connections that went on after a cursor
	Painted    *painted `json:"painted"`
}

// painted is a histogram of the time from push to paint.
type painted struct {
	Le     []int64 `json:"le"`     // PaintBounds
	Counts []int64 `json:"counts"` // one for each bound, and those above
}

// Reported is the sum of all reports.
type Reported struct {
	Violations int64
	Painted    [len(PaintBounds) + 1]int64
}

type reports struct {
	mu         sync.Mutex // guards:
	minute     time.Time  // when the count of complaints began
	complaints int

	violations atomic.Int64
	resumes    [len(transportNames)]atomic.Int64
	painted    [len(PaintBounds) + 1]atomic.Int64
}

func (r *reports) snapshot() Reported {
	s := Reported{Violations: r.violations.Load()}
	for i := range r.painted {
		s.Painted[i] = r.painted[i].Load()
	}
	return s
}

// complain counts violations unless there were too many complaints in this minute.
func (r *reports) complain(violations int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); now.Sub(r.minute) >= time.Minute {
		r.minute, r.complaints = now, 0
	}
	if r.complaints++; r.complaints > maxComplaints {
		return problem.New("limit", "more than %d reports of violations in a minute; they are counted, this one is not", maxComplaints)
	}
	r.violations.Add(violations)
	return nil
}

// Report serves POST /live/report.
func (l *Live) Report(w http.ResponseWriter, r *http.Request) error {
	if _, err := l.admit(r); err != nil {
		return err
	}
	b, err := readJSON(w, r, maxReport)
	if err != nil {
		return err
	}
	told, by, err := decodeReport(b)
	if err != nil {
		return err
	}
	if told.Violations > 0 {
		if err := l.reports.complain(told.Violations); err != nil {
			return err
		}
		l.o.Logger.Warn("a viewer reports messages that do not follow each other", "transport", told.Transport, "violations", told.Violations)
	}
	l.reports.resumes[by].Add(told.Resumes)
	if told.Painted != nil {
		for i, n := range told.Painted.Counts {
			l.reports.painted[i].Add(n)
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func decodeReport(b []byte) (told report, by transport, err error) {
	if err := json.Unmarshal(b, &told); err != nil {
		return told, 0, problem.New("bad_message", "the report is not one JSON object of numbers")
	}
	by = transport(slices.Index(transportNames[:], told.Transport))
	if by < 0 {
		return told, 0, problem.New("bad_message", "a report names its transport: websocket, sse or poll")
	}
	if told.Violations < 0 || told.Violations > maxViolations {
		return told, 0, problem.New("bad_message", "a report tells of 0 to %d violations", maxViolations)
	}
	counts := []int64{told.Resumes}
	if p := told.Painted; p != nil {
		if !slices.Equal(p.Le, PaintBounds[:]) || len(p.Counts) != len(PaintBounds)+1 {
			return told, 0, problem.New("bad_message", "painted counts by le %v, and one more", PaintBounds)
		}
		counts = append(counts, p.Counts...)
	}
	for _, n := range counts {
		if n < 0 || n > maxCounted {
			return told, 0, problem.New("bad_message", "a report counts from 0 to %d", maxCounted)
		}
	}
	return told, by, nil
}
