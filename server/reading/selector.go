package reading

import (
	"regexp"
	"strings"
)

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
		if _, err = regexp.Compile(m.value); err == nil {
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

// Topic returns the one topic that the selector names, if it names just one.
func (s Selector) Topic() (Topic, bool) {
	return s.exact, s.exact != ""
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
