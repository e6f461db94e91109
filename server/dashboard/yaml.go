package dashboard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

const (
	noAnchors = "anchors, aliases and merge keys are not allowed; write the value out (text that begins with * or & needs double quotes)"
	noTags    = "tags are not allowed; write the plain value, and text in double quotes"
	noTabs    = "this line is indented with a tab; indent with spaces"
	tooDeep   = "too many levels; a dashboard has panels, and panels have plain keys"
	oneOnly   = "a file holds one dashboard; move what begins here into a file of its own"
)

// yamlTree reads one YAML document of the plain kind: no anchors, no aliases, no
// tags. The parser of the library builds a tree that is no larger than the
// document, and nothing is ever expanded.
func yamlTree(content []byte) (node, *Fault) {
	d := yaml.NewDecoder(bytes.NewReader(content))
	var document, second yaml.Node
	switch err := decode(d, &document); {
	case errors.Is(err, io.EOF):
		return node{form: empty, line: 1, column: 1}, nil
	case err != nil:
		return node{}, yamlFault(content, err)
	}
	switch err := decode(d, &second); {
	case err == nil:
		return node{}, &Fault{second.Line, second.Column, oneOnly}
	case !errors.Is(err, io.EOF):
		return node{}, yamlFault(content, err)
	}
	if len(document.Content) != 1 {
		return node{form: empty, line: 1, column: 1}, nil
	}
	r := yamlReader{}
	n, fault := r.value(document.Content[0], 0)
	if fault == nil {
		fault = r.tabs(content)
	}
	return n, fault
}

// decode reads the next document. The library panics where it finds a mistake
// of its own, and no document may end the process.
func decode(d *yaml.Decoder, into *yaml.Node) (err error) {
	defer func() {
		if mistake := recover(); mistake != nil {
			err = fmt.Errorf("yaml: the parser cannot read this: %v", mistake)
		}
	}()
	return d.Decode(into)
}

type yamlReader struct{ blocks []block }

// block is where a text after | or > stands: behind the line from, and before
// the line to at which the next value begins; 0 when there is none.
type block struct{ from, to int }

func (r *yamlReader) value(y *yaml.Node, depth int) (node, *Fault) {
	n := node{line: y.Line, column: y.Column, text: y.Value}
	if last := len(r.blocks) - 1; last >= 0 && r.blocks[last].to == 0 && y.Line > r.blocks[last].from {
		r.blocks[last].to = y.Line
	}
	switch {
	case y.Kind == yaml.AliasNode, y.Anchor != "", y.Tag == "!!merge":
		return n, &Fault{y.Line, y.Column, noAnchors}
	case y.Style&yaml.TaggedStyle != 0:
		return n, &Fault{y.Line, y.Column, noTags}
	}
	switch y.Kind {
	case yaml.ScalarNode:
		n.form = word
		if y.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			r.blocks = append(r.blocks, block{from: y.Line})
		}
		if y.Style == 0 {
			switch y.Tag {
			case "!!null":
				n.form = empty
			case "!!bool":
				n.form, n.text = truth, strings.ToLower(y.Value)
			case "!!int", "!!float":
				n.form = number
			}
		}
		return n, nil
	case yaml.MappingNode:
		n.form = mapping
	default:
		n.form = list
	}
	if depth == maxDepth {
		return n, &Fault{y.Line, y.Column, tooDeep}
	}
	for i, child := range y.Content {
		c, fault := r.value(child, depth+1)
		if fault != nil {
			return n, fault
		}
		if n.form == mapping && i%2 == 0 {
			n.keys = append(n.keys, c)
		} else {
			n.items = append(n.items, c)
		}
	}
	return n, nil
}

// tabs finds a tab in the indentation of a line. The parser takes some of them
// as the going on of the text above, which nobody means. Only a text after | or
// > may have them.
func (r *yamlReader) tabs(content []byte) *Fault {
	line, blocks := 0, r.blocks
	for text := range bytes.Lines(content) {
		line++
		for len(blocks) > 0 && blocks[0].to > 0 && blocks[0].to <= line {
			blocks = blocks[1:]
		}
		inside := len(blocks) > 0 && line > blocks[0].from
		if at := tabAt(text); at > 0 && !inside {
			return &Fault{line, at, noTabs}
		}
	}
	return nil
}

// tabAt returns the column of the first tab in the indentation of a line that
// is not blank, and 0 without one.
func tabAt(line []byte) int {
	text := bytes.TrimLeft(line, " \t")
	if len(bytes.TrimRight(text, "\r\n")) == 0 || text[0] == '#' {
		return 0
	}
	return 1 + bytes.IndexByte(line[:len(line)-len(text)], '\t')
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// yamlFault finds the place of an error of the parser and says what to do. The
// parser names a line at most, and for some errors the line at which the
// surrounding list began; so the document is read once more, byte by byte, and
// where the reading stopped is where the parser could not go on.
func yamlFault(content []byte, err error) *Fault {
	said, reported := err.Error(), 1
	if m := yamlLine.FindStringSubmatch(said); m != nil {
		said = m[2]
		if m[1] != "" {
			reported, _ = strconv.Atoi(m[1])
		}
	}
	const ahead = 4 // characters that the scanner looks at before it decides
	r := &byteReader{content: content, padding: ahead}
	d := yaml.NewDecoder(r)
	for decode(d, new(yaml.Node)) == nil { // the error may be that of a second document
	}
	offset := min(max(r.read-ahead, 0), len(content))
	line, column := place(content, offset)
	for at, text := range lines(content, line+1) {
		if tab := tabAt(text); tab > 0 {
			return &Fault{at, tab, noTabs}
		}
	}
	fault := func(message string) *Fault { return &Fault{line, column, message} }
	begins := func(from int, characters string) { // the place of the first of the characters from a line on
		for at, text := range lines(content, line) {
			if i := bytes.IndexAny(text, characters); at >= from && i >= 0 {
				line, column = at, 1+utf8.RuneCount(text[:i])
				return
			}
		}
	}
	switch {
	case strings.Contains(said, "',' or ']'"):
		begins(reported, "[")
		return fault(`the list that begins here does not end well; close it with ], and put topics with labels in single quotes: ['cpu{host="web1"}']`)
	case strings.Contains(said, "',' or '}'"):
		begins(reported, "{")
		return fault("what begins with { here does not end well; separate its keys with commas and close it with }")
	case strings.Contains(said, "unexpected end of stream"), strings.Contains(said, "unexpected document indicator"):
		begins(reported, `"'`)
		return fault("the quote that begins here is not closed")
	case strings.Contains(said, "could not find expected ':'"):
		line, column = reported, 1
		return fault("expected a key, a colon and a value, such as title: Shop")
	case strings.Contains(said, "cannot start any token") && offset < len(content):
		c, _ := utf8.DecodeRune(content[offset:])
		return fault(fmt.Sprintf("a value cannot begin with %q; put the value in double quotes", c))
	case strings.Contains(said, "alphabetic or numeric character"):
		return fault(noAnchors)
	case strings.HasPrefix(said, "unknown anchor '"):
		name, _, _ := strings.Cut(strings.TrimPrefix(said, "unknown anchor '"), "'")
		line, column = place(content, bytes.LastIndex(content[:min(r.read, len(content))], []byte("*"+name)))
		return fault(noAnchors)
	case strings.Contains(said, "mapping values are not allowed"):
		return fault("a colon is not expected here; indent this line like those above, or put text that holds a colon in double quotes")
	case strings.Contains(said, "expected '-' indicator"), strings.Contains(said, "expected key"):
		return fault("this does not fit here; indent this line like those above it, and put text with quotes inside in quotes as a whole")
	case strings.Contains(said, "unknown escape"):
		return fault(`this escape is unknown; write \\ for a backslash, or use single quotes`)
	case strings.Contains(said, "max depth"):
		return fault(tooDeep)
	default:
		return fault("this is no YAML: " + said)
	}
}

// lines yields the lines of content and their numbers, up to the line last.
func lines(content []byte, last int) func(yield func(int, []byte) bool) {
	return func(yield func(int, []byte) bool) {
		at := 0
		for text := range bytes.Lines(content) {
			if at++; at > last || !yield(at, text) {
				return
			}
		}
	}
}

// byteReader reads content a byte at a time and then a few line ends.
type byteReader struct {
	content []byte
	read    int // bytes that were read, with the padding
	padding int
}

func (r *byteReader) Read(p []byte) (int, error) {
	switch {
	case r.read < len(r.content):
		p[0] = r.content[r.read]
	case r.read < len(r.content)+r.padding:
		p[0] = '\n'
	default:
		return 0, io.EOF
	}
	r.read++
	return 1, nil
}
