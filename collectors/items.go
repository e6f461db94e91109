package collectors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"readout/server/reading"
)

// LeastInterval is the shortest time between two collections that an item may
// ask for: processor counters tick every 10 ms.
const LeastInterval = 100 * time.Millisecond

// ItemOptions are what items need beside their text.
type ItemOptions struct {
	// Host is the label host of the host collectors; empty for this machine's name.
	Host string
	// Interval, if above 0, is that of the items which name none.
	Interval time.Duration
	// Allow are private networks that targets may lie in; the operator gives them.
	Allow []netip.Prefix
	// Redis makes what asks the Redis of a URL for INFO, connecting through dial.
	// nil means that there are no redis items.
	Redis func(url string, guard *Guard) (func(context.Context) (string, error), error)
	// Log gets what goes wrong with targets, once; nil for slog.Default.
	Log *slog.Logger
}

// Items makes the collectors that the user chose. An item is KIND[@INTERVAL] or
// KIND[@INTERVAL]:TARGET; plain ones may be joined by commas, and an item with a
// target may stand behind the last comma:
//
//	host    cpu,memory@10s    probe:https://example.org    scrape@15s:http://10.0.0.7:9100/metrics
//
// Each is made once, in the order of the items. none (or no item at all) is no
// collector. An error names what there is, with an example.
func Items(items []string, o ItemOptions) ([]Collector, error) {
	m := &maker{o: o, guard: NewGuard(o.Allow)}
	m.o.Host = cmp.Or(o.Host, Host())
	if m.o.Log == nil {
		m.o.Log = slog.Default()
	}
	for _, text := range items {
		for _, item := range splitItems(text) {
			if err := m.add(item); err != nil {
				return nil, err
			}
		}
	}
	if m.none && len(m.list) > 0 {
		return nil, errors.New("the collector none cannot stand beside others; leave it or the others out")
	}
	return m.list, nil
}

// Named makes collectors by their plain names, as Items does.
func Named(names []string) ([]Collector, error) { return Items(names, ItemOptions{}) }

// Names are the plain names that Items takes, for help texts: what collects from
// this machine, and none.
func Names() []string {
	return slices.Concat([]string{"host"}, hostNames(), []string{"demo", "none"})
}

// Forms are the items with a target, as examples.
func Forms() []string {
	return []string{"probe:https://example.org", "probe:tcp://db.example:5432", "scrape:http://host:9100/metrics", "redis:redis://host:6379", "exec:COMMAND"}
}

// splitItems parts a text at the commas before its target, which may hold some.
func splitItems(text string) []string {
	head, target, has := strings.Cut(text, ":")
	list := strings.Split(head, ",")
	if has {
		list[len(list)-1] += ":" + target
	}
	return list
}

// maker collects the collectors of items.
type maker struct {
	o     ItemOptions
	guard *Guard
	list  []Collector
	none  bool
}

func (m *maker) add(item string) error {
	head, target, hasTarget := strings.Cut(item, ":")
	kind, every, hasInterval := strings.Cut(strings.TrimSpace(head), "@")
	interval := m.o.Interval
	if hasInterval {
		var err error
		if interval, err = time.ParseDuration(every); err != nil {
			return fmt.Errorf("the interval %s of %s is not a duration; write it like %s@10s", reading.Quote(every), kind, kind)
		}
		if interval < LeastInterval {
			return fmt.Errorf("the interval %s of %s is too short; it is at least %v", reading.Quote(every), kind, LeastInterval)
		}
	}
	made, err := m.make(kind, strings.TrimSpace(target), hasTarget, hasInterval)
	if err != nil {
		return err
	}
	for _, c := range made {
		if interval > 0 {
			c = paced{c, interval}
		}
		if !slices.ContainsFunc(m.list, func(have Collector) bool { return have.Name() == c.Name() }) {
			m.list = append(m.list, c)
		}
	}
	return nil
}

// make makes the collectors of one item.
func (m *maker) make(kind, target string, hasTarget, hasInterval bool) ([]Collector, error) {
	withTarget := slices.Contains([]string{"probe", "scrape", "redis", "exec"}, kind)
	switch {
	case withTarget && target == "":
		i := slices.IndexFunc(Forms(), func(f string) bool { return strings.HasPrefix(f, kind+":") })
		return nil, fmt.Errorf("%s needs a target; write it like %s", kind, Forms()[i])
	case !withTarget && hasTarget && slices.Contains(Names(), kind):
		return nil, fmt.Errorf("%s takes no target; write it without the colon", kind)
	}
	one := func(c Collector, err error) ([]Collector, error) {
		if err != nil {
			return nil, err
		}
		return []Collector{c}, nil
	}
	switch kind {
	case "none":
		if hasInterval {
			return nil, errors.New("none has no interval")
		}
		m.none = true
		return nil, nil
	case "host":
		return NewHost(m.o.Host)
	case "demo":
		return one(NewDemo(), nil)
	case "probe":
		c, err := NewProbe(target, m.guard)
		return one(c, err)
	case "scrape":
		c, err := NewScrape(target, m.guard, m.o.Log)
		return one(c, err)
	case "exec":
		c, err := NewExec(target)
		return one(c, err)
	case "redis":
		c, err := m.redis(target)
		return one(c, err)
	}
	if slices.Contains(hostNames(), kind) {
		c, err := newHostCollector(kind, m.o.Host)
		return one(c, err)
	}
	return nil, fmt.Errorf("there is no collector %s; choose from %s, or %s. An interval goes behind @: cpu@10s",
		reading.Quote(kind), strings.Join(Names(), ", "), strings.Join(Forms(), ", "))
}

func (m *maker) redis(target string) (Collector, error) {
	if m.o.Redis == nil {
		return nil, errors.New("there are no redis items here")
	}
	instance, err := redisInstance(target, m.guard)
	if err != nil {
		return nil, err
	}
	info, err := m.o.Redis(target, m.guard)
	if err != nil {
		return nil, fmt.Errorf("the redis at %s: %w", instance, err)
	}
	return NewRedis(instance, info)
}

// paced is a collector with another interval.
type paced struct {
	Collector
	interval time.Duration
}

// Interval is the one that the item or the command line names.
func (p paced) Interval() time.Duration { return p.interval }
