package store

import (
	"context"
	"crypto/sha1"
	_ "embed" // the scripts
	"encoding/hex"

	"github.com/redis/go-redis/v9"
)

//go:embed scripts/claim.lua
var claimSource string

//go:embed scripts/append.lua
var appendSource string

//go:embed scripts/describe.lua
var describeSource string

//go:embed scripts/forget.lua
var forgetSource string

//go:embed scripts/delete.lua
var deleteSource string

// script is one atomic step. Its source says what it does; its keys share a shard.
type script struct{ source, sha string }

var (
	claimScript    = newScript(claimSource)
	appendScript   = newScript(appendSource)
	describeScript = newScript(describeSource)
	forgetScript   = newScript(forgetSource)
	deleteScript   = newScript(deleteSource)
)

func newScript(source string) script {
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
func run(ctx context.Context, db redis.UniversalClient, calls []call) []*redis.Cmd {
	cmds := make([]*redis.Cmd, len(calls))
	send := func(name string, wanted func(i int) bool) {
		pipe := db.Pipeline()
		for i, c := range calls {
			if !wanted(i) {
				continue
			}
			text := c.script.sha
			if name == "eval" {
				text = c.script.source
			}
			cmds[i] = c.command(ctx, name, text)
			_ = pipe.Process(ctx, cmds[i]) // only queued
		}
		if pipe.Len() > 0 {
			_, _ = pipe.Exec(ctx) // each command holds its own error
		}
	}
	send("evalsha", func(int) bool { return true })
	send("eval", func(i int) bool { return redis.HasErrorPrefix(cmds[i].Err(), "NOSCRIPT") })
	return cmds
}
