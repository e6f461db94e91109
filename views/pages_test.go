package views

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"readout/server/reading"
	"readout/static"
)

const testNow = 1763785200123 // 2025-11-22 04:20:00 UTC

func mustTopic(t testing.TB, s string) reading.Topic {
	t.Helper()
	topic, err := reading.ParseTopic(s)
	if err != nil {
		t.Fatal(err)
	}
	return topic
}

func testPage() Page { return Page{Now: testNow, Base: "http://localhost:8080"} }

// numbers makes rows of one reading a second that end silent ms before now.
func numbers(n int, silent int64, f func(i int) []float64) []Row {
	rows := make([]Row, n)
	for i := range rows {
		rows[i].Time = testNow - silent - int64(n-1-i)*1000
		for _, v := range f(i) {
			rows[i].Values = append(rows[i].Values, reading.NumberOf(v))
		}
	}
	return rows
}

func wave(i int) float64 { return math.Round(42 + 8*math.Sin(float64(i)/6)) }

func orders(t testing.TB) Series {
	return Series{
		Topic: mustTopic(t, `orders{shop="berlin"}`), Columns: []reading.Column{{Name: "value"}}, Interval: 1000, Rate: 1,
		Cursor: "1763785199723-0:60:k3v9", Rows: numbers(60, 400, func(i int) []float64 { return []float64{wave(i)} }),
	}
}

func cpu(t testing.TB) Series {
	return Series{
		Topic: mustTopic(t, `cpu{host="web1"}`), Interval: 1000, Rate: 1, Cursor: "1763785199723-0:60:k3v9",
		Columns: []reading.Column{{Name: "user", Unit: "percent", Kind: "gauge"}, {Name: "system", Unit: "percent", Kind: "gauge"}},
		Rows:    numbers(60, 400, func(i int) []float64 { return []float64{wave(i) / 2, wave(i) / 100} }),
	}
}

func door(t testing.TB) Series {
	s := Series{Topic: mustTopic(t, "door"), Columns: []reading.Column{{Name: "value", Kind: "state"}}, Cursor: "1763785199723-0:4:k3v9"}
	for i, state := range []string{"closed", "closed", "open", "ajar"} {
		s.Rows = append(s.Rows, Row{testNow - 100_000 + int64(i)*20_000, []reading.Value{reading.TextOf(state)}})
	}
	return s
}

func filesystem(mount string, used float64) *Series {
	s := Series{Topic: reading.Topic(`filesystem{host="web1",mount="` + mount + `"}`), Interval: 10_000, Columns: []reading.Column{{Name: "used_percent", Unit: "percent", Kind: "gauge"}}}
	for i := range int64(6) {
		s.Rows = append(s.Rows, Row{testNow - 2000 - (5-i)*10_000, []reading.Value{reading.NumberOf(used)}})
	}
	return &s
}

// testDashboard has a panel of every kind and of every state that a server can know.
func testDashboard(t testing.TB, view string) DashboardView {
	load, one, open := cpu(t), orders(t), door(t)
	silent := orders(t)
	silent.Topic, silent.Rows = mustTopic(t, `orders{shop="paris"}`), numbers(60, 65_000, func(i int) []float64 { return []float64{wave(i)} })
	two := 2
	limits := []Threshold{{At: 80, Level: "warn", Name: "filling up"}, {At: 95, Level: "critical"}}
	mounts := []*Series{filesystem("/", 61), filesystem("/var", 88), filesystem("/data", 96.4)}
	return DashboardView{
		Page: testPage(), Slug: "shop", Version: "1f6e", Title: "Shop, Berlin", Description: "What sells.", Span: 60_000, Kept: 3_600_000, View: view,
		Feeds: []Series{load, one, open},
		Panels: []Panel{
			{Title: "Orders", Kind: "stat", Width: 2, Height: 3, Config: `{"title":"Orders"}`, Series: []*Series{&one}},
			{Title: "Stale", Kind: "stat", Width: 2, Height: 3, Series: []*Series{&silent}},
			{Title: "Door", Kind: "stat", Width: 2, Height: 3, Series: []*Series{&open}},
			{Title: "Data", Kind: "gauge", Width: 3, Height: 3, Series: mounts[2:], Thresholds: limits, Decimals: &two},
			{Title: "CPU", Note: "of all cores", Kind: "line", Width: 6, Height: 5, Series: []*Series{&load}, Names: map[string]string{"user": "programs"}, Legend: []string{"last", "min", "max", "avg"}},
			{Title: "One line", Kind: "area", Width: 6, Height: 5, Series: []*Series{&one}, Thresholds: []Threshold{{At: 40, Level: "critical"}}, Link: "/t/orders"},
			{Title: "Some stale", Kind: "line", Width: 6, Height: 5, Series: []*Series{&one, &silent}, Matching: 70},
			{Title: "Stack", Kind: "stacked", Width: 6, Height: 5, Series: []*Series{&load}, Marks: []Mark{{From: testNow - 40_000, To: testNow - 30_000, Text: "10 lost, trimmed"}}},
			{Title: "Filesystems", Kind: "bars", Width: 4, Height: 5, Series: mounts, Thresholds: limits, Limit: 2},
			{Title: "All mounts", Kind: "table", Width: 4, Height: 5, Series: mounts, Thresholds: limits},
			{Title: "Door", Kind: "timeline", Width: 8, Height: 3, Series: []*Series{&open}},
			{Title: "About", Kind: "text", Width: 4, Height: 3, Prose: "<p>Made <em>here</em>.</p>"},
			{Title: "Words", Kind: "line", Width: 4, Height: 5, Series: []*Series{&open}},
			{Title: "Nothing", Kind: "line", Width: 4, Height: 5, Problem: &Problem{State: "empty", Title: "Nothing matches", About: "shop_*", Text: "has no readings."}},
			{Title: "Secret", Kind: "stat", Width: 2, Height: 3, Problem: &Problem{State: "forbidden", Title: "Not yours to see", Text: "Ask."}},
			{Title: "Thinned", Kind: "line", Width: 6, Height: 5, Series: []*Series{&one}, Thinned: 22},
		},
	}
}

func testCards(t testing.TB) []Card {
	one := orders(t)
	return []Card{
		{Slug: "shop", Title: "Shop, Berlin", Panel: Panel{Title: "Orders", Kind: "stat", Series: []*Series{&one}}, Panels: 8},
		{Slug: "machine", Title: "This machine", Panel: Panel{Kind: "text"}, Panels: 1, BuiltIn: true},
		{Slug: "odd", Title: "odd", Panel: Panel{Kind: "text"}, Broken: "odd.yaml:3:1: no panels"},
	}
}

func render(t testing.TB, c templ.Component) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func pages(t testing.TB) map[string]templ.Component {
	stale := orders(t)
	stale.Rows = numbers(60, 65_000, func(i int) []float64 { return []float64{wave(i)} })
	mixed := Series{
		Topic: mustTopic(t, "pump"), Interval: 1000, Cursor: "1763785199723-0:2:k3v9",
		Columns: []reading.Column{{Name: "flow", Unit: "l/min"}, {Name: "on"}, {Name: "mode"}},
		Rows: []Row{
			{testNow - 1400, []reading.Value{reading.NumberOf(-0.5), reading.BoolOf(false), {}}},
			{testNow - 400, []reading.Value{reading.NumberOf(12.25), reading.BoolOf(true), reading.TextOf("auto")}},
		},
	}
	none := Series{Topic: mustTopic(t, `orders{shop="paris"}`)}
	topic := func(s Series) TopicView {
		kind := "line"
		if len(s.Columns) > 0 && s.Columns[0].Kind == reading.State {
			kind = "timeline"
		}
		return TopicView{
			Page: testPage(), Series: s, Panel: Panel{Title: string(s.Topic), Kind: kind, Config: `{"kind":"` + kind + `"}`},
			Kept: time.Hour, Key: "readout:{017}:s:" + string(s.Topic), Formats: []string{"json", "csv"}, Manage: true,
		}
	}
	memory := testPage()
	memory.MemoryOnly = true
	light := topic(cpu(t))
	light.Theme = "light"
	return map[string]templ.Component{
		"topic":         TopicPage(topic(orders(t))),
		"topic-columns": TopicPage(topic(cpu(t))),
		"topic-state":   TopicPage(topic(door(t))),
		"topic-mixed":   TopicPage(topic(mixed)),
		"topic-stale":   TopicPage(topic(stale)),
		"topic-none":    TopicPage(topic(none)),
		"embed":         EmbedPage(topic(orders(t))),
		"embed-light":   EmbedPage(light),
		"topics":        TopicsPage(TopicsView{Page: testPage(), Topics: []Series{cpu(t), door(t), orders(t), none}, Total: 1284, Rate: 3912}),
		"topics-none":   TopicsPage(TopicsView{Page: testPage()}),
		"topics-match":  TopicsPage(TopicsView{Page: testPage(), Match: "http_*", Problem: "a comma is missing"}),
		"home":          HomePage(HomeView{Page: testPage(), Dashboards: testCards(t), Feeds: []Series{orders(t)}, Topics: []Series{orders(t)}, Own: []string{"cpu"}, Total: 12}),
		"home-first":    HomePage(HomeView{Page: memory, Dashboards: testCards(t)}),
		"dashboard":     DashboardPage(testDashboard(t, "")),
		"wall":          DashboardPage(testDashboard(t, "wall")),
		"board-embed":   DashboardPage(testDashboard(t, "embed")),
		"match-none":    DashboardPage(DashboardView{Page: testPage(), Title: "shop_*", Match: "shop_*"}),
		"broken":        DashboardPage(DashboardView{Page: testPage(), Slug: "shop", Title: "Shop", Broken: "shop.yaml:12:9: panels: unknown key titel"}),
		"design":        DesignPage(DesignView{Page: testPage(), Panels: testDashboard(t, "").Panels}),
		"error":         ErrorPage(ErrorView{Page: testPage(), Status: 404, Title: "Nothing is here", Message: "there is no page /x", Do: "Check the address.", RequestID: "r7"}),
	}
}

var (
	headPart    = regexp.MustCompile(`(?s)<head>.*?</head>`)
	scriptsPart = regexp.MustCompile(`(?s)<noscript>.*?</noscript>|<p class="banner">The page scripts are not.*?</p>`)
)

// TestGolden compares each page with its file. What depends on whether the page
// scripts are in this build is left out: TestScripts looks at it.
func TestGolden(t *testing.T) {
	for name, c := range pages(t) {
		t.Run(name, func(t *testing.T) {
			got := scriptsPart.ReplaceAllString(headPart.ReplaceAllString(render(t, c), "<head></head>"), "")
			got = strings.ReplaceAll(got, "><", ">\n<") + "\n"
			path := filepath.Join("testdata", name+".html")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
				for i := range min(len(g), len(w)) {
					if g[i] != w[i] {
						t.Fatalf("line %d\n got %s\nwant %s\nrun go test ./views -update and read the difference", i+1, g[i], w[i])
					}
				}
				t.Fatalf("%d lines, want %d", len(g), len(w))
			}
		})
	}
}

func TestScripts(t *testing.T) {
	for name, c := range pages(t) {
		page := render(t, c)
		switch {
		case !static.Built():
			if name != "error" && name != "wall" && name != "design" && !strings.Contains(name, "embed") && !strings.Contains(page, "run <code>./task build</code>") {
				t.Errorf("%s does not say that the scripts are missing", name)
			}
		case strings.HasPrefix(name, "embed"), name == "board-embed":
			if !strings.Contains(page, static.URL("embed.js")) || strings.Contains(page, static.URL("early.js")) {
				t.Errorf("%s must load the embed's script and nothing that uses storage", name)
			}
		default:
			if !strings.Contains(page, static.URL("app.js")) {
				t.Errorf("%s does not load its script", name)
			}
		}
	}
}

// element is a tag and its attributes, without their values.
type element struct {
	name       string
	attributes []string
}

// elements reads markup as a browser does as far as escaping is concerned: tags,
// attributes in quotes, and script elements that end at their end tag.
func elements(t *testing.T, markup string) []element {
	t.Helper()
	var found []element
	for i := 0; i < len(markup); {
		if markup[i] != '<' {
			i++
			continue
		}
		end := strings.IndexAny(markup[i+1:], " >/")
		if markup[i+1] == '/' {
			end = 1 + strings.IndexByte(markup[i+2:], '>')
		}
		e := element{name: strings.ToLower(markup[i+1 : i+1+end])}
		i += 1 + end
		for markup[i] != '>' {
			if markup[i] == ' ' || markup[i] == '/' {
				i++
				continue
			}
			start := i
			for !strings.ContainsRune("=> /", rune(markup[i])) {
				i++
			}
			e.attributes = append(e.attributes, markup[start:i])
			if markup[i] == '=' {
				quote := markup[i+1]
				if quote != '"' && quote != '\'' {
					t.Fatalf("an attribute without quotes: %.60s", markup[start:])
				}
				i += 2 + strings.IndexByte(markup[i+2:], quote) + 1
			}
		}
		found = append(found, e)
		if e.name == "script" {
			i += strings.Index(markup[i:], "</script")
		}
	}
	return found
}

// TestHostileText renders every page with markup in every text that comes from
// outside. The elements and attributes must be those of a harmless rendering.
func TestHostileText(t *testing.T) {
	all := func(evil func(harmless string) string) []string {
		label := func(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) }
		s := Series{
			Topic: mustTopic(t, `orders{shop="`+label(evil("berlin"))+`"}`), Interval: 1000, Cursor: evil("1-0"),
			Columns: []reading.Column{{Name: evil("value"), Unit: evil("orders"), Kind: evil("gauge")}, {Name: "state"}, {Name: evil("other")}},
		}
		for i := range int64(3) {
			s.Rows = append(s.Rows, Row{testNow - 3000 + i*1000, []reading.Value{reading.NumberOf(4), reading.TextOf(evil("open")), reading.NumberOf(5)}})
		}
		word := s
		word.Columns, word.Rows = s.Columns[1:2], nil
		for _, row := range s.Rows {
			word.Rows = append(word.Rows, Row{row.Time, row.Values[1:2]})
		}
		page := Page{Now: testNow, Base: evil("http://localhost"), MemoryOnly: true}
		five := 5.0
		panel := Panel{
			Title: evil("Orders"), Note: evil("all"), Names: map[string]string{evil("value"): evil("name")}, Config: evil(`{"kind":"line"}`), Unit: evil("orders"),
			Link: "/d/" + evil("x"), Series: []*Series{&s}, Legend: []string{"last", evil("avg")}, Max: &five,
			Thresholds: []Threshold{{At: 4, Level: "warn", Name: evil("high")}}, Marks: []Mark{{From: testNow - 2000, To: testNow, Text: evil("lost")}},
		}
		board := DashboardView{
			Page: page, Slug: "shop", Version: evil("v"), Title: evil("Shop"), Description: evil("text"), Broken: evil("shop.yaml:1:1"), Theme: evil("dark"), Feeds: []Series{s},
		}
		for _, kind := range []string{"stat", "line", "area", "stacked", "gauge", "bars", "table", "timeline"} {
			panel.Kind = kind
			board.Panels = append(board.Panels, panel)
		}
		panel.Problem = &Problem{State: "error", Title: evil("a"), Text: evil("b"), About: evil("c")}
		board.Panels = append(board.Panels, panel)
		panel.Problem = nil
		framed, matching := board, board
		framed.View, matching.Match = "embed", evil("x")
		topic := TopicView{Page: page, Series: s, Panel: panel, Key: evil("key"), Formats: []string{evil("json")}, Theme: evil("dark"), Manage: true}
		states := topic
		states.Series = word
		return []string{
			render(t, TopicPage(topic)),
			render(t, TopicPage(states)),
			render(t, EmbedPage(topic)),
			render(t, DashboardPage(board)),
			render(t, DashboardPage(framed)),
			render(t, DashboardPage(matching)),
			render(t, TopicsPage(TopicsView{Page: page, Match: evil("x"), Problem: evil("y"), Topics: []Series{s, word}})),
			render(t, TopicsPage(TopicsView{Page: page, Match: evil("x")})),
			render(t, HomePage(HomeView{
				Page: page, Topics: []Series{word}, Own: []string{string(s.Topic)},
				Dashboards: []Card{{Slug: "shop", Title: evil("Shop"), Panel: panel, Panels: 3}, {Slug: "odd", Title: evil("Odd"), Broken: evil("odd.yaml:1:1")}},
			})),
			render(t, ErrorPage(ErrorView{Page: page, Status: 400, Title: evil("a"), Message: evil("b"), Do: evil("c"), RequestID: evil("d")})),
		}
	}
	// The theme is one of three words, so another word is no theme at all.
	harmless := all(func(s string) string { return strings.Replace(s, "dark", "auto", 1) })
	for _, attack := range []string{
		`<img src=x onerror=alert(1)>`, `"><script>alert(1)</script>`, `'><svg onload=alert(1)>`, `</script><script>alert(1)</script>`,
		`" onmouseover="alert(1)`, `' onfocus='alert(1)`, `javascript:alert(1)`, `<!--`, `]]>`, `{{7*7}}`, "\u2028</title>", `&lt;img&gt;`, "`${alert(1)}`",
	} {
		for i, page := range all(func(s string) string { return s + attack }) {
			got, want := elements(t, page), elements(t, harmless[i])
			if !slices.EqualFunc(got, want, func(a, b element) bool { return a.name == b.name && slices.Equal(a.attributes, b.attributes) }) {
				t.Errorf("page %d: %q changed the elements of the page", i, attack)
			}
		}
	}
}

// TestStrictPolicy: no inline script, no inline style, no handler, so a policy
// without unsafe-inline holds; every id is there once.
func TestStrictPolicy(t *testing.T) {
	for name, c := range pages(t) {
		page := render(t, c)
		ids := map[string]bool{}
		for _, match := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
			if ids[match[1]] {
				t.Errorf("%s: the id %s is there twice", name, match[1])
			}
			ids[match[1]] = true
		}
		for _, e := range elements(t, page) {
			for _, a := range e.attributes {
				if a == "style" || strings.HasPrefix(a, "on") {
					t.Errorf("%s: <%s %s>", name, e.name, a)
				}
			}
			if e.name == "style" || e.name == "script" && !slices.Contains(e.attributes, "src") && !slices.Contains(e.attributes, "type") {
				t.Errorf("%s: inline <%s>", name, e.name)
			}
		}
		if n := strings.Count(page, "<h1"); n < 1 {
			t.Errorf("%s has no h1", name)
		}
	}
}
