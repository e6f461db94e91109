package server_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// arrows is who may import whom inside this module: the map of ARCHITECTURE.md.
// A package that is not here fails, so that the map is drawn first.
var arrows = map[string][]string{
	"server/reading":       nil,
	"server/problem":       {"server/reading"},
	"server/body":          {"server/problem"},
	"server/ingest":        {"server/reading", "server/problem"},
	"server/access":        {"server/reading", "server/problem"},
	"server/store":         {"server/reading", "server/problem", "server/store/scripts"},
	"server/store/scripts": nil,
	"server/embedded":      {"server/store/scripts"},
	"server/hub":           {"server/reading", "server/problem"},
	"server/live":          {"server/body", "server/reading", "server/problem", "server/hub"},
	"server/dashboard":     {"server/reading", "server/problem"},
	"server/push":          {"server/body", "server/reading", "server/problem", "server/ingest"},
	"server/pages":         {"server/body", "server/reading", "server/problem", "server/hub", "views", "server/dashboard", "docs"},
	"server":               {"server/reading", "server/problem", "server/access", "server/hub", "server/live", "server/pages", "server/push", "server/store", "server/ingest", "static", "views", "server/dashboard"},
	"server/cmd/readout":   {"server", "server/access", "server/embedded", "server/reading", "server/store", "server/ingest", "collectors", "static", "server/dashboard"},
	"server/servertest":    {"server", "server/embedded", "server/reading", "server/store"},
	"server/faults":        {"server", "server/embedded", "server/reading", "server/servertest", "server/store"},
	"server/e2e":           {"server", "server/servertest"},
	"views":                {"server/reading", "static"},
	"static":               nil,
	"docs":                 nil,
	"collectors":           {"server/reading", "server/ingest"},
}

// outside is who alone may import a library: what is behind one package can be
// changed in one place.
var outside = map[string][]string{
	"github.com/redis/go-redis/v9":                   {"server/store"},
	"nhooyr.io/websocket":                            {"server/live", "server/servertest"},
	"github.com/go-chi/chi/v5":                       {"server"},
	"go.yaml.in/yaml/v3":                             {"server/dashboard"},
	"github.com/yuin/goldmark":                       {"server/pages"},
	"github.com/a-h/templ":                           {"views", "server/pages"},
	"github.com/prometheus/client_golang/prometheus": {"server"},
}

// never is what a package must not reach even through others of this module.
var never = map[string][]string{
	"server/hub":    {"net/http", "github.com/redis/go-redis/v9"},
	"server/ingest": {"net/http", "github.com/redis/go-redis/v9"},
	"views":         {"readout/server/store", "readout/server/hub", "github.com/redis/go-redis/v9"},
	"collectors":    {"github.com/redis/go-redis/v9", "readout/server/store"},
}

type goPackage struct {
	ImportPath             string
	Imports, Deps, GoFiles []string
}

func TestImportArrows(t *testing.T) {
	out, err := exec.Command("go", "list", "-tags=e2e", "-json=ImportPath,Imports,Deps,GoFiles", "readout/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, "readout/")
		if strings.HasPrefix(name, "static/node_modules/") || len(p.GoFiles) == 0 {
			continue
		}
		seen[name] = true
		allowed, known := arrows[name]
		if !known {
			t.Errorf("%s is not on the map: add it to arrows and to ARCHITECTURE.md", name)
			continue
		}
		for _, imported := range p.Imports {
			if inside, ok := strings.CutPrefix(imported, "readout/"); ok && !slices.Contains(allowed, inside) {
				t.Errorf("%s imports %s, against the map", name, inside)
			}
			for library, users := range outside {
				if (imported == library || strings.HasPrefix(imported, library+"/")) && !slices.Contains(users, name) {
					t.Errorf("%s imports %s, which only %v may", name, imported, users)
				}
			}
		}
		for _, forbidden := range never[name] {
			if slices.Contains(p.Deps, forbidden) {
				t.Errorf("%s reaches %s", name, forbidden)
			}
		}
	}
	for name := range arrows {
		if !seen[name] {
			t.Errorf("%s is on the map and not in the tree", name)
		}
	}
}
