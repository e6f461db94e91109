package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"readout/collectors"
)

const collectHelp = `Usage: readout collect --to ADDRESS [--collect ITEM]... [--spool DIR]

Measures this machine, and what else it is told to, and pushes the readings to a
Readout server until it is interrupted. While the server is away the readings
wait in memory, or on disk with --spool.

An item is KIND[@INTERVAL] or KIND[@INTERVAL]:TARGET:
{{items}}
docs/collect.md names the topics and units of each.

Examples:
  # everything of this machine, every second
  readout collect --to http://readout.example:8080

  # only the processors, every 10 seconds, with a token
  READOUT_TOKEN=rdo_... readout collect --to https://readout.example --collect cpu@10s

  # a site, a Prometheus exporter and a Redis in this network, and a command
  readout collect --to https://readout.example --allow-targets 10.0.0.0/8 \
    --collect host --collect probe:https://shop.example --collect scrape@15s:http://10.0.0.7:9100/metrics \
    --collect redis:redis://10.0.0.8:6379 --collect 'exec@1m:du -s /srv | cut -f1'

  # keep up to 1 GiB on disk while the server is away
  readout collect --to https://readout.example --spool /var/lib/readout --spool-limit 1GiB

Flags:
`

const flushWithin = 5 * time.Second // how long the last readings may take

// helpWithItems puts the list of items into a help text.
func helpWithItems(help string) string {
	var b strings.Builder
	plain := collectors.Names()
	fmt.Fprintf(&b, "  %s\n", strings.Join(plain, " "))
	for _, form := range collectors.Forms() {
		fmt.Fprintf(&b, "  %s\n", form)
	}
	return strings.Replace(help, "{{items}}\n", b.String(), 1)
}

// runCollect is the subcommand collect. It ends with ctx.
func runCollect(ctx context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) int {
	f := flag.NewFlagSet("readout collect", flag.ContinueOnError)
	server := remote{command: "collect"}
	server.flags(f, "to")
	var chosen collected
	chosen.flags(f)
	interval := f.Duration("interval", 0, "the `TIME` from one collection to the next of items without @; default each its own, mostly 1s")
	spool := f.String("spool", "", "`DIR` to keep readings in while the server is away; default in memory")
	limit := f.String("spool-limit", "256MiB", "the most `BYTES` of it; beyond, the oldest readings are dropped")
	rest, code, ok := commandLine(f, helpWithItems(collectHelp), args, stdout, stderr)
	if !ok {
		return code
	}
	if len(rest) > 0 {
		return wrongLine(f, stderr, fmt.Errorf("unexpected %q; what to collect goes behind --collect", rest[0]))
	}
	if err := someFromEnvironment(f, os.Getenv, "collect", "allow-targets", "interval", "spool", "spool-limit"); err != nil {
		return wrongLine(f, stderr, err)
	}
	if *interval != 0 && *interval < collectors.LeastInterval {
		return wrongLine(f, stderr, fmt.Errorf("--interval is at least %v", collectors.LeastInterval))
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	spoolBytes, err := collectors.ParseBytes(*limit)
	if err != nil {
		return wrongLine(f, stderr, fmt.Errorf("--spool-limit: %w", err))
	}
	list, err := chosen.make(*interval, log)
	if err == nil && len(list) == 0 {
		err = errors.New("there is nothing to collect; leave --collect out, or name a collector")
	}
	if err == nil {
		err = server.resolve()
	}
	if err != nil {
		return wrongLine(f, stderr, err)
	}

	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.Name()
	}
	figures, err := collectors.NewPushFigures("")
	if err != nil {
		return server.failed(stderr, err)
	}
	list = append(list, figures)
	pusher, err := collectors.NewPusher(collectors.PusherOptions{
		URL: server.base.String(), Token: server.token, Describe: collectors.Describe(list, ""), Log: log,
		Spool: *spool, SpoolBytes: spoolBytes})
	if err != nil {
		return server.failed(stderr, err)
	}
	figures.Watch(pusher)
	runner, err := collectors.NewRunner(list, pusher, collectors.RunnerOptions{Log: log})
	if err != nil {
		return server.failed(stderr, errors.Join(err, pusher.Stop(ctx)))
	}
	fmt.Fprintf(stdout, "Collecting %s at %s, pushing to %s. Ctrl-C ends.\n",
		strings.Join(names, ", "), collectors.Host(), server.base)
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
