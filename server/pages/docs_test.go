package pages

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"readout/docs"
)

// Every page is in the table and every file of the table is there.
func TestManualIsWhole(t *testing.T) {
	list, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	if err != nil || len(list) == 0 {
		t.Fatal(err, list)
	}
	var files []string
	for _, file := range list {
		if name := filepath.Base(file); name != "screen.md" { // which compares screens for those who work on them
			files = append(files, name)
		}
	}
	for _, p := range docs.Pages() {
		if at := slices.Index(files, p.File()); at < 0 {
			t.Errorf("there is no docs/%s", p.File())
		} else {
			files = slices.Delete(files, at, at+1)
		}
		if p.Title == "" || !strings.HasSuffix(p.About, ".") {
			t.Errorf("%s is %q: %q", p.Slug, p.Title, p.About)
		}
	}
	if len(files) > 0 {
		t.Errorf("docs/%v are in no list: name them in docs.go", files)
	}
}

var (
	markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	addressOf    = regexp.MustCompile(` (?:href|src)="([^"]*)"`)
	idOf         = regexp.MustCompile(` id="([^"]*)"`)
)

// A link between pages works on a code forge, where files lie beside each
// other, and in the product.
func TestManualLinks(t *testing.T) {
	m, err := loadManual()
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string][]string{}
	for _, p := range m.pages {
		ids[p.Slug] = []string{}
		for _, match := range idOf.FindAllStringSubmatch(p.body, -1) {
			if slices.Contains(ids[p.Slug], match[1]) {
				t.Errorf("%s has two sections #%s", p.File(), match[1])
			}
			ids[p.Slug] = append(ids[p.Slug], match[1])
		}
		if len(p.sections) == 0 || p.sections[0].Level != 1 {
			t.Errorf("%s does not begin with its title", p.File())
		}
	}
	links := 0
	for _, p := range m.pages {
		source, err := docs.Read(p.File())
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range markdownLink.FindAllStringSubmatch(string(source), -1) {
			file, _, _ := strings.Cut(match[1], "#")
			if file == "" || strings.Contains(file, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join("..", "..", "docs", file)); err != nil {
				t.Errorf("%s: %s leads nowhere on a code forge", p.File(), match[1])
			}
		}
		for _, match := range addressOf.FindAllStringSubmatch(p.body, -1) {
			if strings.HasPrefix(match[1], "#i-") {
				continue // a picture
			}
			links++
			path, fragment, cut := strings.Cut(match[1], "#")
			slug, inside := strings.CutPrefix(path, "/docs/")
			switch {
			case path == "":
				slug = p.Slug
			case path == "/docs/"+docs.OpenAPI || strings.HasPrefix(path, "https://"):
				continue
			case !inside || ids[slug] == nil:
				t.Errorf("%s: %s leads nowhere here", p.File(), match[1])
				continue
			}
			if cut && !slices.Contains(ids[slug], fragment) {
				t.Errorf("%s: %s has no section #%s", p.File(), slug, fragment)
			}
		}
	}
	if links < 20 {
		t.Errorf("only %d links were found", links)
	}
}

// The policy refuses styles and scripts in the page, and nothing is passed through.
func TestManualNeedsNoException(t *testing.T) {
	m, err := loadManual()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range m.pages {
		for _, refused := range []string{"style=", "<script", " onclick", "javascript:", "<th></th>"} {
			if strings.Contains(p.body, refused) {
				t.Errorf("%s holds %s", p.File(), refused)
			}
		}
	}
}

func TestAddressesOfExamples(t *testing.T) {
	const body = `curl localhost:8080/t/a http://localhost:8080/t/b ws://localhost:8080/live --listen 127.0.0.1:8080`
	for base, want := range map[string]string{
		"http://localhost:8080":  body,
		"http://10.0.0.7:81":     `curl 10.0.0.7:81/t/a http://10.0.0.7:81/t/b ws://10.0.0.7:81/live --listen 127.0.0.1:8080`,
		"https://readout.test":   `curl https://readout.test/t/a https://readout.test/t/b wss://readout.test/live --listen 127.0.0.1:8080`,
		"http://[::1]:8080":      `curl [::1]:8080/t/a http://[::1]:8080/t/b ws://[::1]:8080/live --listen 127.0.0.1:8080`,
		"http://a;rm$(x)'&\"<b>": body, // nothing that a request says ends up in a shell
		"http://":                body,
	} {
		if got := withBase(body, base); got != want {
			t.Errorf("%s: %s\nwant %s", base, got, want)
		}
	}
}

func TestProse(t *testing.T) {
	for _, c := range []struct{ name, source, want, never string }{
		{"headings are below those of the page", "# Shop\n\n#### x", "<h3>Shop</h3>\n<h6>x</h6>\n", ""},
		{"no names for scripts to trip on", "# location\n", "<h3>location</h3>\n", "id="},
		{"HTML does not pass", "a <img src=x onerror=alert(1)> b\n\n<script>alert(1)</script>", "", "alert"},
		{"nor an address that runs", "[x](javascript:alert(1)) [y](JaVaScRiPt:alert(1)) [z](data:text/html,alert) ![i](javascript:alert(1))", "", "alert"},
		{"links", "[runbook](https://wiki.example/x)", `<p><a href="https://wiki.example/x">runbook</a></p>`, ""},
		{"quotes in a link", `[x](/a"onmouseover="y)`, "", `"onmouseover`},
		{"a link of the manual is none here", "[x](push.md)", `<a href="push.md">x</a>`, ""},
		{"examples", "```sh\ncurl '<x>'\n```", "<div class=\"code\"><code tabindex=\"0\">curl &#39;&lt;x&gt;&#39;</code></div>", "data-copy"},
		{"tables", "| a | b |\n| --- | ---: |\n| 1 | 2 |", `<td align="right">2</td>`, "style"},
		{"nothing", "", "", "<"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := prose(c.source)
			if err != nil || !strings.Contains(got, c.want) || c.never != "" && strings.Contains(got, c.never) {
				t.Errorf("%v: %s\nwant %s, never %s", err, got, c.want, c.never)
			}
		})
	}
}

func TestManualShapes(t *testing.T) {
	place := func(file string) (string, string, bool) { return "/docs/push", "Push", file == "push.md" }
	source := "# T\n\n## One: `POST /t/{topic}` \n\n### It's\n\n## Same\n\n## Same\n\n| | |\n| --- | --- |\n| a | b |\n\n```json\n{}\n```\n\n```\nwire\n```\n[x](push.md#one) [y](./push.md) [z](other.md) [s](#same) [push.md](push.md#one)\n"
	body, sections, err := manualHTML([]byte(source), place)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`<h2 id="one-post-ttopic">One: <code>POST /t/{topic}</code> <a class="anchor" href="#one-post-ttopic" aria-label="Link to: One: POST /t/{topic}">#</a></h2>`,
		`<h3 id="its">`, `<h2 id="same">`, `<h2 id="same-1">`,
		"<table class=\"tbl\">\n<tbody>\n<tr>\n<td>a</td>\n<td>b</td>\n</tr>\n</tbody>\n</table>",
		`<code tabindex="0">{}</code><button class="btn square bare" type="button" data-copy hidden`,
		`<div class="code"><code tabindex="0">wire</code></div>`,
		`href="/docs/push#one"`, `href="/docs/push">y`, `<a href="/docs/push#one">Push</a>`, `href="other.md"`, `href="#same"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%s\nlacks %s", body, want)
		}
	}
	var titles []string
	for _, s := range sections {
		titles = append(titles, s.ID+"="+s.Title)
	}
	if got := strings.Join(titles, " "); got != "t=T one-post-ttopic=One: POST /t/{topic} its=It's same=Same same-1=Same" {
		t.Errorf("sections: %s", got)
	}
}

// docs.go embeds what it reads: no file of the manual is looked for on the disk.
func TestManualIsEmbedded(t *testing.T) {
	if _, err := docs.Read("docs.go"); err == nil {
		t.Error("more than the manual is embedded")
	}
	if _, err := docs.Read("../go.mod"); err == nil || !strings.Contains(err.Error(), fs.ErrInvalid.Error()) && !os.IsNotExist(err) {
		t.Errorf("a path out of the manual: %v", err)
	}
}
