package embedded

import (
	"errors"
	"fmt"
	"math"
	"strconv"
)

// compactFrom is how large a log must be to be compacted; after that it is when
// it has become twice as large as it was then.
const compactFrom = 64 << 20

// rewrite is a compaction under way. It writes shard after shard as it is when
// its turn comes; a change of a shard that was written already follows.
type rewrite struct {
	next    int // the first shard that is not written yet
	pending []byte
}

func (l *log) grown() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.size >= compactFrom && l.size >= 2*l.base
}

// compact writes the log anew: what there is now instead of how it came about.
// Clients are served meanwhile.
func (l *log) compact() error {
	f, err := l.disk.open(newLogName, true)
	if err != nil {
		return err
	}
	size, err := l.rewriteInto(f)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = l.exchange(f, size)
	}
	if err != nil {
		l.db.mu.Lock()
		l.rewrite = nil
		l.db.mu.Unlock()
		return errors.Join(err, f.Close(), l.disk.remove(newLogName))
	}
	return nil
}

func (l *log) rewriteInto(f file) (size int64, err error) {
	l.db.mu.Lock()
	l.rewrite = &rewrite{}
	l.db.mu.Unlock()
	var batch []byte
	for shard := range shards {
		l.db.mu.Lock()
		w := l.rewrite
		batch, w.pending = w.pending, batch[:0]
		for _, k := range l.db.keys[shard] {
			batch = appendKey(batch, k)
		}
		w.next = shard + 1
		l.db.mu.Unlock()
		n, err := f.Write(batch)
		size += int64(n)
		if err != nil {
			return size, err
		}
		if (shard+1)%(shards/4) == 0 {
			l.say.Info("the store's file is being compacted", "percent", 100*(shard+1)/shards)
		}
	}
	return size, nil
}

// exchange adds what has changed since and puts the new log into the old one's
// place. Nobody is answered meanwhile about what only the new one would hold.
func (l *log) exchange(f file, size int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.db.mu.Lock()
	late, old, noted := l.rewrite.pending, l.pending, l.noted
	l.rewrite, l.pending = nil, nil
	l.db.mu.Unlock()
	n, err := f.Write(late)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = l.disk.rename(newLogName, logName)
	}
	if err != nil {
		l.db.mu.Lock()
		l.pending = append(old, l.pending...)
		l.db.mu.Unlock()
		return err
	}
	before := l.size
	err = l.disk.sync()
	_ = l.file.Close()
	l.file, l.size, l.base = f, size+int64(n), size+int64(n)
	l.written.Store(noted)
	l.synced.Store(noted)
	l.rebuild = false
	l.say.Info("the store's file was compacted", "before", before, "after", l.size)
	l.db.mu.Lock()
	l.db.stats.Compactions++
	l.db.mu.Unlock()
	if err != nil {
		return fmt.Errorf("the directory could not be synced: %w", err)
	}
	return nil
}

// appendKey appends the commands that make a key as it is.
func appendKey(out []byte, k *key) []byte {
	switch v := k.value.(type) {
	case []byte:
		out = appendCommand(out, "SET", k.name, string(v))
	case hash:
		out = appendArray(out, 2+2*len(v))
		out = appendBulk(appendBulk(out, "HSET"), k.name)
		for field, value := range v {
			out = appendBulk(appendBulk(out, field), value)
		}
	case *stream:
		out = appendStream(out, k.name, v)
	}
	if k.expires != 0 {
		out = appendCommand(out, "PEXPIREAT", k.name, strconv.FormatInt(k.expires, 10))
	}
	return out
}

func appendStream(out []byte, name string, s *stream) []byte {
	if s.length == 0 {
		// An empty stream cannot be made by itself.
		at := s.last
		if at == firstID {
			at = id{0, 1}
		}
		out = appendCommand(out, "XADD", name, "MAXLEN", "=", "0", string(at.append(nil)), "x", "y")
	}
	s.each(firstID, id{math.MaxUint64, math.MaxUint64}, func(b *block, e item) bool {
		out = appendArray(out, 3+2*e.fields)
		out = appendBulk(appendBulk(out, "XADD"), name)
		out = appendID(out, e.id)
		out = b.appendFields(out, e)
		return true
	})
	end := s.last
	if end.compare(s.removed) < 0 { // an XSETID has set it back: that is refused beside MAXDELETEDID
		end = s.removed
	}
	out = appendCommand(out, "XSETID", name, string(end.append(nil)),
		"ENTRIESADDED", strconv.FormatInt(s.added, 10), "MAXDELETEDID", string(s.removed.append(nil)))
	if end != s.last {
		out = appendCommand(out, "XSETID", name, string(s.last.append(nil)))
	}
	return out
}
