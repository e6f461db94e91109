package dashboard

import (
	"slices"
	"strings"
)

// elsewhere is what keys of other tools are called here, or why there is none.
var elsewhere = map[string]string{
	"type": "use kind", "name": "use title", "label": "use title", "heading": "use title",
	"query": "use topics", "queries": "use topics", "metric": "use topics", "metrics": "use topics", "series": "use topics", "selector": "use topics", "match": "use topics", "targets": "use topics",
	"fields": "use columns", "values": "use columns", "value": "use columns",
	"markdown": "use text", "content": "use text", "body": "use text",
	"url": "use link", "href": "use link", "links": "use link",
	"time": "use window", "range": "use window", "span": "use window", "from": "use window", "period": "use window",
	"alias": "use names", "aliases": "use names", "precision": "use decimals",
	"warn": "use thresholds: [{at: 80, level: warn}]", "critical": "use thresholds: [{at: 90, level: critical}]",
	"color": "colours follow from thresholds", "colour": "colours follow from thresholds", "colors": "colours follow from thresholds", "colours": "colours follow from thresholds",
	"x": "panels stand in the order of the document; use width and height", "y": "panels stand in the order of the document; use width and height", "position": "panels stand in the order of the document; use width and height",
	"refresh": "panels move with each reading, so there is nothing to set", "interval": "panels move with each reading, so there is nothing to set",
	"slug": "the file's name gives the address", "id": "the file's name gives the address",
	"w": "use width", "h": "use height", "size": "use width",
}

// hint says what to do about a key that nobody knows, and which key was meant.
func hint(key string, fields []field) (advice, meant string) {
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = f.name
	}
	if near, ok := nearest(key, known); ok {
		return "did you mean " + near + "?", near
	}
	if advice, ok := elsewhere[strings.ToLower(key)]; ok {
		use, is := strings.CutPrefix(advice, "use ")
		meant, _, _ := strings.Cut(use, ":")
		switch {
		case !is:
			return advice, ""
		case slices.Contains(known, meant):
			return advice, meant
		}
	}
	return suggest(key, known), ""
}

// suggest names the word that was probably meant, or all of them.
func suggest(text string, known []string) string {
	if near, ok := nearest(text, known); ok {
		return "did you mean " + near + "?"
	}
	return "use one of " + strings.Join(known, ", ")
}

// nearest returns the known word that is at most two slips away from text, and
// less than half of its letters.
func nearest(text string, known []string) (string, bool) {
	const longest = 32 // a slip in longer text is not a slip
	if len(text) > longest {
		return "", false
	}
	text = strings.ToLower(text)
	best, at := 3, ""
	for _, k := range known {
		if d := distance(text, k); d < best && 2*d < len(k) {
			best, at = d, k
		}
	}
	return at, at != ""
}

// distance counts the letters to insert, remove, change or swap with their
// neighbour to make b of a.
func distance(a, b string) int {
	two, one := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(one[j+1]+1, row[j]+1, one[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], two[j-1]+1)
			}
		}
		two, one = one, row
	}
	return one[len(b)]
}
