package server_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"readout/server/problem"
	"readout/server/servertest"
)

var updateOpenAPI = flag.Bool("update", false, "write the errors of docs/openapi.yaml from the table")

// openAPI is docs/openapi.yaml as JSON has it: objects, arrays, float64, strings.
type openAPI struct {
	source []byte
	root   map[string]any
}

func readOpenAPI(t *testing.T) openAPI {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("..", "docs", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := yaml.Unmarshal(source, &tree); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(tree) // which also proves that every key is a string
	if err != nil {
		t.Fatal(err)
	}
	doc := openAPI{source: source}
	if err := json.Unmarshal(b, &doc.root); err != nil {
		t.Fatal(err)
	}
	return doc
}

// at follows a path of keys; nil where there is nothing.
func (d openAPI) at(path ...string) any {
	var here any = d.root
	for _, key := range path {
		object, ok := here.(map[string]any)
		if !ok {
			return nil
		}
		here = object[key]
	}
	return here
}

// resolve follows references.
func (d openAPI) resolve(v any) any {
	for range 10 {
		object, ok := v.(map[string]any)
		if !ok {
			return v
		}
		ref, ok := object["$ref"].(string)
		if !ok {
			return v
		}
		v = d.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
	}
	return v
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// operations is every operation, by method and path.
func (d openAPI) operations() map[string]map[string]any {
	list := map[string]map[string]any{}
	for path, item := range object(d.at("paths")) {
		for method, operation := range object(item) {
			if method != "parameters" {
				list[strings.ToUpper(method)+" "+path] = object(operation)
			}
		}
	}
	return list
}

// openAPIPath is how the document writes the pattern of a route.
func openAPIPath(route string) string {
	for pattern, path := range map[string]string{"/t/*": "/t/{topic}", "/static/*": "/static/{file}"} {
		if method, ok := strings.CutSuffix(route, " "+pattern); ok {
			return method + " " + path
		}
	}
	return route
}

func TestOpenAPINamesEveryRoute(t *testing.T) {
	operations := readOpenAPI(t).operations()
	routes := map[string]bool{}
	for route := range servertest.New(t, nil).RoutePolicies() {
		routes[openAPIPath(route)] = true
		if operations[openAPIPath(route)] == nil {
			t.Errorf("%s is not in docs/openapi.yaml", route)
		}
	}
	ids := map[string]bool{}
	for name, operation := range operations {
		if !routes[name] {
			t.Errorf("docs/openapi.yaml has %s, which is no route", name)
		}
		id, _ := operation["operationId"].(string)
		if id == "" || ids[id] {
			t.Errorf("%s: the operationId %q is missing or used twice", name, id)
		}
		ids[id] = true
		if summary, _ := operation["summary"].(string); summary == "" || strings.HasSuffix(summary, ".") {
			t.Errorf("%s: the summary is %q", name, summary)
		}
	}
}

// What everyone may do says so, what needs a token does not.
func TestOpenAPISecurityIsThatOfTheRoutes(t *testing.T) {
	operations := readOpenAPI(t).operations()
	for route, policy := range servertest.New(t, nil).RoutePolicies() {
		operation := operations[openAPIPath(route)]
		_, own := operation["security"]
		if public := policy == "public"; public != own {
			t.Errorf("%s is for %s; security is overridden: %v", route, policy, own)
		}
		_, refuses := object(operation["responses"])["401"]
		if refuses == (policy == "public") {
			t.Errorf("%s is for %s; it documents 401: %v", route, policy, refuses)
		}
	}
}

func TestOpenAPIReferencesAndParameters(t *testing.T) {
	doc := readOpenAPI(t)
	used := map[string]bool{}
	var walk func(where string, v any)
	walk = func(where string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				used[ref] = true
				if doc.resolve(v) == nil {
					t.Errorf("%s: %s leads nowhere", where, ref)
				}
			}
			for key, part := range v {
				if part == nil {
					t.Errorf("%s: %q stands without a value: a comma that is not quoted", where, key)
				}
				walk(where+"/"+key, part)
			}
		case []any:
			for i, part := range v {
				walk(fmt.Sprintf("%s/%d", where, i), part)
			}
		}
	}
	walk("#", doc.root)
	for kind, parts := range object(doc.at("components")) {
		if kind == "securitySchemes" {
			continue
		}
		for name := range object(parts) {
			if !used["#/components/"+kind+"/"+name] {
				t.Errorf("components/%s/%s is used nowhere", kind, name)
			}
		}
	}
	braces := regexp.MustCompile(`\{([^}]+)\}`)
	for path, item := range object(doc.at("paths")) {
		for method, operation := range object(item) {
			if method == "parameters" {
				continue
			}
			inPath := map[string]bool{}
			shared, _ := object(item)["parameters"].([]any)
			own, _ := object(operation)["parameters"].([]any)
			for _, p := range slices.Concat(shared, own) {
				parameter := object(doc.resolve(p))
				if parameter["in"] == "path" {
					name, _ := parameter["name"].(string)
					inPath[name] = parameter["required"] == true
				}
			}
			for _, match := range braces.FindAllStringSubmatch(path, -1) {
				if !inPath[match[1]] {
					t.Errorf("%s %s does not describe {%s}", method, path, match[1])
				}
			}
		}
	}
}

// eachExample calls f with every example beside a schema.
func (d openAPI) eachExample(f func(where, kind string, schema, example any)) int {
	n := 0
	var walk func(where string, v any)
	walk = func(where string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if schema, ok := v["schema"]; ok {
				kind := where[strings.LastIndex(where, "#")+1:]
				if example, ok := v["example"]; ok {
					f(where, kind, schema, example)
					n++
				}
				for name, example := range object(v["examples"]) {
					f(where+" "+name, kind, schema, object(example)["value"])
					n++
				}
			}
			for key, part := range v {
				walk(where+"#"+key, part)
			}
		case []any:
			for i, part := range v {
				walk(fmt.Sprintf("%s#%d", where, i), part)
			}
		}
	}
	walk("", d.root)
	return n
}

// Examples are what their schemas say, and those that are documents themselves parse.
func TestOpenAPIExamples(t *testing.T) {
	doc := readOpenAPI(t)
	n := doc.eachExample(func(where, kind string, schema, example any) {
		for _, wrong := range doc.check(schema, example) {
			t.Errorf("%s: %s", where, wrong)
		}
		text, _ := example.(string)
		switch kind {
		case "application/yaml":
			var tree map[string]any
			if err := yaml.Unmarshal([]byte(text), &tree); err != nil || len(tree) == 0 {
				t.Errorf("%s: no YAML: %v", where, err)
			}
		case "application/x-ndjson":
			for line := range strings.Lines(text) {
				if !json.Valid([]byte(line)) {
					t.Errorf("%s: no JSON: %s", where, line)
				}
			}
		case "text/event-stream":
			_, data, _ := strings.Cut(text, "data: ")
			if !strings.HasSuffix(text, "\n\n") || !json.Valid([]byte(data)) {
				t.Errorf("%s: no event: %q", where, text)
			}
		}
	})
	if n < 60 {
		t.Errorf("only %d examples were found", n)
	}
}

// errorNames are the answers of components/responses, by status.
var errorNames = []struct {
	status int
	name   string
}{
	{400, "BadRequest"}, {401, "Unauthorized"}, {403, "Forbidden"}, {404, "NotFound"}, {406, "NotAcceptable"}, {408, "Timeout"}, {413, "TooLarge"},
	{415, "Unsupported"}, {422, "Unprocessable"}, {426, "UpgradeRequired"}, {429, "Limited"}, {503, "Unavailable"},
}

// errorComponents is the end of the document: the codes, and the answers that hold them.
func errorComponents() []byte {
	var b bytes.Buffer
	quote := func(s string) string { q, _ := json.Marshal(s); return string(q) }
	codes := []string{}
	for _, row := range problem.Table {
		codes = append(codes, row.Code)
	}
	slices.Sort(codes)
	fmt.Fprintf(&b, "    Code:\n      type: string\n      enum: [%s]\n\n  responses:\n", strings.Join(codes, ", "))
	write := func(name, description string, mine func(problem.Row) bool) {
		fmt.Fprintf(&b, "    %s:\n      description: %s\n", name, description)
		switch name {
		case "Unauthorized":
			b.WriteString("      headers:\n        WWW-Authenticate:\n          schema: {type: string}\n")
		case "Limited", "Unavailable":
			b.WriteString("      headers:\n        Retry-After:\n          description: Seconds; send again after up to twice as long.\n          schema: {type: integer}\n")
		}
		b.WriteString("      content:\n        application/json:\n          schema: {$ref: \"#/components/schemas/Error\"}\n          examples:\n")
		for _, row := range problem.Table {
			if mine(row) {
				fmt.Fprintf(&b, "            %s:\n              summary: %s\n              value: {error: {code: %s, message: %s}}\n", row.Code, quote(row.Do), row.Code, quote(row.Means))
			}
		}
	}
	for _, e := range errorNames {
		write(e.name, fmt.Sprintf("%d, %s.", e.status, http.StatusText(e.status)), func(row problem.Row) bool { return row.Status == e.status })
	}
	write("Problem", "What any address may answer; 503 too, when the store does not or the replica stops.", func(row problem.Row) bool {
		return !slices.ContainsFunc(errorNames, func(e struct {
			status int
			name   string
		}) bool {
			return e.status == row.Status
		})
	})
	b.WriteString(`    Page:
      description: A page for people.
      content:
        text/html:
          schema: {type: string}
    Alive:
      description: It runs.
      content:
        text/plain:
          schema: {type: string}
          example: "alive\n"
`)
	return b.Bytes()
}

func TestOpenAPIErrorsAreTheTable(t *testing.T) {
	path := filepath.Join("..", "docs", "openapi.yaml")
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const mark = "-run TestOpenAPI -update\n"
	head, tail, ok := bytes.Cut(source, []byte(mark))
	if !ok {
		t.Fatalf("docs/openapi.yaml does not say where its errors begin: %q", mark)
	}
	want := errorComponents()
	if *updateOpenAPI {
		if err := os.WriteFile(path, slices.Concat(head, []byte(mark), want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(tail, want) {
		t.Error("the errors of docs/openapi.yaml are not the table; run: go test ./server -run TestOpenAPI -update")
	}
}
