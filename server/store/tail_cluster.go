package store

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	shortestTick = 2 * time.Millisecond
	longestTick  = 25 * time.Millisecond
	quietTick    = 250 * time.Millisecond // while only the catalog's changes are followed
)

// poll reads all streams of a Redis Cluster again and again without blocking:
// one connection for each primary, and one XREAD for each shard, whose streams
// share a slot. Blocking would need a connection for each shard, and would see
// nothing of a slot that is moving away. It reads every 2 ms while readings come
// and ever less often, every 25 ms at least, while none do.
func (r *reader) poll() {
	s := r.store
	client := s.link.client(1, commandTimeout)
	defer s.closeWith(client)()
	tick, failures := shortestTick, 0
	for {
		r.lookAgain()
		list := r.positions()
		if list == nil {
			return
		}
		res, err := readShards(s.ctx, client, list)
		if s.ctx.Err() != nil {
			continue
		}
		if redis.HasErrorPrefix(err, "WRONGTYPE") && r.leaveOut(list) {
			continue // what other shards brought is read again
		}
		started := time.Now()
		switch some := r.hand(res); {
		case err != nil:
			s.tailFailed(err)
			failures++
			tick = backoff(failures)
		case some:
			tick, failures = max(shortestTick, gap(time.Since(started))), 0
		case len(list) == 1 && list[0].key == changesKey:
			tick, failures = min(2*tick, quietTick), 0
		default:
			tick, failures = min(2*tick, longestTick), 0
		}
		s.stats.tailReads.Add(1)
		timer := time.NewTimer(tick)
		select {
		case <-timer.C:
		case <-r.kick:
			timer.Stop()
			tick = shortestTick
		case <-s.ctx.Done():
			timer.Stop()
		}
	}
}

// readShards sends one XREAD for each shard in one pipeline. Shards fail each for
// itself; err is one of their errors.
func readShards(ctx context.Context, client redis.UniversalClient, list []position) (res result, err error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout+tailPatience)
	defer cancel()
	type shardRead struct {
		list []position
		cmd  *redis.Cmd
	}
	var reads []shardRead
	pipe := client.Pipeline()
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].shard == list[0].shard {
			n++
		}
		args := make([]any, 0, 4+2*n)
		args = append(args, "xread", "count", tailCount, "streams")
		for _, p := range list[:n] {
			args = append(args, p.key)
		}
		for _, p := range list[:n] {
			args = append(args, p.after.String())
		}
		reads = append(reads, shardRead{list[:n], queue(ctx, pipe, 4, args...)})
		list = list[n:]
	}
	_ = exec(ctx, pipe) // each command holds its own error
	res = result{entries: map[string][]raw{}, failed: map[string]error{}}
	for _, read := range reads {
		if e := res.add(read.cmd); e != nil {
			if err == nil || redis.HasErrorPrefix(e, "WRONGTYPE") {
				err = e
			}
			for _, p := range read.list {
				res.failed[p.key] = failure(e, false)
			}
		}
	}
	return res, err
}
