package pages

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"readout/server/problem"
	"readout/server/reading"
)

// Limits of a search.
const (
	maxSearch       = 200 // bytes of what is searched for
	foundTopics     = 20
	foundDashboards = 10
)

type foundDashboard struct {
	Slug  string `json:"slug"`
	Title string `json:"title"`
}

// Search serves GET /api/v1/search: the dashboards and topics that hold every
// word of q, best first, and how many topics do. A selector finds what it
// picks; without q the first ones are found.
func (p *Pages) Search(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r, "q", "hidden")
	if err != nil {
		return err
	}
	hidden, err := q.yes("hidden")
	if err != nil {
		return err
	}
	text := q["q"]
	if len(text) > maxSearch || !utf8.ValidString(text) {
		return problem.New("bad_request", "q is %d bytes of text; use at most %d, in UTF-8", len(text), maxSearch)
	}
	s := newSought(text)
	found := struct {
		Dashboards []foundDashboard `json:"dashboards"`
		Topics     []reading.Topic  `json:"topics"`
		Total      int              `json:"total"`
	}{Dashboards: []foundDashboard{}, Topics: []reading.Topic{}}

	boards := best[foundDashboard]{most: foundDashboards}
	for _, item := range p.o.Dashboards.List() {
		if item.Slug == "" {
			continue // a file whose name is none of an address
		}
		if n, ok := s.score(item.Title); ok {
			boards.add(n, item.Title, foundDashboard{item.Slug, item.Title})
		} else if n, ok := s.score(item.Slug); ok {
			boards.add(n, item.Title, foundDashboard{item.Slug, item.Title})
		}
	}
	found.Dashboards = append(found.Dashboards, boards.list()...)

	topics := best[reading.Topic]{most: foundTopics}
	scores := map[reading.Topic]int{}
	for _, topic := range p.o.Topics(p.listed(r, hidden, func(t reading.Topic) bool {
		n, ok := s.topic(t)
		if ok {
			scores[t] = n
		}
		return ok
	})) {
		topics.add(scores[topic], string(topic), topic)
		found.Total++
	}
	found.Topics = append(found.Topics, topics.list()...)
	return answer(w, found)
}

// sought is what a search looks for.
type sought struct {
	words    []string // in lower case
	whole    string
	selector func(reading.Topic) bool // nil when the text is none
}

func newSought(text string) sought {
	s := sought{words: strings.Fields(strings.ToLower(text)), whole: strings.ToLower(strings.TrimSpace(text))}
	if strings.ContainsAny(text, "*{") {
		if selector, err := reading.ParseSelector(strings.TrimSpace(text)); err == nil {
			s.selector = selector.Match
		}
	}
	return s
}

// How well a text fits; less is better.
const (
	fitsWhole = iota
	fitsBeginning
	fitsWord
	fitsInside
)

// score says whether a text holds every word, and how well it fits.
func (s sought) score(text string) (int, bool) {
	text = strings.ToLower(text)
	worst := fitsWhole
	switch {
	case text == s.whole:
		return fitsWhole, true
	case len(s.words) > 0 && strings.HasPrefix(text, s.whole):
		return fitsBeginning, true
	}
	for i, word := range s.words {
		at := strings.Index(text, word)
		switch {
		case at < 0:
			return 0, false
		case at == 0 && i == 0:
			worst = max(worst, fitsBeginning)
		case strings.ContainsAny(text[max(0, at-1):at], ` _.:/-{,="`):
			worst = max(worst, fitsWord)
		default:
			worst = max(worst, fitsInside)
		}
	}
	return worst, true
}

func (s sought) topic(t reading.Topic) (int, bool) {
	if s.selector != nil && s.selector(t) {
		return fitsWhole, true
	}
	return s.score(string(t))
}

// best keeps the best few of many.
type best[T any] struct {
	most int
	kept []scored[T]
}

type scored[T any] struct {
	score int
	text  string
	item  T
}

func compareScored[T any](a, b scored[T]) int {
	return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(len(a.text), len(b.text)), cmp.Compare(a.text, b.text))
}

func (b *best[T]) add(score int, text string, item T) {
	one := scored[T]{score, text, item}
	at, _ := slices.BinarySearchFunc(b.kept, one, compareScored[T])
	if at == b.most {
		return
	}
	b.kept = slices.Insert(b.kept, at, one)
	b.kept = b.kept[:min(len(b.kept), b.most)]
}

func (b *best[T]) list() []T {
	items := make([]T, len(b.kept))
	for i, one := range b.kept {
		items[i] = one.item
	}
	return items
}
