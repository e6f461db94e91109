package reading_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"readout/server/reading"
)

// code returns the code of a refusal, empty for none.
func code(tb testing.TB, err error) string {
	tb.Helper()
	if err == nil {
		return ""
	}
	var refusal *reading.Error
	if !errors.As(err, &refusal) {
		tb.Fatalf("error is a %T, want a *reading.Error: %v", err, err)
	}
	if refusal.Message == "" || refusal.Error() != refusal.Message || strings.ContainsFunc(refusal.Message, unicode.IsControl) {
		tb.Errorf("the message %q is empty or holds control characters", refusal.Message)
	}
	return refusal.Code
}

// labels is n labels, l0 to l(n-1), in this order and in sorted order alike for n up to 10.
func labels(n int) string {
	var parts []string
	for i := range n {
		parts = append(parts, fmt.Sprintf(`l%02d="v"`, i))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func TestParseTopic(t *testing.T) {
	long := strings.Repeat("x", 1024)
	for _, c := range []struct{ text, want, code string }{
		{`cpu`, `cpu`, ""},
		{`cpu{}`, `cpu`, ""},
		{`cpu{ }`, `cpu`, ""},
		{`0`, `0`, ""},
		{`_a:b.c-d/e`, `_a:b.c-d/e`, ""},
		{`:a`, `:a`, ""},
		{`a..b`, `a..b`, ""},
		{`a/...`, `a/...`, ""},
		{strings.Repeat("a", 200), strings.Repeat("a", 200), ""},
		{`cpu{host="web1"}`, `cpu{host="web1"}`, ""},
		{`cpu{ z="1" , a.b="2" }`, `cpu{a.b="2",z="1"}`, ""},
		{`cpu{B="1",a="2",_="3"}`, `cpu{B="1",_="3",a="2"}`, ""},
		{`cpu{host="a\"b\\c"}`, `cpu{host="a\"b\\c"}`, ""},
		{`cpu{host="{},=*"}`, `cpu{host="{},=*"}`, ""},
		{`cpu{host="}"}`, `cpu{host="}"}`, ""},
		{`cpu{host="größe 😀"}`, `cpu{host="größe 😀"}`, ""},
		{`cpu{host="` + long + `"}`, `cpu{host="` + long + `"}`, ""},
		{`cpu` + labels(32), `cpu` + labels(32), ""},

		{``, "", "bad_topic"},
		{` cpu`, "", "bad_topic"},
		{`cpu `, "", "bad_topic"},
		{`cpu {a="b"}`, "", "bad_topic"},
		{`{}`, "", "bad_topic"},
		{`.a`, "", "bad_topic"}, {`-a`, "", "bad_topic"}, {`/a`, "", "bad_topic"},
		{`a/`, "", "bad_topic"}, {`a//b`, "", "bad_topic"}, {`a/./b`, "", "bad_topic"}, {`a/../b`, "", "bad_topic"}, {`a/..`, "", "bad_topic"},
		{`a*`, "", "bad_topic"}, {`a?`, "", "bad_topic"}, {`a b`, "", "bad_topic"}, {`ä`, "", "bad_topic"},
		{"a\x00", "", "bad_topic"}, {"a\r\n", "", "bad_topic"}, {"a\u202eb", "", "bad_topic"},
		{strings.Repeat("a", 201), "", "bad_topic"},
		{`cpu{`, "", "bad_topic"}, {`cpu}`, "", "bad_topic"}, {`cpu{}}`, "", "bad_topic"}, {`cpu{}x`, "", "bad_topic"},
		{`cpu{host}`, "", "bad_topic"}, {`cpu{host=}`, "", "bad_topic"}, {`cpu{host=web1}`, "", "bad_topic"}, {`cpu{host='a'}`, "", "bad_topic"},
		{`cpu{host="a}`, "", "bad_topic"}, {`cpu{host="a"`, "", "bad_topic"}, {`cpu{host="a\n"}`, "", "bad_topic"}, {`cpu{host="a\`, "", "bad_topic"},
		{`cpu{host="a",}`, "", "bad_topic"}, {`cpu{,host="a"}`, "", "bad_topic"}, {`cpu{host="a" b="c"}`, "", "bad_topic"},
		{`cpu{host=""}`, "", "bad_topic"},
		{`cpu{host="a",host="a"}`, "", "bad_topic"},
		{`cpu{="a"}`, "", "bad_topic"}, {`cpu{1a="b"}`, "", "bad_topic"}, {`cpu{.a="b"}`, "", "bad_topic"}, {`cpu{a-b="c"}`, "", "bad_topic"}, {`cpu{a ="c"}`, "", "bad_topic"},
		{`cpu{` + strings.Repeat("a", 201) + `="b"}`, "", "bad_topic"},
		{`cpu{host="` + long + `x"}`, "", "bad_topic"},
		{"cpu{host=\"a\tb\"}", "", "bad_topic"}, {"cpu{host=\"\u0085\"}", "", "bad_topic"},
		{`cpu` + labels(33), "", "bad_topic"},
		{`cpu{a="` + long + `",b="` + long + `"}`, "", "bad_topic"},
		{strings.Repeat("a", 1<<20), "", "bad_topic"},
		{`cpu{host=~"a"}`, "", "bad_topic"}, {`cpu{host!="a"}`, "", "bad_topic"}, {`cpu{host=*}`, "", "bad_topic"}, {`cpu{*}`, "", "bad_topic"},
		{"\xff", "", "bad_utf8"}, {"cpu{host=\"\xc3\"}", "", "bad_utf8"}, {"cpu{host=\"\xed\xa0\x80\"}", "", "bad_utf8"},
	} {
		topic, err := reading.ParseTopic(c.text)
		if got := code(t, err); string(topic) != c.want || got != c.code {
			t.Errorf("%.60q: %.60q %q (%v), want %.60q %q", c.text, topic, got, err, c.want, c.code)
		}
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("%.60q: the message has %d bytes", c.text, len(err.Error()))
		}
	}
}

func TestTopicParts(t *testing.T) {
	topic, err := reading.ParseTopic(`cpu{z="a\"b",host="web1"}`)
	if err != nil {
		t.Fatal(err)
	}
	want := []reading.Label{{Name: "host", Value: "web1"}, {Name: "z", Value: `a"b`}}
	if topic.Name() != "cpu" || !slices.Equal(topic.Labels(), want) {
		t.Errorf("%s: %s %q", topic, topic.Name(), topic.Labels())
	}
	if plain := reading.Topic("cpu"); plain.Name() != "cpu" || plain.Labels() != nil {
		t.Errorf("%s: %s %q", plain, plain.Name(), plain.Labels())
	}
	again, err := reading.NewTopic("cpu", want[1], want[0])
	if err != nil || again != topic {
		t.Errorf("made of its parts it is %s, %v", again, err)
	}
	for _, c := range []struct {
		name   string
		labels []reading.Label
		code   string
	}{
		{"", nil, "bad_topic"}, {"a{}", nil, "bad_topic"}, {"a*", nil, "bad_topic"},
		{"a", []reading.Label{{Name: "x", Value: "1"}, {Name: "x", Value: "2"}}, "bad_topic"},
		{"a", []reading.Label{{Name: "x"}}, "bad_topic"},
		{"a", []reading.Label{{Name: "x\"", Value: "1"}}, "bad_topic"},
		{"a", []reading.Label{{Name: "x", Value: "\xff"}}, "bad_utf8"},
	} {
		if topic, err := reading.NewTopic(c.name, c.labels...); topic != "" || code(t, err) != c.code {
			t.Errorf("%s %q: %q, %v", c.name, c.labels, topic, err)
		}
	}
}

// FuzzTopic: a topic that is taken prints as itself, keeps the grammar and can
// be made of its parts.
func FuzzTopic(f *testing.F) {
	for _, seed := range []string{`cpu`, `cpu{}`, `cpu{host="web1",mode="user"}`, `a{b="\\\"", a="}"}`, `a/b.c:d{x="ä"}`, `a{x="1",x="2"}`, "a{x=\"\xff\"}", `a{x=~"b"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		topic, err := reading.ParseTopic(s)
		if err != nil {
			if code(t, err) == "" || topic != "" {
				t.Fatalf("%q with %v", topic, err)
			}
			return
		}
		if again, err := reading.ParseTopic(string(topic)); err != nil || again != topic {
			t.Fatalf("%q reads back as %q, %v", topic, again, err)
		}
		if made, err := reading.NewTopic(topic.Name(), topic.Labels()...); err != nil || made != topic {
			t.Fatalf("%q made of its parts is %q, %v", topic, made, err)
		}
		if len(topic) > reading.MaxTopic || !utf8.ValidString(string(topic)) || strings.ContainsFunc(string(topic), unicode.IsControl) {
			t.Fatalf("%q breaks the grammar", topic)
		}
		names := topic.Labels()
		if !slices.IsSortedFunc(names, func(a, b reading.Label) int { return strings.Compare(a.Name, b.Name) }) || len(names) > reading.MaxLabels {
			t.Fatalf("labels %q", names)
		}
		// What is one topic is a selector of just that topic.
		sel, err := reading.ParseSelector(string(topic))
		if err != nil {
			t.Fatalf("%q is no selector: %v", topic, err)
		}
		if one, ok := sel.Topic(); !ok || one != topic || !sel.Match(topic) || sel.String() != string(topic) {
			t.Fatalf("%q as a selector is %q", topic, sel)
		}
	})
}
