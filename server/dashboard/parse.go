package dashboard

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

var slug = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// SlugOf returns the slug that a file's name gives: shop for shop.yaml. It is
// false for a name that gives none.
func SlugOf(file string) (string, bool) {
	base := path.Base(file)
	name := strings.TrimSuffix(base, path.Ext(base))
	return name, slug.MatchString(name)
}

// Parse reads and checks a document. name is its file's name, which gives the
// slug; a document that came without a file has none. A name that ends in .json
// is JSON, .yaml and .yml are YAML, and otherwise the first byte decides. The
// error is an *Error and names up to 20 places, in their order.
func Parse(name string, content []byte) (Dashboard, error) {
	file := ""
	if name != "" {
		file = path.Base(name)
	}
	d, faults := parse(file, content)
	if len(faults) > 0 {
		first := faults[0]
		return Dashboard{}, &Error{Problem{File: file, Line: first.Line, Column: first.Column, Message: first.Message, Others: slices.Clip(faults[1:])}}
	}
	return d, nil
}

func parse(file string, content []byte) (Dashboard, []Fault) {
	if fault := readable(content); fault != nil {
		return Dashboard{}, []Fault{*fault}
	}
	sum := sha256.Sum256(content)
	source := string(content)
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	read := yamlTree
	if isJSON(file, content) {
		read = jsonTree
	}
	n, fault := read(content)
	if fault != nil {
		return Dashboard{}, []Fault{*fault}
	}
	w := &walk{}
	d := w.dashboard(n)
	if len(w.faults) > 0 {
		slices.SortStableFunc(w.faults, func(a, b Fault) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return Dashboard{}, w.faults
	}
	d.File, d.Source, d.Version = file, source, hex.EncodeToString(sum[:8])
	d.Slug, _ = SlugOf(file)
	if !slug.MatchString(d.Slug) {
		d.Slug = ""
	}
	return d, nil
}

// isJSON tells which of the two formats a document has.
func isJSON(file string, content []byte) bool {
	begins := bytes.HasPrefix(bytes.TrimLeft(content, " \t\r\n"), []byte("{"))
	switch path.Ext(file) {
	case ".json":
		return true
	case ".yaml", ".yml": // JSON is YAML, but for its tabs
		return begins && json.Valid(content)
	default:
		return begins
	}
}

// readable checks what can be checked before anything is parsed.
func readable(content []byte) *Fault {
	if len(content) > MaxSize {
		return &Fault{1, 1, fmt.Sprintf("the document has %d bytes; at most %d are allowed. Split it into several dashboards", len(content), MaxSize)}
	}
	if !utf8.Valid(content) {
		offset := 0
		for offset < len(content) {
			r, size := utf8.DecodeRune(content[offset:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			offset += size
		}
		line, column := place(content, offset)
		return &Fault{line, column, "this is not valid UTF-8; save the file as UTF-8"}
	}
	parts := 0
	for offset, r := range string(content) {
		switch r {
		case '\n', ',', ':':
			if parts++; parts > maxParts {
				line, column := place(content, offset)
				return &Fault{line, column, "the document holds too much up to here; split it into several dashboards"}
			}
		case '\t', '\r':
		default:
			if unicode.IsControl(r) {
				line, column := place(content, offset)
				return &Fault{line, column, fmt.Sprintf("here is a control character (%U); remove it", r)}
			}
		}
	}
	return nil
}
