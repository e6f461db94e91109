package store

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"readout/server/reading"
)

const (
	trimEvery   = 10 * time.Second
	reloadEvery = time.Minute
	keepBudget  = 20 * time.Second // one round of either
	keepBatch   = 500              // commands in one pipeline of the keeper
)

// keep does everything that is off the hot path: it trims what this replica
// wrote, takes streams of others into the catalog and lets topics go.
func (s *Store) keep() {
	trim, reload := time.NewTicker(trimEvery), time.NewTicker(reloadEvery)
	defer trim.Stop()
	defer reload.Stop()
	s.round("reload", s.reload)
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-trim.C:
			s.round("trim", s.trim)
		case <-reload.C:
			s.round("reload", s.reload)
		case <-s.catalog.reload:
			s.round("reload", s.reload)
		case <-s.catalog.signal:
			s.round("adopt", s.adoptPending)
		}
	}
}

// round runs one piece of the keeper's work. What fails is done by a later round.
func (s *Store) round(name string, work func(context.Context) error) {
	ctx, cancel := context.WithTimeout(s.ctx, keepBudget)
	defer cancel()
	if err := work(ctx); err != nil && s.ctx.Err() == nil {
		s.log.Warn("the store's keeper could not finish its round", "round", name, "err", err)
	}
}

// trim drops what is older than the retention from every stream that was written
// since the last round, and postpones its expiry. Age is measured from the
// stream's own newest entry: a replica's clock that runs ahead deletes nothing.
// Nor does one entry of a clock that ran ahead take the others with it.
func (s *Store) trim(ctx context.Context) error {
	if s.full.Swap(false) {
		if err := s.trimAll(ctx); err != nil {
			return err
		}
	}
	var touched []*topicState
	s.catalog.mu.RLock()
	for _, st := range s.catalog.topics {
		if st.touched.Swap(false) {
			touched = append(touched, st)
		}
	}
	s.catalog.mu.RUnlock()
	life := 2 * s.options.Retention
	var failed error
	for some := range slices.Chunk(touched, keepBatch) {
		pipe := s.db.Pipeline()
		for _, st := range some {
			key := Key(st.info.Topic)
			if newest := int64(st.newest.Load()); newest > 0 {
				s.trimOne(ctx, pipe, key, min(newest, time.Now().UnixMilli()))
			}
			if st.info.Foreign { // its writer may know no fuse
				queue(ctx, pipe, 1, "xtrim", key, "maxlen", "~", s.options.MaxEntries)
			}
			pipe.PExpire(ctx, key, life)
			pipe.PExpire(ctx, epochKey(st.info.Topic), life)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			failed = err
			for _, st := range some {
				st.touched.Store(true)
			}
		}
	}
	return failed
}

// trimOne queues that a stream loses what is older than the retention at a time.
func (s *Store) trimOne(ctx context.Context, pipe redis.Pipeliner, key string, now int64) {
	if oldest := now - s.options.Retention.Milliseconds(); oldest > 0 {
		queue(ctx, pipe, 1, "xtrim", key, "minid", "~", strconv.FormatInt(oldest, 10)+"-0")
		s.stats.trims.Add(1)
	}
}

// trimAll trims every stream by the server's own clock. A server without memory
// takes nothing new, so no stream would ever grow older, and it would stay full
// until its streams expire.
func (s *Store) trimAll(ctx context.Context) error {
	now, err := s.db.Time(ctx).Result()
	if err != nil {
		return err
	}
	for some := range slices.Chunk(s.Topics(func(reading.Topic) bool { return true }), keepBatch) {
		pipe := s.db.Pipeline()
		for _, info := range some {
			s.trimOne(ctx, pipe, Key(info.Topic), now.UnixMilli())
		}
		if pipe.Len() == 0 {
			return nil
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// adoptPending registers what reads have seen and the catalog did not know.
func (s *Store) adoptPending(ctx context.Context) error {
	c := &s.catalog
	c.mu.Lock()
	pending := c.pending
	c.pending = map[reading.Topic][]reading.Column{}
	c.mu.Unlock()
	var news []addition
	for topic, columns := range pending {
		news = append(news, addition{topic: topic, columns: columns, foreign: true})
	}
	return s.adopt(ctx, news)
}

func (s *Store) adopt(ctx context.Context, news []addition) error {
	fresh := 0
	for _, a := range news {
		if s.catalog.state(a.topic) == nil {
			fresh++
		}
	}
	if err := s.register(ctx, news); err != nil {
		return err
	}
	for _, a := range news {
		if st := s.catalog.state(a.topic); st != nil {
			st.touched.Store(true)
		}
	}
	s.stats.adopted.Add(int64(fresh))
	return nil
}

// reload compares the index with the catalog and the catalog with the streams
// that there are: it takes over rows whose change was missed, writes rows for
// streams that have none (somebody XADDed them, or the catalog was lost), and
// forgets topics whose stream has expired.
func (s *Store) reload(ctx context.Context) error {
	c := &s.catalog
	c.forgetEnds()
	c.mu.RLock()
	before := make(map[reading.Topic]string, len(c.topics))
	for topic, st := range c.topics {
		before[topic] = st.text
	}
	c.mu.RUnlock()
	streams, err := s.scan(ctx)
	if err != nil {
		return err
	}
	rows, err := s.rows(ctx)
	if err != nil {
		return err
	}
	var adopt []addition
	var ask []reading.Topic // streams about whose newest entry we want to know
	for topic, text := range rows {
		if st := c.state(topic); st == nil || st.text == before[topic] {
			c.put(topic, text, true)
		}
		if st := c.state(topic); streams[topic] && st != nil && st.info.Foreign {
			ask = append(ask, topic)
		}
	}
	for topic := range streams {
		if _, described := rows[topic]; !described {
			ask = append(ask, topic)
		}
	}
	for topic := range before {
		if _, described := rows[topic]; described {
			continue
		}
		if !streams[topic] {
			// One that was written since the last trim may be there since the scan.
			if st := c.state(topic); st != nil && !st.touched.Load() {
				c.drop(topic)
			}
			continue
		}
		c.put(topic, "", true)
	}
	for some := range slices.Chunk(ask, keepBatch) {
		found, err := s.newest(ctx, some)
		if err != nil {
			return err
		}
		adopt = append(adopt, found...)
	}
	// A server without memory takes no rows; letting go still makes room in it.
	return errors.Join(s.adopt(ctx, adopt), s.expireLost(ctx, streams), s.forget(ctx, rows, streams))
}

// newest looks at the newest entries of streams that others write: they tell
// the columns of those that are to be adopted, and whether the others were
// written, so that they are trimmed and do not expire.
func (s *Store) newest(ctx context.Context, topics []reading.Topic) ([]addition, error) {
	latest, err := s.Latest(ctx, topics, 4)
	if err != nil {
		return nil, err
	}
	var news []addition
	for i, topic := range topics {
		entries := latest[i]
		if len(entries) == 0 {
			continue // nothing in it is a reading
		}
		ms := entries[len(entries)-1].Cursor.ID.Ms
		st := s.catalog.state(topic)
		if st == nil || st.text == "" {
			a := addition{topic: topic, foreign: true}
			s.catalog.mu.RLock()
			for _, e := range entries {
				columns, _ := s.catalog.missing(topic, e.Readings)
				a.columns = union(a.columns, columns, false)
			}
			s.catalog.mu.RUnlock()
			news = append(news, a)
			continue
		}
		if st.newest.Swap(ms) != ms {
			st.touched.Store(true)
		}
	}
	return news, nil
}

// expireLost finds streams that never expire, because their writer is no
// replica or ended before its first round, and has them trimmed with the next.
func (s *Store) expireLost(ctx context.Context, streams map[reading.Topic]bool) error {
	topics := make([]reading.Topic, 0, len(streams))
	for topic := range streams {
		topics = append(topics, topic)
	}
	for some := range slices.Chunk(topics, keepBatch) {
		pipe := s.db.Pipeline()
		lives := make([]*redis.DurationCmd, len(some))
		for i, topic := range some {
			lives[i] = pipe.PTTL(ctx, Key(topic))
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
		for i, topic := range some {
			if st := s.catalog.state(topic); st != nil && lives[i].Val() == -1 { // as Redis says "never"
				st.touched.Store(true)
			}
		}
	}
	return nil
}

// forget takes topics out of the catalog whose stream is gone. A topic that was
// described and not pushed yet stays for as long as a stream without readings would.
func (s *Store) forget(ctx context.Context, rows map[reading.Topic]string, streams map[reading.Topic]bool) error {
	oldest := time.Now().Add(-2 * s.options.Retention).UnixMilli()
	var gone []reading.Topic
	var calls []call
	for topic, text := range rows {
		st := s.catalog.state(topic)
		if streams[topic] || st == nil || st.text != text || st.info.Since > oldest {
			continue
		}
		gone = append(gone, topic)
		calls = append(calls, call{forgetScript, []string{catalogKey(shardOf(topic)), Key(topic)}, []any{string(topic), text}})
	}
	for i, cmd := range s.writer.run(ctx, calls) {
		n, err := cmd.Int()
		if err != nil {
			return err
		}
		if n == 1 {
			s.catalog.drop(gone[i])
		}
	}
	return nil
}

// scan finds every stream of a topic, on all primaries.
func (s *Store) scan(ctx context.Context) (map[reading.Topic]bool, error) {
	found := map[reading.Topic]bool{}
	var mu sync.Mutex
	one := func(ctx context.Context, db redis.Cmdable) error {
		all := db.ScanType(ctx, 0, scanPattern, 1000, "stream").Iterator()
		for all.Next(ctx) {
			if topic, ok := topicOfKey(all.Val()); ok {
				mu.Lock()
				found[topic] = true
				mu.Unlock()
			}
		}
		return all.Err()
	}
	if c, ok := s.db.(*redis.ClusterClient); ok {
		err := c.ForEachMaster(ctx, func(ctx context.Context, db *redis.Client) error { return one(ctx, db) })
		return found, err
	}
	return found, one(ctx, s.db)
}
