package store

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"readout/server/reading"
)

const (
	tailReaders               = 4                       // connections of the tail to one server
	tailCount                 = 500                     // entries of one stream in one read
	tailBlock                 = time.Second             // how long a read waits at the server
	tailPatience              = 1500 * time.Millisecond // how long after that its reply may still come
	shortPatience             = 700 * time.Millisecond  // how long a reply may take while reads fail
	longestGap                = 25 * time.Millisecond   // between two reads while readings come
	firstBackoff, lastBackoff = 50 * time.Millisecond, 500 * time.Millisecond
)

// Doubt is how many entries in one batch of Tail may mean that the stream was
// trimmed past the reader meanwhile: half of what a stream holds, or all that one
// read brings.
func (s *Store) Doubt() int { return int(min(tailCount, max(1, s.options.MaxEntries/2))) }

// Tail yields what follows a cursor, batch by batch in stream order, until ctx
// or the store ends. It blocks; the yield runs in the caller's goroutine, and
// the reader that serves many topics waits until it returns, so a batch never
// overtakes another and a slow yield slows the reads instead of filling memory.
//
// A yield of (nil, err) says that the store does not answer now; the iteration
// goes on by itself, and the next yield without an error, which may be an empty
// batch, says that it answers again. Tail never looks back: whether entries were
// trimmed or the history is another one since the cursor is Resume's question.
func (s *Store) Tail(ctx context.Context, topic reading.Topic, after reading.Cursor) iter.Seq2[[]reading.Entry, error] {
	return func(yield func([]reading.Entry, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.ctx, cancel)()
		end := after
		w := s.tail.watch(ctx, Key(topic), shardOf(topic), after.ID)
		defer s.tail.end(w)
		for {
			select {
			case <-ctx.Done():
				return
			case d := <-w.deliveries:
				if !s.deliver(ctx, topic, d, &end, yield) {
					return
				}
			}
		}
	}
}

// deliver yields one delivery and tells the reader when the yield has returned.
func (s *Store) deliver(ctx context.Context, topic reading.Topic, d delivery, end *reading.Cursor, yield func([]reading.Entry, error) bool) bool {
	defer d.done.Done()
	if d.err != nil {
		return yield(nil, d.err)
	}
	fresh := d.entries
	for len(fresh) > 0 && fresh[0].id.Compare(end.ID) <= 0 { // an earlier watcher's position was older
		fresh = fresh[1:]
	}
	if len(fresh) == 0 {
		return !d.again || yield(nil, nil)
	}
	if end.Epoch == "" {
		// A bare cursor, or a stream that did not exist when it was made: only the
		// server knows the epoch and the count.
		r, err := s.Resume(ctx, topic, reading.Cursor{ID: end.ID, Ordinal: reading.Unknown}, len(fresh))
		if err != nil && ctx.Err() != nil {
			return false
		}
		if err == nil && r.Verdict != reading.Reset && r.End.Epoch != "" {
			end.Epoch, end.Ordinal = r.End.Epoch, reading.Unknown
			if r.End.ID == fresh[len(fresh)-1].id && r.End.Ordinal != reading.Unknown {
				end.Ordinal = r.End.Ordinal - int64(len(fresh))
			}
		}
	}
	first := int64(reading.Unknown)
	if end.Ordinal != reading.Unknown {
		first = end.Ordinal + 1
	}
	entries := s.decodeAll(topic, fresh, first, end.Epoch)
	*end = cursorAt(fresh[len(fresh)-1].id, first, int64(len(fresh)-1), end.Epoch)
	if len(entries) == 0 && !d.again {
		return true
	}
	s.notice(topic, entries)
	return yield(entries, nil)
}

// tailer spreads watches over a few readers, which start when there is something
// to read and end when there is nothing left.
type tailer struct {
	store *Store

	mu      sync.Mutex
	readers [tailReaders]*reader
}

// watch is one who follows a stream.
type watch struct {
	key        string
	shard      int
	after      reading.StreamID // guarded by reader.mu
	told       bool             // that the store does not answer; guarded by reader.mu
	since      int              // the first read that was sent for it; guarded by reader.mu
	deliveries chan delivery    // unbuffered: a delivery is taken or the watch has ended
	ended      <-chan struct{}
	reader     *reader
}

// delivery is what a read brought for one watch. done is called when it is dealt with.
type delivery struct {
	entries []raw
	err     error
	again   bool // the store answers again after an error
	done    *sync.WaitGroup
}

// watch starts to follow a stream after an ID, until ctx ends. The position is
// always a number: $ would hide what comes between two reads.
func (t *tailer) watch(ctx context.Context, key string, shard int, after reading.StreamID) *watch {
	w := &watch{key: key, shard: shard, after: after, deliveries: make(chan delivery), ended: ctx.Done()}
	at := shard % tailReaders
	if t.store.link.mode == cluster {
		at = 0
	}
	t.mu.Lock()
	r := t.readers[at]
	if r == nil {
		r = newReader(t.store, at)
		t.readers[at] = r
	}
	t.mu.Unlock()
	w.reader = r
	r.add(w)
	return w
}

func (t *tailer) end(w *watch) { w.reader.remove(w) }

// size is the number of watches.
func (t *tailer) size() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, r := range t.readers {
		if r != nil {
			r.mu.Lock()
			n += len(r.watches)
			r.mu.Unlock()
		}
	}
	return n
}

// reader follows many streams with one connection (in a Cluster with one for each
// server, on a far link with two, see tail_far.go). Its goroutine lives while
// there are watches.
type reader struct {
	store *Store
	wake  string        // the stream that ends a blocking read
	asked chan struct{} // the first lane has sent a read: it is soon the second one's turn
	added chan struct{} // a watch was added: who waits between two reads reads now

	handing chan struct{} // full while something is handed out, for one at a time does; taken before mu

	mu      sync.Mutex
	watches map[*watch]struct{}
	running bool
	life    int                  // which of the first lane's connections it has; see request.life
	reads   int                  // how many there were
	last    time.Time            // when the first lane sent its last one
	waiting bool                 // it waits at the server
	woken   bool                 // somebody is ending it
	wrong   map[string]time.Time // keys that are no streams and left out, and when they are looked at again
}

func newReader(s *Store, at int) *reader {
	return &reader{
		store: s, wake: wakeKey(s.options.Replica, at), watches: map[*watch]struct{}{}, wrong: map[string]time.Time{},
		asked: make(chan struct{}, 1), added: make(chan struct{}, 1), handing: make(chan struct{}, 1),
	}
}

// add makes the reader follow one more stream, at once: the read that blocks now
// is ended by an entry in the reader's wake stream. If even that cannot be
// written, the stream waits for the read to end by itself, a second at most.
func (r *reader) add(w *watch) {
	r.mu.Lock()
	r.watches[w] = struct{}{}
	w.since = r.reads + 1
	if !r.running {
		r.running = true
		r.store.spawn(r.run)
	}
	wake := r.waiting && !r.woken
	if wake {
		r.woken = true
	}
	r.mu.Unlock()
	signal(r.added)
	if !wake {
		return
	}
	ctx, cancel := context.WithTimeout(r.store.ctx, commandTimeout)
	defer cancel()
	pipe := r.store.db.Pipeline()
	queue(ctx, pipe, 1, "xadd", r.wake, "maxlen", 1, "*", "wake", 1)
	pipe.PExpire(ctx, r.wake, time.Minute)
	if _, err := pipe.Exec(ctx); err != nil {
		r.store.log.Debug("the tail's reader could not be woken", "err", err)
	}
}

// signal tells whoever listens, who may be told already.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (r *reader) remove(w *watch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.watches, w)
}

// position is a stream to read and the ID after which to read it.
type position struct {
	key   string
	shard int
	after reading.StreamID
}

// request is one read of all streams. What it brings is for those who were there
// when it was sent: what they follow may be of a later history than what it found.
type request struct {
	list   []position
	from   map[string]reading.StreamID // the same by key
	number int
	life   int // what comes after the first lane has lost its connection is not handed out
}

// next is what the first lane reads next, if that waits at the server or not; it
// is nothing when there is nothing to read.
func (r *reader) next(waits bool) (q request, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.idle() {
		return q, false
	}
	r.waiting, r.woken, r.last = waits, false, time.Now()
	return r.request(), true
}

// ended reports whether there is still nothing to read; then the next watch starts
// the reader again.
func (r *reader) ended() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = !r.idle()
	return !r.running
}

// idle reports whether there is nothing to read. The caller holds r.mu.
func (r *reader) idle() bool { return len(r.watches) == 0 || r.store.ctx.Err() != nil }

// returned notes that nobody need be woken.
func (r *reader) returned() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = false
}

// request is a read of all streams. The caller holds r.mu.
func (r *reader) request() request {
	r.reads++
	q := request{from: make(map[string]reading.StreamID, len(r.watches)), list: make([]position, 0, len(r.watches)), number: r.reads, life: r.life}
	for w := range r.watches {
		if _, wrong := r.wrong[w.key]; wrong {
			continue
		}
		at, seen := q.from[w.key]
		if !seen {
			q.list = append(q.list, position{key: w.key, shard: w.shard})
		}
		if !seen || w.after.Compare(at) < 0 {
			q.from[w.key] = w.after
		}
	}
	for i := range q.list {
		q.list[i].after = q.from[q.list[i].key]
	}
	slices.SortFunc(q.list, func(a, b position) int { return a.shard - b.shard }) // one shard is one pipeline step
	return q
}

// result is what one read brought.
type result struct {
	entries map[string][]raw // by key; nil if it says nothing but what failed
	failed  map[string]error // by key
}

// hand gives a result to all watches it concerns, waits until they are done with
// it and reports whether there was anything for them. A watch that ends
// meanwhile is not waited for.
func (r *reader) hand(q request, res result) bool {
	type parcel struct {
		watch *watch
		delivery
	}
	var parcels []parcel
	var done sync.WaitGroup
	some := false
	r.handing <- struct{}{}
	defer func() { <-r.handing }()
	r.mu.Lock()
	for w := range r.watches {
		if q.life != r.life {
			break
		}
		d := delivery{done: &done}
		if err := res.failed[w.key]; err != nil {
			d.err, w.told = err, true
			parcels = append(parcels, parcel{w, d})
			continue
		}
		if _, covered := q.from[w.key]; !covered || q.number < w.since || res.entries == nil {
			continue
		}
		d.entries = res.entries[w.key]
		for len(d.entries) > 0 && d.entries[0].id.Compare(w.after) <= 0 { // the other lane brought it, or another watcher is behind
			d.entries = d.entries[1:]
		}
		if n := len(d.entries); n > 0 {
			w.after, some = d.entries[n-1].id, true
		} else if !w.told {
			continue
		}
		d.again, w.told = w.told, false
		parcels = append(parcels, parcel{w, d})
	}
	r.mu.Unlock()
	for _, p := range parcels {
		done.Add(1)
		select {
		case p.watch.deliveries <- p.delivery:
		case <-p.watch.ended:
			done.Done()
		}
	}
	done.Wait()
	return some
}

// tell hands out what went wrong. It is called by the goroutine of the reader,
// which alone changes the life.
func (r *reader) tell(failed map[string]error) { r.hand(request{life: r.life}, result{failed: failed}) }

// allFailed is one error for all streams of a read.
func allFailed(list []position, err error) map[string]error {
	failed := make(map[string]error, len(list))
	for _, p := range list {
		failed[p.key] = err
	}
	return failed
}
