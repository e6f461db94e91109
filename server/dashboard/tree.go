package dashboard

import (
	"bytes"
	"unicode/utf8"
)

// form is what a node is.
type form uint8

const (
	empty   form = iota // null, ~ or nothing
	word                // text
	number              // text that is a number
	truth               // true or false
	list                // items
	mapping             // keys and items, side by side
)

// node is one value of a document and where it stands: what YAML and JSON have
// in common, so that one walk reads both.
type node struct {
	form         form
	text         string // as it was written, without quotes and escapes
	line, column int    // from 1; column in characters
	keys, items  []node
}

// place counts lines and characters from 1. Only "\n" ends a line.
func place(content []byte, offset int) (line, column int) {
	before := content[:min(max(offset, 0), len(content))]
	line = 1 + bytes.Count(before, []byte{'\n'})
	return line, 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
}

// called is what messages call the form of a value.
func (n node) called() string {
	switch n.form {
	case empty:
		return "empty"
	case number:
		return "a number"
	case truth:
		return "true or false"
	case list:
		if len(n.items) == 0 {
			return "an empty list"
		}
		return "a list"
	case mapping:
		return "a set of keys"
	default:
		return "text"
	}
}
