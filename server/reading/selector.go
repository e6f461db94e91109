package reading

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// maxSteps bounds what an expression becomes when it is compiled: 1 KiB of nested
// counts would need half a gigabyte and a second, and every topic is matched step by step.
const maxSteps = 1024

// Selector picks topics: http_* is every name with that beginning, cpu{*} every
// topic named cpu, cpu{host=~"web.*"} those with such a host. A selector without
// a wildcard or an operator is one topic and matches only itself. Otherwise a
// topic must have at least the labels that are named. Regular expressions are
// RE2 and match the whole value.
type Selector struct {
	pattern pattern
	regexps []*regexp.Regexp // beside pattern.matchers; nil where a matcher has none
	exact   Topic            // the one topic it names, or none
}

// ParseSelector reads a selector or a topic in any spelling.
func ParseSelector(s string) (Selector, error) {
	p, err := parsePattern(s, true)
	if err != nil {
		return Selector{}, err
	}
	sel := Selector{pattern: p, regexps: make([]*regexp.Regexp, len(p.matchers))}
	for i, m := range p.matchers {
		if m.op != opRegexp && m.op != opNotRegexp {
			continue
		}
		// By itself first: a)|(?:b is no expression, and would break out of the anchors.
		alone, err := syntax.Parse(m.value, syntax.Perl)
		if err == nil && steps(alone) > maxSteps {
			return Selector{}, Refuse("bad_topic", "the expression of the label %q counts too far; use * or + instead of a count such as {1000}", m.name)
		}
		if err == nil {
			sel.regexps[i], err = regexp.Compile(`^(?:` + m.value + `)$`)
		}
		if err != nil {
			return Selector{}, Refuse("bad_topic", "the expression of the label %q is not RE2: %s", m.name, Quote(err.Error()))
		}
	}
	text := sel.String()
	if len(text) > MaxTopic {
		return Selector{}, Refuse("bad_topic", "the selector has more than %d bytes", MaxTopic)
	}
	if p.exact() {
		sel.exact = Topic(text)
	}
	return sel, nil
}

// steps is about how many instructions an expression becomes.
func steps(e *syntax.Regexp) int {
	n := 1 + len(e.Rune)
	for _, sub := range e.Sub {
		n += steps(sub)
	}
	if e.Op == syntax.OpRepeat {
		n *= max(e.Min, e.Max, 1)
	}
	return min(n, maxSteps+1)
}

// Topic returns the one topic that the selector names, if it names just one.
func (s Selector) Topic() (Topic, bool) {
	return s.exact, s.exact != ""
}

// Kin is the selector of the topics of the same name that have all labels of t,
// with the same values of those in keep and any values of the others.
func (t Topic) Kin(keep ...string) string {
	p, err := parsePattern(string(t), false)
	if err != nil { // it is no topic; it has no kin
		return string(t)
	}
	for i := range p.matchers {
		if !slices.Contains(keep, p.matchers[i].name) {
			p.matchers[i] = matcher{name: p.matchers[i].name, op: opAny}
		}
	}
	return p.String()
}

// String returns the canonical spelling.
func (s Selector) String() string { return s.pattern.String() }

// Match reports whether the selector picks t.
func (s Selector) Match(t Topic) bool {
	if s.exact != "" {
		return s.exact == t
	}
	if !matchName(s.pattern.name, t.Name()) {
		return false
	}
	if len(s.pattern.matchers) == 0 {
		return true
	}
	labels := t.Labels()
	at := 0
	for i, m := range s.pattern.matchers {
		for at < len(labels) && labels[at].Name < m.name { // both are sorted
			at++
		}
		if at == len(labels) || labels[at].Name != m.name || !s.matchValue(i, labels[at].Value) {
			return false
		}
	}
	return true
}

func (s Selector) matchValue(i int, value string) bool {
	switch m := s.pattern.matchers[i]; m.op {
	case opEqual:
		return value == m.value
	case opNotEqual:
		return value != m.value
	case opRegexp:
		return s.regexps[i].MatchString(value)
	case opNotRegexp:
		return !s.regexps[i].MatchString(value)
	default:
		return true
	}
}

// matchName matches a name against a pattern in which * stands for any run of bytes.
func matchName(pattern, name string) bool {
	first, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == name
	}
	name, ok := strings.CutPrefix(name, first)
	if !ok {
		return false
	}
	for {
		part, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(name, part)
		}
		at := strings.Index(name, part)
		if at < 0 {
			return false
		}
		name, rest = name[at+len(part):], after
	}
}
