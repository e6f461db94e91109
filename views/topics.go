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

// counted says how many topics match, of how many there are.
func (v TopicsView) counted() string {
	total := max(v.Total, len(v.Topics))
	text := decimal(float64(total), 0)
	if v.All > total {
		text += " of " + decimal(float64(v.All), 0)
	}
	if total > len(v.Topics) {
		text = "first " + decimal(float64(len(v.Topics)), 0) + " of " + decimal(float64(total), 0)
	}
	if v.Rate > 0 {
		text += ", " + rate(v.Rate)
	}
	return text
}

// rowOf makes one topic ready for a list.
func rowOf(s *Series, now, span int64) picture {
	return draw(Panel{Kind: "row", Title: string(s.Topic), Series: []*Series{s}}, now, span)
}

// blankRow is the template of a row: a topic that nobody knows yet.
func blankRow(now, span int64) picture { return rowOf(&Series{}, now, span) }

// shortBase is an address as people type it into curl.
func shortBase(base string) string { return strings.TrimPrefix(base, "http://") }
