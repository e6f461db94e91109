package store

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"readout/server/reading"
)

// The two forms of a stream entry. Both are promises: entries outlive the
// program that wrote them, and other programs write plain ones.
//
//	plain   t 1763785200123 user 0.3 state open    one reading; t may be missing
//	packed  p <version byte and columnar block>    up to 256 readings, up to 8 KiB
//
// In a plain entry a text that looks like a number or a bool, or that begins
// with an apostrophe, is written with an apostrophe before it.
const (
	timeField   = "t"
	packedField = "p"

	maxTime = 253402300799999 // the last millisecond of the year 9999

	maxField = 64 << 10 // bytes of a field that is looked at; a packed block has 8 KiB
)

// raw is an entry as it lies in its stream.
type raw struct {
	id     reading.StreamID
	fields []string // names and values in turn
}

var errEntry = errors.New("the entry holds no reading")

// decodeEntry reads an entry of either form and refuses everything that Append
// would not have written and that no careful XADD would either.
func decodeEntry(topic reading.Topic, r raw) ([]reading.Reading, error) {
	switch {
	case len(r.fields) < 2 || len(r.fields)%2 != 0:
		return nil, errEntry
	case slices.ContainsFunc(r.fields, func(f string) bool { return len(f) > maxField }):
		return nil, errEntry
	case len(r.fields) == 2 && r.fields[0] == packedField:
		return unpack(topic, r.fields[1])
	}
	one, err := decodePlain(topic, r)
	if err != nil {
		return nil, err
	}
	return []reading.Reading{one}, nil
}

// encodePlain appends the fields of a plain entry.
func encodePlain(fields []any, r reading.Reading) []any {
	fields = append(slices.Grow(fields, 2+2*len(r.Values)), timeField, strconv.FormatInt(r.Time, 10))
	for _, v := range r.Values {
		fields = append(fields, v.Name, valueText(v.Value))
	}
	return fields
}

func decodePlain(topic reading.Topic, r raw) (reading.Reading, error) {
	one := reading.Reading{Topic: topic, Time: int64(min(r.id.Ms, maxTime))}
	if len(r.fields) > 2*(reading.MaxValues+1) {
		return one, errEntry
	}
	one.Values = make([]reading.Named, 0, len(r.fields)/2)
	for i := 0; i < len(r.fields); i += 2 {
		name, text := r.fields[i], r.fields[i+1]
		if name == timeField {
			ms, err := strconv.ParseInt(text, 10, 64)
			if err != nil || ms <= 0 || ms > maxTime || i > 0 && r.fields[0] == timeField {
				return one, errEntry
			}
			one.Time = ms
			continue
		}
		value, ok := textValue(text)
		if !ok {
			return one, errEntry
		}
		one.Values = append(one.Values, reading.Named{Name: name, Value: value})
	}
	return one, reading.ValidateValues(one.Values)
}

// valueText is how a plain entry writes a value.
func valueText(v reading.Value) string {
	text, ok := v.Text()
	if ok && ambiguous(text) {
		return "'" + text
	}
	return v.String()
}

func textValue(text string) (reading.Value, bool) {
	if rest, quoted := strings.CutPrefix(text, "'"); quoted {
		return reading.TextOf(rest), true
	}
	if f, ok := reading.ParseNumber(text); ok {
		return reading.NumberOf(f), true
	}
	switch text {
	case "true", "false":
		return reading.BoolOf(text == "true"), true
	}
	return reading.TextOf(text), utf8.ValidString(text)
}

func ambiguous(text string) bool {
	if strings.HasPrefix(text, "'") || text == "true" || text == "false" {
		return true
	}
	_, number := reading.ParseNumber(text)
	return number
}

// parseEntries reads the reply of XRANGE and of one stream in XREAD.
func parseEntries(reply any) ([]raw, error) {
	items, ok := reply.([]any)
	if !ok {
		return nil, errReply
	}
	entries := make([]raw, 0, len(items))
	for _, item := range items {
		pair, ok := item.([]any)
		if !ok || len(pair) != 2 {
			return nil, errReply
		}
		text, _ := pair[0].(string)
		id, err := reading.ParseStreamID(text)
		if err != nil {
			return nil, errReply
		}
		values, _ := pair[1].([]any)
		fields := make([]string, len(values))
		for i, v := range values {
			fields[i], _ = v.(string)
		}
		entries = append(entries, raw{id, fields})
	}
	return entries, nil
}

var errReply = errors.New("the server's reply has an unknown form")

// decodeAll decodes entries in stream order. first is the ordinal of the first
// of them, or reading.Unknown. Entries that hold no reading are counted and
// left out; they still have their place in the count of the stream.
func (s *Store) decodeAll(topic reading.Topic, entries []raw, first int64, epoch string) []reading.Entry {
	decoded := make([]reading.Entry, 0, len(entries))
	for i, r := range entries {
		readings, err := decodeEntry(topic, r)
		if err != nil {
			s.stats.badEntries.Add(1)
			continue
		}
		decoded = append(decoded, reading.Entry{Cursor: cursorAt(r.id, first, int64(i), epoch), Readings: readings})
	}
	return decoded
}

func cursorAt(id reading.StreamID, first, offset int64, epoch string) reading.Cursor {
	ordinal := int64(reading.Unknown)
	if first >= 0 {
		ordinal = first + offset
	}
	return reading.Cursor{ID: id, Ordinal: ordinal, Epoch: epoch}
}
