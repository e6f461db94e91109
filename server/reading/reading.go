// Package reading holds the words every other package speaks: a Reading is one
// measurement at one time, a Topic names one series of them, a Selector picks
// topics. It is a leaf: it imports nothing of this module.
package reading

import (
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of one reading. They are promises to senders: raise them, never lower them.
const (
	MaxValues    = 256              // named values in one reading
	MaxColumn    = 100              // bytes in the name of a value
	MaxText      = 128              // bytes in a text value
	MaxAhead     = 10 * time.Minute // how far a reading's time may lie in the future
	DefaultValue = "value"          // the name of the value when a reading has only one
)

// Reading is one measurement at one time.
type Reading struct {
	Topic  Topic
	Time   int64   // milliseconds since 1970-01-01 UTC, by the sender's clock
	Values []Named // at least one, names distinct, in the sender's order
}

// Named is one value of a reading and the name of its column.
type Named struct {
	Name  string
	Value Value
}

// Error says why a reading, a topic or a request is refused. Code is a row of
// the one table in server/problem; Message is for people and holds no secrets.
type Error struct {
	Code    string
	Message string
}

func (e *Error) Error() string { return e.Message }

// Refuse makes an *Error from a code of the table in server/problem.
func Refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Validate checks everything but the topic, which is valid by construction.
// now and oldest bound the reading's time; the zero oldest means no lower bound
// but the beginning of 1970.
func (r *Reading) Validate(now, oldest time.Time) error {
	if err := ValidateTime(r.Time, now, oldest); err != nil {
		return err
	}
	return ValidateValues(r.Values)
}

// ValidateTime checks a reading's own time, in milliseconds.
func ValidateTime(ms int64, now, oldest time.Time) error {
	switch {
	case ms <= 0:
		return Refuse("bad_time", "time %d is not after 1970; send milliseconds since 1970 or RFC 3339", ms)
	case ms > now.Add(MaxAhead).UnixMilli():
		return Refuse("bad_time", "time %d is more than %v ahead of this server's clock; send milliseconds since 1970 (not micro- or nanoseconds) or RFC 3339", ms, MaxAhead)
	case ms < oldest.UnixMilli() && !oldest.IsZero():
		return Refuse("bad_time", "time %d is older than the %v this server keeps", ms, now.Sub(oldest).Round(time.Second))
	}
	return nil
}

// ValidateValues checks the named values of one reading.
func ValidateValues(values []Named) error {
	if len(values) == 0 {
		return Refuse("no_values", "a reading needs at least one value")
	}
	if len(values) > MaxValues {
		return Refuse("too_many_values", "%d values in one reading; at most %d are allowed", len(values), MaxValues)
	}
	for _, v := range values {
		if err := ValidateColumn(v.Name); err != nil {
			return err
		}
		if err := v.Value.validate(v.Name); err != nil {
			return err
		}
	}
	if name, twice := duplicate(values); twice {
		return Refuse("duplicate_value", "the value %q is given twice", name)
	}
	return nil
}

// duplicate finds a name that is given twice. Few names are compared one by
// one, without memory; with many that would be a way to keep a core busy.
func duplicate(values []Named) (string, bool) {
	if len(values) <= 16 {
		for i, v := range values {
			for _, earlier := range values[:i] {
				if earlier.Name == v.Name {
					return v.Name, true
				}
			}
		}
		return "", false
	}
	seen := make(map[string]struct{}, len(values))
	for _, v := range values {
		if _, twice := seen[v.Name]; twice {
			return v.Name, true
		}
		seen[v.Name] = struct{}{}
	}
	return "", false
}

// ValidateColumn checks the name of a value: 1 to 100 of A-Z a-z 0-9 _ . : / -,
// and neither t nor p, which the stream entry keeps for itself.
func ValidateColumn(name string) error {
	if isReserved(name) {
		return Refuse("bad_value_name", "the value name %q is reserved; use a longer one", name)
	}
	if name == "" || len(name) > MaxColumn {
		return Refuse("bad_value_name", "a value name has 1 to %d bytes, not %d", MaxColumn, len(name))
	}
	for i := range len(name) {
		if !isNameByte(name[i]) {
			return Refuse("bad_value_name", "the value name %s holds %q; allowed are A-Z a-z 0-9 _ . : / -", Quote(name), name[i])
		}
	}
	return nil
}

func isReserved(column string) bool { return column == "t" || column == "p" }

// Quote prints text of a sender in an error: escaped and cut to 80 bytes.
func Quote(s string) string {
	const most = 80
	if len(s) > most {
		cut := most
		for cut > most-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
			cut--
		}
		return fmt.Sprintf("%q...", s[:cut])
	}
	return fmt.Sprintf("%q", s)
}

func hasControl(s string) bool {
	for _, r := range s {
		if unicode.IsControl(r) {
			return true
		}
	}
	return false
}
