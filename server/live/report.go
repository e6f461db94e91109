package live

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync/atomic"

	"readout/server/problem"
)

// PaintBounds are the upper bounds, in milliseconds, of what viewers count from
// a push to the paint that shows it. Each later viewer counts by the same.
var PaintBounds = [...]int64{25, 50, 100, 250, 500, 1000, 2500}

const (
	maxReport  = 8 << 10   // bytes of a report
	maxCounted = 1_000_000 // of anything, in one report: a page sends one in 30 s
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
	l.reports.violations.Add(told.Violations)
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
	counts := []int64{told.Violations, told.Resumes}
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
