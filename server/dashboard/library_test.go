package dashboard_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"readout/server/dashboard"
)

func document(title string) string {
	return "readout: 1\ntitle: " + title + "\npanels:\n  - title: A\n    topics: a\n"
}

// shelf is a directory of dashboards, its library, and what changed.
type shelf struct {
	t       *testing.T
	dir     string
	library *dashboard.Library
	changes []string
}

func newShelf(t *testing.T, files ...string) *shelf {
	t.Helper()
	s := &shelf{t: t, dir: t.TempDir()}
	for i := 0; i < len(files); i += 2 {
		s.write(files[i], files[i+1])
	}
	library, err := dashboard.NewLibrary(s.dir, func(slug string) { s.changes = append(s.changes, slug) })
	if err != nil {
		t.Fatal(err)
	}
	s.library = library
	return s
}

func (s *shelf) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shelf) path(name string) string { return filepath.Join(s.dir, name) }

// write replaces a file as careful programs do: by a rename.
func (s *shelf) write(name, content string) {
	s.t.Helper()
	s.must(os.WriteFile(s.path(".new"), []byte(content), 0o644))
	s.must(os.Rename(s.path(".new"), s.path(name)))
}

// expect reloads and compares the titles and problems of all but the built-in
// dashboards, and the slugs that changed since.
func (s *shelf) expect(list, changes string) {
	s.t.Helper()
	s.changes = nil
	s.library.Reload()
	var got []string
	for _, item := range s.library.List() {
		if item.BuiltIn {
			continue
		}
		text := item.Slug + "=" + item.Title
		if item.Problem.Any() {
			text += " (" + item.Problem.String() + ")"
		}
		got = append(got, text)
		if item.Slug == "" {
			continue
		}
		d, problem, ok := s.library.Get(item.Slug)
		if !ok || d.Title != item.Title || d.Version != item.Version || problem.String() != item.Problem.String() || len(d.Panels) != item.Panels {
			s.t.Errorf("Get(%s) is %+v, %v, %t, the list says %+v", item.Slug, d, problem, ok, item)
		}
	}
	if text := strings.Join(got, "\n"); text != list {
		s.t.Errorf("the library holds\n%s\nnot\n%s", text, list)
	}
	if text := strings.Join(s.changes, " "); text != changes {
		s.t.Errorf("changed: %q, not %q", text, changes)
	}
}

func TestLibraryFollowsFiles(t *testing.T) {
	s := newShelf(t, "shop.yaml", document("Shop"), "README.md", "no dashboard", ".hidden.yaml", "no dashboard")
	s.expect("shop=Shop", "")

	s.write("berlin.json", `{"readout":1,"title":"berlin","panels":[{"title":"A","topics":["a"]}]}`)
	s.expect("berlin=berlin\nshop=Shop", "berlin")

	s.write("shop.yaml", document("A shop"))
	s.expect("shop=A shop\nberlin=berlin", "shop")
	s.expect("shop=A shop\nberlin=berlin", "")

	// Written over in place within one tick of the file system's clock, and of the same size.
	s.must(os.WriteFile(s.path("shop.yaml"), []byte(document("B shop")), 0o644))
	s.library.Reload()
	s.must(os.WriteFile(s.path("shop.yaml"), []byte(document("C shop")), 0o644))
	s.expect("berlin=berlin\nshop=C shop", "shop")

	s.must(os.Remove(s.path("berlin.json")))
	s.expect("shop=C shop", "berlin")
	if _, _, ok := s.library.Get("berlin"); ok {
		t.Error("a removed dashboard is still there")
	}
}

func TestLibraryKeepsTheLastGoodVersion(t *testing.T) {
	s := newShelf(t, "shop.yaml", document("Shop"), "new.yaml", "readout: 1\n")
	const never = "new=new (new.yaml:1:1: title is missing; add title: Shop)"
	s.expect(never+"\nshop=Shop", "")

	half := document("Shop in Berlin")
	s.write("shop.yaml", half[:len(half)-12])
	s.expect(never+"\nshop=Shop (shop.yaml:4:5: this panel has no topics; add topics: with a topic or a selector, such as cpu{host=*})", "shop")
	s.write("shop.yaml", "")
	s.expect(never+"\nshop=Shop (shop.yaml:1:1: the document is empty; begin with readout: 1, title and panels)", "shop")
	s.write("shop.yaml", half)
	s.write("new.yaml", document("New"))
	s.expect("new=New\nshop=Shop in Berlin", "new shop")

	// The same bytes as the last good version, after a broken one.
	s.write("shop.yaml", "}")
	s.library.Reload()
	s.write("shop.yaml", half)
	s.expect("new=New\nshop=Shop in Berlin", "shop")

	s.write("shop.yaml", document("Shop")+strings.Repeat("#", dashboard.MaxSize))
	s.expect("new=New\nshop=Shop in Berlin (shop.yaml:1:1: the document has 1048577 bytes; at most 1048576 are allowed. Split it into several dashboards)", "shop")
}

func TestLibraryAndNames(t *testing.T) {
	s := newShelf(t, "My Shop.yaml", document("Mine"), "shop.json", `{"readout":1,"title":"Shop","panels":[{"title":"A","topics":["a"]}]}`, "shop.yaml", document("Other"),
		strings.Repeat("x", 64)+".yaml", document("Long"), "-.yml", document("Dash"))
	const wrong = "the file's name gives the address, and this one cannot; use small letters, digits and -, such as "
	s.expect("=-.yml (-.yml: "+wrong+"shop.yml)\n"+
		"=My Shop.yaml (My Shop.yaml: "+wrong+"my-shop.yaml)\n"+
		"shop=Shop (shop.yaml: shop.json and shop.yaml have the same address, and shop.json is shown; rename or remove one)\n"+
		"="+strings.Repeat("x", 64)+".yaml ("+strings.Repeat("x", 64)+".yaml: "+wrong+strings.Repeat("x", 63)+".yaml)", "")
	s.must(os.Remove(s.path("shop.json")))
	for _, name := range []string{"My Shop.yaml", "-.yml", strings.Repeat("x", 64) + ".yaml"} {
		s.must(os.Remove(s.path(name)))
	}
	s.expect("shop=Other", "shop")
	s.must(os.Mkdir(s.path("inside.yaml"), 0o755))
	s.expect("inside=inside (inside.yaml: this is not a file; remove it or give it a name without .yaml)\nshop=Other", "inside")
}

// Row B69: no file outside of the directory is ever read, whatever links say;
// the links of Kubernetes, which stay inside, work.
func TestLibraryAndLinks(t *testing.T) {
	s := newShelf(t)
	outside := t.TempDir()
	secret := filepath.Join(outside, "secret.yaml")
	s.must(os.WriteFile(secret, []byte(document("Secret")), 0o644))
	s.must(os.Symlink(secret, s.path("absolute.yaml")))
	up, err := filepath.Rel(s.dir, secret)
	s.must(err)
	s.must(os.Symlink(up, s.path("relative.yaml")))
	s.must(os.Symlink(outside, s.path("directory")))
	s.must(os.Symlink(filepath.Join("directory", "secret.yaml"), s.path("through.yaml")))
	s.must(os.Symlink("nowhere.yaml", s.path("dangling.yaml")))
	s.must(os.Symlink("loop.yaml", s.path("loop.yaml")))
	const escapes = "the file links out of the directory; copy what it links to into the directory"
	s.expect("absolute=absolute (absolute.yaml: "+escapes+")\n"+
		"dangling=dangling (dangling.yaml: the file is gone, or links to one that is not there)\n"+
		"loop=loop (loop.yaml: the file cannot be read; look at it on the server)\n"+
		"relative=relative (relative.yaml: "+escapes+")\n"+
		"through=through (through.yaml: "+escapes+")", "absolute dangling loop relative through")

	s = newShelf(t)
	// A ConfigMap: names link to ..data, which links to the newest directory.
	version := func(n int, title string) {
		data := fmt.Sprintf("..2026_11_%02d", n)
		s.must(os.Mkdir(s.path(data), 0o755))
		s.must(os.WriteFile(s.path(filepath.Join(data, "shop.yaml")), []byte(document(title)), 0o644))
		s.must(os.Symlink(data, s.path("..data_tmp")))
		s.must(os.Rename(s.path("..data_tmp"), s.path("..data")))
	}
	version(1, "One")
	s.must(os.Symlink(filepath.Join("..data", "shop.yaml"), s.path("shop.yaml")))
	s.expect("shop=One", "shop")
	version(2, "Two")
	s.expect("shop=Two", "shop")
	s.must(os.RemoveAll(s.path("..2026_11_01")))
	s.expect("shop=Two", "")
}

func TestLibraryReplacesBuiltIn(t *testing.T) {
	s := newShelf(t)
	before, _, ok := s.library.Get("machine")
	if !ok || !before.BuiltIn || before.Title != "This machine" {
		t.Fatalf("machine is %+v, %t", before, ok)
	}
	s.write("machine.yaml", document("My machine"))
	s.expect("machine=My machine", "machine")
	s.must(os.Remove(s.path("machine.yaml")))
	s.expect("", "machine")
	if after, _, _ := s.library.Get("machine"); after.Version != before.Version || !after.BuiltIn {
		t.Errorf("machine is %+v after its file was removed", after)
	}
}

func TestLibraryDirectory(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "dashboards")
	if _, err := dashboard.NewLibrary(missing, nil); err == nil || !strings.Contains(err.Error(), "make it, or start without --dashboards") {
		t.Errorf("without the directory: %v", err)
	}
	file := filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := dashboard.NewLibrary(file, nil); err == nil || !strings.Contains(err.Error(), "takes the directory in which it is") {
		t.Errorf("with a file: %v", err)
	}
	none, err := dashboard.NewLibrary("", nil)
	if err != nil {
		t.Fatal(err)
	}
	if list := none.List(); len(list) != 2 || list[0].Slug != "readout" || list[1].Slug != "machine" || list[0].Panels < 10 {
		t.Errorf("without a directory there is %+v", list)
	}

	s := newShelf(t, "shop.yaml", document("Shop"))
	s.must(os.Rename(s.dir, s.dir+".away"))
	s.expect("shop=Shop", "")
	if p := s.library.Problem(); !strings.Contains(p.Message, "is gone; what was read last is still shown") {
		t.Errorf("about a directory that is gone: %v", p)
	}
	// Another directory of the same name, as a deployment makes it.
	s.must(os.Mkdir(s.dir, 0o755))
	s.write("berlin.yaml", document("Berlin"))
	s.expect("berlin=Berlin", "berlin shop")
	if p := s.library.Problem(); p.Any() {
		t.Errorf("about a directory that is back: %v", p)
	}
	s.must(os.RemoveAll(s.dir + ".away"))
}

func TestLibraryLimit(t *testing.T) {
	s := newShelf(t)
	for i := range dashboard.MaxFiles + 3 {
		s.must(os.WriteFile(s.path(fmt.Sprintf("d%04d.yaml", i)), []byte(document(fmt.Sprintf("Title %d", 5000-i))), 0o644))
	}
	s.library.Reload()
	list := s.library.List()
	if len(list) != dashboard.MaxFiles+2 {
		t.Errorf("%d dashboards", len(list))
	}
	if !slices.IsSortedFunc(list, func(a, b dashboard.Item) int {
		return strings.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title))
	}) {
		t.Error("the list is not in the order of titles")
	}
	if p := s.library.Problem(); !strings.Contains(p.Message, "more than 1000 dashboards; the files from d1000.yaml on are not read") {
		t.Errorf("says %q", p)
	}
}

// Run looks four times a second, and ends with its context.
func TestLibraryRun(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		changes := make(chan string, 10)
		library, err := dashboard.NewLibrary(dir, func(slug string) { changes <- slug })
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			library.Run(ctx)
			close(ended)
		}()
		if err := os.WriteFile(filepath.Join(dir, "shop.yaml"), []byte(document("Shop")), 0o600); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if slug := <-changes; slug != "shop" {
			t.Errorf("%s changed", slug)
		}
		if waited := time.Since(began); waited != 250*time.Millisecond {
			t.Errorf("seen after %v", waited)
		}
		if d, _, ok := library.Get("shop"); !ok || d.Title != "Shop" {
			t.Errorf("shop is %+v, %t", d, ok)
		}
		stop()
		<-ended
	})
}

// Readers and the poll may meet at any time; the race detector looks on.
func TestLibraryConcurrently(t *testing.T) {
	s := newShelf(t, "shop.yaml", document("Shop"))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 50 {
			if err := os.WriteFile(s.path("shop.yaml"), []byte(document(fmt.Sprintf("Shop %d", i))), 0o600); err != nil {
				t.Error(err)
			}
			s.library.Reload()
		}
	}()
	for range 500 {
		if d, _, ok := s.library.Get("shop"); !ok || !strings.HasPrefix(d.Title, "Shop") {
			t.Errorf("shop is %+v, %t", d, ok)
		}
		if len(s.library.List()) != 3 {
			t.Error("the list is not whole")
		}
	}
	<-done
	if d, _, _ := s.library.Get("shop"); d.Title != "Shop 49" {
		t.Errorf("ends as %q", d.Title)
	}
}
