package reading_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"readout/server/problem"
)

// Every code that the module refuses with is a row of the one table, and the
// table says everything about each.
func TestCodesAreInTheTable(t *testing.T) {
	known := map[string]bool{}
	for _, row := range problem.Table {
		if known[row.Code] {
			t.Errorf("the code %s has two rows", row.Code)
		}
		known[row.Code] = true
		if row.Status < 400 || row.Status > 599 || row.Means == "" || row.Do == "" {
			t.Errorf("the row of %s is not whole: %+v", row.Code, row)
		}
		if retry := row.Status == 429 || row.Status == 503; row.RetryAfter > 0 && !retry {
			t.Errorf("%s says when to retry, with status %d", row.Code, row.Status)
		}
	}
	// Where the code stands among the arguments of the functions that take one.
	argument := map[string]int{"Refuse": 0, "problem.New": 0, "failAt": 1}
	used := 0
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() != ".." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules" || entry.Name() == "testdata"):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil // the compiler says that better
		}
		ast.Inspect(file, func(n ast.Node) bool {
			var at token.Pos
			var code ast.Expr
			switch n := n.(type) {
			case *ast.CallExpr:
				name := ""
				switch f := n.Fun.(type) {
				case *ast.Ident:
					name = f.Name
				case *ast.SelectorExpr:
					name = f.Sel.Name
					if x, ok := f.X.(*ast.Ident); ok && x.Name == "problem" {
						name = "problem." + name
					}
				}
				if i, ok := argument[name]; ok && i < len(n.Args) {
					at, code = n.Pos(), n.Args[i]
				}
			case *ast.KeyValueExpr: // problem.Error{Code: "..."} and reading.Error{Code: "..."}
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Code" {
					at, code = n.Pos(), n.Value
				}
			}
			literal, ok := code.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			used++
			if text, err := strconv.Unquote(literal.Value); err != nil || !known[text] {
				t.Errorf("%s: the code %s is not in problem.Table", files.Position(at), literal.Value)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if used < 50 {
		t.Errorf("only %d uses of codes were found; does this test still look at the right functions?", used)
	}
}
