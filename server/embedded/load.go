package embedded

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
)

var errNotExist = fs.ErrNotExist

// load executes a log and returns how much of it stands. A command that is not
// whole at the end is what a crash leaves: it is left out, with a message. What
// is wrong anywhere else is Damaged.
func load(d *db, f io.Reader, say *slog.Logger) (int64, error) {
	r := newRequests(f)
	r.buffer = make([]byte, 1<<20)
	d.loading = true
	c := &client{db: d}
	whole := int64(0) // up to where no MULTI is open
	for {
		if err := r.fill(); err != nil {
			if !errors.Is(err, io.EOF) {
				return 0, err
			}
			break
		}
		for {
			if r.at < r.end && r.buffer[r.at] != '*' {
				return zeroed(d, r, say, whole, "a command was expected")
			}
			words, err := r.next()
			if err != nil {
				return zeroed(d, r, say, whole, err.Error())
			}
			if len(words) == 0 {
				break
			}
			c.out = c.out[:0]
			c.execute(words)
			d.loaded++
			if len(c.out) > 0 && c.out[0] == '-' {
				return 0, &Damaged{At: whole, Why: string(bytes.TrimSpace(c.out))}
			}
			if c.transaction == nil {
				whole = r.consumed
			}
		}
	}
	if r.at < r.end || c.transaction != nil {
		return ended(d, say, whole, "its last command is not whole, which is what a crash leaves")
	}
	return ended(d, say, whole, "")
}

func ended(d *db, say *slog.Logger, whole int64, torn string) (int64, error) {
	if torn != "" {
		say.Warn("the end of the store's file was cut off", "file", logName, "at", whole, "why", torn)
	}
	d.loading = false
	d.stats = Stats{}
	return whole, nil
}

// zeroed judges something that cannot be read. A power cut may leave a file that
// is as long as it should be and holds zeros from some place on: then this is the
// end too. Anything else is damage.
func zeroed(d *db, r *requests, say *slog.Logger, whole int64, why string) (int64, error) {
	rest := bytes.Clone(r.buffer[r.at:r.end])
	more, err := io.ReadAll(r.from)
	if err != nil {
		return 0, err
	}
	rest = append(rest, more...)
	left := bytes.TrimRight(rest, "\x00")
	if len(left) < len(rest) {
		begun := newRequests(nil)
		begun.buffer, begun.end = left, len(left)
		if words, err := begun.next(); err == nil && len(words) == 0 {
			return ended(d, say, whole, "a power cut has left zeros there")
		}
	}
	return 0, &Damaged{At: whole, Why: why}
}
