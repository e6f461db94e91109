package store

import (
	"context"
	"strings"

	"github.com/redis/go-redis/v9"
)

// warnOfEviction tells the operator of a server that throws keys away when its
// memory is full, since all of ours may be thrown away: viewers are told what is
// missing, and it is missing all the same. INFO is asked and not CONFIG, which
// hosted servers forbid; one that says nothing of it is not warned of.
func (s *Store) warnOfEviction(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, readBudget)
	defer cancel()
	look := func(ctx context.Context, server redis.Cmdable) {
		text, err := server.Info(ctx, "memory").Result()
		if err != nil {
			s.log.Debug("the store does not say how it evicts", "err", err)
			return
		}
		for line := range strings.Lines(text) {
			policy, ok := strings.CutPrefix(strings.TrimSpace(line), "maxmemory_policy:")
			if ok && policy != "noeviction" {
				s.log.Warn("the store throws readings away when its memory is full; set its maxmemory-policy to noeviction", "maxmemory-policy", policy)
			}
		}
	}
	if c, ok := s.db.(*redis.ClusterClient); ok {
		_ = c.ForEachMaster(ctx, func(ctx context.Context, server *redis.Client) error {
			look(ctx, server)
			return nil
		})
		return
	}
	look(ctx, s.db)
}
