package ingest

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"readout/server/reading"
)

// Lines decodes line protocol. It remembers the topics of what comes a line at a time,
// since making one costs as much as all else about a line. Any number of requests may
// use it at once; the zero Lines is ready.
type Lines struct {
	mu     sync.RWMutex // guards:
	topics map[string]reading.Topic
}

const (
	mostSpellings = 4096 // topics that are remembered
	mostSpelled   = 512  // bytes of a measurement and its tags
)

func (s *Lines) find(raw []byte) (reading.Topic, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	topic, ok := s.topics[string(raw)]
	return topic, ok
}

func (s *Lines) keep(raw []byte, topic reading.Topic) {
	if len(raw) > mostSpelled {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.topics == nil || len(s.topics) == mostSpellings {
		s.topics = map[string]reading.Topic{} // the busy ones are back soon
	}
	s.topics[string(raw)] = topic
}

// Decode reads InfluxDB line protocol, one reading in each line:
//
//	cpu,host=web1,mode=user busy=0.3,cores=8i,on=true,state="running" 1763785200123000000
//
// The measurement is the topic's name, tags are its labels, fields the named
// values; what the grammars of names lack becomes _. The time counts units since
// 1970; without one the reading is of now.
//
// A line that does not follow the syntax refuses the whole request. What is wrong
// with one reading stands in its Item. A body without a reading is no error.
func (s *Lines) Decode(body []byte, unit time.Duration, bounds Bounds) (Request, error) {
	l := lineDecoder{memory: s, b: bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), line: 1, unit: max(int64(unit), 1), bounds: bounds}
	for l.seek() {
		if len(l.items) == MaxReadings {
			return Request{}, reading.Refuse("too_many", "more than %d readings in one request; split it", MaxReadings)
		}
		from := l.i
		if err := l.reading(); err != nil {
			return Request{}, inLine(l.line, err)
		}
		l.line += bytes.Count(l.b[from:l.i], []byte{'\n'}) // in its texts
	}
	return Request{Items: l.items}, nil
}

// lineDecoder reads lines, and keeps what the readings of one request share, so that a
// series and names that were seen before cost next to no memory of their own.
type lineDecoder struct {
	memory *Lines

	b    []byte
	i    int // where in b
	line int // of the reading at hand, from 1

	unit   int64 // nanoseconds
	bounds Bounds
	items  []Item

	last   []byte // the spelling of the series before
	series *series
	known  map[string]*series // by their spelling; only once there are two
	names  map[string]string  // of values, likewise
	block  []reading.Named    // room for the values of finished readings
}

// series is a measurement with its tags.
type series struct {
	topic  reading.Topic
	err    error           // why it is no topic
	values []reading.Named // of its reading before: the next has the same names, most often
}

// The bytes that end a part of a line, unless they are escaped.
const (
	comma = 1 << iota
	equals
	space
	lineBreak
)

var ends = [256]uint8{',': comma, '=': equals, ' ': space, '\n': lineBreak, '\r': lineBreak}

// seek goes to the next reading.
func (l *lineDecoder) seek() bool {
	for ; l.i < len(l.b); l.i++ {
		switch l.b[l.i] {
		case '\n':
			l.line++
		case ' ', '\t', '\r':
		case '#':
			n := bytes.IndexByte(l.b[l.i:], '\n')
			if n < 0 {
				return false
			}
			l.i += n - 1
		default:
			return true
		}
	}
	return false
}

// is reports whether a byte comes next.
func (l *lineDecoder) is(c byte) bool { return l.i < len(l.b) && l.b[l.i] == c }

// ended reports whether a part ends here: at one of the ends, or with the body.
func (l *lineDecoder) ended(at uint8) bool { return l.i == len(l.b) || ends[l.b[l.i]]&at != 0 }

// skip goes over a byte if it comes next.
func (l *lineDecoder) skip(c byte) bool {
	if !l.is(c) {
		return false
	}
	l.i++
	return true
}

// part goes over what stands before one of the ends, or before the end of the line.
func (l *lineDecoder) part(at uint8) []byte {
	rest := l.b[l.i:]
	n := partEnd(rest, at|lineBreak)
	l.i += n
	return rest[:n]
}

// partEnd finds the first of the ends that has no backslash before it.
func partEnd[T []byte | string](b T, at uint8) int {
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) && ends[b[i+1]]&^lineBreak != 0 {
			i++
		} else if ends[b[i]]&at != 0 {
			return i
		}
	}
	return len(b)
}

// unescape takes the backslashes before commas, equals signs and spaces away.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	plain := make([]byte, 0, len(s))
	for i := range len(s) {
		if s[i] != '\\' || i+1 == len(s) || ends[s[i+1]]&^lineBreak == 0 {
			plain = append(plain, s[i])
		}
	}
	return string(plain)
}

// reading reads a line and appends it to the items. Its error is for the whole request.
func (l *lineDecoder) reading() error {
	from := l.i
	s, err := l.findSeries(l.part(space))
	if err != nil {
		return err
	}
	item := Item{Index: len(l.items), Reading: reading.Reading{Topic: s.topic, Time: l.bounds.Now.UnixMilli()}, Err: s.err}
	values, wrong, err := l.fields(s)
	if err != nil {
		return err
	}
	if item.Err == nil {
		item.Err = wrong
	}
	for l.skip(' ') {
	}
	if stamp := l.part(space); len(stamp) > 0 {
		var late error
		if item.Reading.Time, late, err = l.time(stamp); err != nil {
			return err
		}
		if item.Err == nil {
			item.Err = late
		}
	}
	for l.skip(' ') {
	}
	if !l.ended(lineBreak) {
		return badLine("expected the end of the line behind the time, found %s", reading.Quote(string(l.part(0))))
	}
	if !utf8.Valid(l.b[from:l.i]) {
		item.Err = reading.Refuse("bad_utf8", "the line is not valid UTF-8")
	}
	if item.Err != nil {
		item.Err = inLine(l.line, item.Err)
	} else {
		item.Reading.Values, s.values = values, values
		l.block = l.block[:len(l.block)+len(values)]
	}
	if l.items == nil {
		l.items = make([]Item, 0, min(1+bytes.Count(bytes.TrimRight(l.b[l.i:], "\r\n"), []byte{'\n'}), MaxReadings))
	}
	l.items = append(l.items, item)
	return nil
}

// findSeries reads a measurement and its tags, unless it knows their spelling.
func (l *lineDecoder) findSeries(raw []byte) (*series, error) {
	if !l.is(' ') {
		return nil, badLine("the fields are missing; a line is measurement,tag=value field=value time")
	}
	if l.series != nil && bytes.Equal(raw, l.last) {
		return l.series, nil
	}
	s := l.known[string(raw)]
	if s == nil {
		var err error
		if s, err = l.learn(raw); err != nil {
			return nil, err
		}
	}
	l.series, l.last = s, raw
	return s, nil
}

// learn makes a series of which this request has not heard. The first is often the only
// one, and of a topic that other requests had.
func (l *lineDecoder) learn(raw []byte) (*series, error) {
	first := l.series == nil
	if first {
		if topic, ok := l.memory.find(raw); ok {
			return &series{topic: topic}, nil
		}
	}
	s, err := newSeries(string(raw))
	if err != nil {
		return nil, err
	}
	if first {
		if s.err == nil {
			l.memory.keep(raw, s.topic)
		}
		return s, nil
	}
	if l.known == nil {
		l.known = map[string]*series{string(l.last): l.series}
	}
	l.known[string(raw)] = s
	return s, nil
}

func newSeries(raw string) (*series, error) {
	n := partEnd(raw, comma)
	if n == 0 {
		return nil, badLine("the measurement is missing; a line is measurement,tag=value field=value time")
	}
	name := reading.FitName(unescape(raw[:n]))
	var room [4]reading.Label
	labels := room[:0]
	for n < len(raw) {
		raw = raw[n+1:]
		key := partEnd(raw, comma|equals)
		if key == 0 || key == len(raw) || raw[key] != '=' {
			return nil, badLine("a tag is not name=value: %s; escape commas, spaces and = with \\", reading.Quote(raw))
		}
		value := raw[key+1:]
		n = partEnd(value, comma|equals)
		if n < len(value) && value[n] == '=' {
			return nil, badLine("the tag %s has an = in its value that is not escaped", reading.Quote(raw[:key]))
		}
		if len(labels) <= reading.MaxLabels { // one more than that is refused
			labels = append(labels, reading.Label{Name: reading.FitLabel(unescape(raw[:key])), Value: unescape(value[:n])})
		}
		raw = value
	}
	s := new(series)
	s.topic, s.err = reading.NewTopic(name, labels...)
	return s, nil
}

// fields reads the named values to the end of the block. wrong is what keeps this one
// reading from being stored.
func (l *lineDecoder) fields(s *series) (values []reading.Named, wrong, err error) {
	for l.skip(' ') {
	}
	count := 0
	for more := true; more; more = l.skip(',') {
		key := l.part(comma | equals | space)
		if len(key) == 0 || !l.skip('=') {
			return nil, nil, badLine("a field is not name=value at %s; escape commas, spaces and = with \\", reading.Quote(string(key)))
		}
		v, word, err := l.value(key)
		if err != nil {
			return nil, nil, err
		}
		if text, is := v.Text(); is && text == "" {
			continue // it says nothing, and must not cost the others
		}
		if word != nil && wrong == nil {
			wrong = reading.Refuse("not_a_number", "%s is not a finite number and neither true nor false; put a text in double quotes", reading.Quote(string(word)))
		}
		if count++; count <= reading.MaxValues {
			values = l.room(values)
			values = append(values, reading.Named{Name: l.name(key, len(values), s), Value: v})
		}
	}
	switch {
	case wrong != nil:
	case count > reading.MaxValues:
		wrong = reading.Refuse("too_many_values", "%d values in one reading; at most %d are allowed", count, reading.MaxValues)
	default:
		wrong = reading.ValidateValues(values)
	}
	return values[:len(values):len(values)], wrong, nil
}

// room makes room for one value more at the end of the block, which readings share and
// which grows with the request.
func (l *lineDecoder) room(values []reading.Named) []reading.Named {
	if at := len(l.block); values == nil && at < cap(l.block) {
		return l.block[at:at]
	}
	if values != nil && len(values) < cap(values) {
		return values
	}
	l.block = make([]reading.Named, 0, max(2*len(values), min(2*cap(l.block), 512), 2))
	return append(l.block, values...)
}

// name is the name of a value, the same string for the same spelling.
func (l *lineDecoder) name(key []byte, i int, s *series) string {
	if i < len(s.values) && s.values[i].Name == string(key) {
		return s.values[i].Name
	}
	name, known := l.names[string(key)]
	if !known {
		name = reading.FitColumn(unescape(string(key)))
		if len(l.items) > 0 { // a map is dear for one reading
			if l.names == nil {
				l.names = map[string]string{}
			}
			l.names[string(key)] = name
		}
	}
	return name
}

// value reads the value of a field. word is there for what is none, but well written.
func (l *lineDecoder) value(key []byte) (v reading.Value, word []byte, err error) {
	if l.is('"') {
		v, err = l.text()
		return v, nil, err
	}
	word = l.part(comma | space)
	if len(word) == 0 || bytes.ContainsAny(word, `\=`) {
		return v, nil, badLine("the field %s has no value, or one that is not well written; put texts in double quotes", reading.Quote(string(key)))
	}
	v, ok := lineValue(word)
	if ok {
		word = nil
	}
	return v, word, nil
}

// text reads a text in double quotes, where backslashes stand before quotes and backslashes.
func (l *lineDecoder) text() (reading.Value, error) {
	escaped := false
	for i := l.i + 1; i < len(l.b); i++ {
		switch l.b[i] {
		case '\\':
			if i+1 < len(l.b) && (l.b[i+1] == '"' || l.b[i+1] == '\\') {
				i++
				escaped = true
			}
		case '"':
			text := l.b[l.i+1 : i]
			if l.i = i + 1; escaped {
				text = unquote(text)
			}
			if !l.ended(comma | space | lineBreak) {
				return reading.Value{}, badLine("expected a comma, a space or the end of the line behind a text, found %s", reading.Quote(string(l.part(0))))
			}
			return reading.TextOf(string(text)), nil
		}
	}
	return reading.Value{}, badLine("a text has no closing double quote")
}

func unquote(text []byte) []byte {
	plain := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && (text[i+1] == '"' || text[i+1] == '\\') {
			i++
		}
		plain = append(plain, text[i])
	}
	return plain
}

// lineValue reads a number by our own grammar, which has no 0x1p-2 and no 1_000, or a bool.
func lineValue(word []byte) (v reading.Value, ok bool) {
	switch last := len(word) - 1; word[last] {
	case 'i':
		n, err := strconv.ParseInt(string(word[:last]), 10, 64)
		return reading.NumberOf(float64(n)), err == nil
	case 'u':
		n, err := strconv.ParseUint(string(word[:last]), 10, 64)
		return reading.NumberOf(float64(n)), err == nil
	}
	switch string(word) {
	case "t", "T", "true", "True", "TRUE":
		return reading.BoolOf(true), true
	case "f", "F", "false", "False", "FALSE":
		return reading.BoolOf(false), true
	}
	f, ok := reading.ParseNumber(string(word))
	return reading.NumberOf(f), ok
}

// time reads a time in ms. wrong is what keeps this one reading from being stored.
func (l *lineDecoder) time(stamp []byte) (ms int64, wrong, err error) {
	digits := bytes.TrimPrefix(stamp, []byte{'-'})
	if len(digits) == 0 || bytes.ContainsFunc(digits, func(c rune) bool { return c < '0' || c > '9' }) {
		return 0, nil, badLine("the time %s is not a whole number", reading.Quote(string(stamp)))
	}
	n, err := strconv.ParseInt(string(stamp), 10, 64)
	if err != nil || n > math.MaxInt64/l.unit || n < math.MinInt64/l.unit {
		return 0, reading.Refuse("bad_time", "the time %s does not fit into 64 bits of nanoseconds; see precision", reading.Quote(string(stamp))), nil
	}
	ms = time.Unix(0, n*l.unit).UnixMilli() // rounds down
	if wrong = reading.ValidateTime(ms, l.bounds.Now, l.bounds.Oldest); wrong != nil {
		wrong = reading.Refuse("bad_time", "the time %d, in units of %v, is %v: too far from now; see precision", n, time.Duration(l.unit), time.UnixMilli(ms).UTC().Format(time.RFC3339))
	}
	return ms, wrong, nil
}

func badLine(format string, args ...any) error {
	return reading.Refuse("bad_line", format, args...)
}
