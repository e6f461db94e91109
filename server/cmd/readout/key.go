package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"readout/server/reading"
	"readout/server/store"
)

const keyHelp = `Usage: readout key TOPIC

Prints the Redis key of the stream that holds a topic's readings, and a line
that adds a reading to it without Readout: any XADD there is a reading, on every
open page at once. Needs no server.

Examples:
  readout key orders
  readout key 'cpu{host="web1"}'
  redis-cli XADD "$(readout key orders | head -1)" '*' value 42
`

// runKey is the subcommand key.
func runKey(_ context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) int {
	f := flag.NewFlagSet("readout key", flag.ContinueOnError)
	rest, code, ok := commandLine(f, keyHelp, args, stdout, stderr)
	if !ok {
		return code
	}
	if len(rest) != 1 {
		return wrongLine(f, stderr, errors.New("give one topic, in single quotes if it has labels"))
	}
	topic, err := reading.ParseTopic(rest[0])
	if err != nil {
		return wrongLine(f, stderr, err)
	}
	key := store.Key(topic)
	if _, err := fmt.Fprintf(stdout, "%s\nredis-cli XADD %s '*' value 42\n", key, shellQuote(key)); err != nil {
		fmt.Fprintln(stderr, "readout key:", err)
		return 1
	}
	return 0
}

// shellQuote makes one word of a POSIX shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
