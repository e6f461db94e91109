package embedded

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Sync says when what is written to the log is also forced onto the disk.
type Sync string

// The values of Sync. A crash of this process loses nothing with any of them;
// they differ in what a power cut may take.
const (
	SyncAlways      Sync = "always" // nothing that was answered
	SyncEverySecond Sync = "second" // at most the last second
	SyncNever       Sync = "never"  // what the operating system had not written yet
)

const (
	logName    = "readout.aof"
	newLogName = "readout.aof.new"
	syncAfter  = 900 * time.Millisecond
	retryEvery = time.Second
)

var errRebuild = errors.New("a sync has failed: the file must be written anew first")

// log is the append-only file: every change as a command of Redis, in the order
// in which they happened, so that a Redis can be fed with it.
//
// A change is noted under the lock of the db. Before its client gets an answer,
// commit writes what is noted; whoever comes first writes for all who wait.
type log struct {
	db     *db
	disk   disk
	policy Sync
	say    *slog.Logger

	// Guarded by db.mu.
	pending []byte
	noted   int64 // bytes ever noted
	broken  error // why nothing can be written; changes are refused meanwhile
	rewrite *rewrite
	group   int // depth of together
	begun   int // where in pending the group begins
	grouped int // commands in it

	written atomic.Int64 // of what was noted; changed under mu
	synced  atomic.Int64 // of what was written; changed under mu

	mu      sync.Mutex // held while the file is written; taken before db.mu; guards:
	file    file
	size    int64 // of the file
	spare   []byte
	rebuild bool // a sync has failed: what is on the disk is not known until the log is written anew
	base    int64

	syncing chan struct{} // full while one syncs for all who wait for that; a channel lets synctest's clock go on

	stop    chan struct{}
	stopped sync.WaitGroup
}

// note appends a change of one key to the log. The caller holds db.mu.
func (d *db) note(key string, words ...string) {
	l := d.log
	if l == nil {
		return
	}
	begin := len(l.pending)
	l.pending = appendCommand(l.pending, words...)
	l.took(key, begin)
}

// noteEntry notes an appended entry. It is apart because it is what happens most.
func (d *db) noteEntry(name string, stamp id, fields [][]byte, trimmed bool, length int64) {
	l := d.log
	begin := len(l.pending)
	p := l.pending
	if trimmed {
		p = appendArray(p, len(fields)+6)
		p = appendBulk(appendBulk(p, "XADD"), name)
		p = appendBulk(appendBulk(p, "MAXLEN"), "=")
		var text [20]byte
		p = appendBulk(p, strconv.AppendInt(text[:0], length, 10))
	} else {
		p = appendArray(p, len(fields)+3)
		p = appendBulk(appendBulk(p, "XADD"), name)
	}
	p = appendID(p, stamp)
	for _, f := range fields {
		p = appendBulk(p, f)
	}
	l.pending = p
	l.took(name, begin)
}

// took counts what was noted from a place of pending on.
func (l *log) took(key string, begin int) {
	l.noted += int64(len(l.pending) - begin)
	l.grouped++
	if l.rewrite != nil && l.db.shard([]byte(key)) < l.rewrite.next {
		l.rewrite.pending = append(l.rewrite.pending, l.pending[begin:]...)
	}
}

// together makes the changes until its end one step: after a crash there are all
// of them or none.
func (d *db) together() (end func()) {
	l := d.log
	if l == nil {
		return func() {}
	}
	if l.group++; l.group == 1 {
		l.begun, l.grouped = len(l.pending), 0
	}
	return func() {
		if l.group--; l.group > 0 || l.grouped < 2 {
			return
		}
		multi := appendCommand(nil, "MULTI")
		before := len(l.pending)
		l.pending = slices.Insert(l.pending, l.begun, multi...)
		l.pending = appendCommand(l.pending, "EXEC")
		l.noted += int64(len(l.pending) - before)
	}
}

// writable is false while the log cannot be written. The caller holds db.mu.
func (d *db) writable() bool { return d.log == nil || d.log.broken == nil }

// commit returns when the log holds what was noted up to a place, as safely as
// the policy says. After an error nobody knows whether it ever will.
func (l *log) commit(noted int64) error {
	if l.holds(noted) {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.written.Load() < noted {
		if err := l.flush(); err != nil {
			return err
		}
	}
	if !l.holds(noted) {
		return l.force()
	}
	return nil
}

// holds reports whether what was noted up to a place is as safe as the policy says.
// It waits for nobody.
func (l *log) holds(noted int64) bool {
	return l.written.Load() >= noted && (l.policy != SyncAlways || l.synced.Load() >= noted)
}

// flush writes what is noted. The caller holds l.mu.
func (l *log) flush() error {
	l.db.mu.Lock()
	batch, noted := l.pending, l.noted
	l.pending = l.spare[:0]
	l.db.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	n, err := l.file.Write(batch)
	if err == nil {
		l.size += int64(n)
		l.written.Store(noted)
		l.spare = batch
		if cap(batch) > 16*keep {
			l.spare = nil
		}
		return nil
	}
	// What was written of it is cut away again, and it stays to be written.
	err = errors.Join(err, l.file.Truncate(l.size))
	if _, seek := l.file.Seek(l.size, io.SeekStart); seek != nil {
		err = errors.Join(err, seek)
	}
	l.db.mu.Lock()
	l.pending = append(batch, l.pending...)
	l.spare = nil
	l.db.mu.Unlock()
	l.breaks(err)
	return err
}

// force puts what is written onto the disk. The caller holds l.mu.
func (l *log) force() error {
	if l.rebuild {
		return errRebuild
	}
	written := l.written.Load()
	if err := l.file.Sync(); err != nil {
		// The system may have dropped what it could not write and will not say so again.
		l.rebuild = true
		l.breaks(err)
		return err
	}
	l.synced.Store(written)
	return nil
}

func (l *log) breaks(err error) {
	l.db.mu.Lock()
	defer l.db.mu.Unlock()
	if l.broken == nil {
		l.say.Error("the store's file cannot be written: changes are refused until it can", "file", logName, "err", err)
	}
	l.broken = err
}

func (l *log) mended() {
	l.db.mu.Lock()
	defer l.db.mu.Unlock()
	if l.broken != nil {
		l.say.Info("the store's file is written again", "file", logName)
	}
	l.broken = nil
}

// run syncs every second, tries again after errors, and compacts.
func (l *log) run() {
	tick := time.NewTicker(syncAfter)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
		}
		l.db.mu.Lock()
		broken := l.broken != nil
		l.db.mu.Unlock()
		if broken {
			l.recover()
			continue
		}
		if l.policy == SyncEverySecond {
			_ = l.syncBeside() // an error has been noted
		}
		if l.grown() {
			if err := l.compact(); err != nil {
				l.say.Error("the store's file could not be compacted", "err", err)
			}
		}
	}
}

// syncBeside syncs while others write on.
func (l *log) syncBeside() error {
	l.mu.Lock()
	f, written, synced := l.file, l.written.Load(), l.synced.Load()
	l.mu.Unlock()
	if written == synced {
		return nil
	}
	err := f.Sync()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != f {
		return nil // compacted meanwhile, and synced
	}
	if err != nil {
		l.rebuild = true
		l.breaks(err)
		return err
	}
	if l.rebuild {
		return errRebuild
	}
	l.synced.Store(max(l.synced.Load(), written))
	return nil
}

// recover tries to write again after an error.
func (l *log) recover() {
	l.mu.Lock()
	rebuild := l.rebuild
	l.mu.Unlock()
	if rebuild {
		if l.compact() == nil {
			l.mended()
		}
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flush() == nil && l.force() == nil {
		l.mended()
	}
}

// close writes and syncs what is noted.
func (l *log) close() error {
	close(l.stop)
	l.stopped.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.flush()
	if err == nil {
		err = l.force()
	}
	return errors.Join(err, l.file.Close())
}

// openLog reads the log of a directory, or begins one.
func openLog(d *db, on disk, policy Sync, say *slog.Logger) (*log, error) {
	l := &log{db: d, disk: on, policy: policy, say: say, stop: make(chan struct{}), syncing: make(chan struct{}, 1)}
	f, err := on.open(logName, false)
	if errors.Is(err, errNotExist) {
		if f, err = on.open(logName, true); err == nil {
			err = on.sync()
		}
	}
	if err != nil {
		return nil, err
	}
	size, err := load(d, f, say)
	if err == nil {
		err = f.Truncate(size)
	}
	if err == nil {
		_, err = f.Seek(size, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	l.file, l.size, l.base = f, size, size
	_ = on.remove(newLogName) // of a compaction that did not end
	return l, nil
}

// Damaged says that a log holds something that nobody can have written at its end.
type Damaged struct {
	At  int64 // bytes from its beginning
	Why string
}

func (e *Damaged) Error() string {
	return fmt.Sprintf("%s is damaged at byte %d: %s. Nothing was changed. `readout store check --data DIR` shows what can be read; "+
		"`readout store check --data DIR --cut %d` keeps what comes before it", logName, e.At, e.Why, e.At)
}
