package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"readout/server/access"
)

const tokenHelp = `Usage: readout token --file FILE --name NAME --scope push|view|manage --topics SELECTOR [--expires DURATION]

Makes a token, adds it to a tokens file and prints it. The file keeps only its
SHA-256, so this is the only time that the token is seen. Start the server with
readout serve --tokens FILE; it reads the file when it starts.

Examples:
  # the tills of a shop may push orders, with any labels
  readout token --file tokens.json --name shop-pos --scope push --topics 'orders*'

  # a wall screen may look at everything for 30 days
  readout token --file tokens.json --name wall --scope view --topics '*' --expires 720h

  # whoever looks after the shop's topics may also delete and hide them
  readout token --file tokens.json --name shop-admin --scope view,manage --topics 'shop_*'

  # only the token goes to standard output
  TOKEN=$(readout token --file tokens.json --name ci --scope push,view --topics 'build{*}')
  curl -H "Authorization: Bearer $TOKEN" -d 42 localhost:8080/t/build

Flags:
`

// list is a flag that may be given several times.
type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

func (l *list) Set(s string) error {
	*l = append(*l, s)
	return nil
}

// runToken is the subcommand token. It prints the token to stdout and all else
// to stderr, and returns the exit code: 2 for a wrong command line.
func runToken(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("readout token", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), tokenHelp)
		flags.PrintDefaults()
	}
	var scopes, topics list
	file := flags.String("file", "", "the tokens `FILE`; it is made if there is none")
	name := flags.String("name", "", "who gets the token, for people")
	flags.Var(&scopes, "scope", "what it allows: push, view, manage (delete and hide topics), or several: push,view; may be given several times")
	flags.Var(&topics, "topics", "a `SELECTOR` of the topics that it allows, * for all; may be given several times")
	expires := flags.Duration("expires", 0, "how long it is valid, such as 720h; 0 for always")
	for _, arg := range args { // asked for, help is an answer and not a complaint
		if arg == "--" {
			break
		}
		if arg == "-h" || arg == "-help" || arg == "--help" {
			flags.SetOutput(stdout)
			flags.Usage()
			return 0
		}
	}
	if err := flags.Parse(args); err != nil {
		return 2
	}
	wrong := func(format string, args ...any) int {
		fmt.Fprintf(stderr, "readout token: "+format+"\nreadout token --help shows examples.\n", args...)
		return 2
	}
	switch {
	case flags.NArg() > 0:
		return wrong("unexpected %q; put a selector in single quotes", flags.Arg(0))
	case *file == "":
		return wrong("--file is missing")
	case *name == "":
		return wrong("--name is missing")
	case len(scopes) == 0:
		return wrong("--scope is missing")
	case len(topics) == 0:
		return wrong("--topics is missing")
	case *expires < 0:
		return wrong("--expires lies in the past")
	}
	var actions []access.Action
	for _, s := range scopes {
		for action := range strings.SplitSeq(s, ",") {
			actions = append(actions, access.Action(strings.TrimSpace(action)))
		}
	}
	var until time.Time
	if *expires > 0 {
		until = time.Now().Add(*expires)
	}
	text, token, err := access.Mint(*name, actions, topics, until)
	if err != nil {
		return wrong("%v", err)
	}
	if err := access.AppendFile(*file, token); err != nil {
		fmt.Fprintln(stderr, "readout token:", err)
		return 1
	}
	if _, err := fmt.Fprintln(stdout, text); err != nil {
		fmt.Fprintln(stderr, "readout token:", errors.Join(errors.New("the token could not be shown; remove it from the file and make another"), err))
		return 1
	}
	never := "never expires"
	if token.Expires != nil {
		never = "expires " + token.Expires.Format(time.RFC3339)
	}
	fmt.Fprintf(stderr, "Added %s (%s) to %s: scopes %s, topics %s, %s.\nThe token above is shown only this once.\n",
		token.Name, token.ID, *file, strings.Trim(fmt.Sprint(token.Scopes), "[]"), strings.Join(token.Topics, " "), never)
	return 0
}
