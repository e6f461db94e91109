package store

import (
	"context"

	"readout/server/reading"
)

// Verdict says what became of the place that a cursor names.
type Verdict uint8

// The verdicts of Resume.
const (
	Continuous Verdict = iota // nothing between the cursor and Entries is missing
	Gap                       // entries were trimmed away before they were read
	Reset                     // this is another history: begin again with a snapshot
)

func (v Verdict) String() string { return [...]string{"continuous", "gap", "reset"}[v] }

// Resumed is the truth about a cursor and what follows it.
type Resumed struct {
	Verdict Verdict
	Lost    int64          // entries missing after a Gap; -1 when their number is not known
	From    reading.Cursor // the cursor that was asked for, with what is known about it
	To      reading.Cursor // after a Gap, the first entry that is still there
	Entries []reading.Entry
	// End is the place after Entries, also after those that hold no reading; after
	// a Reset the end of the new history.
	End reading.Cursor
	// More says that more than the limit follows. Entries are the oldest of them,
	// so the caller asks again after End.
	More bool
}

// Resume is the anchor check. A stream is only ever appended to and trimmed at
// its head, so one atomic look tells whether the reader of a cursor missed
// something: the same life (epoch), and the last entry read still there. The
// oldest limit entries after the cursor come along.
func (s *Store) Resume(ctx context.Context, topic reading.Topic, after reading.Cursor, limit int) (Resumed, error) {
	ctx, cancel := context.WithTimeout(ctx, readBudget)
	defer cancel()
	limit = max(limit, 0)
	key, id := Key(topic), after.ID.String()
	l, err := s.look(ctx, topic,
		[]any{"xrange", key, id, id},
		[]any{"xrange", key, "-", "+", "count", 1},
		[]any{"xrange", key, "(" + id, "+", "count", limit + 1})
	if err != nil {
		return Resumed{}, failure(err, false)
	}
	var parsed [3][]raw
	for i := range parsed {
		if parsed[i], err = parseEntries(l.replies[i]); err != nil {
			return Resumed{}, failure(err, false)
		}
	}
	r := settle(after, l, len(parsed[0]) > 0, parsed[1])
	if r.Verdict == Reset {
		return r, nil
	}
	rest := parsed[2]
	first := r.next(l, rest, parsed[1], len(rest) <= limit)
	if len(rest) > limit {
		rest, r.More = rest[:limit], true
	}
	r.Entries = s.decodeAll(topic, rest, first, l.epoch)
	switch {
	case len(rest) > 0:
		r.End = cursorAt(rest[len(rest)-1].id, first, int64(len(rest)-1), l.epoch)
	case r.Verdict == Gap && !r.More:
		r.End = l.end() // everything after the cursor is gone
	default:
		r.End = r.From
	}
	s.notice(topic, r.Entries)
	return r, nil
}

// settle decides: the five cases of the design, in their order.
func settle(after reading.Cursor, l look, anchor bool, first []raw) Resumed {
	r := Resumed{From: after}
	if after.ID == (reading.StreamID{}) {
		r.From.Ordinal = 0 // nothing comes before the first entry
	}
	if l.epoch != "" {
		r.From.Epoch = l.epoch
	}
	reset := Resumed{Verdict: Reset, From: after, To: l.end(), End: l.end()}
	if after.Epoch != "" && after.Epoch != l.epoch || l.last.Compare(after.ID) < 0 {
		return reset
	}
	if l.last == after.ID {
		if r.From.Ordinal == reading.Unknown {
			r.From.Ordinal = l.added
		}
		return r
	}
	if anchor {
		return r
	}
	to, ordinal := l.last, l.added
	if len(first) > 0 {
		to = first[0].id
		if ordinal != reading.Unknown {
			ordinal -= l.length - 1
		}
	}
	if to.Compare(after.ID) <= 0 {
		return reset
	}
	r.Lost = reading.Unknown
	if ordinal != reading.Unknown && r.From.Ordinal != reading.Unknown {
		r.Lost = ordinal - 1 - r.From.Ordinal
		if len(first) == 0 {
			r.Lost++ // the newest is gone too
		}
		switch {
		case r.Lost < 0:
			return reset
		case r.Lost == 0:
			return r
		}
	}
	r.Verdict, r.To = Gap, reading.Cursor{ID: to, Ordinal: ordinal, Epoch: l.epoch}
	return r
}

// next is the ordinal of the first of the entries that follow the cursor.
func (r Resumed) next(l look, rest, first []raw, all bool) int64 {
	switch {
	case l.added == reading.Unknown:
		return reading.Unknown
	case all:
		return l.added - int64(len(rest)) + 1
	case len(rest) > 0 && len(first) > 0 && rest[0].id == first[0].id:
		return l.added - l.length + 1
	case r.From.Ordinal != reading.Unknown && r.Verdict == Continuous:
		return r.From.Ordinal + 1
	}
	return reading.Unknown
}
