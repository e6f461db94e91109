package reading_test

import (
	"regexp"
	"strings"
	"testing"

	"readout/server/reading"
)

func TestSelector(t *testing.T) {
	for _, c := range []struct {
		selector string
		matches  []reading.Topic
		not      []reading.Topic
	}{
		{`cpu`, []reading.Topic{`cpu`}, []reading.Topic{`cpu{host="a"}`, `cpus`}},
		{`cpu{host="a"}`, []reading.Topic{`cpu{host="a"}`}, []reading.Topic{`cpu`, `cpu{host="a",x="1"}`, `cpu{host="b"}`}},
		{`*`, []reading.Topic{`a`, `a/b{x="1"}`}, nil},
		{`http_*`, []reading.Topic{`http_`, `http_requests`, `http_requests{code="200"}`}, []reading.Topic{`http`, `xhttp_`}},
		{`*_total`, []reading.Topic{`a_total`, `_total{x="1"}`}, []reading.Topic{`a_total_`}},
		{`a*b*c`, []reading.Topic{`abc`, `axbxc`, `abcbc`, `aabbcc`}, []reading.Topic{`ab`, `acb`, `abcx`}},
		{`a*a`, []reading.Topic{`aa`, `aba`}, []reading.Topic{`a`}},
		{`a**b`, []reading.Topic{`ab`, `axb`}, []reading.Topic{`a`}},
		{`cpu{*}`, []reading.Topic{`cpu`, `cpu{host="a"}`}, []reading.Topic{`cpu2`, `cp`}},
		{`cpu{host=*}`, []reading.Topic{`cpu{host="a"}`, `cpu{host="b",x="1"}`}, []reading.Topic{`cpu`, `cpu{x="1"}`}},
		{`cpu{host="a",*}`, []reading.Topic{`cpu{host="a"}`, `cpu{host="a",x="1"}`, `cpu{a="1",host="a"}`}, []reading.Topic{`cpu{host="b"}`, `cpu`}},
		{`cpu{host="a",mode=*}`, []reading.Topic{`cpu{host="a",mode="x"}`, `cpu{host="a",mode="x",z="1"}`}, []reading.Topic{`cpu{host="a"}`, `cpu{mode="x"}`}},
		{`cpu{host=~"web.*"}`, []reading.Topic{`cpu{host="web"}`, `cpu{host="web1",x="1"}`}, []reading.Topic{`cpu{host="xweb"}`, `cpu`}},
		{`cpu{host=~"a|b"}`, []reading.Topic{`cpu{host="a"}`, `cpu{host="b"}`}, []reading.Topic{`cpu{host="ab"}`, `cpu{host="xb"}`, `cpu{host="ax"}`}},
		{`cpu{host!~"a|b"}`, []reading.Topic{`cpu{host="c"}`, `cpu{host="ab"}`}, []reading.Topic{`cpu{host="a"}`, `cpu`}},
		{`cpu{host!="a"}`, []reading.Topic{`cpu{host="b"}`, `cpu{host="b",x="1"}`}, []reading.Topic{`cpu{host="a"}`, `cpu`}},
		{`h*{z=~"1",a!="2"}`, []reading.Topic{`h{a="1",m="3",z="1"}`}, []reading.Topic{`h{a="2",z="1"}`, `h{a="1",z="2"}`, `x{a="1",z="1"}`}},
		{`a{x="*"}`, []reading.Topic{`a{x="*"}`}, []reading.Topic{`a{x="b"}`}},
	} {
		sel, err := reading.ParseSelector(c.selector)
		if err != nil {
			t.Errorf("%s: %v", c.selector, err)
			continue
		}
		if sel.String() == "" {
			t.Errorf("%s prints as nothing", c.selector)
		}
		for _, topic := range c.matches {
			if !sel.Match(topic) {
				t.Errorf("%s does not match %s", c.selector, topic)
			}
		}
		for _, topic := range c.not {
			if sel.Match(topic) {
				t.Errorf("%s matches %s", c.selector, topic)
			}
		}
	}
}

func TestParseSelector(t *testing.T) {
	for _, c := range []struct {
		text, want string
		exact      bool
		code       string
	}{
		{`cpu{}`, `cpu`, true, ""},
		{`cpu{ b="1" , a="2" }`, `cpu{a="2",b="1"}`, true, ""},
		{`a{x="*"}`, `a{x="*"}`, true, ""},
		{`a{x="=~"}`, `a{x="=~"}`, true, ""},
		{`cpu{*}`, `cpu{*}`, false, ""},
		{`*{}`, `*`, false, ""},
		{`cpu{z=*, a!="1",*}`, `cpu{a!="1",z=*,*}`, false, ""},
		{`a/*/b`, `a/*/b`, false, ""},

		{``, "", false, "bad_topic"},
		{`cpu{*,a="1"}`, "", false, "bad_topic"},
		{`cpu{a=~"["}`, "", false, "bad_topic"},
		{`cpu{a=~"(?P<x"}`, "", false, "bad_topic"},
		{`cpu{a=~"\d"}`, "", false, "bad_topic"},
		{`cpu{a=~""}`, "", false, "bad_topic"},
		{`cpu{a=*,a=*}`, "", false, "bad_topic"},
		{`cpu{a~"1"}`, "", false, "bad_topic"},
		{`*/`, "", false, "bad_topic"},
		{`../*`, "", false, "bad_topic"},
		{strings.Repeat("*", 201), "", false, "bad_topic"},
		{"*\xff", "", false, "bad_utf8"},
	} {
		sel, err := reading.ParseSelector(c.text)
		if got := code(t, err); got != c.code {
			t.Errorf("%s: %q (%v), want %q", c.text, got, err, c.code)
			continue
		}
		if err != nil {
			continue
		}
		if _, exact := sel.Topic(); sel.String() != c.want || exact != c.exact {
			t.Errorf("%s: %s, one topic %v; want %s, %v", c.text, sel, exact, c.want, c.exact)
		}
	}
}

// An anchored expression must not be left by an alternative or a flag of its own.
func TestSelectorExpressionIsAnchored(t *testing.T) {
	for _, expression := range []string{`a|b`, `(?m)^b$`, `a)|(?:b`, `.*b`, `(?i)B`, `a|`, `(?:`} {
		sel, err := reading.ParseSelector(`cpu{host=~"` + expression + `"}`)
		if _, alone := regexp.Compile(expression); (alone == nil) != (err == nil) {
			t.Errorf("%s: %v, but alone: %v", expression, err, alone)
		}
		if err != nil {
			continue
		}
		whole := regexp.MustCompile(`\A(?:` + expression + `)\z`)
		for _, value := range []string{"a", "b", "B", "ab", "ba", "x b", "abc"} {
			if got, want := sel.Match(reading.Topic(`cpu{host="`+value+`"}`)), whole.MatchString(value); got != want {
				t.Errorf("%s on %s: %v, want %v", expression, value, got, want)
			}
		}
	}
}

// FuzzSelector: a selector that is taken prints as itself and goes on picking
// the same topics.
func FuzzSelector(f *testing.F) {
	for _, seed := range [][2]string{
		{`cpu`, `cpu`}, {`http_*`, `http_requests{code="200"}`}, {`cpu{*}`, `cpu{host="a"}`}, {`cpu{host=*,*}`, `cpu{host="a"}`},
		{`cpu{host=~"web.*"}`, `cpu{host="web1"}`}, {`cpu{host!~"a|b",x!="1"}`, `cpu{host="c",x="2"}`}, {`a*b*c`, `axbxc`}, {`cpu{a=~"a)|(?:b"}`, `cpu{a="b"}`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		sel, err := reading.ParseSelector(text)
		if err != nil {
			if code(t, err) == "" {
				t.Fatal(err)
			}
			return
		}
		again, err := reading.ParseSelector(sel.String())
		if err != nil || again.String() != sel.String() {
			t.Fatalf("%q reads back as %q, %v", sel, again, err)
		}
		topic, err := reading.ParseTopic(name)
		if err != nil {
			return
		}
		if sel.Match(topic) != again.Match(topic) {
			t.Fatalf("%q and its own spelling differ on %q", sel, topic)
		}
		if one, ok := sel.Topic(); ok && sel.Match(topic) != (one == topic) {
			t.Fatalf("%q is one topic and %v for %q", sel, sel.Match(topic), topic)
		}
		if part, _, _ := strings.Cut(sel.String(), "{"); sel.Match(topic) {
			// The name part is a glob, written a second time as an expression.
			glob := regexp.MustCompile(`\A` + strings.ReplaceAll(regexp.QuoteMeta(part), `\*`, `.*`) + `\z`)
			if !glob.MatchString(topic.Name()) {
				t.Fatalf("%q matches %q", sel, topic)
			}
		}
	})
}

// TestSelectorThatWouldCostTooMuch has expressions that are short and become huge.
func TestSelectorThatWouldCostTooMuch(t *testing.T) {
	for _, expression := range []string{`(?:` + strings.Repeat("a", 900) + `){1000}`, `(?:(?:a{30}){30}){30}`, `(?:a{100}|b{100}){100}`, `\\p{L}{100}`} {
		if _, err := reading.ParseSelector(`cpu{host=~"` + expression + `"}`); err == nil {
			t.Errorf("%.40s is taken", expression)
		}
	}
	if _, err := reading.ParseSelector(`cpu{host=~"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"}`); err != nil {
		t.Errorf("the expression of a UUID: %v", err)
	}
}

func TestKin(t *testing.T) {
	for topic, want := range map[reading.Topic]string{
		`orders`:                     `orders`,
		`cpu{host="a"}`:              `cpu{host="a"}`,
		`process{host="a",name="b"}`: `process{host="a",name=*}`,
		`probe{target="x"}`:          `probe{target=*}`,
	} {
		if got := topic.Kin("host"); got != want {
			t.Errorf("the kin of %s is %s, want %s", topic, got, want)
		}
	}
}
