package dashboard

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
)

// jsonTree reads one JSON document. Duplicate keys stay in the tree, for the
// walk to find, as in YAML.
func jsonTree(content []byte) (node, *Fault) {
	// The whole syntax first, so that the walk over the tokens cannot fail.
	var whole json.RawMessage
	d := json.NewDecoder(bytes.NewReader(content))
	if err := d.Decode(&whole); err != nil {
		return node{}, jsonFault(content, err)
	}
	if rest := bytes.TrimLeft(content[d.InputOffset():], " \t\r\n"); len(rest) > 0 {
		line, column := place(content, len(content)-len(rest))
		return node{}, &Fault{line, column, "the document ends before here; remove what follows"}
	}
	r := jsonReader{content: content, d: json.NewDecoder(bytes.NewReader(content))}
	r.d.UseNumber()
	n, err := r.value(0)
	if err != nil {
		return node{}, jsonFault(content, err)
	}
	return n, nil
}

func jsonFault(content []byte, err error) *Fault {
	var fault *Fault
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &fault):
		return fault
	case errors.As(err, &syntax):
		// The decoder points behind the byte that it could not take.
		line, column := place(content, int(syntax.Offset)-1)
		return &Fault{line, column, "this is no JSON: " + jsonMessage(syntax.Error())}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		line, column := place(content, len(content))
		return &Fault{line, column, "this is no JSON: the document ends too early; close its braces and quotes"}
	default:
		return &Fault{1, 1, "this is no JSON: " + err.Error()}
	}
}

func jsonMessage(s string) string {
	if strings.Contains(s, "NaN") || strings.HasPrefix(s, "invalid character 'N'") || strings.HasPrefix(s, "invalid character 'I'") {
		return s + "; numbers are finite"
	}
	if strings.HasSuffix(s, "looking for beginning of object key string") {
		return s + "; put keys in double quotes, and no comma after the last"
	}
	return s
}

// Error makes a Fault an error inside the readers.
func (f *Fault) Error() string { return f.Message }

type jsonReader struct {
	content      []byte
	d            *json.Decoder
	at           int // offset up to which line and column are counted
	line, column int
}

// value reads the next value of the document.
func (r *jsonReader) value(depth int) (node, error) {
	n := r.here()
	token, err := r.d.Token()
	if err != nil {
		return n, err
	}
	switch v := token.(type) {
	case nil:
		n.form = empty
	case bool:
		n.form, n.text = truth, strconv.FormatBool(v)
	case json.Number:
		n.form, n.text = number, v.String()
	case string:
		n.form, n.text = word, v
	case json.Delim:
		if depth == maxDepth {
			return n, &Fault{n.line, n.column, tooDeep}
		}
		n.form = list
		if v == '{' {
			n.form = mapping
		}
		for r.d.More() {
			if n.form == mapping {
				key, err := r.value(depth + 1)
				if err != nil {
					return n, err
				}
				n.keys = append(n.keys, key)
			}
			item, err := r.value(depth + 1)
			if err != nil {
				return n, err
			}
			n.items = append(n.items, item)
		}
		if _, err := r.d.Token(); err != nil {
			return n, err
		}
	}
	return n, nil
}

// here returns a node at the place of the next token. It counts on from the
// token before, so that a long document costs no more than its length.
func (r *jsonReader) here() node {
	offset := int(r.d.InputOffset())
	for offset < len(r.content) && strings.IndexByte(" \t\r\n,:", r.content[offset]) >= 0 {
		offset++
	}
	if r.line == 0 {
		r.line, r.column = 1, 1
	}
	line, column := place(r.content[r.at:], offset-r.at)
	if line > 1 {
		r.line, r.column = r.line+line-1, column
	} else {
		r.column += column - 1
	}
	r.at = offset
	return node{line: r.line, column: r.column}
}
