package store

import (
	"context"
	"crypto/sha1"
	"encoding/hex"

	"github.com/redis/go-redis/v9"

	"readout/server/store/scripts"
)

// script is one atomic step. Its source says what it does; its keys share a shard.
type script struct{ source, sha string }

var (
	claimScript    = newScript("claim")
	appendScript   = newScript("append")
	describeScript = newScript("describe")
	forgetScript   = newScript("forget")
	deleteScript   = newScript("delete")
)

func newScript(name string) script {
	source := scripts.Text(name)
	sum := sha1.Sum([]byte(source)) // Redis names scripts by it; nothing is kept secret by it
	return script{source, hex.EncodeToString(sum[:])}
}

// call is one run of a script.
type call struct {
	script script
	keys   []string
	args   []any
}

func (c call) command(ctx context.Context, name, text string) *redis.Cmd {
	args := make([]any, 0, 3+len(c.keys)+len(c.args))
	args = append(args, name, text, len(c.keys))
	for _, key := range c.keys {
		args = append(args, key)
	}
	cmd := redis.NewCmd(ctx, append(args, c.args...)...)
	cmd.SetFirstKeyPos(3)
	return cmd
}

// run sends all calls in one pipeline by their hashes, and those that the
// server did not know once more with their source. Beside each call stands its
// command; errors are theirs.
func (w *writer) run(ctx context.Context, calls []call) []*redis.Cmd {
	cmds := make([]*redis.Cmd, len(calls))
	for i, c := range calls {
		cmds[i] = c.command(ctx, "evalsha", c.script.sha)
	}
	cmds = w.send(ctx, cmds)
	var unknown []int
	var again []*redis.Cmd
	for i, c := range calls {
		if redis.HasErrorPrefix(cmds[i].Err(), "NOSCRIPT") {
			unknown, again = append(unknown, i), append(again, c.command(ctx, "eval", c.script.source))
		}
	}
	if len(again) > 0 {
		for i, cmd := range w.send(ctx, again) {
			cmds[unknown[i]] = cmd
		}
	}
	return cmds
}

// exec sends a pipeline. Every command then holds its own error, also when the
// server refused the connection itself (a wrong password, say), which go-redis
// returns and tells no command: they would look as if they were done.
func exec(ctx context.Context, pipe redis.Pipeliner) error {
	cmds, err := pipe.Exec(ctx)
	if err == nil {
		return nil
	}
	for _, cmd := range cmds {
		if cmd.Err() != nil {
			return err
		}
	}
	for _, cmd := range cmds {
		cmd.SetErr(err)
	}
	return err
}
