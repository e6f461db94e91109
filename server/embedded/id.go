package embedded

import (
	"bytes"
	"cmp"
	"math"
	"strconv"
)

// id names an entry of a stream.
type id struct{ ms, seq uint64 }

var (
	firstID = id{}
	lastID  = id{math.MaxUint64, math.MaxUint64}
)

func (a id) compare(b id) int { return cmp.Or(cmp.Compare(a.ms, b.ms), cmp.Compare(a.seq, b.seq)) }

// next is the ID right after a; ok is false for the last of all.
func (a id) next() (id, bool) {
	switch {
	case a.seq < math.MaxUint64:
		return id{a.ms, a.seq + 1}, true
	case a.ms < math.MaxUint64:
		return id{a.ms + 1, 0}, true
	}
	return a, false
}

// before is the ID right before a; ok is false for the first of all.
func (a id) before() (id, bool) {
	switch {
	case a.seq > 0:
		return id{a.ms, a.seq - 1}, true
	case a.ms > 0:
		return id{a.ms - 1, math.MaxUint64}, true
	}
	return a, false
}

func (a id) append(b []byte) []byte {
	b = strconv.AppendUint(b, a.ms, 10)
	return strconv.AppendUint(append(b, '-'), a.seq, 10)
}

// parseID reads ms-seq, or ms alone with the sequence that the caller means then.
func parseID(text []byte, seq uint64) (id, bool) {
	ms, rest, whole := bytes.Cut(text, []byte{'-'})
	a := id{seq: seq}
	var ok bool
	if a.ms, ok = parseUint(ms); !ok {
		return a, false
	}
	if whole {
		a.seq, ok = parseUint(rest)
	}
	return a, ok
}

// parseUint reads digits and nothing else.
func parseUint(text []byte) (uint64, bool) {
	if len(text) == 0 || len(text) > 20 {
		return 0, false
	}
	var n uint64
	for _, c := range text {
		digit := uint64(c - '0')
		if digit > 9 || n > math.MaxUint64/10 || n*10 > math.MaxUint64-digit {
			return 0, false
		}
		n = n*10 + digit
	}
	return n, true
}

// parseInt reads a number as Redis writes one: digits with no leading zero,
// perhaps after a minus sign.
func parseInt(text []byte) (int64, bool) {
	if len(text) == 0 || len(text) > 20 {
		return 0, false
	}
	digits, negative := text, text[0] == '-'
	if negative {
		digits = text[1:]
	}
	if len(digits) == 0 || digits[0] == '0' && (len(digits) > 1 || negative) {
		return 0, false
	}
	n, ok := parseUint(digits)
	switch {
	case !ok, !negative && n > math.MaxInt64, negative && n > 1<<63:
		return 0, false
	case negative:
		return -int64(n), true // 1<<63 stays what it is
	}
	return int64(n), true
}
