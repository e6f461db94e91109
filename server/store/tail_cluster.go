package store

import (
	"context"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
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
	routes, disconnect := s.newRoutes()
	defer disconnect()
	tick, failures := shortestTick, 0
	for {
		r.lookAgain()
		q, ok := r.next(false)
		if !ok {
			return
		}
		list := q.list
		res, err := routes.read(s.ctx, list)
		if s.ctx.Err() != nil {
			continue
		}
		if redis.HasErrorPrefix(err, "WRONGTYPE") && r.leaveOut(list) {
			continue // what other shards brought is read again
		}
		started := time.Now()
		some := r.hand(q, res)
		routes.told()
		switch {
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
		case <-r.added:
			timer.Stop()
			tick = shortestTick
		case <-s.ctx.Done():
			timer.Stop()
		}
	}
}

// routes is the client of a Cluster's tail. It dials without a word when it has
// lost a connection, or a shard has moved, and whoever answers then may have
// another history, as behind the second connection of a wire. So the read of a
// shard that went over another connection than the one before fails, once.
type routes struct {
	client redis.UniversalClient
	last   map[int]int64 // by shard: the dial of the connection of its last read
	failed []int         // shards whose read has failed: those that follow them are told

	mu    sync.Mutex // guards:
	dials int64
	over  map[redis.Cmder]int64 // by read: the dial of its connection
}

func (s *Store) newRoutes() (r *routes, disconnect func()) {
	client := s.link.client(1, commandTimeout)
	r = &routes{client: client, last: map[int]int64{}, over: map[redis.Cmder]int64{}}
	client.(*redis.ClusterClient).OnNewNode(func(node *redis.Client) { node.AddHook(&route{routes: r}) })
	return r, closeWith(s.ctx, client)
}

// told notes that what failed was told: it is checked before anything that comes
// now is believed, so that may come over any connection.
func (r *routes) told() {
	for _, shard := range r.failed {
		delete(r.last, shard)
	}
}

// forget drops the shards that nobody follows any more: who follows them next has
// read nothing yet. The list is in the order of the shards.
func (r *routes) forget(list []position) {
	maps.DeleteFunc(r.last, func(shard int, _ int64) bool {
		_, followed := slices.BinarySearchFunc(list, shard, func(p position, shard int) int { return p.shard - shard })
		return !followed
	})
}

// same reports whether the read of a shard went over the connection of the one before.
func (r *routes) same(shard int, read *redis.Cmd) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	dial, known := r.last[shard]
	if !known {
		dial = r.over[read]
		r.last[shard] = dial
	}
	return r.over[read] == dial
}

// route is the connection to one server.
type route struct {
	routes *routes
	dial   atomic.Int64
}

// DialHook is called by the client when it wants a connection.
func (r *route) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		r.routes.mu.Lock()
		r.routes.dials++
		r.dial.Store(r.routes.dials)
		r.routes.mu.Unlock()
		return next(ctx, network, addr)
	}
}

// ProcessHook changes nothing.
func (r *route) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

// ProcessPipelineHook notes over which connection commands went.
func (r *route) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		r.routes.mu.Lock()
		defer r.routes.mu.Unlock()
		for _, cmd := range cmds {
			r.routes.over[cmd] = r.dial.Load()
		}
		return err
	}
}

// read sends one XREAD for each shard in one pipeline. Shards fail each for
// itself; err is one of their errors.
func (r *routes) read(ctx context.Context, list []position) (res result, err error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout+tailPatience)
	defer cancel()
	type shardRead struct {
		list []position
		cmd  *redis.Cmd
	}
	var reads []shardRead
	all := list
	pipe := r.client.Pipeline()
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
	r.forget(all)
	res = result{entries: map[string][]raw{}, failed: map[string]error{}}
	r.failed = nil
	defer clear(r.over)
	for _, read := range reads {
		e, shard := res.add(read.cmd), read.list[0].shard
		if e == nil && !r.same(shard, read.cmd) {
			e = errSecond
		}
		if e != nil {
			r.failed = append(r.failed, shard)
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
