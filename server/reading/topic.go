package reading

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of a topic.
const (
	MaxTopic      = 2048 // bytes in the whole topic
	MaxName       = 200  // bytes in its name
	MaxLabels     = 32
	MaxLabelValue = 1024 // bytes in a label's value
)

// Topic names one series of readings: a name and labels sorted by their names,
// orders or cpu{host="web1",mode="user"}. A Topic made by ParseTopic or NewTopic
// is valid and canonical, so two of them compare with ==. The empty Topic is none.
type Topic string

// Label is one label of a topic.
type Label struct{ Name, Value string }

// ParseTopic reads a topic in any spelling and returns the canonical one.
func ParseTopic(s string) (Topic, error) {
	p, err := parsePattern(s, false)
	if err != nil {
		return "", err
	}
	return p.topic()
}

// NewTopic makes a topic from its parts.
func NewTopic(name string, labels ...Label) (Topic, error) {
	p := pattern{name: name, matchers: make([]matcher, 0, len(labels))}
	if err := checkName(name, false); err != nil {
		return "", err
	}
	for _, l := range labels {
		if err := p.add(matcher{name: l.Name, op: opEqual, value: l.Value}); err != nil {
			return "", err
		}
	}
	return p.topic()
}

// Name returns the topic without its labels.
func (t Topic) Name() string {
	name, _, _ := strings.Cut(string(t), "{")
	return name
}

// Labels returns the labels, sorted by name; nil when there are none.
func (t Topic) Labels() []Label {
	if !strings.HasSuffix(string(t), "}") {
		return nil
	}
	p, err := parsePattern(string(t), false)
	if err != nil {
		return nil // only a Topic that was not made by ParseTopic
	}
	labels := make([]Label, len(p.matchers))
	for i, m := range p.matchers {
		labels[i] = Label{m.name, m.value}
	}
	return labels
}

// pattern is what topics and selectors have in common: a name and label matchers.
type pattern struct {
	name     string
	matchers []matcher
	any      bool // {*}: further labels are welcome
}

type operator uint8

const (
	opEqual     operator = iota // host="a"
	opAny                       // host=*
	opNotEqual                  // host!="a"
	opRegexp                    // host=~"a|b"
	opNotRegexp                 // host!~"a|b"
)

var operators = [...]string{`=`, `=*`, `!=`, `=~`, `!~`}

type matcher struct {
	name, value string
	op          operator
}

func (p *pattern) add(m matcher) error {
	if err := checkLabelName(m.name); err != nil {
		return err
	}
	if m.op != opAny {
		if err := checkLabelValue(m.name, m.value); err != nil {
			return err
		}
	}
	at, found := slices.BinarySearchFunc(p.matchers, m.name, func(m matcher, name string) int { return strings.Compare(m.name, name) })
	if found {
		return Refuse("bad_topic", "the label %q is given twice", m.name)
	}
	p.matchers = slices.Insert(p.matchers, at, m)
	if len(p.matchers) > MaxLabels {
		return Refuse("bad_topic", "more than %d labels", MaxLabels)
	}
	return nil
}

// exact reports whether the pattern is one topic: no wildcard, no operator but =.
func (p *pattern) exact() bool {
	return !p.any && !strings.Contains(p.name, "*") &&
		!slices.ContainsFunc(p.matchers, func(m matcher) bool { return m.op != opEqual })
}

func (p *pattern) topic() (Topic, error) {
	s := p.String()
	if len(s) > MaxTopic {
		return "", Refuse("bad_topic", "the topic has %d bytes; at most %d are allowed", len(s), MaxTopic)
	}
	return Topic(s), nil
}

var escapeLabel = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func (p *pattern) String() string {
	if len(p.matchers) == 0 && !p.any {
		return p.name
	}
	size := len(p.name) + len("{,*}")
	for _, m := range p.matchers {
		size += len(m.name) + len(m.value) + len(`=~"",`) // escapes are rare
	}
	var b strings.Builder
	b.Grow(size)
	b.WriteString(p.name)
	b.WriteByte('{')
	for i, m := range p.matchers {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(m.name)
		b.WriteString(operators[m.op])
		if m.op != opAny {
			b.WriteByte('"')
			b.WriteString(escapeLabel.Replace(m.value))
			b.WriteByte('"')
		}
	}
	if p.any {
		if len(p.matchers) > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('*')
	}
	b.WriteByte('}')
	return b.String()
}

// parsePattern reads name{label="value",...}. wild allows what only selectors have.
func parsePattern(s string, wild bool) (pattern, error) {
	if len(s) > 2*MaxTopic { // spaces and escapes may shrink, but not by this much
		return pattern{}, Refuse("bad_topic", "the topic has %d bytes; at most %d are allowed", len(s), MaxTopic)
	}
	if !utf8.ValidString(s) {
		return pattern{}, Refuse("bad_utf8", "the topic %s is not valid UTF-8", Quote(s))
	}
	name, rest, braces := strings.Cut(s, "{")
	p := pattern{name: name}
	if err := checkName(name, wild); err != nil {
		return p, err
	}
	if !braces {
		return p, nil
	}
	rest, ok := strings.CutSuffix(rest, "}")
	if !ok {
		return p, Refuse("bad_topic", "the topic %s does not end with }", Quote(s))
	}
	rest = strings.TrimLeft(rest, " ")
	for rest != "" {
		if wild && rest == "*" {
			p.any = true
			return p, nil
		}
		m, after, err := parseMatcher(rest, wild)
		if err != nil {
			return p, err
		}
		if err := p.add(m); err != nil {
			return p, err
		}
		after = strings.TrimLeft(after, " ")
		if after == "" {
			return p, nil
		}
		if rest, ok = strings.CutPrefix(after, ","); !ok {
			return p, Refuse("bad_topic", "expected a comma after the label %q", m.name)
		}
		if rest = strings.TrimLeft(rest, " "); rest == "" {
			return p, Refuse("bad_topic", "a label is missing after the last comma")
		}
	}
	return p, nil
}

func parseMatcher(s string, wild bool) (matcher, string, error) {
	end := strings.IndexAny(s, "=!")
	if end < 0 {
		return matcher{}, "", Refuse("bad_topic", `expected label="value" at %s`, Quote(s))
	}
	m := matcher{name: s[:end]}
	s = s[end:]
	switch {
	case wild && strings.HasPrefix(s, "=*"):
		m.op = opAny
		return m, s[len("=*"):], nil
	case wild && strings.HasPrefix(s, "=~"):
		m.op, s = opRegexp, s[2:]
	case wild && strings.HasPrefix(s, "!~"):
		m.op, s = opNotRegexp, s[2:]
	case wild && strings.HasPrefix(s, "!="):
		m.op, s = opNotEqual, s[2:]
	case strings.HasPrefix(s, "="):
		s = s[1:]
	default:
		return m, "", Refuse("bad_topic", `expected = after the label %s`, Quote(m.name))
	}
	var after string
	var err error
	m.value, after, err = parseQuoted(m.name, s)
	return m, after, err
}

// parseQuoted reads "..." with \\ and \" as its only escapes.
func parseQuoted(label, s string) (value, after string, err error) {
	if !strings.HasPrefix(s, `"`) {
		return "", "", Refuse("bad_topic", "the value of the label %s is not in double quotes", Quote(label))
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], nil
		case '\\':
			i++
			if i == len(s) || s[i] != '\\' && s[i] != '"' {
				return "", "", Refuse("bad_topic", `the value of the label %s holds an escape other than \\ and \"`, Quote(label))
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", Refuse("bad_topic", "the value of the label %s has no closing quote", Quote(label))
}

func checkName(name string, wild bool) error {
	if name == "" {
		return Refuse("bad_topic", "the topic's name is empty")
	}
	if len(name) > MaxName {
		return Refuse("bad_topic", "the topic's name has %d bytes; at most %d are allowed", len(name), MaxName)
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '*' && wild:
		case !isNameByte(c):
			return Refuse("bad_topic", "the topic's name %s holds %q; allowed are A-Z a-z 0-9 _ . : / -", Quote(name), name[i])
		case i == 0 && isInner(c):
			return Refuse("bad_topic", "the topic's name %s begins with %q; begin with a letter, a digit, _ or :", Quote(name), c)
		}
	}
	for segment := range strings.SplitSeq(name, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return Refuse("bad_topic", "the topic's name %s has an empty, . or .. segment", Quote(name))
		}
	}
	return nil
}

func checkLabelName(name string) error {
	if name == "" || len(name) > MaxName {
		return Refuse("bad_topic", "a label's name has 1 to %d bytes, not %d", MaxName, len(name))
	}
	for i := range len(name) {
		c := name[i]
		if !isLabelFirst(c) && (i == 0 || !isLabelInner(c)) {
			return Refuse("bad_topic", "the label name %s does not match [A-Za-z_][A-Za-z0-9_.]*", Quote(name))
		}
	}
	return nil
}

func checkLabelValue(name, value string) error {
	switch {
	case value == "":
		return Refuse("bad_topic", "the label %q is empty; leave it out", name)
	case len(value) > MaxLabelValue:
		return Refuse("bad_topic", "the label %q has %d bytes; at most %d are allowed", name, len(value), MaxLabelValue)
	case !utf8.ValidString(value):
		return Refuse("bad_utf8", "the label %q is not valid UTF-8", name)
	case hasControl(value):
		return Refuse("bad_topic", "the label %q holds a control character", name)
	}
	return nil
}

func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '_' || c == '.' || c == ':' || c == '/' || c == '-'
}

// isInner picks the bytes of a name that are not its first.
func isInner(c byte) bool { return c == '.' || c == '/' || c == '-' }

func isLabelFirst(c byte) bool { return c == '_' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' }

// isLabelInner picks the bytes of a label's name that are not its first.
func isLabelInner(c byte) bool { return c == '.' || '0' <= c && c <= '9' }
