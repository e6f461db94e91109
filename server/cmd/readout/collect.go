package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"readout/collectors"
)

const collectHelp = `Usage: readout collect --to ADDRESS [--collect host] [--interval 1s]

Measures this machine and pushes the readings to a Readout server until it is
interrupted. While the server is away the readings wait in memory.

Examples:
  # the processors and the memory of this machine, every second
  readout collect --to http://readout.example:8080

  # only the processors, every 10 seconds, with a token
  READOUT_TOKEN=rdo_... readout collect --to https://readout.example --collect cpu --interval 10s

Flags:
`

const (
	leastInterval = 100 * time.Millisecond // processor counters tick every 10 ms
	flushWithin   = 5 * time.Second        // how long the last readings may take
)

// runCollect is the subcommand collect. It ends with ctx.
func runCollect(ctx context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) int {
	f := flag.NewFlagSet("readout collect", flag.ContinueOnError)
	server := remote{command: "collect"}
	server.flags(f, "to")
	names := f.String("collect", "host", "what to collect, separated by commas: "+strings.Join(collectors.Names()[:3], ", ")+" (`NAMES`)")
	interval := f.Duration("interval", time.Second, "the time from one collection to the next")
	rest, code, ok := commandLine(f, collectHelp, args, stdout, stderr)
	if !ok {
		return code
	}
	if len(rest) > 0 {
		return wrongLine(f, stderr, fmt.Errorf("unexpected %q; what to collect goes behind --collect", rest[0]))
	}
	if *interval < leastInterval {
		return wrongLine(f, stderr, fmt.Errorf("--interval is at least %v", leastInterval))
	}
	list, err := collectors.Named(strings.Split(*names, ","))
	if err == nil && len(list) == 0 {
		err = errors.New("there is nothing to collect; leave --collect out, or name a collector")
	}
	if err == nil {
		err = server.resolve()
	}
	if err != nil {
		return wrongLine(f, stderr, err)
	}

	log := slog.New(slog.NewTextHandler(stderr, nil))
	pusher, err := collectors.NewPusher(collectors.PusherOptions{
		URL: server.base.String(), Token: server.token, Describe: collectors.Describe(list, ""), Log: log})
	if err != nil {
		return wrongLine(f, stderr, err)
	}
	runner, err := collectors.NewRunner(list, pusher, collectors.RunnerOptions{Interval: *interval, Log: log})
	if err != nil {
		return server.failed(stderr, err)
	}
	collected := make([]string, len(list))
	for i, c := range list {
		collected[i] = c.Name()
	}
	fmt.Fprintf(stdout, "Collecting %s of %s every %v, pushing to %s. Ctrl-C ends.\n",
		strings.Join(collected, ", "), collectors.Host(), *interval, server.base)
	pusher.Start()
	runner.Start(ctx)
	<-ctx.Done()
	runner.Stop()
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushWithin)
	defer cancel()
	if err := pusher.Stop(within); err != nil {
		return server.failed(stderr, err)
	}
	return 0
}
