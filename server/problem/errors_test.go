package problem_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"readout/server/problem"
	"readout/server/reading"
)

var update = flag.Bool("update", false, "write docs/errors.md from the table")

func TestTable(t *testing.T) {
	// Statuses that say something else, or nothing, to a sender (PROMISES 2.2).
	statuses := []int{400, 401, 403, 404, 405, 406, 408, 409, 413, 415, 421, 422, 426, 429, 500, 503}
	word := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	seen := map[string]bool{}
	for _, row := range problem.Table {
		if !word.MatchString(row.Code) || len(row.Code) > 32 {
			t.Errorf("%q is no code", row.Code)
		}
		if seen[row.Code] {
			t.Errorf("%s stands twice in the table", row.Code)
		}
		seen[row.Code] = true
		if !slices.Contains(statuses, row.Status) {
			t.Errorf("%s has status %d", row.Code, row.Status)
		}
		for _, sentence := range []string{row.Means, row.Do} {
			if !strings.HasSuffix(strings.TrimSuffix(sentence, "..."), ".") && !strings.HasSuffix(sentence, "...") || strings.ContainsAny(sentence, "|\n") {
				t.Errorf("%s: %q is no sentence of a table", row.Code, sentence)
			}
		}
		retry := row.Status == 429 || row.Status == 503 && row.Code != "stale" // stale is only a frame
		if (row.RetryAfter > 0) != retry || row.RetryAfter%time.Second != 0 {
			t.Errorf("%s, status %d, says Retry-After %v", row.Code, row.Status, row.RetryAfter)
		}
	}
}

func TestOf(t *testing.T) {
	mine := problem.New("forbidden", "this token may not %s", "push")
	for _, c := range []struct {
		name    string
		err     error
		code    string
		status  int
		message string
	}{
		{"a problem", mine, "forbidden", 403, "this token may not push"},
		{"a wrapped problem", fmt.Errorf("push: %w", mine), "forbidden", 403, "this token may not push"},
		{"a refusal of a reading", reading.Refuse("bad_topic", "100%% of it"), "bad_topic", 422, "100% of it"},
		{"a refusal whose message holds a format", &reading.Error{Code: "bad_topic", Message: "%d"}, "bad_topic", 422, "%d"},
		{"a wrapped refusal", fmt.Errorf("decode: %w", reading.Refuse("bad_time", "late")), "bad_time", 422, "late"},
		{"a problem that has a cause", &problem.Error{Code: "storage_full", Message: "full", Cause: io.EOF}, "storage_full", 503, "full"},
		{"anything else", errors.New("dial tcp 10.0.0.7: secret"), "internal", 500, "something went wrong here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, row := problem.Of(c.err)
			if p.Code != c.code || row.Status != c.status || p.Message != c.message {
				t.Errorf("got %s %d %q, want %s %d %q", p.Code, row.Status, p.Message, c.code, c.status, c.message)
			}
		})
	}
	if p, _ := problem.Of(io.EOF); !errors.Is(p, io.EOF) {
		t.Error("the operator does not see the cause")
	}
	if _, row := problem.Of(problem.New("no_such_code", "")); row.Status != 500 {
		t.Errorf("a code that is not in the table has status %d", row.Status)
	}
}

// Every code that the source names is a row of the table, so that no answer can
// be an internal error by a slip of the pen; and every row is named.
func TestEveryCodeOfTheSourceIsInTheTable(t *testing.T) {
	root := filepath.Join("..", "..")
	made := regexp.MustCompile(`(?:problem\.New|reading\.Refuse|\bRefuse|failAt\([^"(]*|Code:)\(?\s*"([a-z0-9_]+)"`)
	rows := map[string]bool{}
	for _, row := range problem.Table {
		rows[row.Code] = true
	}
	sources := 0
	for _, dir := range []string{"server", "collectors"} {
		if err := filepath.WalkDir(filepath.Join(root, dir), func(path string, _ os.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			sources++
			for _, match := range made.FindAllSubmatch(source, -1) {
				if code := string(match[1]); !rows[code] {
					t.Errorf("%s makes %q, which is not in the table", path, code)
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if sources < 30 {
		t.Errorf("only %d sources were read", sources)
	}
}

// document is docs/errors.md: the table, for senders and viewers.
func document() []byte {
	var b bytes.Buffer
	b.WriteString(`# Errors

<!-- Written from server/problem/errors.go by: go test ./server/problem -update -->

Whatever Readout cannot do it answers with a code of this table, and but for the writers of InfluxDB ([push.md](push.md)) everywhere in the same form:
` + "```" + `
{"error":{"code":"bad_topic","message":"the topic's name is empty"}}
` + "```" + `
` + "`code`" + ` is for programs and never changes its meaning; ` + "`message`" + ` is for people and may. With ` + "`\"outcome\":\"unknown\"`" + ` beside them a
push may have been stored all the same, and with ` + "`\"outcome\":\"stored\"`" + ` it has been, not as safely as it asked for; without either a push that was refused with 503 left nothing behind. A request of many readings names each that it refuses in ` + "`rejected`" + `, by its index. On a
socket the same codes stand in error frames ([live.md](live.md)). Browsers that ask for a page get one that says the same.

A 4xx answer stays the same however often the request is sent again; only 408 and 429 may end otherwise. After a 503 send again, no
sooner than Retry-After says and up to twice as late.

| code | status | Retry-After | what is wrong | what to do |
| --- | --- | --- | --- | --- |
`)
	list := slices.Clone(problem.Table)
	slices.SortStableFunc(list, func(a, b problem.Row) int { return a.Status - b.Status })
	for _, row := range list {
		retry := ""
		if row.RetryAfter > 0 {
			retry = fmt.Sprintf("%d s", int(row.RetryAfter.Seconds()))
		}
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s | %s |\n", row.Code, row.Status, retry, row.Means, row.Do)
	}
	return b.Bytes()
}

func TestDocument(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "errors.md")
	want := document()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/errors.md is not the table; run: go test ./server/problem -update")
	}
}
