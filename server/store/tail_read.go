package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"readout/server/reading"
)

// run reads while there are watches. It has no connection any more when it ends,
// so the next one has the reader for itself.
func (r *reader) run() {
	read := r.follow
	if r.store.link.mode == cluster {
		read = r.poll
	}
	for read(); !r.ended(); {
		read()
	}
}

// follow reads all streams with one blocking XREAD on a client of its own, so
// that however many topics are watched the pool of everything else stays free.
// It never ends such a client's life with a context, which a blocking read does
// not notice, but by closing it.
func (r *reader) follow() {
	s := r.store
	var first *lane
	disconnect := func() {
		if first != nil {
			r.mu.Lock()
			r.life++
			r.mu.Unlock()
			first.end()
			first = nil
		}
	}
	defer disconnect()
	var wokenAt reading.StreamID
	failed := 0
	for {
		r.lookAgain()
		q, ok := r.next(failed == 0)
		if !ok {
			return
		}
		if first == nil {
			first = s.newLane(s.ctx)
		}
		if failed > 0 { // the read does not block, and who waits is to learn soon that the store is back
			first.wire.wait(shortPatience)
		} else {
			first.wire.wait(tailBlock + tailPatience)
			signal(r.asked)
		}
		res, woken, err := r.read(first, q.list, wokenAt, failed == 0)
		r.returned()
		if redis.HasErrorPrefix(err, "WRONGTYPE") && r.leaveOut(q.list) {
			continue
		}
		if err != nil {
			disconnect() // a client that failed is not used again: it has had its connection
			if s.ctx.Err() != nil {
				continue
			}
			s.tailFailed(err)
			r.tell(allFailed(q.list, failure(err, false)))
			failed++
			wokenAt = reading.StreamID{} // what comes back may be another history
			pause(s.ctx, backoff(failed))
			continue
		}
		failed, wokenAt = 0, woken
		r.assist(first)
		s.stats.tailReads.Add(1)
		started := time.Now()
		if some := r.hand(q, res); some && !first.isFar() {
			if wait := gap(time.Since(started)); wait > 0 {
				pause(s.ctx, wait)
			}
		}
	}
}

// read runs one XREAD over all streams and the reader's wake stream. After an
// error it does not block, so that those who wait learn at once that the store
// answers again.
func (r *reader) read(l *lane, list []position, wokenAt reading.StreamID, block bool) (result, reading.StreamID, error) {
	args := make([]any, 0, 8+2*len(list))
	args = append(args, "xread", "count", tailCount)
	if block {
		args = append(args, "block", tailBlock.Milliseconds())
	}
	args = append(args, "streams", r.wake)
	for _, p := range list {
		args = append(args, p.key)
	}
	args = append(args, wokenAt.String())
	for _, p := range list {
		args = append(args, p.after.String())
	}
	res := result{entries: map[string][]raw{}}
	if err := res.add(l.do(r.store.ctx, args)); err != nil {
		return res, wokenAt, err
	}
	if wakes := res.entries[r.wake]; len(wakes) > 0 {
		wokenAt = wakes[len(wakes)-1].id
	}
	return res, wokenAt, nil
}

// add takes over the reply of an XREAD.
func (res result) add(cmd *redis.Cmd) error {
	reply, err := cmd.Result()
	if errors.Is(err, redis.Nil) {
		return nil // nothing new
	}
	if err != nil {
		return err
	}
	streams, ok := reply.([]any)
	if !ok {
		return errReply
	}
	for _, item := range streams {
		pair, ok := item.([]any)
		if !ok || len(pair) != 2 {
			return errReply
		}
		key, _ := pair[0].(string)
		if res.entries[key], err = parseEntries(pair[1]); err != nil {
			return err
		}
	}
	return nil
}

// lane is a client of the tail. It has one connection in its life.
type lane struct {
	client redis.UniversalClient
	wire   wire
	ctx    context.Context // ends with the lane
	end    func()

	asked   bool   // which process is at the other end
	process string // empty if it does not say

	wanted   time.Time   // when it was to have a second lane last
	assisted atomic.Bool // there is one
	alone    atomic.Bool // there cannot be one
}

// newLane makes a lane that ends with ctx, or before.
func (s *Store) newLane(ctx context.Context) *lane {
	l := &lane{client: s.link.client(1, tailBlock+tailPatience)}
	l.client.AddHook(&l.wire)
	var cancel context.CancelFunc
	l.ctx, cancel = context.WithCancel(ctx)
	disconnect := closeWith(ctx, l.client)
	l.end = func() {
		cancel()
		disconnect()
	}
	return l
}

// do runs one command. With the first one it asks which process answers.
func (l *lane) do(ctx context.Context, args []any) *redis.Cmd {
	cmd := redis.NewCmd(ctx, args...)
	if l.asked {
		_ = l.client.Process(ctx, cmd) // cmd holds its error, here and below
		return cmd
	}
	l.asked = true
	pipe := l.client.Pipeline()
	info := pipe.Info(ctx, "server")
	_ = pipe.Process(ctx, cmd)
	_ = exec(ctx, pipe)
	for line := range strings.Lines(info.Val()) {
		if id, ok := strings.CutPrefix(line, "run_id:"); ok {
			l.process = strings.TrimSpace(id)
		}
	}
	return cmd
}

// closeWith closes a client when ctx ends or when the returned function is called.
func closeWith(ctx context.Context, client redis.UniversalClient) (disconnect func()) {
	stop := context.AfterFunc(ctx, func() { _ = client.Close() })
	return func() {
		if stop() {
			_ = client.Close()
		}
	}
}

func (s *Store) tailFailed(err error) {
	s.stats.tailErrors.Add(1)
	if kind, _ := judge(err); kind == kindTimeout {
		s.stats.watchdogCuts.Add(1)
	}
	s.log.Debug("the tail could not read", "err", err)
}

// backoff grows from 50 ms to half a second; half of it is chance, so that replicas do not
// come back together.
func backoff(failures int) time.Duration {
	d := min(lastBackoff, firstBackoff<<min(failures-1, 10))
	return d/2 + rand.N(d/2)
}

// gap is how long to wait after a batch that took so long to hand out: small
// batches come at once, and a reader that is busy handing out reads larger ones.
func gap(fanOut time.Duration) time.Duration { return min(longestGap, 2*fanOut) }
