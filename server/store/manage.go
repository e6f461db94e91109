package store

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"time"

	"github.com/redis/go-redis/v9"

	"readout/server/problem"
	"readout/server/reading"
)

// ending is what the stream of changes says of a deleted topic, in the place of
// its row: which life of it has ended, and at which replica, which knows already.
type ending struct {
	Deleted  bool   `json:"deleted"`
	Since    int64  `json:"since"`
	Revision int64  `json:"revision"`
	Replica  string `json:"replica"`
}

// Delete forgets a topic and all its readings, on every replica. Whoever pushes
// to it later begins anew. The error is not_found for a topic that is not there.
func (s *Store) Delete(ctx context.Context, topic reading.Topic) error {
	ctx, cancel := context.WithTimeout(ctx, writeBudget)
	defer cancel()
	shard := shardOf(topic)
	cmd := s.writer.run(ctx, []call{{deleteScript, []string{catalogKey(shard), Key(topic), epochKey(topic)}, []any{string(topic)}}})[0]
	reply, err := cmd.Result()
	if err != nil {
		return failure(err, true)
	}
	text, was := reply.(string)
	_, known := s.Info(topic)
	if !was && !known {
		return problem.New("not_found", "there is no topic of this name")
	}
	var r row
	_ = json.Unmarshal([]byte(text), &r) // an unreadable row has no columns, as in put
	end, err := json.Marshal(ending{true, r.Since, r.Revision, s.options.Replica})
	if err != nil {
		return failure(err, true)
	}
	s.catalog.end(topic, r.Since, r.Revision)
	s.tell(ctx, []any{string(topic), string(end)})
	return nil
}

// Hide leaves a topic out of lists, or lets it stand there again; its readings and
// those who name it are not touched. The error is not_found for an unknown topic.
func (s *Store) Hide(ctx context.Context, topic reading.Topic, hidden bool) error {
	ctx, cancel := context.WithTimeout(ctx, writeBudget)
	defer cancel()
	if known, err := s.lookUp(ctx, topic); err != nil {
		return err
	} else if !known {
		return problem.New("not_found", "there is no topic of this name")
	}
	return s.register(ctx, []addition{{topic: topic, hidden: &hidden}})
}

// lookUp reports whether there is a topic. What another replica has just pushed may
// not have come here yet, so the store is asked for what is not known.
func (s *Store) lookUp(ctx context.Context, topic reading.Topic) (bool, error) {
	if _, known := s.Info(topic); known {
		return true, nil
	}
	text, err := s.db.HGet(ctx, catalogKey(shardOf(topic)), string(topic)).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return false, failure(err, false)
	}
	s.catalog.put(topic, text, false)
	_, known := s.Info(topic)
	return known, nil
}

// OnGone sets who is told of every topic that was deleted or has expired, after
// it went. Set it right after Open; calls come in turn with those of OnTopic.
func (s *Store) OnGone(f func(reading.Topic)) {
	s.catalog.calls.Lock()
	defer s.catalog.calls.Unlock()
	s.catalog.onGone = f
}

// changed takes over a row, or the end of a topic, from the stream of changes.
func (s *Store) changed(topic reading.Topic, text string) {
	var end ending
	if err := json.Unmarshal([]byte(text), &end); err != nil || !end.Deleted {
		s.catalog.put(topic, text, false)
		return
	}
	if end.Replica == s.options.Replica {
		return
	}
	if st := s.catalog.state(topic); st != nil && st.text != "" && (st.info.Since != end.Since || st.revision > end.Revision) {
		return // it has begun anew already
	}
	s.catalog.end(topic, end.Since, end.Revision)
}

// ended is a life of a topic that was deleted: rows of it that were on their way
// are not taken any more.
type ended struct {
	since, revision int64
	at              time.Time
}

const rememberEnds = 10 * time.Minute // longer than any row is on its way

func (c *catalog) end(topic reading.Topic, since, revision int64) {
	c.mu.Lock()
	c.ended[topic] = ended{since, revision, time.Now()}
	c.mu.Unlock()
	c.drop(topic)
}

// forgetEnds bounds the memory of what was deleted.
func (c *catalog) forgetEnds() {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.ended, func(_ reading.Topic, e ended) bool { return time.Since(e.at) > rememberEnds })
}

// drop takes a topic out of the index and says so.
func (c *catalog) drop(topic reading.Topic) {
	c.calls.Lock()
	defer c.calls.Unlock()
	c.mu.Lock()
	delete(c.topics, topic)
	delete(c.pending, topic)
	c.sorted = nil
	c.mu.Unlock()
	if c.onGone != nil {
		c.onGone(topic)
	}
}
