package views

import "strings"

func (v TopicsView) matchOrAll() string {
	if v.Match == "" {
		return "*"
	}
	return v.Match
}

// matchShown is what stands in the field: nothing when everything is listed.
func (v TopicsView) matchShown() string {
	if v.Match == "*" {
		return ""
	}
	return v.Match
}

func (v TopicsView) counted() string {
	total := max(v.Total, len(v.Topics))
	text := decimal(float64(total), 0)
	if total > len(v.Topics) {
		text = decimal(float64(len(v.Topics)), 0) + " of " + text
	}
	if v.Rate > 0 {
		text += ", " + rate(v.Rate)
	}
	return text
}

// ageOnly is the freshness in a column that is headed Age.
func (p picture) ageOnly() freshness {
	f := p.fresh
	f.word = strings.TrimSuffix(f.word, " ago")
	if f.state == "empty" {
		f.word = noValue
	}
	return f
}

// shortBase is an address as people type it into curl.
func shortBase(base string) string { return strings.TrimPrefix(base, "http://") }
