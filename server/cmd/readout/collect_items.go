package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"readout/collectors"
	"readout/server/store"
)

// This file is what serve and collect share: which collectors the user chose.

// collected is --collect and --allow-targets.
type collected struct {
	items collectItems
	allow string
}

func (c *collected) flags(f *flag.FlagSet) {
	f.Var(&c.items, "collect", "an `ITEM` to collect: host (the default), cpu,memory@10s, probe:URL, scrape:URL, redis:URL, exec:COMMAND, demo, none; may be given again")
	f.StringVar(&c.allow, "allow-targets", "", "private `NETWORKS` that targets may be in: 10.0.0.0/8,127.0.0.1; default public addresses only")
}

// make makes the collectors; interval, if above 0, is for items that name none.
func (c *collected) make(interval time.Duration, log *slog.Logger) ([]collectors.Collector, error) {
	allow, err := collectors.ParseAllowed(c.allow)
	if err != nil {
		return nil, fmt.Errorf("--allow-targets: %w", err)
	}
	items := []string(c.items)
	if len(items) == 0 {
		items = []string{"host"}
	}
	return collectors.Items(items, collectors.ItemOptions{Interval: interval, Allow: allow, Redis: askRedis, Log: log})
}

// askRedis lives as long as the process: its collector does.
func askRedis(url string, guard *collectors.Guard) (func(context.Context) (string, error), error) {
	info, err := store.NewInfoReader(url, guard.Dial)
	if err != nil {
		return nil, err
	}
	return info.Read, nil
}

// collectItems is a flag that may be given again; lines of one text are items
// of their own, as in READOUT_COLLECT.
type collectItems []string

func (c *collectItems) String() string { return strings.Join(*c, "\n") }

// Set adds items.
func (c *collectItems) Set(text string) error {
	lines := slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })
	if len(lines) == 0 {
		return errors.New("an item is empty; leave it out, or write none")
	}
	for _, line := range lines {
		*c = append(*c, strings.TrimSpace(line))
	}
	return nil
}

// someFromEnvironment sets those of the named flags that the command line does
// not: READOUT_ and the name.
func someFromEnvironment(f *flag.FlagSet, getenv func(string) string, names ...string) error {
	return fromEnvironment(f, func(variable string) string {
		if slices.ContainsFunc(names, func(name string) bool { return environmentName(name) == variable }) {
			return getenv(variable)
		}
		return ""
	})
}

func environmentName(flag string) string {
	return "READOUT_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
