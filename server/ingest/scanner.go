package ingest

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"readout/server/reading"
)

// maxDepth bounds the nesting of what is skipped. Readings themselves nest four deep.
const maxDepth = 32

// scanner reads JSON strictly, in place and once. encoding/json is not used
// because it takes duplicate keys, keys in another case and broken UTF-8, and
// because it is several times slower. A fuzz test holds the two against each other.
//
// Texts may come out of it as invalid UTF-8: as it was sent, or because an
// escaped surrogate has no partner, which is kept as its three bytes. Whoever
// uses a text checks it, so the refusal names the reading that is wrong.
type scanner struct {
	b        []byte
	i        int    // the next byte; messages count from the beginning of the body
	unquoted []byte // the last text that held escapes
}

// newScanner begins after one byte order mark and any white space.
func newScanner(body []byte) scanner {
	s := scanner{b: body}
	if bytes.HasPrefix(body, []byte("\xef\xbb\xbf")) {
		s.i = 3
	}
	s.space()
	return s
}

func (s *scanner) fail(format string, args ...any) error {
	return s.failAt(s.i, "bad_json", format, args...)
}

func (s *scanner) failAt(at int, code, format string, args ...any) error {
	e := reading.Refuse(code, format, args...)
	e.Message = "at byte " + strconv.Itoa(at) + ": " + e.Message
	return e
}

// found says what stands at the next byte, for a message.
func (s *scanner) found() string {
	if s.end() {
		return "the end of the body"
	}
	r, size := utf8.DecodeRune(s.b[s.i:])
	if r == utf8.RuneError && size <= 1 {
		return "a byte that is not UTF-8"
	}
	return strconv.QuoteRune(r)
}

func (s *scanner) end() bool { return s.i >= len(s.b) }

// next returns the next byte, or 0 at the end, which no rule of JSON takes either.
func (s *scanner) next() byte {
	if s.end() {
		return 0
	}
	return s.b[s.i]
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

func (s *scanner) take(c byte) bool {
	if s.next() != c || s.end() {
		return false
	}
	s.i++
	return true
}

// object reads an object whose { is next and calls each with every key, before
// its value. The key is valid until the next text is read.
func (s *scanner) object(each func(at int, key []byte) error) error {
	s.i++
	s.space()
	if s.take('}') {
		return nil
	}
	for {
		if s.next() != '"' {
			return s.fail("expected a key in double quotes, found %s", s.found())
		}
		at := s.i
		key, err := s.text()
		if err != nil {
			return err
		}
		s.space()
		if !s.take(':') {
			return s.fail("expected : after a key, found %s", s.found())
		}
		s.space()
		if err := each(at, key); err != nil {
			return err
		}
		s.space()
		switch {
		case s.take(','):
			s.space()
		case s.take('}'):
			return nil
		default:
			return s.fail("expected , or } in an object, found %s", s.found())
		}
	}
}

// array reads an array whose [ is next and calls each before every element.
func (s *scanner) array(each func() error) error {
	s.i++
	s.space()
	if s.take(']') {
		return nil
	}
	for {
		if err := each(); err != nil {
			return err
		}
		s.space()
		switch {
		case s.take(','):
			s.space()
		case s.take(']'):
			return nil
		default:
			return s.fail("expected , or ] in an array, found %s", s.found())
		}
	}
}

// value reads a number, a bool or a text. What cannot be the value of a reading
// comes back as one that reading.ValidateValues refuses: null as the missing
// value, an object, an array or a number beyond float64 as not finite.
func (s *scanner) value() (reading.Value, error) {
	switch c := s.next(); c {
	case '"':
		text, err := s.text()
		return reading.TextOf(string(text)), err
	case 't':
		return reading.BoolOf(true), s.literal("true")
	case 'f':
		return reading.BoolOf(false), s.literal("false")
	case 'n':
		return reading.Value{}, s.literal("null")
	case '{', '[':
		return notANumber(), s.skip(0)
	default:
		f, err := s.number()
		return reading.NumberOf(f), err
	}
}

// skip reads any value and forgets it.
func (s *scanner) skip(depth int) error {
	if depth > maxDepth {
		return s.fail("nested more than %d deep", maxDepth)
	}
	switch s.next() {
	case '{':
		return s.object(func(int, []byte) error { return s.skip(depth + 1) })
	case '[':
		return s.array(func() error { return s.skip(depth + 1) })
	default:
		_, err := s.value()
		return err
	}
}

func (s *scanner) literal(word string) error {
	if !bytes.HasPrefix(s.b[s.i:], []byte(word)) {
		return s.fail("expected %s, found %s", word, reading.Quote(string(s.b[s.i:min(s.i+len(word), len(s.b))])))
	}
	s.i += len(word)
	return nil
}

// number reads JSON's number grammar; beyond float64 it returns an infinity.
func (s *scanner) number() (float64, error) {
	start := s.i
	s.take('-')
	switch c := s.next(); {
	case c == '0':
		s.i++
	case '1' <= c && c <= '9':
		s.digits()
	default:
		s.i = start
		return 0, s.fail("expected a value, found %s", s.found())
	}
	if s.take('.') && s.digits() == 0 {
		return 0, s.fail("expected a digit after the point, found %s", s.found())
	}
	if s.take('e') || s.take('E') {
		if !s.take('+') {
			s.take('-')
		}
		if s.digits() == 0 {
			return 0, s.fail("expected a digit in the exponent, found %s", s.found())
		}
	}
	// The only error left is a number out of range, and that comes with an infinity.
	f, _ := strconv.ParseFloat(string(s.b[start:s.i]), 64)
	return f, nil
}

func (s *scanner) digits() int {
	start := s.i
	for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i - start
}

// text reads a string whose " is next. The result is valid until the next text
// is read: it is a part of the body, or when it held escapes of unquoted.
func (s *scanner) text() ([]byte, error) {
	s.i++
	start := s.i
	for i := start; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"':
			s.i = i + 1
			return s.b[start:i], nil
		case c == '\\':
			s.i = i
			return s.escaped(s.b[start:i])
		case c < 0x20:
			s.i = i
			return nil, s.fail("a control character in a string; write it as \\u%04x", c)
		}
	}
	s.i = len(s.b)
	return nil, s.fail("a string has no closing quote")
}

// escaped goes on where text met the first backslash.
func (s *scanner) escaped(before []byte) ([]byte, error) {
	s.unquoted = append(s.unquoted[:0], before...)
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.unquoted, nil
		case c < 0x20:
			return nil, s.fail("a control character in a string; write it as \\u%04x", c)
		case c != '\\':
			s.unquoted = append(s.unquoted, c)
			s.i++
		default:
			if err := s.escape(); err != nil {
				return nil, err
			}
		}
	}
	return nil, s.fail("a string has no closing quote")
}

// escape reads one escape, whose backslash is next.
func (s *scanner) escape() error {
	s.i++
	c := s.next()
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		return s.unicode()
	default:
		return s.fail("a string holds an unknown escape, \\ and %s", s.found())
	}
	s.i++
	s.unquoted = append(s.unquoted, c)
	return nil
}

// unicode reads an escape whose u is next, and its partner when it is a surrogate.
func (s *scanner) unicode() error {
	r, ok := hex4(s.b, s.i+1)
	if !ok {
		return s.fail("\\u in a string needs four hexadecimal digits")
	}
	s.i += 5
	if !utf16.IsSurrogate(r) {
		s.unquoted = utf8.AppendRune(s.unquoted, r)
		return nil
	}
	if bytes.HasPrefix(s.b[s.i:], []byte(`\u`)) {
		if low, ok := hex4(s.b, s.i+2); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				s.i += 6
				s.unquoted = utf8.AppendRune(s.unquoted, pair)
				return nil
			}
		}
	}
	s.unquoted = append(s.unquoted, 0xe0|byte(r>>12), 0x80|byte(r>>6)&0x3f, 0x80|byte(r)&0x3f)
	return nil
}

func hex4(b []byte, at int) (rune, bool) {
	if at+4 > len(b) {
		return 0, false
	}
	var r rune
	for _, c := range b[at : at+4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
