package store

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// errCopy is what a server that is a copy answers to a write.
var errCopy = refusal("READONLY this server is a copy and Sentinel has not named another one yet")

// checkRole refuses a server that says it is a copy. Behind Sentinel a primary
// that was replaced lives on as one, and answers reads of a history that has
// ended until Sentinel has told everyone. A server that may not be asked for its
// role is taken at Sentinel's word.
func (l *link) checkRole(ctx context.Context, server interface {
	Process(ctx context.Context, cmd redis.Cmder) error
}) error {
	role := redis.NewSliceCmd(ctx, "role")
	_ = server.Process(ctx, role) // the command holds the error
	reply, err := role.Result()
	var said redis.Error
	switch {
	case errors.As(err, &said):
		return nil
	case err != nil:
		return err
	case len(reply) > 0 && reply[0] == "slave":
		l.copyUntil.Store(time.Now().Add(probeEvery).UnixNano())
		return errCopy
	}
	return nil
}

// copied says that a moment ago Sentinel's primary was a copy: it is dialled
// again as rarely as one that is away.
func (l *link) copied() bool {
	return time.Now().UnixNano() < l.copyUntil.Load()
}
