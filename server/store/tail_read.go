package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"

	"readout/server/reading"
)

func (r *reader) run() {
	if r.store.link.mode == cluster {
		r.poll()
	} else {
		r.follow()
	}
}

// follow reads all streams with one blocking XREAD on a client of its own, so
// that however many topics are watched the pool of everything else stays free.
// It never ends such a client's life with a context, which a blocking read does
// not notice, but by closing it.
func (r *reader) follow() {
	s := r.store
	var client redis.UniversalClient
	var w *wire
	disconnect := func() {}
	defer func() { disconnect() }()
	var wokenAt reading.StreamID
	failures := 0
	for {
		r.lookAgain()
		list := r.positions()
		if list == nil {
			return
		}
		if client == nil {
			client, w = s.tailClient()
			disconnect = s.closeWith(client)
		}
		if failures > 0 { // the read does not block, and who waits is to learn soon that the store is back
			w.wait(shortPatience)
		} else {
			w.wait(tailBlock + tailPatience)
		}
		res, woken, err := r.read(client, list, wokenAt, failures == 0)
		if redis.HasErrorPrefix(err, "WRONGTYPE") && r.leaveOut(list) {
			continue
		}
		if err != nil {
			// A client that failed is not used again: it has had its connection.
			disconnect()
			client, disconnect = nil, func() {}
			if s.ctx.Err() != nil {
				continue
			}
			s.tailFailed(err)
			r.hand(failAll(list, failure(err, false)))
			failures++
			wokenAt = reading.StreamID{} // what comes back may be another history
			pause(s.ctx, backoff(failures))
			continue
		}
		failures, wokenAt = 0, woken
		s.stats.tailReads.Add(1)
		started := time.Now()
		if r.hand(res) {
			if wait := gap(time.Since(started)); wait > 0 {
				pause(s.ctx, wait)
			}
		}
	}
}

// read runs one XREAD over all streams and the reader's wake stream. After an
// error it does not block, so that those who wait learn at once that the store
// answers again.
func (r *reader) read(client redis.UniversalClient, list []position, wokenAt reading.StreamID, block bool) (result, reading.StreamID, error) {
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
	if err := res.add(client.Do(r.store.ctx, args...)); err != nil {
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

// tailClient makes a client of one connection.
func (s *Store) tailClient() (redis.UniversalClient, *wire) {
	client, w := s.link.client(1, tailBlock+tailPatience), &wire{}
	client.AddHook(w)
	return client, w
}

// closeWith closes a client when the store ends or when the returned function is called.
func (s *Store) closeWith(client redis.UniversalClient) (disconnect func()) {
	stop := context.AfterFunc(s.ctx, func() { _ = client.Close() })
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
