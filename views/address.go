package views

import (
	"math"
	"net/url"
	"strconv"
	"strings"

	"readout/server/reading"
)

// TopicPath is the address of a topic's page: /t/ and the canonical topic. Only
// the name keeps its slashes, so that a browser never normalises a label away.
func TopicPath(t reading.Topic) string {
	name, labels, labelled := strings.Cut(string(t), "{")
	segments := strings.Split(name, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	path := "/t/" + strings.Join(segments, "/")
	if labelled {
		path += strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape("{"+labels), "+", "%20"), "'", "%27")
	}
	return path
}

// pushPath is the address that a person types to push: labels as a query.
func pushPath(t reading.Topic) string {
	labels := t.Labels()
	path := TopicPath(reading.Topic(t.Name()))
	for i, l := range labels {
		sep := "&"
		if i == 0 {
			sep = "?"
		}
		path += sep + url.QueryEscape(l.Name) + "=" + url.QueryEscape(l.Value)
	}
	return path
}

// snippet is a line to copy: what stands around the part to change.
type snippet struct{ before, arg, after string }

func (s snippet) text() string { return s.before + s.arg + s.after }

// sendSnippet pushes one reading like the topic's last one. Addresses are
// escaped so that nothing in them can end the single quotes of a shell.
func sendSnippet(base string, s Series) snippet {
	arg := "42"
	if last, ok := s.last(); ok {
		if len(s.Columns) == 1 && s.Columns[0].Name == reading.DefaultValue {
			arg = shellWord(typed(last.Values[0]))
		} else {
			var pairs []string
			for i, c := range s.Columns {
				if v := last.Values[i]; v.Kind() != reading.None && len(pairs) < 2 {
					pairs = append(pairs, c.Name+"="+pairText(v))
				}
			}
			arg = quoteShell(strings.Join(pairs, " "))
		}
	}
	before := "curl -d "
	if strings.HasPrefix(strings.TrimLeft(arg, "'"), "@") {
		before = "curl --data-raw " // -d would send the file of this name
	}
	address := base + pushPath(s.Topic)
	if strings.ContainsAny(address, "?&%*!()") {
		address = quoteShell(address)
	}
	return snippet{before, arg, " " + address}
}

// typed prints a value as a person would type one: two decimals are enough.
func typed(v reading.Value) string {
	if f, ok := v.Number(); ok && v.Kind() == reading.Number && f != math.Trunc(f) && math.Abs(f) >= 0.1 {
		return strconv.FormatFloat(math.Round(f*100)/100, 'f', -1, 64)
	}
	return v.String()
}

// pairText quotes a state that holds what would end a name=value pair.
func pairText(v reading.Value) string {
	text := typed(v)
	if strings.ContainsAny(text, " \t\"=,") {
		return `"` + strings.ReplaceAll(strings.ReplaceAll(text, `\`, `\\`), `"`, `\"`) + `"`
	}
	return text
}

func shellWord(s string) string {
	for i := range len(s) {
		c := s[i]
		if c >= 0x80 || !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:/-+", rune(c)) {
			return quoteShell(s)
		}
	}
	return s
}

func quoteShell(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func readSnippet(base string, t reading.Topic) snippet {
	return snippet{"curl -N '" + base + TopicPath(t), "", "?format=sse'"}
}

// exportSnippet writes the kept readings of a topic to a file.
func exportSnippet(base string, t reading.Topic) snippet {
	return snippet{"curl -o ", "readings.csv", " '" + base + TopicPath(t) + "?format=csv'"}
}

// attributeText escapes what may end an attribute in single quotes; the double
// quotes of a topic stay readable.
var attributeText = strings.NewReplacer("&", "&amp;", "'", "&#39;", "<", "&lt;", ">", "&gt;")

func embedSnippet(base string, t reading.Topic) snippet {
	return snippet{
		`<iframe src="`, base + TopicPath(t) + "?view=embed",
		`" title='` + attributeText.Replace(string(t)) + `' width="100%" height="240" loading="lazy"></iframe>`,
	}
}
