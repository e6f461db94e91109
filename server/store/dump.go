package store

import (
	"context"
	"iter"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"readout/server/reading"
)

const (
	dumpPattern = "readout:*"
	dumpPage    = 1000 // entries of one stream in one read
)

// Dump yields, as commands of Redis, everything that a Redis holds of Readout:
// entries with their IDs, what their streams count, and when keys expire. It reads
// key by key while others write: what is written meanwhile may be in it or not. It
// never changes the Redis. counted is called for each key that is done.
func Dump(ctx context.Context, o Options, counted func(keys int)) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		l, err := newLink(o)
		if err != nil {
			yield(nil, err)
			return
		}
		db := l.client(2, 30*time.Second)
		defer func() { _ = db.Close() }()
		keys, err := allKeys(ctx, db)
		if err != nil {
			yield(nil, err)
			return
		}
		for n, key := range keys {
			going, err := dumpKey(ctx, db, key, func(words ...string) bool { return yield(words, nil) })
			if err != nil {
				yield(nil, err)
				return
			}
			if !going {
				return
			}
			if counted != nil {
				counted(n + 1)
			}
		}
	}
}

// allKeys lists the keys of Readout, on all primaries.
func allKeys(ctx context.Context, db redis.UniversalClient) ([]string, error) {
	var keys []string
	var mu sync.Mutex
	seen := map[string]bool{}
	one := func(ctx context.Context, db redis.Cmdable) error {
		all := db.Scan(ctx, 0, dumpPattern, 1000).Iterator()
		for all.Next(ctx) {
			mu.Lock()
			if key := all.Val(); !seen[key] { // SCAN may say one twice
				seen[key] = true
				keys = append(keys, key)
			}
			mu.Unlock()
		}
		return all.Err()
	}
	if c, ok := db.(*redis.ClusterClient); ok {
		return keys, c.ForEachMaster(ctx, func(ctx context.Context, db *redis.Client) error { return one(ctx, db) })
	}
	return keys, one(ctx, db)
}

// dumpKey emits the commands that make one key; going is false when nobody wants more.
func dumpKey(ctx context.Context, db redis.UniversalClient, key string, emit func(words ...string) bool) (going bool, err error) {
	kind, err := db.Type(ctx, key).Result()
	if err != nil {
		return false, err
	}
	switch kind {
	case "none": // it has gone since
		return true, nil
	case "string":
		text, err := db.Get(ctx, key).Result()
		if err != nil || !emit("SET", key, text) {
			return false, err
		}
	case "hash":
		fields, err := db.HGetAll(ctx, key).Result()
		if err != nil {
			return false, err
		}
		words := []string{"HSET", key}
		for field, value := range fields {
			words = append(words, field, value)
		}
		if !emit(words...) {
			return false, nil
		}
	case "stream":
		if going, err := dumpStream(ctx, db, key, emit); err != nil || !going {
			return false, err
		}
	default: // not ours
		return true, nil
	}
	left, err := db.PTTL(ctx, key).Result()
	if err != nil {
		return false, err
	}
	if left > 0 {
		return emit("PEXPIREAT", key, strconv.FormatInt(time.Now().Add(left).UnixMilli(), 10)), nil
	}
	return true, nil
}

func dumpStream(ctx context.Context, db redis.UniversalClient, key string, emit func(words ...string) bool) (going bool, err error) {
	info, err := db.XInfoStream(ctx, key).Result()
	if err != nil {
		return false, err
	}
	last := info.LastGeneratedID
	if info.Length == 0 && !emit("XADD", key, "MAXLEN", "=", "0", last, "x", "y") { // an empty one cannot be made by itself
		return false, nil
	}
	from := "-"
	for {
		reply, err := db.Do(ctx, "xrange", key, from, last, "count", dumpPage).Result()
		if err != nil {
			return false, err
		}
		page, err := parseEntries(reply)
		if err != nil {
			return false, err
		}
		for _, e := range page {
			words := make([]string, 0, 3+len(e.fields))
			if !emit(append(append(words, "XADD", key, e.id.String()), e.fields...)...) {
				return false, nil
			}
		}
		if len(page) < dumpPage {
			break
		}
		from = "(" + page[len(page)-1].id.String()
	}
	if info.EntriesAdded > 0 {
		end, removed := last, info.MaxDeletedEntryID
		if before(last, removed) { // an XSETID has set it back: that is refused beside MAXDELETEDID
			end = removed
		}
		going := emit("XSETID", key, end, "ENTRIESADDED", strconv.FormatInt(info.EntriesAdded, 10), "MAXDELETEDID", removed)
		if !going || end == last {
			return going, nil
		}
	}
	return emit("XSETID", key, last), nil
}

// before compares two IDs of entries as a store prints them.
func before(a, b string) bool {
	one, err := reading.ParseStreamID(a)
	two, bad := reading.ParseStreamID(b)
	return err == nil && bad == nil && one.Compare(two) < 0
}
