package store

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"readout/server/reading"
)

var update = flag.Bool("update", false, "write the golden file of entries anew")

const golden = "testdata/entries.golden"

func values(pairs ...any) []reading.Named {
	var named []reading.Named
	for i := 0; i < len(pairs); i += 2 {
		v := reading.Value{}
		switch x := pairs[i+1].(type) {
		case float64:
			v = reading.NumberOf(x)
		case int:
			v = reading.NumberOf(float64(x))
		case bool:
			v = reading.BoolOf(x)
		case string:
			v = reading.TextOf(x)
		}
		named = append(named, reading.Named{Name: pairs[i].(string), Value: v})
	}
	return named
}

// samples are the entries of the golden file: each form and each column form once.
func samples() []struct {
	name     string
	readings []reading.Reading
} {
	const topic = reading.Topic(`cpu{host="web1"}`)
	at := func(ms int64, pairs ...any) reading.Reading {
		return reading.Reading{Topic: topic, Time: ms, Values: values(pairs...)}
	}
	var full []reading.Reading
	for i := range 256 {
		full = append(full, at(1763785200000+int64(i)*10, "value", float64(i)))
	}
	return []struct {
		name     string
		readings []reading.Reading
	}{
		{"one number", []reading.Reading{at(1763785200123, "value", 42)}},
		{"many kinds", []reading.Reading{at(1763785200123, "user", 0.3, "big", 1e300, "small", -2.5e-9, "up", true, "off", false, "state", "open")}},
		{"texts that look like something else", []reading.Reading{at(1, "a", "42", "b", "true", "c", "'", "d", "-1e9", "e", "''", "f", " 42", "g", "0x10", "h", "NaN")}},
		{"packed whole numbers", []reading.Reading{at(1763785200000, "a", 10), at(1763785200010, "a", -7), at(1763785200005, "a", 1<<50)}},
		{"packed floats", []reading.Reading{at(1763785200000, "a", 0.5), at(1763785201000, "a", 3), at(1763785202000, "a", 1e-300)}},
		{"packed bools", []reading.Reading{at(1, "up", true), at(2, "up", false), at(3, "up", true)}},
		{"packed texts", []reading.Reading{at(1, "s", "open"), at(2, "s", "open"), at(3, "s", "zu"), at(4, "s", "42")}},
		{"packed mixed", []reading.Reading{at(1, "x", 1), at(2, "x", "1"), at(3, "x", true), at(4, "x", false), at(5, "x", 0.1)}},
		{"packed with holes", []reading.Reading{at(1, "a", 1, "c", "x"), at(2, "b", true), at(3, "a", 2, "b", false), at(4, "a", 3, "b", true, "c", "x")}},
		{"packed full", full},
	}
}

// line prints an entry's fields for the golden file.
func line(name string, e entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:", name)
	for _, f := range e.fields {
		if block, ok := f.([]byte); ok {
			fmt.Fprintf(&b, " x%s", hex.EncodeToString(block))
		} else {
			fmt.Fprintf(&b, " %q", f)
		}
	}
	return b.String()
}

// fieldsOf is how an entry comes back from Redis.
func fieldsOf(e entry) []string {
	var fields []string
	for _, f := range e.fields {
		if block, ok := f.([]byte); ok {
			fields = append(fields, string(block))
		} else {
			fields = append(fields, f.(string))
		}
	}
	return fields
}

// What is stored is a promise: this file may get lines and never lose or change one.
func TestGoldenEntries(t *testing.T) {
	var lines []string
	for _, sample := range samples() {
		entries := encode(nil, sample.readings)
		if len(entries) != 1 {
			t.Fatalf("%s: %d entries", sample.name, len(entries))
		}
		lines = append(lines, line(sample.name, entries[0]))
		got, err := decodeEntry(sample.readings[0].Topic, raw{fields: fieldsOf(entries[0])})
		if err != nil || !reflect.DeepEqual(sortedLike(got, sample.readings), sample.readings) {
			t.Errorf("%s: came back as %v, %v", sample.name, got, err)
		}
	}
	text := strings.Join(lines, "\n") + "\n"
	if *update {
		if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range strings.Split(strings.TrimSpace(string(want)), "\n") {
		if i >= len(lines) || lines[i] != w {
			t.Errorf("golden line %d is\n%.300s\nand the code writes\n%.300s", i+1, w, append(lines, "nothing")[min(i, len(lines))])
		}
	}
}

// sortedLike puts values into the order of others: packing keeps the order of
// columns, not of each reading.
func sortedLike(got, want []reading.Reading) []reading.Reading {
	if len(got) != len(want) {
		return got
	}
	for i := range got {
		var values []reading.Named
		for _, w := range want[i].Values {
			for _, g := range got[i].Values {
				if g.Name == w.Name {
					values = append(values, g)
				}
			}
		}
		if len(values) == len(got[i].Values) {
			got[i].Values = values
		}
	}
	return got
}

func TestWithoutTimeTheIDStandsIn(t *testing.T) {
	got, err := decodeEntry("cpu", raw{id: reading.StreamID{Ms: 77, Seq: 3}, fields: []string{"value", "42"}})
	if err != nil || len(got) != 1 || got[0].Time != 77 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestPackingKeepsItsLimits(t *testing.T) {
	long := strings.Repeat("x", reading.MaxText)
	for name, c := range map[string]struct {
		readings, entries int
		values            func(i int) []reading.Named
	}{
		"257 small":            {257, 2, func(i int) []reading.Named { return values("value", i) }},
		"1000 small":           {1000, 4, func(i int) []reading.Named { return values("value", i) }},
		"100 of 128 bytes":     {100, 2, func(i int) []reading.Named { return values("s", fmt.Sprint(i, long)[:reading.MaxText]) }},
		"2 of 256 long values": {2, 2, func(i int) []reading.Named { return wide(i, long) }},
	} {
		t.Run(name, func(t *testing.T) {
			var readings []reading.Reading
			for i := range c.readings {
				readings = append(readings, reading.Reading{Topic: "cpu", Time: int64(i + 1), Values: c.values(i)})
			}
			entries := encode(nil, readings)
			if len(entries) != c.entries {
				t.Errorf("%d entries, want %d", len(entries), c.entries)
			}
			var back []reading.Reading
			for _, e := range entries {
				got, err := decodeEntry("cpu", raw{fields: fieldsOf(e)})
				if err != nil || len(got) != e.readings {
					t.Fatalf("%v: %d readings of %d", err, len(got), e.readings)
				}
				if len(e.fields) == 2 && (len(got) > maxReadings || len(e.fields[1].([]byte)) > maxPacked) {
					t.Errorf("an entry of %d readings in %d bytes", len(got), len(e.fields[1].([]byte)))
				}
				back = append(back, got...)
			}
			if !reflect.DeepEqual(back, readings) {
				t.Error("what came back is not what went in")
			}
		})
	}
}

func wide(i int, text string) []reading.Named {
	var named []reading.Named
	for k := range reading.MaxValues {
		named = append(named, values(fmt.Sprintf("column%d", k), fmt.Sprint(i, k, text)[:reading.MaxText])...)
	}
	return named
}

// Whatever stands in a stream, decoding neither fails otherwise than with an
// error nor lets anything pass that a reading may not hold; and what passes is
// written and read back the same.
func FuzzPlain(f *testing.F) {
	for _, sample := range samples() {
		if e := encode(nil, sample.readings)[0]; len(e.fields) > 2 {
			f.Add(uint64(5), strings.Join(fieldsOf(e), "\n"))
		}
	}
	f.Add(uint64(0), "value\n42")
	f.Add(uint64(1<<63), "value\n'42\nt\n1763785200123")
	f.Fuzz(func(t *testing.T, ms uint64, text string) {
		readings, err := decodeEntry("cpu", raw{id: reading.StreamID{Ms: ms}, fields: strings.Split(text, "\n")})
		if err == nil {
			checkRoundTrip(t, readings)
		}
	})
}

func FuzzPacked(f *testing.F) {
	for _, sample := range samples() {
		if block, ok := pack(sample.readings); ok {
			f.Add(block)
		}
	}
	f.Add([]byte{packedVersion, 255, 255, 255, 255, 15, 255, 255, 255, 255, 15})
	f.Fuzz(func(t *testing.T, block []byte) {
		readings, err := unpack("cpu", string(block))
		if err == nil {
			checkRoundTrip(t, readings)
		}
	})
}

func checkRoundTrip(t *testing.T, readings []reading.Reading) {
	t.Helper()
	if len(readings) == 0 || len(readings) > maxReadings {
		t.Fatalf("%d readings", len(readings))
	}
	for _, r := range readings {
		if err := reading.ValidateValues(r.Values); err != nil {
			t.Fatalf("%v passed: %v", r, err)
		}
	}
	for _, r := range readings {
		e := entry{fields: encodePlain(nil, r)}
		if r.Time == 0 { // an ID of 0 ms and no t: Append never writes such a reading
			continue
		}
		again, err := decodeEntry("cpu", raw{fields: fieldsOf(e)})
		if err != nil || !reflect.DeepEqual(again, []reading.Reading{{Topic: "cpu", Time: r.Time, Values: r.Values}}) {
			t.Fatalf("plain: %v came back as %v, %v", r, again, err)
		}
	}
	if block, ok := pack(readings); ok && readings[0].Time != 0 {
		again, err := unpack("cpu", string(block))
		if err != nil || !reflect.DeepEqual(sortedLike(again, readings), readings) {
			t.Fatalf("packed: %v came back as %v, %v", readings, again, err)
		}
	}
}

func BenchmarkPack(b *testing.B) {
	var readings []reading.Reading
	for i := range maxReadings {
		readings = append(readings, reading.Reading{Topic: "cpu", Time: 1763785200000 + int64(i)*10, Values: values("user", float64(i)/7, "system", i)})
	}
	b.Run("pack", func(b *testing.B) {
		for b.Loop() {
			pack(readings)
		}
	})
	block, _ := pack(readings)
	text := string(block)
	b.Run("unpack", func(b *testing.B) {
		b.ReportMetric(float64(len(text))/maxReadings, "B/reading")
		for b.Loop() {
			if _, err := unpack("cpu", text); err != nil {
				b.Fatal(err)
			}
		}
	})
}
