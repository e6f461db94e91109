package store

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"readout/server/problem"
	"readout/server/reading"
)

// Ack is how safe readings are before their append is answered.
type Ack string

// The values of Ack.
const (
	Stored Ack = ""       // the primary has them
	Copied Ack = "copied" // and so has one of its copies
	Synced Ack = "synced" // and they are on its disk
)

const (
	mostWaiting = 128                     // connections of appends that wait for that, per server, at most
	ackBudget   = 1400 * time.Millisecond // one such append: appendfsync everysec syncs after a second and a bit
	wayBack     = 250 * time.Millisecond  // of that, for its end: Redis looks at its clock ten times a second
)

// confirmer sends the writes of one append that are to be more than stored, and asks
// for that behind them, with WAIT or WAITAOF. These speak of what their own connection
// has written, and let nothing else through meanwhile: such an append shares no
// connection.
type confirmer struct {
	store *Store
	ack   Ack
	conns map[*redis.Client]*redis.Conn // one to each primary

	mu    sync.Mutex // guards:
	short error      // why something that is stored is not known to be as safe as was asked
}

// writeConfirmed is write that waits until the readings are as safe as ack says.
func (s *Store) writeConfirmed(ack Ack, batches []*batch, ids []reading.StreamID, once Once) error {
	ctx, cancel := context.WithTimeout(s.ctx, ackBudget)
	defer cancel()
	to := &confirmer{store: s, ack: ack}
	defer to.close()
	if err := to.prepare(ctx, batches); err != nil {
		return err
	}
	if err := s.write(ctx, to, batches, ids, once); err != nil {
		return err
	}
	return to.short
}

// prepare asks the primaries of an append whether they can confirm at all: what
// they never could is refused before anything is stored.
func (c *confirmer) prepare(ctx context.Context, batches []*batch) error {
	for _, b := range batches {
		if _, err := c.conn(ctx, Key(b.topic)); err != nil {
			return failure(err, false)
		}
	}
	errs := make(chan error, len(c.conns))
	for _, conn := range c.conns {
		go func() { errs <- failure(c.ack.ask(ctx, conn), false) }()
	}
	var worst error
	for range c.conns {
		if err := <-errs; err != nil {
			worst = err
		}
	}
	return worst
}

// conn returns the connection to the primary of a key.
func (c *confirmer) conn(ctx context.Context, key string) (*redis.Conn, error) {
	primary, single := c.store.waiting.(*redis.Client)
	if !single {
		var err error
		if primary, err = c.store.waiting.(*redis.ClusterClient).MasterForKey(ctx, key); err != nil {
			return nil, &dialError{err}
		}
	}
	if c.conns[primary] == nil {
		if c.conns == nil {
			c.conns = map[*redis.Client]*redis.Conn{}
		}
		c.conns[primary] = primary.Conn()
	}
	return c.conns[primary], nil
}

// close gives the connections back. Those that failed are not used again.
func (c *confirmer) close() {
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

// ask returns why a server cannot confirm. A server that may not be asked for its
// role is believed to have copies.
func (a Ack) ask(ctx context.Context, conn *redis.Conn) error {
	question := []any{"role"}
	if a == Synced {
		question = []any{"waitaof", 1, 0, 1} // 1 ms at most, as 0 is for ever
	}
	cmd := redis.NewSliceCmd(ctx, question...)
	_ = conn.Process(ctx, cmd) // the command holds the error
	reply, err := cmd.Result()
	var said redis.Error
	switch {
	case err == nil && a == Copied && len(reply) == 3 && reply[0] == "master":
		if copies, ok := reply[2].([]any); ok && len(copies) == 0 {
			return problem.New("not_confirmed", "no copy of the store is connected; nothing is stored")
		}
		return nil
	case redis.HasErrorPrefix(err, "unknown command") && a == Copied:
		return problem.New("bad_request", "Readout-Ack: copied needs a Redis with a copy, and this store has none")
	case redis.HasErrorPrefix(err, "unknown command"):
		return problem.New("bad_request", "Readout-Ack: synced needs a Redis 7.2 or newer; with this one leave the header out and set appendfsync always, which makes every answer so")
	case redis.HasErrorPrefix(err, "WAITAOF") && strings.Contains(err.Error(), "appendonly"):
		return problem.New("bad_request", "Readout-Ack: synced needs a store that keeps a file: a Redis with appendonly yes, or Readout's own with --data")
	case redis.HasErrorPrefix(err, "WAITAOF"), a == Copied && errors.As(err, &said):
		return nil // it is a copy, which the write will be told
	}
	return err
}

// send sends commands, as a writer does, and waits for what was asked.
func (c *confirmer) send(ctx context.Context, cmds []*redis.Cmd) []*redis.Cmd {
	defer c.close()
	parts := map[*redis.Conn][]*redis.Cmd{}
	for _, cmd := range cmds {
		conn, err := c.conn(ctx, keyOf(cmd))
		if err != nil {
			cmd.SetErr(err)
			continue
		}
		parts[conn] = append(parts[conn], cmd)
	}
	var work sync.WaitGroup
	for conn, part := range parts {
		work.Go(func() { c.write(ctx, conn, part) })
	}
	work.Wait()
	return cmds
}

// run sends calls, as a writer does, but with their source: a script that is not
// known would be waited for as well.
func (c *confirmer) run(ctx context.Context, calls []call) []*redis.Cmd {
	cmds := make([]*redis.Cmd, len(calls))
	for i, call := range calls {
		cmds[i] = call.command(ctx, "eval", call.script.source)
	}
	return c.send(ctx, cmds)
}

// keyOf returns the first key of a write.
func keyOf(cmd *redis.Cmd) string {
	place := 3 // behind a script and the number of its keys
	if cmd.Name() == "xadd" {
		place = 1
	}
	key, _ := cmd.Args()[place].(string)
	return key
}

// write sends what belongs to one primary, and the question behind it.
func (c *confirmer) write(ctx context.Context, conn *redis.Conn, cmds []*redis.Cmd) {
	pipe := conn.Pipeline()
	var touched []*redis.BoolCmd
	for _, cmd := range cmds {
		_ = pipe.Process(ctx, &replied{Cmd: cmd}) // only queued
		if cmd.Name() != "xadd" {
			// A record of an earlier attempt answers, and then this is the write that is waited for.
			touched = append(touched, pipe.PExpire(ctx, keyOf(cmd), recordLife))
		}
	}
	wait := c.ack.wait(ctx)
	_ = pipe.Process(ctx, wait)
	_ = exec(ctx, pipe) // each command holds its own error
	stored, reached := false, confirmed(wait)
	for _, touch := range touched {
		reached = reached && touch.Val()
	}
	for _, cmd := range cmds {
		stored = stored || cmd.Err() == nil
		if moved, ok := c.store.waiting.(*redis.ClusterClient); ok && redis.HasErrorPrefix(cmd.Err(), "MOVED") {
			moved.ReloadState(ctx) // for the next one
		}
	}
	if !stored || reached {
		return
	}
	message := "the readings are stored, and no copy of the store has confirmed them in time"
	if c.ack == Synced {
		message = "the readings are stored, and the store has not confirmed in time that they are on its disk"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.short = &problem.Error{Code: "not_confirmed", Message: message, Outcome: "stored", Cause: wait.Err()}
}

// replied is a command whose reply stands, whatever becomes of those behind it:
// go-redis gives the error of a WAIT without an answer to its whole pipeline.
type replied struct {
	*redis.Cmd
	told bool
}

// SetErr takes the first error, or that there was none.
func (r *replied) SetErr(err error) {
	if !r.told {
		r.told = true
		r.Cmd.SetErr(err)
	}
}

// wait makes the question, which the server answers when it is so or when the
// time of the append is nearly over.
func (a Ack) wait(ctx context.Context) *redis.Cmd {
	left := time.Millisecond // 0 is for ever
	if deadline, ok := ctx.Deadline(); ok {
		left = max(left, time.Until(deadline)-wayBack)
	}
	if a == Synced {
		return redis.NewCmd(ctx, "waitaof", 1, 0, left.Milliseconds())
	}
	return redis.NewCmd(ctx, "wait", 1, left.Milliseconds())
}

// confirmed reads how many did what was asked: copies, or disks and copies.
func confirmed(wait *redis.Cmd) bool {
	count := wait.Val()
	if list, ok := count.([]any); ok && len(list) > 0 {
		count = list[0]
	}
	n, ok := count.(int64)
	return ok && n >= 1
}
