package ingest_test

import (
	"strings"
	"testing"

	"readout/server/ingest"
)

func TestValues(t *testing.T) {
	var many []string
	for i := range 257 {
		many = append(many, "n"+strings.Repeat("x", i/26)+string(rune('a'+i%26))+"=1")
	}
	for _, c := range []struct{ body, want, code string }{
		{`42`, ` value=n:42`, ""},
		{"42\n", ` value=n:42`, ""},
		{"\xef\xbb\xbf42", ` value=n:42`, ""},
		{" -1.5e3 ", ` value=n:-1500`, ""},
		{`+.5`, ` value=n:0.5`, ""},
		{`true`, ` value=b:true`, ""},
		{`false`, ` value=b:false`, ""},
		{`open`, ` value=t:open`, ""},
		{`v1.2-rc/3:x`, ` value=t:v1.2-rc/3:x`, ""},
		{`geöffnet`, ` value=t:geöffnet`, ""},
		{`"wide open"`, ` value=t:wide open`, ""},
		{`"a=b"`, ` value=t:a=b`, ""},
		{`"42"`, ` value=t:42`, ""},
		{`user=0.3 system=0.1`, ` user=n:0.3 system=n:0.1`, ""},
		{"user=0.3\r\nsystem=0.1\tdoor=open  on=true\n", ` user=n:0.3 system=n:0.1 door=t:open on=b:true`, ""},
		{`door="wide open" n=1`, ` door=t:wide open n=n:1`, ""},
		{`note="say \"a=b\"" n=1`, ` note=t:say "a=b" n=n:1`, ""},
		{`{"user":0.3,"door":"open","on":true}`, ` user=n:0.3 door=t:open on=b:true`, ""},
		{`{"1":1}`, ` 1=n:1`, ""},

		{``, "", "empty_body"},
		{" \n", "", "empty_body"},
		{`[1]`, "", "bad_body"},
		{`NaN`, "", "not_a_number"},
		{`-inf`, "", "not_a_number"},
		{`Infinity`, "", "not_a_number"},
		{`null`, "", "not_a_number"},
		{`1e400`, "", "not_a_number"},
		{`1_000`, "", "not_a_number"},
		{`0x1p-2`, "", "not_a_number"},
		{`42abc`, "", "not_a_number"},
		{`1,5`, "", "not_a_number"},
		{`-`, "", "not_a_number"},
		{`a=nan`, "", "not_a_number"},
		{`door open`, "", "bad_body"},
		{`42 43`, "", "bad_body"},
		{`user=0.3 0.1`, "", "bad_body"},
		{`0.3 user=0.3`, "", "bad_body"},
		{`user=`, "", "bad_body"},
		{`user= 0.3`, "", "bad_body"},
		{`a=b=c`, "", "bad_body"},
		{`a=x&b=y`, "", "bad_body"},
		{`a="x"b=1`, "", "bad_body"},
		{`"x"y`, "", "bad_body"},
		{`a="x`, "", "bad_json"},
		{`"x`, "", "bad_json"},
		{`%41`, "", "bad_body"},
		{`<b>`, "", "bad_body"},
		{`=1`, "", "bad_value_name"},
		{`t=1`, "", "bad_value_name"},
		{`a*=1`, "", "bad_value_name"},
		{`a=1 a=2`, "", "duplicate_value"},
		{`""`, "", "bad_text"},
		{strings.Repeat("a", 129), "", "bad_text"},
		{"\xff", "", "bad_utf8"},
		{"a=\"\xff\"", "", "bad_utf8"},
		{`"\ud800"`, "", "bad_utf8"},
		{strings.Join(many, " "), "", "too_many_values"},
		{`{}`, "", "no_values"},
		{`{"a":null}`, "", "no_values"},
		{`{"a":[1]}`, "", "not_a_number"},
		{`{"a":1e400}`, "", "not_a_number"},
		{`{"a":NaN}`, "", "bad_json"},
		{`{"a":1,"a":2}`, "", "duplicate_key"},
		{`{"a":1}{"a":1}`, "", "bad_json"},
		{`{"a":1} x`, "", "bad_json"},
		{`{"t":1}`, "", "bad_value_name"},
		{`{"a":"` + "\xff" + `"}`, "", "bad_utf8"},
		{`{"a":1`, "", "bad_json"},
	} {
		values, err := ingest.Values([]byte(c.body))
		if got := code(t, err); got != c.code {
			t.Errorf("%q: code %q (%v), want %q", c.body, got, err, c.code)
		} else if got := showValues(values); got != c.want {
			t.Errorf("%q: got %s, want %s", c.body, got, c.want)
		}
	}
}
