package reading

import (
	"cmp"
	"strconv"
	"strings"
)

// StreamID is the ID of a stream entry, as Redis makes it: milliseconds and a sequence.
type StreamID struct{ Ms, Seq uint64 }

// Compare orders IDs as their stream does.
func (id StreamID) Compare(other StreamID) int {
	return cmp.Or(cmp.Compare(id.Ms, other.Ms), cmp.Compare(id.Seq, other.Seq))
}

// String prints the ID as Redis does: 1763785200123-0.
func (id StreamID) String() string {
	b := strconv.AppendUint(make([]byte, 0, 24), id.Ms, 10)
	return string(strconv.AppendUint(append(b, '-'), id.Seq, 10))
}

// ParseStreamID reads digits-digits and nothing else: Redis' own $, >, - and
// incomplete IDs mean other things at other times and are refused.
func ParseStreamID(s string) (StreamID, error) {
	ms, seq, ok := strings.Cut(s, "-")
	var id StreamID
	var err error
	if id.Ms, err = parseDigits(ms); ok && err == nil {
		if id.Seq, err = parseDigits(seq); err == nil {
			return id, nil
		}
	}
	return StreamID{}, Refuse("bad_id", "%s is not a cursor; send the id of the last message as it was", Quote(s))
}

func parseDigits(s string) (uint64, error) {
	if s == "" || digits(s) != len(s) {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseUint(s, 10, 64)
}

// Unknown is the Ordinal of a cursor whose place in the stream's count is not known.
const Unknown = -1

// Cursor is a place in a topic's stream: just after the entry ID. Ordinal is how
// many entries the stream ever had up to there, or Unknown. Epoch is the random
// name of the stream's life, or empty in a bare ID; a stream that is deleted and
// comes back has another. To its users a cursor is opaque.
type Cursor struct {
	ID      StreamID
	Ordinal int64
	Epoch   string
}

// String prints id:ordinal:epoch, the ordinal left empty when it is unknown; a
// cursor without an epoch prints as the bare ID.
func (c Cursor) String() string {
	if c.Epoch == "" {
		return c.ID.String()
	}
	ordinal := ""
	if c.Ordinal >= 0 {
		ordinal = strconv.FormatInt(c.Ordinal, 10)
	}
	return c.ID.String() + ":" + ordinal + ":" + c.Epoch
}

// ParseCursor reads what String prints. A bare stream ID is a cursor too.
func ParseCursor(s string) (Cursor, error) {
	text, rest, full := strings.Cut(s, ":")
	id, err := ParseStreamID(text)
	if err != nil {
		return Cursor{}, err
	}
	c := Cursor{ID: id, Ordinal: Unknown}
	if !full {
		return c, nil
	}
	bad := Refuse("bad_id", "%s is not a cursor; send the id of the last message as it was", Quote(s))
	ordinal, epoch, ok := strings.Cut(rest, ":")
	if !ok || !isEpoch(epoch) {
		return Cursor{}, bad
	}
	c.Epoch = epoch
	if ordinal != "" {
		n, err := parseDigits(ordinal)
		if err != nil || n > 1<<62 || strconv.FormatUint(n, 10) != ordinal {
			return Cursor{}, bad
		}
		c.Ordinal = int64(n)
	}
	return c, nil
}

// isEpoch holds epochs to 1 to 32 letters and digits, so that they need no escape anywhere.
func isEpoch(s string) bool {
	if s == "" || len(s) > 32 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// Entry is one item of a topic's stream: one reading, or the packed readings
// that arrived together.
type Entry struct {
	Cursor   Cursor // the place just after this entry
	Readings []Reading
}
