package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"readout/collectors"
	"readout/server"
	"readout/server/access"
	"readout/server/embedded"
	"readout/server/reading"
	"readout/server/store"
)

const serveHelp = `Usage: readout serve [FLAGS]

Serves dashboards, takes readings and shows this machine's figures. Every flag
can also be set by its environment variable, READOUT_ and the name: READOUT_LISTEN.

Examples:
  # for yourself, on this machine; readings are kept in memory
  readout serve

  # the same, and readings survive a restart
  readout serve --data ./data

  # readings in Redis, so that they outlive this process and others can serve them too
  readout serve --redis redis://localhost:6379

  # for others: tokens decide who may push and view
  readout token --file tokens.json --name everyone --scope view --topics '*'
  readout serve --listen :8080 --tokens tokens.json --public-url https://readout.example

  # beside this machine: a site, and an exporter in this network (docs/collect.md)
  readout serve --collect host --collect probe:https://shop.example \
    --collect scrape@15s:http://10.0.0.7:9100/metrics --allow-targets 10.0.0.0/8

Flags:
`

// settings are the flags of serve.
type settings struct {
	listen, redis, tokens            string
	publicURL, tlsCert, tlsKey, logs string
	embedOrigins, dashboards         string
	collect                          collected
	insecureOpen, development        bool
	data, sync, memory, storeListen  string
	retention                        time.Duration
}

// stopWait is how long a stop may take: Kubernetes kills after 30 s.
const stopWait = 25 * time.Second

func runServe(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	set, err := parseSettings(args, getenv, stdout, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "readout serve: %v\nreadout serve --help shows flags and examples.\n", err)
		return 2
	}
	if err := serve(ctx, set, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "readout serve: %v\n", err)
		return 1
	}
	return 0
}

func parseSettings(args []string, getenv func(string) string, stdout, stderr io.Writer) (settings, error) {
	var set settings
	flags := flag.NewFlagSet("readout serve", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&set.listen, "listen", "127.0.0.1:8080", "`ADDRESS` to serve at")
	flags.StringVar(&set.redis, "redis", "", "`URL` of the store: redis://, rediss://, redis+sentinel://, redis+cluster://; none keeps readings in memory")
	flags.DurationVar(&set.retention, "retention", time.Hour, "how long readings are kept")
	flags.StringVar(&set.dashboards, "dashboards", "", "`DIRECTORY` of dashboards, one YAML or JSON file each; it is followed while the server runs")
	flags.StringVar(&set.tokens, "tokens", "", "`FILE` of tokens (readout token makes them); none serves this machine only")
	set.collect.flags(flags)
	flags.StringVar(&set.data, "data", "", "`DIRECTORY` that keeps readings without a Redis; none keeps them in memory")
	flags.StringVar(&set.sync, "sync", string(embedded.SyncEverySecond), "`WHEN` the file of --data is forced onto the disk: always, second or never")
	flags.StringVar(&set.memory, "memory", "1GB", "`SIZE` of what is kept without a Redis; above it the oldest readings of the fullest topics go")
	flags.StringVar(&set.storeListen, "store-listen", "", "`ADDRESS` at which redis-cli and other programs reach the store of this process, such as 127.0.0.1:6380; it asks for no password")
	flags.StringVar(&set.publicURL, "public-url", "", "`URL` by which browsers reach this server")
	flags.StringVar(&set.embedOrigins, "embed-origins", "", "`SITES` that may show ?view=embed in a frame, separated by spaces: https://status.example http://localhost:*")
	flags.BoolVar(&set.insecureOpen, "insecure-open", false, "let everyone who reaches this server push and view, without tokens")
	flags.StringVar(&set.tlsCert, "tls-cert", "", "`FILE` with the certificate, to serve https")
	flags.StringVar(&set.tlsKey, "tls-key", "", "`FILE` with its key")
	flags.BoolVar(&set.development, "development", false, "serve /design, which shows every part of the pages in every state")
	flags.StringVar(&set.logs, "log", "info", "`LEVEL` of the log: debug, info, warn or error")

	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(stdout)
		fmt.Fprint(stdout, serveHelp)
		flags.PrintDefaults()
		return set, err
	}
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unexpected %q", flags.Arg(0))
	}
	err = errors.Join(err, fromEnvironment(flags, getenv))
	if set.retention < leastRetention {
		err = errors.Join(err, fmt.Errorf("--retention %v: it is %v at least", set.retention, leastRetention))
	}
	return set, err
}

// leastRetention leaves the store's keeper the time to come round: a stream expires
// after twice the retention, and would while it is written if that were less.
const leastRetention = time.Minute

// fromEnvironment sets the flags that the command line does not.
func fromEnvironment(flags *flag.FlagSet, getenv func(string) string) error {
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var errs []error
	flags.VisitAll(func(f *flag.Flag) {
		name := environmentName(f.Name)
		if value := getenv(name); value != "" && !given[f.Name] {
			if err := flags.Set(f.Name, value); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
			}
		}
	})
	return errors.Join(errs...)
}

// leastGarbage is how much may pile up before it is collected. A server with little to
// remember would collect twenty times a second and more, as long as it is pushed to.
const leastGarbage = 32 << 20

// spareCollector has the collector count leastGarbage as kept until the result is
// called. Nobody touches it, so that it takes no memory of the machine. Who set
// GOMEMLIMIT wants every byte to count.
func spareCollector() (end func()) {
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return func() {}
	}
	untouched := make([]byte, leastGarbage)
	return func() { runtime.KeepAlive(untouched) }
}

// serve runs until the context ends, and then until everything has stopped.
func serve(ctx context.Context, set settings, stdout, stderr io.Writer) (err error) {
	defer spareCollector()()
	var level slog.Level
	if err := level.UnmarshalText([]byte(set.logs)); err != nil {
		return fmt.Errorf("--log %q: use debug, info, warn or error", set.logs)
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	o := server.Options{
		Store:      store.Options{URL: set.redis, Retention: set.retention},
		Dashboards: set.dashboards,
		PublicURL:  set.publicURL, EmbedOrigins: strings.Fields(set.embedOrigins), InsecureOpen: set.insecureOpen,
		Version: version(), Logger: log, Development: set.development,
	}
	if set.tokens != "" {
		if o.Tokens, err = access.Load(set.tokens); err != nil {
			return err
		}
	}
	if err := o.CheckListen(set.listen); err != nil {
		return err
	}
	list, err := set.collect.make(0, log)
	if err != nil {
		return err
	}
	if set.redis == "" {
		kept, err := startEmbedded(set, log)
		if err != nil {
			return err
		}
		defer kept.Close()
		o.MemoryOnly = set.data == ""
		o.Store.URL, o.Store.Dial = embedded.URL, kept.Dial
		o.Embedded = func() server.EmbeddedStats { return server.EmbeddedStats(kept.Stats()) }
	} else if set.data != "" || set.storeListen != "" {
		log.Warn("with --redis there is no store in this process: --data and --store-listen do nothing")
	}

	listener, err := listen(set)
	if err != nil {
		return err
	}
	defer listener.Close()
	replica, err := startReplica(ctx, o, list, listener.Addr(), log)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- replica.Serve(listener) }() // ends with Stop below
	greet(stdout, set, listener)
	select {
	case <-ctx.Done():
	case err = <-served:
	}
	replica.Drain()
	replica.runner.Stop()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWait)
	defer cancel()
	return errors.Join(err, replica.Stop(stop))
}

// startEmbedded starts the store of this process.
func startEmbedded(set settings, log *slog.Logger) (*embedded.Server, error) {
	most, err := parseSize(set.memory)
	if err != nil {
		return nil, fmt.Errorf("--memory: %w", err)
	}
	policy := embedded.Sync(set.sync)
	switch policy {
	case embedded.SyncAlways, embedded.SyncEverySecond, embedded.SyncNever:
	default:
		return nil, fmt.Errorf("--sync %q: use always, second or never", set.sync)
	}
	host, _, err := net.SplitHostPort(set.storeListen)
	if set.storeListen != "" && (err != nil || !loopback(host)) {
		return nil, fmt.Errorf("--store-listen %q: use an address of this machine, such as 127.0.0.1:6380: whoever reaches it may do everything", set.storeListen)
	}
	s, err := embedded.Start(embedded.Options{Data: set.data, Sync: policy, Limits: embedded.Limits{Memory: most}, Logger: log})
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	if set.storeListen != "" {
		if _, err := s.Listen(set.storeListen); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// parseSize reads a number of bytes, with KB, MB or GB.
func parseSize(text string) (int, error) {
	number, unit := text, 1
	for suffix, n := range map[string]int{"KB": 1e3, "MB": 1e6, "GB": 1e9} {
		if rest, ok := strings.CutSuffix(strings.ToUpper(text), suffix); ok {
			number, unit = strings.TrimSpace(rest), n
		}
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > 1e6*1e9/unit {
		return 0, fmt.Errorf("%q is no size; use one such as 512MB", text)
	}
	return n * unit, nil
}

// replica is a server with the collectors of its process.
type replica struct {
	*server.Server
	runner *collectors.Runner
}

func startReplica(ctx context.Context, o server.Options, list []collectors.Collector, at net.Addr, log *slog.Logger) (*replica, error) {
	r := &replica{}
	if len(list) > 0 { // who wants nothing collected wants nothing of this either
		own, err := newFigures(r, o.Replica, at)
		if err != nil {
			return nil, err
		}
		list = append(list, own)
	}
	runner, err := collectors.NewRunner(list, sink{r}, collectors.RunnerOptions{Log: log})
	if err != nil {
		return nil, err
	}
	described := collectors.Describe(list, "")
	o.Feeds = runner.Feeds // disks, processes and the like come later than the server
	if r.Server, err = server.New(ctx, o); err != nil {
		return nil, err
	}
	for topic, columns := range described {
		if err := r.Describe(ctx, topic, columns); err != nil {
			log.Warn("units are not stored", "topic", topic, "err", err)
		}
	}
	r.runner = runner
	runner.Start(ctx)
	return r, nil
}

// sink stores what is collected here without a way over HTTP.
type sink struct{ replica *replica }

func (s sink) Append(ctx context.Context, readings []reading.Reading) error {
	return s.replica.Append(ctx, readings)
}

func (s sink) Describe(ctx context.Context, described collectors.Description) error {
	for topic, columns := range described {
		if err := s.replica.Describe(ctx, topic, columns); err != nil {
			return err
		}
	}
	return nil
}

func listen(set settings) (net.Listener, error) {
	if (set.tlsCert == "") != (set.tlsKey == "") {
		return nil, errors.New("--tls-cert and --tls-key go together")
	}
	listener, err := net.Listen("tcp", set.listen)
	if err != nil {
		return nil, fmt.Errorf("%w; choose another address with --listen", err)
	}
	if set.tlsCert == "" {
		return listener, nil
	}
	certificate, err := tls.LoadX509KeyPair(set.tlsCert, set.tlsKey)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return tls.NewListener(listener, &tls.Config{
		Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
	}), nil
}

// greet says where to look and what to try.
func greet(w io.Writer, set settings, l net.Listener) {
	base := set.publicURL
	if base == "" {
		host, port, _ := net.SplitHostPort(l.Addr().String())
		if host == "127.0.0.1" || host == "::" || host == "0.0.0.0" {
			host = "localhost"
		}
		base = "http://" + net.JoinHostPort(host, port)
		if set.tlsCert != "" {
			base = "https" + strings.TrimPrefix(base, "http")
		}
	}
	fmt.Fprintf(w, "Readout %s is at %s\n", version(), base)
	switch {
	case set.redis != "":
	case set.data != "":
		fmt.Fprintf(w, "Readings are kept in %s\n", set.data)
	default:
		fmt.Fprintln(w, "memory only: readings are gone when this process ends; --data DIR or --redis URL keeps them")
	}
	if set.tokens == "" {
		fmt.Fprintf(w, "Send a reading: curl -d 42 %s/t/orders\n", strings.TrimPrefix(base, "http://"))
	}
	if set.insecureOpen && set.tokens == "" {
		fmt.Fprintln(os.Stderr, "warning: --insecure-open lets everyone who reaches this server push and view")
	}
}
