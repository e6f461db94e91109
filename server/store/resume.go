package store

import (
	"context"

	"readout/server/reading"
)

// Resume is the anchor check. A stream is only ever appended to and trimmed at
// its head, so one atomic look tells whether the reader of a cursor missed
// something: the same life (epoch), and the last entry read still there. The
// oldest limit entries after the cursor come along.
func (s *Store) Resume(ctx context.Context, topic reading.Topic, after reading.Cursor, limit int) (reading.Resumed, error) {
	ctx, cancel := context.WithTimeout(ctx, readBudget)
	defer cancel()
	limit = max(limit, 0)
	key, id := Key(topic), after.ID.String()
	l, err := s.look(ctx, topic,
		[]any{"xrange", key, id, id},
		[]any{"xrange", key, "-", "+", "count", 1},
		[]any{"xrange", key, "(" + id, "+", "count", limit + 1})
	if err != nil {
		return reading.Resumed{}, failure(err, false)
	}
	var parsed [3][]raw
	for i := range parsed {
		if parsed[i], err = parseEntries(l.replies[i]); err != nil {
			return reading.Resumed{}, failure(err, false)
		}
	}
	r := settle(after, l, len(parsed[0]) > 0, parsed[1])
	if r.Verdict == reading.Reset {
		return r, nil
	}
	rest := parsed[2]
	first := nextOrdinal(r, l, rest, parsed[1], len(rest) <= limit)
	if len(rest) > limit {
		rest, r.More = rest[:limit], true
	}
	r.Entries = s.decodeAll(topic, rest, first, l.epoch)
	if len(parsed[0]) > 0 {
		r.Before, _ = decodeEntry(topic, parsed[0][0]) // none if it holds no reading
	}
	switch {
	case len(rest) > 0:
		r.End = cursorAt(rest[len(rest)-1].id, first, int64(len(rest)-1), l.epoch)
	case r.Verdict == reading.Gap && !r.More:
		r.End = l.end() // everything after the cursor is gone
	default:
		r.End = r.From
	}
	s.notice(topic, r.Entries)
	return r, nil
}

// settle decides: the five cases of the design, in their order, the first with one
// more sign.
func settle(after reading.Cursor, l look, anchor bool, first []raw) reading.Resumed {
	r := reading.Resumed{From: after}
	if after.ID == (reading.StreamID{}) {
		r.From.Ordinal = 0 // nothing comes before the first entry
	}
	if l.epoch != "" {
		r.From.Epoch = l.epoch
	}
	reset := reading.Resumed{Verdict: reading.Reset, From: after, To: l.end(), End: l.end()}
	if after.Epoch != "" && after.Epoch != l.epoch || l.last.Compare(after.ID) < 0 {
		return reset
	}
	if l.counted && after.Ordinal > l.added {
		return reset // somebody deleted the stream by hand, which leaves its epoch, and it came back
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
	if len(first) > 0 && to == (reading.StreamID{Ms: after.ID.Ms, Seq: after.ID.Seq + 1}) {
		return r // no ID lies between them
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
	r.Verdict, r.To = reading.Gap, reading.Cursor{ID: to, Ordinal: ordinal, Epoch: l.epoch}
	return r
}

// nextOrdinal is the ordinal of the first of the entries that follow the cursor.
func nextOrdinal(r reading.Resumed, l look, rest, first []raw, all bool) int64 {
	switch {
	case l.added == reading.Unknown:
		return reading.Unknown
	case all:
		return l.added - int64(len(rest)) + 1
	case len(rest) > 0 && len(first) > 0 && rest[0].id == first[0].id:
		return l.added - l.length + 1
	case r.From.Ordinal != reading.Unknown && r.Verdict == reading.Continuous:
		return r.From.Ordinal + 1
	}
	return reading.Unknown
}
