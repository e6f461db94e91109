package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
)

// Progress is called now and then with how many of so many bytes are done.
type Progress func(done, of int64)

// Report says what a log holds.
type Report struct {
	Bytes    int64 // of the file
	Whole    int64 // of these, up to the end of the last whole step; the rest is what a crash left
	Commands int64
	Keys     int
	Entries  int64 // of all streams
	Streams  []StreamReport
}

// StreamReport is one stream of a Report; they come largest first.
type StreamReport struct {
	Key          string
	Entries      int64
	Bytes        int // in memory, roughly
	First, Last  string
	EntriesAdded int64
}

// Check reads the log of a directory without changing anything, also while a
// server writes it. The error is a *Damaged when it cannot be read to its end;
// then the Report is of what comes before.
func Check(data string, progress Progress) (Report, error) {
	d, r, err := readLog(data, progress)
	if d != nil {
		for _, all := range d.keys {
			for _, k := range all {
				r.add(k)
			}
		}
		slices.SortFunc(r.Streams, func(a, b StreamReport) int { return b.Bytes - a.Bytes })
	}
	return r, err
}

func (r *Report) add(k *key) {
	r.Keys++
	s, ok := k.value.(*stream)
	if !ok {
		return
	}
	r.Entries += s.length
	one := StreamReport{Key: k.name, Entries: s.length, Bytes: s.bytes, EntriesAdded: s.added, Last: string(s.last.append(nil))}
	if _, e, some := s.first(); some {
		one.First = string(e.id.append(nil))
	}
	r.Streams = append(r.Streams, one)
}

// readLog executes a log into a db of its own; the db is nil when there is no log.
func readLog(data string, progress Progress) (*db, Report, error) {
	f, err := os.Open(filepath.Join(data, logName))
	if err != nil {
		return nil, Report{}, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, Report{}, err
	}
	r := Report{Bytes: info.Size()}
	d := newDB(Limits{})
	r.Whole, err = load(d, &counted{from: f, of: r.Bytes, progress: progress}, slog.New(slog.DiscardHandler))
	r.Commands = d.loaded
	var damaged *Damaged
	if errors.As(err, &damaged) {
		r.Whole = damaged.At
	}
	return d, r, err
}

// counted tells how much was read.
type counted struct {
	from     io.Reader
	done, of int64
	progress Progress
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	c.done += int64(n)
	if c.progress != nil {
		c.progress(c.done, c.of)
	}
	return n, err
}

// Cut keeps what a damaged log holds before a place, and the whole log as it was
// beside it. It returns the name of that copy.
func Cut(data string, at int64) (copied string, err error) {
	unlock, err := lock(data)
	if err != nil {
		return "", err
	}
	defer unlock()
	path := filepath.Join(data, logName)
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if at < 0 || at > info.Size() {
		return "", fmt.Errorf("%s has %d bytes; it cannot be cut at %d", logName, info.Size(), at)
	}
	copied = fmt.Sprintf("%s.before-cut-%d", path, at)
	if err := os.Rename(path, copied); err != nil {
		return "", err
	}
	from, err := os.Open(copied)
	if err != nil {
		return copied, err
	}
	defer func() { _ = from.Close() }()
	to, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return copied, err
	}
	_, err = io.CopyN(to, from, at)
	return copied, errors.Join(err, to.Sync(), to.Close())
}

// Export writes what a directory holds as commands of Redis, as short as can be.
// A server may run meanwhile; what it writes then is not in it.
func Export(data string, to io.Writer, progress Progress) (keys int, err error) {
	d, _, err := readLog(data, progress)
	if err != nil {
		return 0, err
	}
	var batch []byte
	for _, all := range d.keys {
		for _, k := range all {
			batch = appendKey(batch[:0], k)
			if _, err := to.Write(batch); err != nil {
				return keys, err
			}
			keys++
		}
	}
	return keys, nil
}

// AppendCommand appends a command in the form of a log, for Import.
func AppendCommand(out []byte, words ...string) []byte { return appendCommand(out, words...) }

// Import executes commands in the form of a log, such as Export writes or a
// Redis's own append-only file, and returns how many there were. It stops at the
// first that is refused.
func (s *Server) Import(from io.Reader) (commands int64, err error) {
	r := newRequests(from)
	c := &client{db: s.db}
	for {
		if err := r.fill(); err != nil {
			if !errors.Is(err, io.EOF) {
				return commands, err
			}
			if r.at < r.end {
				return commands, errors.New("the last command is not whole")
			}
			return commands, nil
		}
		n, err := c.importAll(r)
		commands += n
		if err == nil && s.db.log != nil {
			err = s.db.log.commit(c.noted)
		}
		if err != nil {
			return commands, fmt.Errorf("command %d: %w", commands+1, err)
		}
	}
}

// importAll executes what has been read.
func (c *client) importAll(r *requests) (n int64, err error) {
	c.db.mu.Lock()
	defer c.db.mu.Unlock()
	for {
		words, err := r.next()
		if err != nil || len(words) == 0 {
			return n, err
		}
		c.out = c.out[:0]
		c.execute(words)
		if l := c.db.log; l != nil {
			c.noted = l.noted
		}
		if len(c.out) > 0 && c.out[0] == '-' {
			return n, errors.New(string(bytes.TrimSpace(c.out[1:])))
		}
		n++
	}
}
