package reading_test

import (
	"math"
	"strings"
	"testing"

	"readout/server/reading"
)

func TestParseCursor(t *testing.T) {
	id := reading.StreamID{Ms: 1763785200123, Seq: 4}
	for _, c := range []struct {
		text string
		want reading.Cursor
		back string // what it prints as, when that differs
	}{
		{"1763785200123-4", reading.Cursor{ID: id, Ordinal: reading.Unknown}, ""},
		{"1763785200123-4:17:aZ09", reading.Cursor{ID: id, Ordinal: 17, Epoch: "aZ09"}, ""},
		{"1763785200123-4::e", reading.Cursor{ID: id, Ordinal: reading.Unknown, Epoch: "e"}, ""},
		{"0-0:0:e", reading.Cursor{Epoch: "e"}, ""},
		{"18446744073709551615-18446744073709551615", reading.Cursor{ID: reading.StreamID{Ms: math.MaxUint64, Seq: math.MaxUint64}, Ordinal: reading.Unknown}, ""},
		{"01-02", reading.Cursor{ID: reading.StreamID{Ms: 1, Seq: 2}, Ordinal: reading.Unknown}, "1-2"},
	} {
		got, err := reading.ParseCursor(c.text)
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", c.text, got, err, c.want)
		}
		back := c.back
		if back == "" {
			back = c.text
		}
		if got.String() != back {
			t.Errorf("%s prints as %s", c.text, got)
		}
	}
	// B61 and its neighbours: what Redis would take silently, or read as something else.
	for _, text := range []string{
		"", "$", ">", "-", "+", "*", "0", "1-", "-1", "1-2-3", "1--2", "+1-2", "1-+2", " 1-2", "1-2 ", "1-*", "1_0-2", "0x1-2", "１-2",
		"99999999999999999999-0", "18446744073709551616-0", "0-18446744073709551616", "1-2\n", "1-2\x00",
		"1-2:", "1-2::", "1-2:3", "1-2:3:", "1-2:-1:e", "1-2:03:e", "1-2:x:e", "1-2:9223372036854775808:e", "1-2:3:e:f", "1-2:3:ä", "1-2:3:" + strings.Repeat("e", 33), strings.Repeat("1", 1<<20),
	} {
		if got, err := reading.ParseCursor(text); code(t, err) != "bad_id" {
			t.Errorf("%.40q: %+v, %v", text, got, err)
		} else if len(err.Error()) > 300 {
			t.Errorf("%.40q: the message has %d bytes", text, len(err.Error()))
		}
	}
}

func TestStreamIDCompare(t *testing.T) {
	order := []string{"0-0", "0-1", "1-0", "1-2", "1-10", "2-0", "10-0", "18446744073709551615-0"}
	for i, a := range order {
		for j, b := range order {
			left, err := reading.ParseStreamID(a)
			if err != nil {
				t.Fatal(err)
			}
			right, err := reading.ParseStreamID(b)
			if err != nil {
				t.Fatal(err)
			}
			if got := left.Compare(right); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("%s to %s is %d", a, b, got)
			}
		}
	}
}

// FuzzCursor: a cursor that is taken reads back the same from what it prints.
func FuzzCursor(f *testing.F) {
	for _, seed := range []string{"1763785200123-4", "1763785200123-4:17:aZ09", "1-2::e", "$", "1-2-3", "99999999999999999999-0", "1-2:03:e"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := reading.ParseCursor(s)
		if err != nil {
			if code(t, err) != "bad_id" {
				t.Fatal(err)
			}
			return
		}
		if again, err := reading.ParseCursor(c.String()); err != nil || again != c {
			t.Fatalf("%+v prints as %s and reads back as %+v, %v", c, c, again, err)
		}
		if strings.Trim(c.String(), "0123456789-:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			t.Fatalf("%s needs an escape somewhere", c)
		}
	})
}
