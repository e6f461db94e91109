package dashboard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// MaxFiles is how many documents a directory may hold; further ones, in the
// order of their names, are left out and Library.Problem says so.
const MaxFiles = 1000

const (
	pollEvery = 250 * time.Millisecond
	pollShare = 20 // the poll of a large directory takes at most this part of the time: 1/20
	// settled is how old a file must be before its size and time prove that it
	// did not change: a file system's clock is coarse, and two writes can fall
	// in one tick.
	settled = 2 * time.Second
)

// Item is what a list of dashboards shows of one.
type Item struct {
	Slug        string  `json:"slug"` // empty when the file's name gives none
	Title       string  `json:"title"`
	Description string  `json:"description,omitempty"`
	File        string  `json:"file,omitempty"`
	BuiltIn     bool    `json:"builtin,omitempty"`
	Version     string  `json:"version,omitempty"` // empty when there never was a good one
	Panels      int     `json:"panels"`
	Problem     Problem `json:"problem,omitzero"`
}

// Library is the dashboards of a directory and the built-in ones. A file that
// cannot be read keeps its last good version, and a file that is removed is
// gone; a file with the slug of a built-in dashboard replaces it. Its methods
// may be called from everywhere; what they return is not changed any more.
type Library struct {
	dir     string
	changed func(slug string)

	polling sync.Mutex       // held by Reload; guards files
	files   map[string]*file // by name

	mu      sync.RWMutex // guards all below; never held while files are read
	entries map[string]entry
	items   []Item
	problem Problem
}

// entry is what a slug stands for.
type entry struct {
	dashboard Dashboard
	good      bool
	problem   Problem
}

// file is what is known of one file.
type file struct {
	slug    string
	info    fs.FileInfo // of the content below; nil when it could not be read
	checked bool        // info is old enough to prove that nothing changed
	good    bool
	last    Dashboard // the last good version
	problem Problem
}

// NewLibrary reads the directory of dashboards once. Without a directory ("")
// there are only the built-in ones. changed, if not nil, is called with the slug
// of each dashboard that comes, goes or changes later, from within Reload. The
// error says that there is no such directory.
func NewLibrary(dir string, changed func(slug string)) (*Library, error) {
	l := &Library{dir: dir, files: map[string]*file{}}
	if dir != "" {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("there is no directory %s for dashboards: make it, or start without --dashboards", dir)
		case err != nil:
			return nil, fmt.Errorf("the directory for dashboards cannot be read: %w", err)
		case !info.IsDir():
			return nil, fmt.Errorf("%s is a file; --dashboards takes the directory in which it is", dir)
		}
	}
	l.Reload()
	if l.problem.Any() {
		return nil, fmt.Errorf("dashboards in %s: %s", dir, l.problem)
	}
	l.changed = changed
	return l, nil
}

// Run keeps the library up to date until ctx ends. A change of a file is seen
// within 250 ms, in a directory of very many files within 20 times what reading
// their names takes.
func (l *Library) Run(ctx context.Context) {
	if l.dir == "" {
		<-ctx.Done()
		return
	}
	timer := time.NewTimer(pollEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		began := time.Now()
		l.Reload()
		timer.Reset(max(pollEvery, pollShare*time.Since(began)))
	}
}

// List returns every dashboard, by title.
func (l *Library) List() []Item {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Clone(l.items)
}

// Get returns a dashboard and what is wrong with its file now. Of a file that
// never held a good document the dashboard has only slug, title and file; its
// Version is empty.
func (l *Library) Get(slug string) (Dashboard, Problem, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	e, ok := l.entries[slug]
	return e.dashboard, e.problem, ok
}

// Problem returns what is wrong with the directory itself.
func (l *Library) Problem() Problem {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.problem
}

// Reload looks at the directory once and reads what changed.
func (l *Library) Reload() {
	l.polling.Lock()
	defer l.polling.Unlock()
	var trouble Problem
	if l.dir != "" {
		trouble = l.read()
	}
	l.publish(trouble)
}

// read brings files up to date. A directory that is gone, as for a moment when a
// deployment replaces it, leaves them as they were.
func (l *Library) read() Problem {
	// The root is opened anew each time, since the directory may be another one
	// by now. It keeps links from leading out of it.
	root, err := os.OpenRoot(l.dir)
	if err != nil {
		return directoryProblem(err)
	}
	defer func() { _ = root.Close() }()
	names, trouble, err := documents(root)
	if err != nil {
		return directoryProblem(err)
	}
	for name := range l.files {
		if _, found := slices.BinarySearch(names, name); !found {
			delete(l.files, name)
		}
	}
	for _, name := range names {
		f := l.files[name]
		if f == nil {
			f = &file{}
			f.slug, _ = SlugOf(name)
			l.files[name] = f
		}
		f.update(root, name)
	}
	return trouble
}

func directoryProblem(err error) Problem {
	if errors.Is(err, fs.ErrNotExist) {
		return Problem{Message: "the directory of dashboards is gone; what was read last is still shown. Make it again"}
	}
	return Problem{Message: "the directory of dashboards cannot be read; what was read last is still shown. Check its permissions"}
}

// documents returns the names of the directory that can be dashboards, sorted.
// Hidden files are left out: editors and Kubernetes (..data) keep their own.
func documents(root *os.Root) ([]string, Problem, error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, Problem{}, err
	}
	defer func() { _ = dir.Close() }()
	var names []string
	for {
		list, err := dir.Readdirnames(1000) // a directory of millions must not fill the memory
		for _, name := range list {
			if !strings.HasPrefix(name, ".") && isDocument(name) {
				names = append(names, name)
			}
		}
		if errors.Is(err, io.EOF) || len(names) > 10*MaxFiles {
			break
		}
		if err != nil {
			return nil, Problem{}, err
		}
	}
	slices.Sort(names)
	if n := len(names); n > MaxFiles {
		return names[:MaxFiles], Problem{Message: fmt.Sprintf("the directory holds more than %d dashboards; the files from %s on are not read. Move some away", MaxFiles, names[MaxFiles])}, nil
	}
	return names, Problem{}, nil
}

func isDocument(name string) bool {
	switch path.Ext(name) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// update reads the file if it may have changed.
func (f *file) update(root *os.Root, name string) {
	fail := func(format string, args ...any) {
		f.info, f.checked, f.problem = nil, false, Problem{File: name, Message: fmt.Sprintf(format, args...)}
	}
	info, err := root.Stat(name)
	switch {
	case err != nil:
		fail("%s", unreadable(err))
		return
	case !info.Mode().IsRegular():
		fail("this is not a file; remove it or give it a name without %s", path.Ext(name))
		return
	case f.info != nil && f.checked && os.SameFile(f.info, info) && f.info.Size() == info.Size() && f.info.ModTime().Equal(info.ModTime()):
		return
	}
	content, err := readFile(root, name)
	if err != nil {
		fail("%s", unreadable(err))
		return
	}
	age := time.Since(info.ModTime())
	f.info, f.checked = info, age > settled || age < -settled
	if f.good && !f.problem.Any() && f.last.Source == string(content) {
		return
	}
	if !slug.MatchString(f.slug) {
		f.problem = Problem{File: name, Message: "the file's name gives the address, and this one cannot; use small letters, digits and -, such as " + properName(name)}
		return
	}
	d, err := Parse(name, content)
	if err != nil {
		var e *Error
		errors.As(err, &e)
		f.problem = e.Problem
		return
	}
	f.last, f.good, f.problem = d, true, Problem{}
}

func unreadable(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "the file cannot be read; check its permissions"
	case errors.Is(err, fs.ErrNotExist):
		return "the file is gone, or links to one that is not there"
	case strings.Contains(err.Error(), "escapes"):
		return "the file links out of the directory; copy what it links to into the directory"
	default:
		return "the file cannot be read; look at it on the server"
	}
}

// readFile reads one byte more than a document may have, for Parse to refuse.
func readFile(root *os.Root, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, MaxSize+1))
}

// properName makes a name for a file that gives a slug.
func properName(name string) string {
	ext := path.Ext(name)
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSuffix(name, ext)) {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	stem := b.String()
	if len(stem) > 63 {
		stem = stem[:63]
	}
	return cmp.Or(strings.Trim(stem, "-"), "shop") + ext
}

// publish makes what was read what Get and List return, and tells of changes.
func (l *Library) publish(trouble Problem) {
	entries := map[string]entry{}
	var nameless []Item
	for _, d := range BuiltIn() {
		entries[d.Slug] = entry{dashboard: d, good: true}
	}
	names := make([]string, 0, len(l.files))
	for name := range l.files {
		names = append(names, name)
	}
	slices.Sort(names)
	owner := map[string]string{}
	for _, name := range names {
		f := l.files[name]
		if !slug.MatchString(f.slug) {
			nameless = append(nameless, Item{Title: name, File: name, Problem: f.problem})
			continue
		}
		if first, taken := owner[f.slug]; taken {
			e := entries[f.slug]
			if !e.problem.Any() {
				e.problem = Problem{File: name, Message: fmt.Sprintf("%s and %s have the same address, and %s is shown; rename or remove one", first, name, first)}
				entries[f.slug] = e
			}
			continue
		}
		owner[f.slug] = name
		e := entry{f.last, f.good, f.problem}
		if !f.good { // a built-in one of this slug is not what was asked for
			e.dashboard = Dashboard{Slug: f.slug, Title: f.slug, File: name}
		}
		entries[f.slug] = e
	}
	items := nameless
	for _, e := range entries {
		d := e.dashboard
		items = append(items, Item{d.Slug, d.Title, d.Description, d.File, d.BuiltIn, d.Version, len(d.Panels), e.problem})
	}
	slices.SortFunc(items, func(a, b Item) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title)), cmp.Compare(a.Slug, b.Slug), cmp.Compare(a.File, b.File))
	})

	l.mu.Lock()
	before := l.entries
	l.entries, l.items, l.problem = entries, items, trouble
	l.mu.Unlock()
	if l.changed == nil {
		return
	}
	for _, slug := range differing(before, entries) {
		l.changed(slug)
	}
}

// differing returns the slugs that came, went or changed, in order.
func differing(before, after map[string]entry) []string {
	var slugs []string
	for slug, now := range after {
		was, ok := before[slug]
		if !ok || was.good != now.good || was.dashboard.Version != now.dashboard.Version || was.dashboard.BuiltIn != now.dashboard.BuiltIn || was.problem.String() != now.problem.String() {
			slugs = append(slugs, slug)
		}
	}
	for slug := range before {
		if _, ok := after[slug]; !ok {
			slugs = append(slugs, slug)
		}
	}
	slices.Sort(slugs)
	return slugs
}
