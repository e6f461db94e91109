package main

import (
	"errors"
	"flag"
	"regexp"
	"slices"
	"strings"
	"testing"

	"readout/docs"
)

// docs/serve.md names the flags of serve, all of them and no other.
func TestDocsNameTheFlagsOfServe(t *testing.T) {
	page, err := docs.Read("serve.md")
	if err != nil {
		t.Fatal(err)
	}
	var help, complaints strings.Builder
	if _, err := parseSettings([]string{"--help"}, func(string) string { return "" }, &help, &complaints); !errors.Is(err, flag.ErrHelp) {
		t.Fatal(err)
	}
	names := func(pattern, text string) []string {
		var list []string
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			list = append(list, match[1])
		}
		slices.Sort(list)
		return slices.Compact(list)
	}
	_, text, _ := strings.Cut(help.String(), "Flags:")
	has := names(`(?m)^  -([a-z-]+)`, text)
	if len(has) < 10 {
		t.Fatalf("help names %v", has)
	}
	_, table, _ := strings.Cut(string(page), "## Flags")
	table, _, _ = strings.Cut(table, "## Operate")
	var documented []string
	for line := range strings.Lines(table) {
		if first, _, ok := strings.Cut(strings.TrimPrefix(line, "|"), "|"); ok {
			documented = append(documented, names("`--([a-z-]+)", first)...)
		}
	}
	slices.Sort(documented)
	if !slices.Equal(has, documented) {
		t.Errorf("serve has    %v\nserve.md says %v", has, documented)
	}
	for _, name := range names(`\s--([a-z][a-z-]+)`, regexp.MustCompile(`(?m)^readout (token|push|collect|tail|store).*$`).ReplaceAllString(string(page), "")) {
		if !slices.Contains(has, name) {
			t.Errorf("serve.md speaks of --%s", name)
		}
	}
}
