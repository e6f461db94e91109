package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"readout/server/problem"
	"readout/server/reading"
)

const (
	maxColumns    = 4 * reading.MaxValues // of one topic; further ones are stored but not described
	changesLength = 1000                  // entries of the stream of changes
	changeTopics  = 256                   // topics in one of its entries
	changesShard  = shards                // it lives in no shard of topics
)

// Info is what is known of a topic besides its readings. Its slices are shared: read them only.
type Info struct {
	Topic   reading.Topic
	Columns []reading.Column // in the order of their first appearance
	Since   int64            // ms: when the topic was first known
	Foreign bool             // found in the store; nobody has pushed to it through Readout yet
	Hidden  bool             // left out of lists
}

// row is a topic's row of the catalog, as it is stored.
type row struct {
	Columns  []reading.Column `json:"columns"`
	Since    int64            `json:"since"`
	Revision int64            `json:"revision"` // grows with every change of the row
	Foreign  bool             `json:"foreign,omitempty"`
	Hidden   bool             `json:"hidden,omitempty"`
}

// topicState is a topic in the index of this replica.
type topicState struct {
	info     Info
	text     string // the row as it stands in the catalog
	revision int64
	newest   atomic.Uint64 // ms of the newest ID this replica wrote or saw; 0 for none
	touched  atomic.Bool   // written since the last round of trimming
}

// catalog is the index: every topic of the store, in memory.
type catalog struct {
	mu      sync.RWMutex
	topics  map[reading.Topic]*topicState
	sorted  []reading.Topic // nil when topics came or went
	changes reading.StreamID
	pending map[reading.Topic][]reading.Column // seen in entries, not in the catalog yet
	ended   map[reading.Topic]ended            // deleted lately
	signal  chan struct{}                      // that something is pending
	reload  chan struct{}                      // that the store was away

	calls   sync.Mutex // keeps the calls of onTopic in order
	onTopic func(Info) // guarded by calls
	onGone  func(reading.Topic)
}

func (c *catalog) init() {
	c.topics, c.pending = map[reading.Topic]*topicState{}, map[reading.Topic][]reading.Column{}
	c.ended = map[reading.Topic]ended{}
	c.signal, c.reload = make(chan struct{}, 1), make(chan struct{}, 1)
}

func (c *catalog) size() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.topics)
}

func (c *catalog) state(topic reading.Topic) *topicState {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.topics[topic]
}

// wrote notes that this replica wrote an entry.
func (c *catalog) wrote(topic reading.Topic, id reading.StreamID) {
	if st := c.state(topic); st != nil {
		st.newest.Store(id.Ms)
		st.touched.Store(true)
	}
}

// Topics returns the topics that match, sorted; nil matches all. It reads memory only.
func (s *Store) Topics(match func(reading.Topic) bool) []Info {
	c := &s.catalog
	c.mu.Lock()
	if c.sorted == nil {
		c.sorted = slices.Sorted(maps.Keys(c.topics))
	}
	sorted := c.sorted
	c.mu.Unlock()
	var infos []Info
	for _, topic := range sorted {
		if match != nil && !match(topic) {
			continue
		}
		if info, ok := s.Info(topic); ok {
			infos = append(infos, info)
		}
	}
	return infos
}

// Info returns what is known of a topic. It reads memory only.
func (s *Store) Info(topic reading.Topic) (Info, bool) {
	s.catalog.mu.RLock()
	defer s.catalog.mu.RUnlock()
	st := s.catalog.topics[topic]
	if st == nil {
		return Info{}, false
	}
	return st.info, true
}

// OnTopic sets who is told of every topic that is new to this replica or whose
// columns changed or that was hidden or shown, whoever wrote it. Set it right after Open. Calls come one
// after another, before the first reading of a topic that this replica appends
// is stored; they must not append or describe.
func (s *Store) OnTopic(f func(Info)) {
	s.catalog.calls.Lock()
	defer s.catalog.calls.Unlock()
	s.catalog.onTopic = f
}

// Describe sets units and kinds of a topic's columns, which need not exist yet.
// An empty unit or kind leaves what is known.
func (s *Store) Describe(ctx context.Context, topic reading.Topic, columns []reading.Column) error {
	for _, column := range columns {
		if err := column.Validate(); err != nil {
			return err
		}
	}
	want := addition{topic: topic, columns: columns, described: true}
	ctx, cancel := context.WithTimeout(ctx, writeBudget)
	defer cancel()
	return s.register(ctx, []addition{want})
}

// announce makes sure that the catalog knows the topics and columns of an append.
// Nearly always it does, and nothing is sent.
func (s *Store) announce(ctx context.Context, batches []*batch) error {
	news := s.news(batches)
	if len(news) == 0 {
		return nil
	}
	return s.register(ctx, news)
}

// news returns what the catalog does not know of the topics of an append.
func (s *Store) news(batches []*batch) []addition {
	var news []addition
	c := &s.catalog
	c.mu.RLock()
	for _, b := range batches {
		if columns, st := c.missing(b.topic, b.readings); st == nil || len(columns) > 0 {
			news = append(news, addition{topic: b.topic, columns: columns, pushed: true})
		} else if st.info.Foreign {
			news = append(news, addition{topic: b.topic, pushed: true})
		}
	}
	c.mu.RUnlock()
	return news
}

// notice leaves topics and columns that entries of others brought to the
// keeper, so that no read waits for the catalog.
func (s *Store) notice(topic reading.Topic, entries []reading.Entry) {
	c := &s.catalog
	var columns []reading.Column
	isNew := false
	c.mu.RLock()
	for _, e := range entries {
		more, st := c.missing(topic, e.Readings)
		columns, isNew = union(columns, more, false), isNew || st == nil
	}
	c.mu.RUnlock()
	if !isNew && len(columns) == 0 {
		return
	}
	c.mu.Lock()
	c.pending[topic] = union(c.pending[topic], columns, false)
	c.mu.Unlock()
	select {
	case c.signal <- struct{}{}:
	default: // it is on its way already
	}
}

// missing returns the columns of readings that the index does not know, and what it
// knows of the topic. c.mu is held.
func (c *catalog) missing(topic reading.Topic, readings []reading.Reading) (columns []reading.Column, st *topicState) {
	var known []reading.Column
	if st = c.topics[topic]; st != nil {
		known = st.info.Columns
	}
	found := map[string]bool{} // what was looked for: a large request may name the last of many columns a million times
	for _, r := range readings {
		for i, v := range r.Values {
			if i < len(known) && known[i].Name == v.Name || found[v.Name] {
				continue
			}
			found[v.Name] = true
			if hasColumn(known, v.Name) || hasColumn(columns, v.Name) {
				continue
			}
			if len(known)+len(columns) >= maxColumns {
				return columns, st
			}
			kind := reading.Gauge
			if v.Value.Kind() != reading.Number {
				kind = reading.State
			}
			columns = append(columns, reading.Column{Name: v.Name, Kind: kind})
		}
	}
	return columns, st
}

func hasColumn(columns []reading.Column, name string) bool {
	return slices.ContainsFunc(columns, func(c reading.Column) bool { return c.Name == name })
}

// union adds columns to others. With described, what more says of a column
// replaces what is known; without, it stays.
func union(columns, more []reading.Column, described bool) []reading.Column {
	merged := slices.Clone(columns)
	for _, m := range more {
		at := slices.IndexFunc(merged, func(c reading.Column) bool { return c.Name == m.Name })
		switch {
		case at < 0 && len(merged) < maxColumns:
			m.Kind = cmp.Or(m.Kind, reading.Gauge)
			merged = append(merged, m)
		case at >= 0 && described:
			merged[at].Unit, merged[at].Kind = cmp.Or(m.Unit, merged[at].Unit), cmp.Or(m.Kind, merged[at].Kind)
		}
	}
	return merged
}

// addition is what is to be added to a topic's row.
type addition struct {
	topic     reading.Topic
	columns   []reading.Column
	described bool // what columns say replaces what is known
	pushed    bool // somebody pushes to it: it is not foreign any more
	foreign   bool // if it is new, it was found in the store
	hidden    *bool
}

// apply returns the row with the addition, and whether that changed it.
func (a addition) apply(st *topicState, now int64) (row, bool) {
	next := row{Since: now, Foreign: a.foreign}
	var before []reading.Column
	if st != nil {
		before = st.info.Columns
		next.Since, next.Foreign, next.Revision = st.info.Since, st.info.Foreign && !a.pushed, st.revision
		next.Hidden = st.info.Hidden
	}
	if a.hidden != nil {
		next.Hidden = *a.hidden
	}
	next.Columns = union(before, a.columns, a.described)
	if st != nil && st.text != "" && slices.Equal(before, next.Columns) && next.Foreign == st.info.Foreign && next.Hidden == st.info.Hidden {
		return next, false
	}
	next.Revision++
	return next, true
}

// register writes additions to the catalog: compare-and-set in the store, merged
// here, and told to the other replicas. It also names the life of new streams.
func (s *Store) register(ctx context.Context, todo []addition) error {
	var changed []any // topics and rows in turn
	defer func() { s.tell(ctx, changed) }()
	for attempt := 0; len(todo) > 0; attempt++ {
		if attempt == 10 {
			return problem.New("store_unavailable", "the catalog changes too fast")
		}
		writes, err := s.plan(todo)
		if err != nil {
			return err
		}
		calls := make([]call, len(writes))
		for i, w := range writes {
			calls[i] = w.call
		}
		todo = nil
		var failed error
		for i, cmd := range s.writer.run(ctx, calls) {
			replies, err := cmd.Slice()
			if err == nil && len(replies) != len(writes[i].additions) {
				err = errReply
			}
			if err != nil {
				failed = err
				continue
			}
			for k, a := range writes[i].additions {
				if standing, other := replies[k].(string); other {
					s.catalog.put(a.topic, standing, true)
					todo = append(todo, a)
					continue
				}
				s.stats.catalogChanges.Add(1)
				s.catalog.put(a.topic, writes[i].rows[k], true)
				changed = append(changed, string(a.topic), writes[i].rows[k])
			}
		}
		if failed != nil {
			return failure(failed, false)
		}
	}
	return nil
}

// shardWrite is the rows to write in one shard.
type shardWrite struct {
	call      call
	additions []addition
	rows      []string
}

// plan makes the rows of additions, shard by shard; those that change nothing are left out.
func (s *Store) plan(todo []addition) ([]*shardWrite, error) {
	now := time.Now().UnixMilli()
	var writes []*shardWrite
	byShard := map[int]*shardWrite{}
	for _, a := range todo {
		st := s.catalog.state(a.topic)
		next, change := a.apply(st, now)
		if !change {
			continue
		}
		text, err := json.Marshal(next)
		if err != nil {
			return nil, failure(err, false)
		}
		before := ""
		if st != nil {
			before = st.text
		}
		shard := shardOf(a.topic)
		w := byShard[shard]
		if w == nil {
			w = &shardWrite{call: call{describeScript, []string{catalogKey(shard)}, []any{(2 * s.options.Retention).Milliseconds()}}}
			byShard[shard] = w
			writes = append(writes, w)
		}
		w.additions, w.rows = append(w.additions, a), append(w.rows, string(text))
		w.call.keys = append(w.call.keys, epochKey(a.topic))
		w.call.args = append(w.call.args, string(a.topic), before, string(text), newEpoch())
	}
	return writes, nil
}

// tell writes changed rows to the stream that every replica follows. Who misses
// them finds them with the next reload.
func (s *Store) tell(ctx context.Context, changed []any) {
	if len(changed) == 0 {
		return
	}
	pipe := s.db.Pipeline()
	for some := range slices.Chunk(changed, 2*changeTopics) {
		queue(ctx, pipe, 1, append([]any{"xadd", changesKey, "maxlen", "~", changesLength, "*"}, some...)...)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		s.log.Warn("other replicas learn of new topics later", "topics", len(changed)/2, "err", err)
	}
}

// put takes a row over into the index. Rows of the stream of changes may arrive
// late and must be newer than what is known; replace takes any. An empty or
// unreadable row is taken for one without columns.
func (c *catalog) put(topic reading.Topic, text string, replace bool) {
	var r row
	_ = json.Unmarshal([]byte(text), &r) // see above
	c.calls.Lock()
	defer c.calls.Unlock()
	c.mu.Lock()
	st := c.topics[topic]
	// A reload that read the store before a topic was deleted must not bring it back.
	end, deleted := c.ended[topic]
	if st == nil && text == "" || deleted && r.Since == end.since && r.Revision <= end.revision {
		c.mu.Unlock()
		return
	}
	if st != nil && (st.text == text || !replace && r.Revision <= st.revision) {
		c.mu.Unlock()
		return
	}
	next := &topicState{text: text, revision: r.Revision,
		info: Info{Topic: topic, Columns: r.Columns, Since: r.Since, Foreign: r.Foreign, Hidden: r.Hidden}}
	if st != nil {
		if text == "" { // the catalog lost it; what is known goes back there
			next.info = st.info
		}
		next.newest.Store(st.newest.Load())
		next.touched.Store(st.touched.Load())
	} else {
		c.sorted = nil
	}
	c.topics[topic] = next
	c.mu.Unlock()
	if c.onTopic != nil && (st == nil || !slices.Equal(st.info.Columns, next.info.Columns) || st.info.Hidden != next.info.Hidden) {
		c.onTopic(next.info)
	}
}

// followCatalog takes over what other replicas write, as it happens.
func (s *Store) followCatalog() {
	w := s.tail.watch(s.ctx, changesKey, changesShard, s.catalog.changes)
	defer s.tail.end(w)
	for {
		select {
		case <-s.ctx.Done():
			return
		case d := <-w.deliveries:
			for _, r := range d.entries {
				for i := 0; i+1 < len(r.fields); i += 2 {
					if topic, err := reading.ParseTopic(r.fields[i]); err == nil {
						s.changed(topic, r.fields[i+1])
					}
				}
			}
			if d.again {
				select {
				case s.catalog.reload <- struct{}{}:
				default: // asked for already
				}
			}
			d.done.Done()
		}
	}
}

// loadCatalog reads the whole catalog, and first the place in the stream of
// changes from which to follow it.
func (s *Store) loadCatalog(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readBudget)
	defer cancel()
	reply, err := s.db.Do(ctx, "xrevrange", changesKey, "+", "-", "count", 1).Result()
	if err != nil {
		return err
	}
	newest, err := parseEntries(reply)
	if err != nil {
		return err
	}
	if len(newest) > 0 {
		s.catalog.changes = newest[0].id
	}
	rows, err := s.rows(ctx)
	for topic, text := range rows {
		s.catalog.put(topic, text, true)
	}
	return err
}

// rows reads every row of the catalog.
func (s *Store) rows(ctx context.Context) (map[reading.Topic]string, error) {
	pipe := s.db.Pipeline()
	for shard := range shards {
		pipe.HGetAll(ctx, catalogKey(shard))
	}
	cmds, err := pipe.Exec(ctx)
	if err != nil {
		return nil, err
	}
	rows := map[reading.Topic]string{}
	for _, cmd := range cmds {
		all, ok := cmd.(interface{ Val() map[string]string })
		if !ok {
			return nil, errors.New("go-redis changed HGETALL")
		}
		for name, text := range all.Val() {
			if topic, err := reading.ParseTopic(name); err == nil {
				rows[topic] = text
			}
		}
	}
	return rows, nil
}
