// Command readout is the whole of Readout in one binary: the server, a
// collector that pushes to one, and what one needs at a terminal.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"readout/static"
)

const usage = `Readout: push a reading, see it move.

Usage: readout COMMAND [FLAGS]

  serve     serve dashboards at 127.0.0.1:8080
  push      push a reading:               readout push orders 42
  tail      follow a topic at a terminal: readout tail orders
  collect   push this machine's figures to a server
  token     make a token for a server that is not open to everyone
  dashboard check dashboard documents, or print a built-in one
  store     look into what serve --data keeps, move it to a Redis and back
  key       print the Redis key of a topic's stream
  version   print the version

Try it:
  readout serve
  curl -d 42 localhost:8080/t/orders

readout COMMAND --help shows flags and examples.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program without its process: it returns the exit code.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	switch command, args := args[0], args[1:]; command {
	case "serve":
		return runServe(ctx, args, getenv, stdout, stderr)
	case "push":
		return runPush(ctx, args, stdin, stdout, stderr)
	case "tail":
		return runTail(ctx, args, stdin, stdout, stderr)
	case "collect":
		return runCollect(ctx, args, stdin, stdout, stderr)
	case "key":
		return runKey(ctx, args, stdin, stdout, stderr)
	case "store":
		return runStore(ctx, args, getenv, stdin, stdout, stderr)
	case "token":
		return runToken(args, stdout, stderr)
	case "dashboard":
		return runDashboard(args, stdin, stdout, stderr)
	case "version", "--version":
		fmt.Fprintf(stdout, "readout %s, page scripts: %t\n", version(), static.Built())
		return 0
	case "help", "--help", "-h":
		fmt.Fprint(stdout, usage)
		return 0
	default:
		fmt.Fprintf(stderr, "readout: there is no command %q\n\n%s", command, usage)
		return 2
	}
}

// version is the module's version in a release, else the commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return info.Main.Version
}
