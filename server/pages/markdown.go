package pages

import (
	"bytes"
	"html"
	"strconv"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	tables "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// section is a heading of a page of the manual.
type section struct {
	ID, Title string
	Level     int
}

// prose renders the Markdown of a text panel as HTML that may stand in a page:
// no HTML of its author passes, nor an address that runs a script. Its headings
// begin below those of the page, and have no names that a script could trip on.
func prose(source string) (string, error) {
	md := newMarkdown(&shapes{shift: 2})
	var b bytes.Buffer
	err := md.Convert([]byte(source), &b)
	return b.String(), err
}

// manualHTML renders a page of the manual. place gives the address and the title
// in the product of another file of the manual.
func manualHTML(source []byte, place func(file string) (address, title string, ok bool)) (body string, sections []section, err error) {
	md := newMarkdown(&shapes{manual: true})
	doc := md.Parser().Parse(text.NewReader(source), parser.WithContext(parser.NewContext(parser.WithIDs(&anchors{}))))
	if err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Heading:
			if entering {
				nameHeading(n, source)
				id, _ := n.AttributeString("id")
				name, _ := id.([]byte)
				sections = append(sections, section{string(name), plainText(n, source), n.Level})
			}
		case *ast.Link:
			if entering {
				relink(n, source, place)
			}
		}
		return ast.WalkContinue, nil
	}); err != nil {
		return "", nil, err
	}
	var b bytes.Buffer
	err = md.Renderer().Render(&b, source, doc)
	return b.String(), sections, err
}

// nameHeading names a heading as code forges do. goldmark has named it after
// its source, in which links and escapes still stand.
func nameHeading(n *ast.Heading, source []byte) {
	if _, named := n.AttributeString("id"); !named {
		n.SetAttributeString("id", []byte(anchor(plainText(n, source))))
	}
}

// relink turns a link between files of the manual into one between its pages.
// One that says only the file's name, which is what there is to say on a code
// forge, says the page's title.
func relink(n *ast.Link, source []byte, place func(string) (string, string, bool)) {
	file, fragment, cut := strings.Cut(string(n.Destination), "#")
	file = strings.TrimPrefix(file, "./")
	address, title, ok := place(file)
	if !ok {
		return
	}
	if cut {
		address += "#" + fragment
	}
	n.Destination = []byte(address)
	if plainText(n, source) == file {
		n.RemoveChildren(n)
		n.AppendChild(n, ast.NewString([]byte(html.EscapeString(title))))
	}
}

func newMarkdown(s *shapes) goldmark.Markdown {
	options := []goldmark.Option{
		goldmark.WithExtensions(
			extension.Table,
			extension.Strikethrough,
			extension.Linkify,
		),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(s, 100))),
	}
	if s.manual {
		options = append(options, goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	}
	return goldmark.New(options...)
}

// anchors names headings as code forges do, so that a link to a section works
// there and here.
type anchors struct{ used map[string]int }

func (a *anchors) Generate(value []byte, _ ast.NodeKind) []byte {
	id := anchor(string(value))
	n, again := a.used[id]
	a.Put([]byte(id))
	if again {
		id += "-" + strconv.Itoa(n)
	}
	return []byte(id)
}

func (a *anchors) Put(value []byte) {
	if a.used == nil {
		a.used = map[string]int{}
	}
	a.used[string(value)]++
}

func anchor(title string) string {
	id := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(title))
	if id == "" {
		return "section"
	}
	return id
}

// plainText is what a reader sees of a node.
func plainText(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok && entering {
			b.Write(t.Segment.Value(source))
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// shapes renders what differs from plain HTML.
type shapes struct {
	manual bool // headings can be linked to, examples can be copied
	shift  int  // levels by which headings are lowered
}

// RegisterFuncs is for goldmark.
func (s *shapes) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindHeading, s.heading)
	r.Register(ast.KindFencedCodeBlock, s.code)
	r.Register(ast.KindCodeBlock, s.code)
	r.Register(tables.KindTable, s.table)
	r.Register(tables.KindTableHeader, s.tableHeader)
	r.Register(tables.KindTableCell, s.tableCell)
}

func (s *shapes) heading(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	n, ok := node.(*ast.Heading)
	if !ok {
		return ast.WalkContinue, nil
	}
	tag := "h" + strconv.Itoa(min(6, n.Level+s.shift))
	id := ""
	if value, named := n.AttributeString("id"); named {
		if raw, ok := value.([]byte); ok {
			id = html.EscapeString(string(raw))
		}
	}
	switch {
	case entering && s.manual && n.Level > 1:
		_, _ = w.WriteString("<" + tag + ` id="` + id + `">`)
	case entering:
		_, _ = w.WriteString("<" + tag + ">")
	case s.manual && n.Level > 1:
		_, _ = w.WriteString(` <a class="anchor" href="#` + id + `" aria-label="Link to: ` + html.EscapeString(plainText(n, source)) + `">#</a></` + tag + ">\n")
	default:
		_, _ = w.WriteString("</" + tag + ">\n")
	}
	return ast.WalkContinue, nil
}

// code is an example. Those with a language can be copied; those without show
// what goes over the wire.
func (s *shapes) code(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	language := ""
	if n, ok := node.(*ast.FencedCodeBlock); ok {
		language = string(n.Language(source))
	}
	var body strings.Builder
	for i := range node.Lines().Len() {
		line := node.Lines().At(i)
		body.Write(line.Value(source))
	}
	_, _ = w.WriteString(`<div class="code"><code tabindex="0">` + html.EscapeString(strings.TrimRight(body.String(), "\n")) + "</code>")
	if s.manual && language != "" {
		_, _ = w.WriteString(`<button class="btn square bare" type="button" data-copy hidden aria-label="Copy" title="Copy">` +
			`<svg class="icon" width="16" height="16" aria-hidden="true"><use href="#i-copy"></use></svg></button>`)
	}
	_, _ = w.WriteString("</div>\n")
	return ast.WalkSkipChildren, nil
}

// table scrolls by itself where it is too wide.
func (s *shapes) table(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		_, _ = w.WriteString("<div class=\"scroll\" tabindex=\"0\"><table class=\"tbl\">\n")
		return ast.WalkContinue, nil
	}
	_, _ = w.WriteString("</table></div>\n")
	return ast.WalkContinue, nil
}

// tableHeader leaves out a header without a word in it, which Markdown demands
// of a table that needs none.
func (s *shapes) tableHeader(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	empty := strings.TrimSpace(plainText(node, source)) == ""
	if entering {
		if empty {
			return ast.WalkSkipChildren, nil
		}
		_, _ = w.WriteString("<thead>\n<tr>\n")
		return ast.WalkContinue, nil
	}
	if !empty {
		_, _ = w.WriteString("</tr>\n</thead>\n")
	}
	if node.NextSibling() != nil {
		_, _ = w.WriteString("<tbody>\n")
	}
	return ast.WalkContinue, nil
}

// tableCell is a cell. One of a header that says nothing is not called a header.
func (s *shapes) tableCell(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	tag := "td"
	if node.Parent().Kind() == tables.KindTableHeader && plainText(node, source) != "" {
		tag = "th"
	}
	if !entering {
		_, _ = w.WriteString("</" + tag + ">\n")
		return ast.WalkContinue, nil
	}
	_, _ = w.WriteString("<" + tag)
	if n, ok := node.(*tables.TableCell); ok && n.Alignment != tables.AlignNone {
		_, _ = w.WriteString(` align="` + n.Alignment.String() + `"`)
	}
	_ = w.WriteByte('>')
	return ast.WalkContinue, nil
}
