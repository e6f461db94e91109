package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"readout/server/dashboard"
)

const dashboardHelp = `Usage: readout dashboard COMMAND

  check FILE|DIR...   check documents; of a directory every .yaml, .yml and .json
  show [NAME]         print a built-in dashboard as a start for one's own
  schema              print the format as a JSON Schema, for editors

check needs no server. It prints each mistake as FILE:LINE:COLUMN: MESSAGE, as
compilers do, and ends with 1 if there are any. - is standard input.
docs/dashboards.md describes the format.

Examples:
  readout dashboard show machine > dashboards/machine.yaml
  readout dashboard check dashboards/
  readout serve --dashboards dashboards/

  # as a commit hook
  git diff --cached --name-only -- 'dashboards/*.yaml' | xargs -r readout dashboard check

  # editors with the YAML language server complete keys and show mistakes; first line of a document:
  # yaml-language-server: $schema=./readout.schema.json
  readout dashboard schema > dashboards/.readout.schema.json
`

// runDashboard is the subcommand dashboard.
func runDashboard(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	f := flag.NewFlagSet("readout dashboard", flag.ContinueOnError)
	rest, code, ok := commandLine(f, dashboardHelp, args, stdout, stderr)
	if !ok {
		return code
	}
	if len(rest) == 0 {
		return wrongLine(f, stderr, errors.New("say what to do: check, show or schema"))
	}
	switch command, rest := rest[0], rest[1:]; {
	case command == "check" && len(rest) > 0:
		return checkDashboards(rest, stdin, stdout, stderr)
	case command == "check":
		return wrongLine(f, stderr, errors.New("check needs files or directories; - is standard input"))
	case command == "show" && len(rest) <= 1:
		return showDashboard(f, rest, stdout, stderr)
	case command == "schema" && len(rest) == 0:
		return printed(stderr, printBytes(stdout, dashboard.Schema()))
	case command == "show" || command == "schema":
		return wrongLine(f, stderr, fmt.Errorf("unexpected %q", rest[len(rest)-1]))
	default:
		return wrongLine(f, stderr, fmt.Errorf("there is no command %q; use check, show or schema", command))
	}
}

// checkDashboards prints what is wrong with documents to stdout.
func checkDashboards(paths []string, stdin io.Reader, stdout, stderr io.Writer) int {
	checked, wrong := 0, 0
	say := func(line string) {
		wrong++
		fmt.Fprintln(stdout, line)
	}
	slugs := map[string]string{}
	for _, path := range paths {
		files, err := documentsAt(path)
		if err != nil {
			fmt.Fprintln(stderr, "readout dashboard:", err)
			return 2
		}
		for _, file := range files {
			content, err := readDocument(file, stdin)
			if err != nil {
				fmt.Fprintln(stderr, "readout dashboard:", err)
				return 2
			}
			checked++
			name := file
			if file == "-" {
				name = ""
			}
			if _, err := dashboard.Parse(name, content); err != nil {
				var e *dashboard.Error
				errors.As(err, &e)
				e.File = file // as it was given, so that editors can open it
				for _, line := range e.Lines() {
					say(line)
				}
			}
			if name == "" {
				continue
			}
			slug, ok := dashboard.SlugOf(file)
			if !ok {
				say(file + ": the file's name gives the address; use small letters, digits and -")
				continue
			}
			key := filepath.Join(filepath.Dir(file), slug)
			if other, twice := slugs[key]; twice && other != file {
				say(fmt.Sprintf("%s: %s has the same address; rename one", file, other))
			}
			slugs[key] = file
		}
	}
	if wrong > 0 {
		return 1
	}
	return printed(stderr, printBytes(stdout, fmt.Appendf(nil, "%d checked, nothing wrong\n", checked)))
}

// documentsAt returns a file itself, and of a directory the files that a server
// would read.
func documentsAt(path string) ([]string, error) {
	if path == "-" {
		return []string{path}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(e.Name())) {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s holds no .yaml, .yml or .json", path)
	}
	return files, nil
}

// readDocument reads one byte more than a document may have, for Parse to refuse.
func readDocument(file string, stdin io.Reader) ([]byte, error) {
	from := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		from = f
	}
	return io.ReadAll(io.LimitReader(from, dashboard.MaxSize+1))
}

func showDashboard(f *flag.FlagSet, args []string, stdout, stderr io.Writer) int {
	builtIn := dashboard.BuiltIn()
	if len(args) == 0 {
		var b strings.Builder
		for _, d := range builtIn {
			fmt.Fprintf(&b, "%-10s %s: %s\n", d.Slug, d.Title, d.Description)
		}
		return printed(stderr, printBytes(stdout, []byte(b.String())))
	}
	var known []string
	for _, d := range builtIn {
		if d.Slug == args[0] {
			return printed(stderr, printBytes(stdout, []byte(d.Source)))
		}
		known = append(known, d.Slug)
	}
	return wrongLine(f, stderr, fmt.Errorf("there is no built-in dashboard %q; use %s", args[0], strings.Join(known, " or ")))
}

func printBytes(stdout io.Writer, b []byte) error {
	_, err := stdout.Write(b)
	return err
}

// printed returns the exit code of a command that only prints.
func printed(stderr io.Writer, err error) int {
	if err != nil {
		fmt.Fprintln(stderr, "readout dashboard:", err)
		return 1
	}
	return 0
}
