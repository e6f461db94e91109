package store

import (
	"context"
	"time"

	"readout/server/problem"
)

// One key that is no stream fails the XREAD of all streams beside it. Such keys
// are left out of the reads until they are gone or streams again.
const wrongAgain = 3 * time.Second

var errWrong error = problem.New("wrong_type", "the key of this topic holds another Redis type")

// leaveOut finds the keys that are no streams, tells those who follow them and
// leaves them out of the next reads. It is false when it finds none.
func (r *reader) leaveOut(list []position) bool {
	keys := make([]string, len(list))
	for i, p := range list {
		keys[i] = p.key
	}
	wrong, err := r.store.notStreams(keys)
	if err != nil || len(wrong) == 0 {
		return false
	}
	r.mu.Lock()
	failed := r.setAside(wrong)
	r.mu.Unlock()
	r.store.log.Warn("keys that are no streams are left out", "keys", wrong)
	r.tell(failed)
	return true
}

// lookAgain takes keys back that are no longer of another type, and says so again
// of the others, since somebody may follow them since. Nothing is asked while
// there are none.
func (r *reader) lookAgain() {
	due := r.due(time.Now())
	if len(due) == 0 {
		return
	}
	wrong, err := r.store.notStreams(due)
	if err != nil {
		return
	}
	r.mu.Lock()
	for _, key := range due {
		delete(r.wrong, key)
	}
	failed := r.setAside(wrong)
	r.mu.Unlock()
	r.tell(failed)
}

// setAside notes keys that are no streams and returns what is told of them. The
// caller holds r.mu.
func (r *reader) setAside(keys []string) (failed map[string]error) {
	failed = make(map[string]error, len(keys))
	for _, key := range keys {
		r.wrong[key] = time.Now().Add(wrongAgain)
		failed[key] = errWrong
	}
	return failed
}

// due are the keys to look at again; those that nobody follows are forgotten.
func (r *reader) due(now time.Time) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.wrong) == 0 {
		return nil
	}
	followed := make(map[string]bool, len(r.watches))
	for w := range r.watches {
		followed[w.key] = true
	}
	var due []string
	for key, next := range r.wrong {
		switch {
		case !followed[key]:
			delete(r.wrong, key)
		case now.After(next):
			due = append(due, key)
		}
	}
	return due
}

// notStreams returns those of the keys that hold something else than a stream.
func (s *Store) notStreams(keys []string) ([]string, error) {
	ctx, cancel := context.WithTimeout(s.ctx, commandTimeout)
	defer cancel()
	pipe := s.db.Pipeline()
	types := make([]interface{ Val() string }, len(keys))
	for i, key := range keys {
		types[i] = pipe.Type(ctx, key)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	var wrong []string
	for i, kind := range types {
		if k := kind.Val(); k != "none" && k != "stream" {
			wrong = append(wrong, keys[i])
		}
	}
	return wrong, nil
}
