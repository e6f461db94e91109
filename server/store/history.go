package store

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"readout/server/reading"
)

// maxLate is how far a reading's own time may lie ahead of its entry's ID: what
// reading.Validate allows a sender. Entries older than that before a window
// cannot hold a reading of the window.
const maxLate = int64(reading.MaxAhead / 1e6)

const (
	pageEntries = 1000    // entries that one command reads
	mostRaw     = 40_000  // entries that one pipeline reads; packed ones have up to 8 KiB
	mostValues  = 500_000 // values that one Range returns: an entry may hold 256 readings, and a stream 10,000 entries
)

// RangeQuery picks readings of one topic.
type RangeQuery struct {
	From, To int64 // ms of the readings' own time, both included; 0 is open
	Limit    int   // the newest so many entries; 0 is all
}

// Range returns the entries that hold readings of a window of time, in stream
// order; readings that came late stand where they came. Beyond the limit, and
// beyond 500,000 values, the oldest are left out. A topic that nobody wrote has no
// entries and ends at 0-0.
func (s *Store) Range(ctx context.Context, topic reading.Topic, q RangeQuery) (reading.History, error) {
	ctx, cancel := context.WithTimeout(ctx, readBudget)
	defer cancel()
	start := "-"
	if oldest := q.From - maxLate; oldest > 0 {
		start = strconv.FormatInt(oldest, 10) + "-0"
	}
	page := pageEntries
	if q.Limit > 0 && q.To == 0 && q.From == 0 {
		page = min(page, q.Limit)
	}
	l, err := s.look(ctx, topic, []any{"xrevrange", Key(topic), "+", start, "count", page})
	if err != nil {
		return reading.History{}, failure(err, false)
	}
	entries, err := parseEntries(l.replies[0])
	if err != nil {
		return reading.History{}, failure(err, false)
	}
	h := reading.History{End: l.end()}
	newest := int64(reading.Unknown) // the ordinal of the newest entry not taken yet
	if len(entries) > 0 && entries[0].id == l.last {
		newest = l.added
	}
	values := 0
	full := func() bool { return q.Limit > 0 && len(h.Entries) >= q.Limit || values >= mostValues }
	for len(entries) > 0 && !h.Cut {
		for i, r := range entries {
			if h.Cut = full(); h.Cut {
				break
			}
			readings, err := decodeEntry(topic, r)
			if err != nil {
				s.stats.badEntries.Add(1)
				continue
			}
			readings = slices.DeleteFunc(readings, func(r reading.Reading) bool {
				return r.Time < q.From || q.To > 0 && r.Time > q.To
			})
			if len(readings) > 0 {
				h.Entries = append(h.Entries, reading.Entry{Cursor: cursorAt(r.id, newest, -int64(i), l.epoch), Readings: readings})
				values += valuesOf(readings)
			}
		}
		if len(entries) < page || h.Cut {
			break
		}
		if h.Cut = full(); h.Cut { // what would follow may be nothing, which is not worth another command
			break
		}
		if newest >= 0 {
			newest -= int64(len(entries))
		}
		page = pageEntries
		before := "(" + entries[len(entries)-1].id.String()
		reply, err := s.db.Do(ctx, "xrevrange", Key(topic), before, start, "count", page).Result()
		if err != nil {
			return reading.History{}, failure(err, false)
		}
		if entries, err = parseEntries(reply); err != nil {
			return reading.History{}, failure(err, false)
		}
	}
	slices.Reverse(h.Entries)
	s.notice(topic, h.Entries)
	return h, nil
}

// Latest returns beside each topic its newest n entries in stream order, read in
// one pipeline unless they are very many; none for one whose key holds something
// else. The topics share 1,000,000 values, of which the oldest are left out. Their
// cursors are bare IDs: who wants to follow the topics asks for Histories.
func (s *Store) Latest(ctx context.Context, topics []reading.Topic, n int) ([][]reading.Entry, error) {
	histories, err := s.histories(ctx, topics, n, false)
	if err != nil {
		return nil, err
	}
	latest := make([][]reading.Entry, len(histories))
	for i, h := range histories {
		latest[i] = h.Entries
	}
	return latest, nil
}

// Histories is Latest for who goes on from there: each history has its end, so that
// whatever is lost from then on can be told and counted. The end of a topic without
// a stream is 0-0, and that of one that nobody has watched yet may be a bare ID.
func (s *Store) Histories(ctx context.Context, topics []reading.Topic, n int) ([]reading.History, error) {
	return s.histories(ctx, topics, n, true)
}

func (s *Store) histories(ctx context.Context, topics []reading.Topic, n int, ends bool) ([]reading.History, error) {
	histories := make([]reading.History, len(topics))
	if len(topics) == 0 || n <= 0 {
		return histories, nil
	}
	ctx, cancel := context.WithTimeout(ctx, readBudget)
	defer cancel()
	at := 0
	for some := range slices.Chunk(topics, max(1, mostRaw/n)) {
		if err := s.newestOf(ctx, some, n, max(1, 2*mostValues/len(topics)), ends, histories[at:]); err != nil {
			return nil, err
		}
		at += len(some)
	}
	return histories, nil
}

// newestOf reads the newest n entries of topics into histories, each with at most
// about so many values.
func (s *Store) newestOf(ctx context.Context, topics []reading.Topic, n, values int, ends bool, histories []reading.History) error {
	pipe := s.db.Pipeline()
	cmds := make([]*redis.Cmd, len(topics))
	places := make([]place, len(topics))
	for i, topic := range topics {
		// In this order: a stream that becomes another one meanwhile has the old
		// epoch beside new entries, which is a reset to who goes on after them.
		if ends {
			places[i].epoch = pipe.Get(ctx, epochKey(topic))
		}
		cmds[i] = queue(ctx, pipe, 1, "xrevrange", Key(topic), "+", "-", "count", n)
		if ends {
			places[i].info = queue(ctx, pipe, 2, "xinfo", "stream", Key(topic))
		}
	}
	_ = exec(ctx, pipe) // each command holds its own error
	for i, cmd := range cmds {
		reply, err := cmd.Result()
		if err != nil {
			if kind, _ := judge(err); kind == kindWrong {
				continue // its key is no stream; the others are not to blame
			}
			return failure(err, false)
		}
		entries, err := parseEntries(reply)
		if err != nil {
			return failure(err, false)
		}
		h := &histories[i]
		if ends {
			if h.End, err = s.endAt(places[i], entries); err != nil {
				return failure(err, false)
			}
		}
		for left := values; len(entries) > 0 && left > 0; entries = entries[1:] {
			for _, e := range s.decodeAll(topics[i], entries[:1], reading.Unknown, "") {
				e.Readings = newest(e.Readings, left)
				left -= valuesOf(e.Readings)
				h.Entries = append(h.Entries, e)
			}
		}
		slices.Reverse(h.Entries)
	}
	return nil
}

// place is what is asked beside a topic's newest entries to know where they end.
type place struct {
	epoch *redis.StringCmd
	info  *redis.Cmd
}

// endAt is the cursor at which entries, the newest first, end. They are not read in
// one transaction with their place: what was appended between leaves it uncounted.
func (s *Store) endAt(p place, entries []raw) (reading.Cursor, error) {
	var end reading.Cursor
	if len(entries) > 0 {
		end = reading.Cursor{ID: entries[0].id, Ordinal: reading.Unknown}
	}
	l, err := s.placed(p.epoch, p.info)
	switch {
	case err != nil:
		return end, err
	case l.last == end.ID, len(entries) == 0 && l.length == 0:
		return l.end(), nil
	case len(entries) > 0:
		end.Epoch = l.epoch
	}
	return end, nil
}

func valuesOf(readings []reading.Reading) int {
	n := 0
	for i := range readings {
		n += len(readings[i].Values)
	}
	return n
}

// newest returns the last readings with at most so many values, but one at least.
func newest(readings []reading.Reading, values int) []reading.Reading {
	from := len(readings) - 1
	for left := values - len(readings[from].Values); from > 0 && len(readings[from-1].Values) <= left; from-- {
		left -= len(readings[from-1].Values)
	}
	if from == 0 {
		return readings
	}
	return slices.Clone(readings[from:]) // so that the others need no memory
}

// look is one atomic view of a topic's stream.
type look struct {
	epoch   string // empty when the stream or its name is missing
	exists  bool
	last    reading.StreamID // the newest ID that was ever given
	length  int64
	added   int64 // entries ever added, or reading.Unknown
	counted bool  // added is the server's own count
	replies []any // to the reads that were asked for
}

func (l look) end() reading.Cursor {
	return reading.Cursor{ID: l.last, Ordinal: l.added, Epoch: l.epoch}
}

// look reads a topic's stream in one transaction. A stream that has no epoch yet
// gets one, if the server takes writes. A missing stream is empty, with 0 entries
// ever added.
//
// A server without memory refuses to queue even reads for a transaction. Then
// they are sent without: nobody can append to it, so they see one state too.
func (s *Store) look(ctx context.Context, topic reading.Topic, reads ...[]any) (look, error) {
	l, err := s.lookOnce(ctx, topic, reads, s.db.TxPipeline(), false)
	if err != nil && redis.HasErrorPrefix(err, "EXECABORT") {
		l, err = s.lookOnce(ctx, topic, reads, s.db.Pipeline(), false)
	}
	if err == nil && l.exists && l.epoch == "" {
		// Foreign writers make streams without an epoch.
		if named, err := s.lookOnce(ctx, topic, reads, s.db.TxPipeline(), true); err == nil {
			return named, nil
		}
	}
	return l, err
}

func (s *Store) lookOnce(ctx context.Context, topic reading.Topic, reads [][]any, pipe redis.Pipeliner, name bool) (look, error) {
	if name {
		pipe.SetNX(ctx, epochKey(topic), newEpoch(), 2*s.options.Retention)
	}
	epoch := pipe.Get(ctx, epochKey(topic))
	info := queue(ctx, pipe, 2, "xinfo", "stream", Key(topic))
	cmds := make([]*redis.Cmd, len(reads))
	for i, read := range reads {
		cmds[i] = queue(ctx, pipe, 1, read...)
	}
	if err := exec(ctx, pipe); err != nil && !answered(err) {
		return look{}, err
	}
	l, err := s.placed(epoch, info)
	if err != nil {
		return l, err
	}
	for _, cmd := range cmds {
		reply, err := cmd.Result()
		if err != nil {
			return l, err
		}
		l.replies = append(l.replies, reply)
	}
	return l, nil
}

// placed reads a stream's epoch and XINFO STREAM into a look.
func (s *Store) placed(epoch *redis.StringCmd, info *redis.Cmd) (l look, err error) {
	if l.epoch, err = epoch.Result(); err != nil && !errors.Is(err, redis.Nil) {
		return l, err
	}
	switch reply, err := info.Result(); {
	case err == nil:
		return l, s.readInfo(&l, reply)
	case strings.Contains(err.Error(), "no such key"):
		l.epoch = "" // what it named is gone
		return l, nil
	default:
		return l, err
	}
}

// answered says that an error of Exec is one of its commands' own, which they hold.
func answered(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) && !strings.HasPrefix(reply.Error(), "EXECABORT")
}

// readInfo reads the names that are needed from XINFO STREAM and passes over all
// others, which differ from server to server.
func (s *Store) readInfo(l *look, reply any) error {
	pairs, ok := reply.([]any)
	if !ok {
		return errReply
	}
	l.exists, l.added = true, reading.Unknown
	for i := 0; i+1 < len(pairs); i += 2 {
		switch pairs[i] {
		case "length":
			l.length, _ = pairs[i+1].(int64)
		case "entries-added":
			l.added, l.counted = pairs[i+1].(int64)
		case "last-generated-id":
			text, _ := pairs[i+1].(string)
			id, err := reading.ParseStreamID(text)
			if err != nil {
				return errReply
			}
			l.last = id
		}
	}
	return nil
}

func newEpoch() string { return strings.ToLower(rand.Text()[:16]) }

// queue puts a command into a pipeline; at is the place of its first key.
func queue(ctx context.Context, pipe redis.Pipeliner, at int8, args ...any) *redis.Cmd {
	cmd := redis.NewCmd(ctx, args...)
	cmd.SetFirstKeyPos(at)
	_ = pipe.Process(ctx, cmd) // only queued; the error comes with the command
	return cmd
}
