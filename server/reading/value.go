package reading

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// Kind tells what a Value is.
type Kind uint8

// The kinds of a Value. None is the missing value.
const (
	None   Kind = iota
	Number      // a finite float64
	Bool        // true or false
	Text        // a state, 1 to 128 bytes of UTF-8
)

// Value is a number, a bool or a text. The zero Value is missing. Values compare with ==.
type Value struct {
	kind Kind
	num  float64
	text string
}

// NumberOf returns a number. NaN and infinities are refused by Validate.
func NumberOf(f float64) Value { return Value{kind: Number, num: f} }

// BoolOf returns a bool.
func BoolOf(b bool) Value {
	if b {
		return Value{kind: Bool, num: 1}
	}
	return Value{kind: Bool}
}

// TextOf returns a text.
func TextOf(s string) Value { return Value{kind: Text, text: s} }

// Kind returns what the value is.
func (v Value) Kind() Kind { return v.kind }

// Number returns the number, 1 or 0 for a bool, and false for a text or nothing.
func (v Value) Number() (float64, bool) { return v.num, v.kind == Number || v.kind == Bool }

// Bool returns the bool and whether the value is one.
func (v Value) Bool() (value, ok bool) { return v.num != 0, v.kind == Bool }

// Text returns the text and whether the value is one.
func (v Value) Text() (string, bool) { return v.text, v.kind == Text }

// String prints the value for people and terminals: 42, true, open.
func (v Value) String() string {
	switch v.kind {
	case Number:
		return string(appendNumber(nil, v.num))
	case Bool:
		return strconv.FormatBool(v.num != 0)
	case Text:
		return v.text
	default:
		return ""
	}
}

// AppendJSON appends the value as JSON; the missing value is null.
func (v Value) AppendJSON(b []byte) []byte {
	switch v.kind {
	case Number:
		return appendNumber(b, v.num)
	case Bool:
		return strconv.AppendBool(b, v.num != 0)
	case Text:
		return AppendJSONString(b, v.text)
	default:
		return append(b, "null"...)
	}
}

// appendNumber prints like JavaScript: the shortest form that reads back the same.
func appendNumber(b []byte, f float64) []byte {
	if f == 0 {
		return append(b, '0') // also for -0
	}
	format := byte('f')
	if a := math.Abs(f); a < 1e-6 || a >= 1e21 {
		format = 'e'
	}
	return strconv.AppendFloat(b, f, format, -1, 64)
}

// AppendJSONString appends s as a JSON string that is also safe inside HTML.
func AppendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
			i++
		case c < 0x20 || c == '<' || c == '>' || c == '&' || c == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			i++
		case c < utf8.RuneSelf:
			b = append(b, c)
			i++
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			switch {
			case r == utf8.RuneError && size == 1:
				b = append(b, `\ufffd`...)
			case r == '\u2028' || r == '\u2029':
				b = append(b, '\\', 'u', '2', '0', '2', hex[r&15])
			default:
				b = append(b, s[i:i+size]...)
			}
			i += size
		}
	}
	return append(b, '"')
}

// ParseNumber reads the number grammar of every surface of Readout: decimal
// digits with an optional sign, fraction and exponent. It takes no NaN, no
// infinity, no hexadecimal, no underscore, and nothing beyond float64.
func ParseNumber(s string) (float64, bool) {
	i := 0
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	whole := digits(s[i:])
	i += whole
	fraction := 0
	if i < len(s) && s[i] == '.' {
		fraction = digits(s[i+1:])
		i += 1 + fraction
	}
	if whole+fraction == 0 {
		return 0, false
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		exponent := digits(s[i:])
		if exponent == 0 {
			return 0, false
		}
		i += exponent
	}
	if i != len(s) {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

func digits(s string) int {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}

func (v Value) validate(name string) error {
	switch v.kind {
	case Number:
		if math.IsNaN(v.num) || math.IsInf(v.num, 0) {
			return Refuse("not_a_number", "the value %q is not a finite number", name)
		}
	case Bool:
	case Text:
		switch {
		case !utf8.ValidString(v.text):
			return Refuse("bad_utf8", "the value %q is not valid UTF-8", name)
		case v.text == "" || len(v.text) > MaxText:
			return Refuse("bad_text", "the value %q is a text of %d bytes; a state has 1 to %d", name, len(v.text), MaxText)
		case hasControl(v.text):
			return Refuse("bad_text", "the value %q holds a control character", name)
		}
	default:
		return Refuse("no_values", "the value %q is missing", name)
	}
	return nil
}
