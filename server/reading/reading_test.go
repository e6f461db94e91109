package reading_test

import (
	"strings"
	"testing"
	"time"

	"readout/server/reading"
)

func TestValidateTime(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	ms := now.UnixMilli()
	oldest := now.Add(-time.Hour)
	for _, c := range []struct {
		ms     int64
		oldest time.Time
		code   string
	}{
		{ms, oldest, ""}, {ms + 600_000, oldest, ""}, {ms - 3600_000, oldest, ""}, {1, time.Time{}, ""},
		{ms + 600_001, oldest, "bad_time"}, {ms - 3600_001, oldest, "bad_time"},
		{0, oldest, "bad_time"}, {0, time.Time{}, "bad_time"}, {-1, time.Time{}, "bad_time"},
		{ms * 1000, oldest, "bad_time"}, {ms * 1_000_000, oldest, "bad_time"}, {ms / 1000, oldest, "bad_time"},
		{time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli(), time.Time{}, "bad_time"},
	} {
		if err := reading.ValidateTime(c.ms, now, c.oldest); code(t, err) != c.code {
			t.Errorf("%d: %v, want %q", c.ms, err, c.code)
		}
	}
	whole := reading.Reading{Topic: "a", Time: ms, Values: []reading.Named{{Name: "value", Value: reading.NumberOf(1)}}}
	if err := whole.Validate(now, oldest); err != nil {
		t.Error(err)
	}
	whole.Values = nil
	if err := whole.Validate(now, oldest); code(t, err) != "no_values" {
		t.Error(err)
	}
}

func TestQuote(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a", `"a"`},
		{"a\nb", `"a\nb"`},
		{strings.Repeat("a", 80), `"` + strings.Repeat("a", 80) + `"`},
		{strings.Repeat("a", 81), `"` + strings.Repeat("a", 80) + `"...`},
		{strings.Repeat("a", 79) + "ä", `"` + strings.Repeat("a", 79) + `"...`},
		{strings.Repeat("\x80", 200), `"` + strings.Repeat(`\x80`, 76) + `"...`},
	} {
		if got := reading.Quote(c.text); got != c.want {
			t.Errorf("%.40q becomes %s, want %s", c.text, got, c.want)
		}
	}
}
