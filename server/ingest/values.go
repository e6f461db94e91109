package ingest

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"readout/server/reading"
)

// Values decodes the body of a push to one topic, judged by its first byte and
// not by a Content-Type, because curl -d 42 says it sends a form:
//
//	42    -1.5e3    true    open    "a text with spaces"
//	user=0.3 system=0.1 state=open note="a text"
//	{"user":0.3,"door":"open","on":true}
//
// Whatever it returns without an error is a valid set of values of one reading.
func Values(body []byte) ([]reading.Named, error) {
	d := newDecoder(body, Bounds{})
	if d.end() {
		return nil, reading.Refuse("empty_body", "the body is empty; send a value: curl -d 42")
	}
	var err error
	switch d.next() {
	case '{':
		err = d.columns()
	case '[':
		err = reading.Refuse("bad_body", "an array is not the values of one reading; send many readings to /api/v1/readings")
	default:
		err = d.words()
	}
	if err != nil {
		return nil, err
	}
	if d.space(); !d.end() {
		return nil, d.fail("expected the end of the body, found %s", d.found())
	}
	if d.count > reading.MaxValues {
		return nil, reading.Refuse("too_many_values", "%d values in one reading; at most %d are allowed", d.count, reading.MaxValues)
	}
	if err := reading.ValidateValues(d.values); err != nil {
		return nil, err
	}
	return d.values, nil
}

// words reads one bare value, or name=value pairs with white space between them.
func (d *decoder) words() error {
	if !utf8.Valid(d.b) {
		return reading.Refuse("bad_utf8", "the body is not valid UTF-8")
	}
	for first := true; !d.end(); first = false {
		name, pair := d.name()
		if !pair {
			if !first {
				return d.failAt(d.i, "bad_body", `expected name=value, found %s; put a text with spaces in double quotes`, reading.Quote(d.word()))
			}
			name = reading.DefaultValue
		}
		v, err := d.bare(name)
		if err != nil {
			return err
		}
		d.add(name, v)
		at := d.i
		d.space()
		switch {
		case d.end():
			return nil
		case !pair:
			return d.failAt(d.i, "bad_body", "expected one value, found %s after it; put a text with spaces in double quotes, or send name=value pairs", d.found())
		case at == d.i:
			return d.failAt(d.i, "bad_body", "expected a space after the value of %s, found %s", reading.Quote(name), d.found())
		}
	}
	return nil
}

// name reads up to the = of a pair. Without a = before the next space, quote or
// end it reads nothing.
func (d *decoder) name() (string, bool) {
	word := d.word()
	name, _, pair := strings.Cut(word, "=")
	if !pair || strings.Contains(name, `"`) {
		return "", false
	}
	d.i += len(name) + 1
	return name, true
}

// word returns what stands before the next white space, without reading it.
func (d *decoder) word() string {
	rest := d.b[d.i:]
	for i, c := range rest {
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			return string(rest[:i])
		}
	}
	return string(rest)
}

// bare reads one value: a number, true, false, a text in double quotes, or a
// word that cannot be mistaken for anything else.
func (d *decoder) bare(name string) (reading.Value, error) {
	if d.next() == '"' {
		text, err := d.text()
		return reading.TextOf(string(text)), err
	}
	at, word := d.i, d.word()
	d.i += len(word)
	if f, ok := reading.ParseNumber(word); ok {
		return reading.NumberOf(f), nil
	}
	switch strings.ToLower(word) {
	case "nan", "inf", "infinity", "null":
		return reading.Value{}, d.failAt(at, "not_a_number", "the value %s is %s; send a finite number, or put a text in double quotes", reading.Quote(name), reading.Quote(word))
	}
	switch {
	case word == "true" || word == "false":
		return reading.BoolOf(word == "true"), nil
	case isState(word):
		return reading.TextOf(word), nil
	case word != "" && strings.ContainsRune("+-.0123456789", rune(word[0])):
		return reading.Value{}, d.failAt(at, "not_a_number", "the value %s is %s, which is not a decimal number; put a text in double quotes", reading.Quote(name), reading.Quote(word))
	case strings.Contains(word, "&"):
		return reading.Value{}, d.failAt(at, "bad_body", "the value %s is %s; put spaces between pairs, or a text in double quotes", reading.Quote(name), reading.Quote(word))
	default:
		return reading.Value{}, d.failAt(at, "bad_body", "the value %s is %s, which is neither a number nor a word; put a text in double quotes", reading.Quote(name), reading.Quote(word))
	}
}

// isState reports whether a word stands for itself without quotes: a letter or
// _, then letters, digits and _ . : / -.
func isState(word string) bool {
	for i, r := range word {
		switch {
		case unicode.IsLetter(r) || r == '_':
		case i == 0:
			return false
		case unicode.IsDigit(r) || unicode.IsMark(r) || strings.ContainsRune(".:/-", r):
		default:
			return false
		}
	}
	return word != ""
}
