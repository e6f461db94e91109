// Package store keeps readings in Redis streams. It is the only package that
// talks to Redis, and it speaks of topics, readings and cursors only, so that
// another implementation stays possible.
//
// The files follow the words of the domain: keys.go holds every key, entry.go and
// packed.go the two forms of an entry, append.go, budget.go, writer.go and spare.go
// write, ack.go waits until what is written is safer, tail.go follows streams,
// history.go and resume.go read back, catalog.go knows which topics there are,
// retention.go lets old readings go. connect.go makes connections, breaker.go knows
// which servers answer, role.go which are copies, and failure.go turns every error
// into a row of server/problem.
package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"readout/server/problem"
)

// DataVersion is the version of everything this program stores. It stands at
// readout:format; a program that finds a newer one refuses to start.
const DataVersion = 1

// Options say where the store is and how much it keeps.
type Options struct {
	// URL of the servers: redis://host:6379/0 (rediss:// with TLS, also
	// valkey:// and valkeys://) for one; redis+sentinel://host:26379,host2/0?master_name=x
	// and redis+cluster://host:6379,host2 (rediss+... with TLS) for several.
	URL string
	// Dial makes connections; nil is TCP. The embedded store gives its own.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Retention is how long readings are kept at least; default 1 h. A stream
	// that got no reading for twice as long is gone.
	Retention time.Duration
	// MaxEntries is the most entries of one stream, a fuse against a flood; default 10,000.
	MaxEntries int64
	// Replica names this process among those on the same store; default random.
	Replica string
	Logger  *slog.Logger // default: no log
}

// Store is the readings of all topics. Its methods may be called from any number
// of goroutines; their errors are *problem.Error of the codes store_unavailable,
// storage_full, idempotency_conflict or internal.
type Store struct {
	options Options
	log     *slog.Logger
	link    *link
	db      redis.UniversalClient // for everything but tailing
	writer  writer
	budgets budgets
	waiting redis.UniversalClient // for appends that wait for more than that they are stored
	catalog catalog
	tail    tailer
	stats   counters
	full    atomic.Bool // the server has refused something for want of memory since the last trim

	ctx  context.Context // ends with Close
	stop context.CancelFunc

	mu     sync.Mutex
	closed bool           // guarded by mu: no goroutine starts any more
	work   sync.WaitGroup // every goroutine of the store
}

// Open connects, checks the version of the data (or writes it into an empty
// store) and loads the catalog. The caller ends the store with Close.
func Open(ctx context.Context, o Options) (*Store, error) {
	redis.SetLogger(silence{})
	if o.Retention <= 0 {
		o.Retention = time.Hour
	}
	if o.MaxEntries <= 0 {
		o.MaxEntries = 10_000
	}
	if o.Replica == "" {
		o.Replica = strings.ToLower(rand.Text()[:8])
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l, err := newLink(o)
	if err != nil {
		return nil, err
	}
	s := &Store{options: o, log: o.Logger, link: l, db: l.client(poolSize, commandTimeout), waiting: l.client(mostWaiting, ackBudget)}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.budgets.parent = s.ctx
	s.writer.db, s.writer.ctx = s.db, s.ctx
	s.writer.spawn, s.writer.alone, s.writer.inside = s.spawn, l.mode == cluster, l.inside.Load
	s.catalog.init()
	s.tail.store = s
	if err := s.checkFormat(ctx); err != nil {
		_ = s.Close()
		return nil, err
	}
	if err := s.loadCatalog(ctx); err != nil {
		_ = s.Close()
		return nil, failure(err, false)
	}
	s.writer.warm(ctx)
	s.warnOfEviction(ctx)
	s.spawn(s.followCatalog)
	s.spawn(s.keep)
	return s, nil
}

// spawn starts a goroutine that Close waits for, unless the store is closing.
func (s *Store) spawn(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.work.Go(f)
	}
}

// Close ends every Tail and every goroutine of the store and its connections.
// Operations under way fail.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	err := errors.Join(s.db.Close(), s.waiting.Close())
	s.work.Wait()
	s.link.breaker.close()
	if errors.Is(err, redis.ErrClosed) {
		return nil
	}
	return err
}

// checkFormat refuses data of a version that this program does not know.
func (s *Store) checkFormat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readBudget)
	defer cancel()
	text, err := s.db.Get(ctx, formatKey).Result()
	if errors.Is(err, redis.Nil) {
		if err = s.db.SetNX(ctx, formatKey, DataVersion, 0).Err(); err == nil {
			text, err = s.db.Get(ctx, formatKey).Result() // another replica may have been first
		}
	}
	if err != nil {
		return failure(err, false)
	}
	version, err := strconv.Atoi(text)
	switch {
	case err != nil || version < 1:
		return fmt.Errorf("%s holds %q, which is no version of Readout's data: this store belongs to something else", formatKey, text)
	case version > DataVersion:
		return fmt.Errorf("the store holds data of version %d and this program knows version %d: run a newer Readout", version, DataVersion)
	}
	return nil
}

// Probe writes and reads back a key of this replica, because a PING is answered
// also by a server that refuses every write.
func (s *Store) Probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, writeBudget)
	defer cancel()
	key, token := probeKey(s.options.Replica), rand.Text()
	pipe := s.db.Pipeline()
	pipe.Set(ctx, key, token, time.Minute)
	read := pipe.Get(ctx, key)
	if _, err := pipe.Exec(ctx); err != nil {
		err = failure(err, false)
		s.learn(err)
		return err
	}
	if read.Val() != token {
		return problem.New("store_unavailable", "the store did not keep what was written")
	}
	return nil
}

// learn draws what follows from the refusal of a write.
func (s *Store) learn(err error) {
	switch condition, _ := Condition(err); {
	case condition == Full:
		s.full.Store(true)
	case condition == ReadOnly && s.link.mode == sentinel:
		// Sentinel knows the primary, or soon will. Whoever is connected to this one,
		// and the tail above all, which a copy answers as if nothing were, asks again.
		s.link.breaker.renew()
	}
}

// Stats are counts since Open, for /metrics.
type Stats struct {
	Appends        int64            // requests to Append that were answered without an error
	AppendErrors   map[string]int64 // requests to Append that failed, by kind: refused full timeout cut dial wrong conflict unconfirmed
	AppendRetries  int64            // second and third attempts of keyed appends
	Readings       int64            // readings stored, or answered from the record of an earlier attempt
	Entries        int64            // entries that hold them
	TailReads      int64            // replies to the tail's reads, empty ones included
	TailErrors     int64            // the tail's reads that failed
	WatchdogCuts   int64            // of these: no answer in time, so the connection was cut
	Tailed         int64            // streams that are followed now
	BadEntries     int64            // entries that hold no reading and were left out
	Trims          int64            // streams trimmed by time
	CatalogChanges int64            // rows of the catalog that this replica wrote
	Adopted        int64            // topics found in the store that no replica had announced
	Topics         int64            // topics in the catalog now
	Connections    int64            // open connections, those of the tail not counted
}

type counters struct {
	appends, retries, readings, entries           atomic.Int64
	tailReads, tailErrors, watchdogCuts           atomic.Int64
	badEntries, trims, catalogChanges, adopted    atomic.Int64
	refused, full, timeout, cut, dial, wrong, not atomic.Int64
	unconfirmed                                   atomic.Int64
}

func (c *counters) kind(name string) *atomic.Int64 {
	switch name {
	case kindRefused:
		return &c.refused
	case kindFull:
		return &c.full
	case kindTimeout:
		return &c.timeout
	case kindCut:
		return &c.cut
	case kindDial:
		return &c.dial
	case kindConflict:
		return &c.not
	case kindUnconfirmed:
		return &c.unconfirmed
	default:
		return &c.wrong
	}
}

// Stats returns what the store has counted so far.
func (s *Store) Stats() Stats {
	c := &s.stats
	out := Stats{
		Appends: c.appends.Load(), AppendRetries: c.retries.Load(), Readings: c.readings.Load(), Entries: c.entries.Load(),
		TailReads: c.tailReads.Load(), TailErrors: c.tailErrors.Load(), WatchdogCuts: c.watchdogCuts.Load(), Tailed: int64(s.tail.size()),
		BadEntries: c.badEntries.Load(), Trims: c.trims.Load(), CatalogChanges: c.catalogChanges.Load(), Adopted: c.adopted.Load(),
		Topics: int64(s.catalog.size()), Connections: int64(s.db.PoolStats().TotalConns + s.waiting.PoolStats().TotalConns), AppendErrors: map[string]int64{},
	}
	for _, name := range []string{kindRefused, kindFull, kindTimeout, kindCut, kindDial, kindWrong, kindConflict, kindUnconfirmed} {
		out.AppendErrors[name] = c.kind(name).Load()
	}
	return out
}
