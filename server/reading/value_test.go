package reading_test

import (
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"readout/server/reading"
)

func TestParseNumber(t *testing.T) {
	for _, c := range []struct {
		text string
		want float64
	}{
		{"0", 0}, {"42", 42}, {"+42", 42}, {"-42", -42}, {"007", 7}, {".5", 0.5}, {"5.", 5}, {"-.5e1", -5}, {"1e3", 1000}, {"1E+3", 1000}, {"1e-3", 0.001},
		{"0.1", 0.1}, {"1e-400", 0}, {"5e-324", 5e-324}, {"1.7976931348623157e308", math.MaxFloat64}, {"9007199254740993", 9007199254740992},
	} {
		if got, ok := reading.ParseNumber(c.text); !ok || got != c.want {
			t.Errorf("%s: %v %v, want %v", c.text, got, ok, c.want)
		}
	}
	for _, text := range []string{
		"", "+", "-", ".", "e1", ".e1", "1e", "1e+", "--1", "+-1", "1.2.3", "1e1.5", "1_000", "1,000", "0x1", "0x1p-2", "0b1", "1i", "1u", "1f",
		"nan", "NaN", "inf", "Inf", "-inf", "Infinity", "infinity", "1e400", "-1e400", " 1", "1 ", "1\n", "１", "1\x00", "true",
	} {
		if got, ok := reading.ParseNumber(text); ok {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		value  reading.Value
		text   string
		json   string
		number float64
		isNum  bool
	}{
		{reading.NumberOf(0.1), "0.1", "0.1", 0.1, true},
		{reading.NumberOf(math.Copysign(0, -1)), "0", "0", 0, true},
		{reading.NumberOf(1e21), "1e+21", "1e+21", 1e21, true},
		{reading.NumberOf(123456789012345678), "123456789012345680", "123456789012345680", 123456789012345680, true},
		{reading.NumberOf(1e-7), "1e-07", "1e-07", 1e-7, true},
		{reading.BoolOf(true), "true", "true", 1, true},
		{reading.BoolOf(false), "false", "false", 0, true},
		{reading.TextOf(`a"<b>`), `a"<b>`, `"a\"\u003cb\u003e"`, 0, false},
		{reading.Value{}, "", "null", 0, false},
	} {
		number, ok := c.value.Number()
		if c.value.String() != c.text || string(c.value.AppendJSON(nil)) != c.json || number != c.number || ok != c.isNum {
			t.Errorf("%q: %s %s %v %v", c.text, c.value, c.value.AppendJSON(nil), number, ok)
		}
	}
	if reading.BoolOf(true) == reading.NumberOf(1) || reading.TextOf("1") == reading.NumberOf(1) || reading.BoolOf(false) == (reading.Value{}) {
		t.Error("values of different kinds are equal")
	}
}

func TestValidateValues(t *testing.T) {
	one := reading.NumberOf(1)
	many := func(n int) []reading.Named {
		var values []reading.Named
		for i := range n {
			values = append(values, reading.Named{Name: "n" + strconv.Itoa(i), Value: one})
		}
		return values
	}
	for _, c := range []struct {
		name   string
		values []reading.Named
		code   string
	}{
		{"one", []reading.Named{{Name: "value", Value: one}}, ""},
		{"bool and text", []reading.Named{{Name: "a", Value: reading.BoolOf(false)}, {Name: "b", Value: reading.TextOf("x")}}, ""},
		{"all at most", many(256), ""},
		{"the longest name", []reading.Named{{Name: strings.Repeat("n", 100), Value: one}}, ""},
		{"the longest text", []reading.Named{{Name: "a", Value: reading.TextOf(strings.Repeat("ä", 64))}}, ""},
		{"none", nil, "no_values"},
		{"too many", many(257), "too_many_values"},
		{"twice", []reading.Named{{Name: "a", Value: one}, {Name: "a", Value: one}}, "duplicate_value"},
		{"twice among many", append(many(200), reading.Named{Name: "n0", Value: one}), "duplicate_value"},
		{"empty name", []reading.Named{{Value: one}}, "bad_value_name"},
		{"long name", []reading.Named{{Name: strings.Repeat("n", 101), Value: one}}, "bad_value_name"},
		{"t", []reading.Named{{Name: "t", Value: one}}, "bad_value_name"},
		{"p", []reading.Named{{Name: "p", Value: one}}, "bad_value_name"},
		{"space", []reading.Named{{Name: "a b", Value: one}}, "bad_value_name"},
		{"not ASCII", []reading.Named{{Name: "ä", Value: one}}, "bad_value_name"},
		{"missing", []reading.Named{{Name: "a"}}, "no_values"},
		{"NaN", []reading.Named{{Name: "a", Value: reading.NumberOf(math.NaN())}}, "not_a_number"},
		{"infinity", []reading.Named{{Name: "a", Value: reading.NumberOf(math.Inf(-1))}}, "not_a_number"},
		{"empty text", []reading.Named{{Name: "a", Value: reading.TextOf("")}}, "bad_text"},
		{"long text", []reading.Named{{Name: "a", Value: reading.TextOf(strings.Repeat("x", 129))}}, "bad_text"},
		{"control character", []reading.Named{{Name: "a", Value: reading.TextOf("a\x7f")}}, "bad_text"},
		{"not UTF-8", []reading.Named{{Name: "a", Value: reading.TextOf("\xff")}}, "bad_utf8"},
	} {
		if err := reading.ValidateValues(c.values); code(t, err) != c.code {
			t.Errorf("%s: %v, want %q", c.name, err, c.code)
		}
	}
}

// FuzzNumber: the grammar is the one written down, the result is the nearest
// float64, and what is printed reads back the same.
func FuzzNumber(f *testing.F) {
	for _, seed := range []string{"42", "-1.5e3", ".5", "1e400", "nan", "0x1p-2", "1_000", "9007199254740993", "4.9e-324", "1e"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := reading.ParseNumber(s)
		if !ok {
			if json.Valid([]byte(s)) && s != "" && (s[0] == '-' || s[0] >= '0' && s[0] <= '9') && !strings.ContainsAny(s, " \t\r\n") {
				if f, err := strconv.ParseFloat(s, 64); err == nil {
					t.Fatalf("%q is JSON's number %v and is refused", s, f)
				}
			}
			return
		}
		if strings.Trim(s, "0123456789+-.eE") != "" || math.IsInf(got, 0) || math.IsNaN(got) {
			t.Fatalf("%q is taken as %v", s, got)
		}
		if len(s) < 400 && !strings.ContainsAny(s, "eE") {
			exact, _, err := big.ParseFloat(s, 10, 4000, big.ToNearestEven)
			if err != nil {
				t.Fatalf("%q is no decimal number: %v", s, err)
			}
			if want, _ := exact.Float64(); want != got {
				t.Fatalf("%q is %v, want %v", s, got, want)
			}
		}
		back, ok := reading.ParseNumber(reading.NumberOf(got).String())
		if !ok || back != got {
			t.Fatalf("%v prints as %s", got, reading.NumberOf(got))
		}
	})
}

// FuzzJSONString: what is appended is JSON for the same text, and safe in HTML.
func FuzzJSONString(f *testing.F) {
	for _, seed := range []string{"", `a"\`, "</script><!--", "\u2028\u2029\x00\x7f", "ä😀", "\xff\xc3", "\xed\xa0\x80"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := reading.AppendJSONString(nil, s)
		var back string
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatalf("%q becomes %s: %v", s, b, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); utf8.ValidString(s) && back != want {
			t.Fatalf("%q reads back as %q", s, back)
		}
		if !utf8.Valid(b) || strings.ContainsAny(string(b), "<>&\u2028\u2029\n") {
			t.Fatalf("%q becomes %s", s, b)
		}
	})
}
