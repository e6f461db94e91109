package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"readout/server/problem"
	"readout/server/reading"
	"readout/server/store"
)

// keys lists the keys of all servers that match a pattern.
func (b *backend) keys(t testing.TB, pattern string) []string {
	t.Helper()
	if c, ok := b.raw.(*redis.ClusterClient); ok {
		var mu sync.Mutex
		var all []string
		err := c.ForEachMaster(t.Context(), func(ctx context.Context, node *redis.Client) error {
			keys, err := node.Keys(ctx, pattern).Result()
			mu.Lock()
			defer mu.Unlock()
			all = append(all, keys...)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	keys, err := b.raw.Keys(t.Context(), pattern).Result()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func conformCatalog(t *testing.T, b *backend, s *store.Store) {
	other := b.open(t)
	var mu sync.Mutex
	told := map[reading.Topic][]string{}
	other.OnTopic(func(info store.Info) {
		mu.Lock()
		defer mu.Unlock()
		var names []string
		for _, c := range info.Columns {
			names = append(names, c.Name+":"+c.Kind)
		}
		told[info.Topic] = append(told[info.Topic], strings.Join(names, ","))
	})
	one, two := topic(t, "b"), topic(t, "a")
	mustAppend(t, s, number(one, 1000, 1), number(two, 1000, 1))
	state := reading.Reading{Topic: one, Time: 1001, Values: []reading.Named{{Name: "state", Value: reading.TextOf("open")}, {Name: "value", Value: reading.NumberOf(1)}}}
	mustAppend(t, s, state)
	mustAppend(t, s, state)
	match := func(tp reading.Topic) bool { return strings.HasPrefix(string(tp), string(topic(t))) }
	for _, replica := range []*store.Store{s, other, b.open(t)} {
		eventually(t, "every replica knows the topics", func() bool {
			infos := replica.Topics(match)
			return len(infos) == 2 && infos[0].Topic == two && infos[1].Topic == one &&
				slices.Equal(infos[1].Columns, []reading.Column{{Name: "value", Kind: reading.Gauge}, {Name: "state", Kind: reading.State}})
		})
	}
	mu.Lock()
	defer mu.Unlock()
	// It may have read the catalog only after the second change.
	if got := strings.TrimPrefix(fmt.Sprint(told[one], told[two]), "[value:gauge "); strings.TrimPrefix(got, "[") != "value:gauge,state:state] [value:gauge]" {
		t.Errorf("the other replica was told %s and %s", told[one], told[two])
	}
	if _, ok := s.Info(topic(t, "none")); ok {
		t.Error("a topic that nobody wrote is known")
	}
}

func conformDescribe(t *testing.T, b *backend, s *store.Store) {
	tp := topic(t)
	other := b.open(t)
	if err := s.Describe(t.Context(), tp, []reading.Column{{Name: "user", Unit: "percent"}, {Name: "requests", Kind: reading.Counter}}); err != nil {
		t.Fatal(err)
	}
	// Both replicas write without knowing of each other's change yet.
	if err := other.Describe(t.Context(), tp, []reading.Column{{Name: "user", Kind: reading.Counter}}); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, number(tp, 1000, 1))
	want := []reading.Column{{Name: "user", Unit: "percent", Kind: reading.Counter}, {Name: "requests", Kind: reading.Counter}, {Name: "value", Kind: reading.Gauge}}
	for _, replica := range []*store.Store{s, other} {
		eventually(t, "both replicas know both changes", func() bool {
			info, _ := replica.Info(tp)
			return slices.Equal(info.Columns, want)
		})
	}
	changes := s.Stats().CatalogChanges
	if err := s.Describe(t.Context(), tp, []reading.Column{{Name: "user", Unit: "percent"}}); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, number(tp, 1001, 1))
	if n := s.Stats().CatalogChanges - changes; n != 0 {
		t.Errorf("%d writes to the catalog although nothing changed", n)
	}
	err := s.Describe(t.Context(), tp, []reading.Column{{Name: "user", Kind: "speed"}})
	if p, _ := problem.Of(err); err == nil || p.Code != "bad_describe" {
		t.Errorf("an unknown kind: %v", err)
	}
}

func conformAdopt(t *testing.T, b *backend, s *store.Store) {
	before, read, tailed := topic(t, "before"), topic(t, "read"), topic(t, "tailed")
	b.xadd(t, before, "a", 1, "b", "on")
	if err := b.raw.Do(t.Context(), "xadd", "readout:{000}:s:no topic!", "*", "value", 1).Err(); err != nil {
		t.Fatal(err)
	}
	late := b.open(t)
	eventually(t, "a stream that was there before Open is adopted", func() bool {
		info, _ := late.Info(before)
		return slices.Equal(info.Columns, []reading.Column{{Name: "a", Kind: reading.Gauge}, {Name: "b", Kind: reading.State}}) && info.Foreign
	})
	b.xadd(t, read, "value", 1)
	mustRange(t, s, read, store.RangeQuery{})
	f := follow(t, s, tailed, reading.Cursor{})
	b.xadd(t, tailed, "value", 1)
	f.take(t, 1)
	for _, replica := range []*store.Store{s, late} {
		for _, tp := range []reading.Topic{before, read, tailed} {
			eventually(t, "both replicas know "+string(tp), func() bool { _, ok := replica.Info(tp); return ok })
		}
	}
	if slices.ContainsFunc(late.Topics(nil), func(i store.Info) bool { return strings.Contains(string(i.Topic), " ") }) {
		t.Error("a key that is no topic's was adopted")
	}
}
