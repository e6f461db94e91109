package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// What one command may be, as in Redis.
const (
	maxWords = 1 << 20
	maxWord  = 512 << 20
)

// errProtocol says that what was sent is not a command.
var (
	errProtocol = errors.New("Protocol error") //lint:ignore ST1005 the words of Redis
	errLength   = fmt.Errorf("%w: invalid length", errProtocol)
)

// requests reads commands in RESP from a connection or a file. The same code
// reads both, so a log is what its writer was sent.
type requests struct {
	from     io.Reader
	buffer   []byte
	at, end  int // what of buffer is read and not used yet
	words    [][]byte
	consumed int64 // bytes of all commands that were returned
}

func newRequests(from io.Reader) *requests {
	return &requests{from: from, buffer: make([]byte, 16<<10)}
}

// fill reads more. What next returned before is not valid any more.
func (r *requests) fill() error {
	r.room(1)
	n, err := r.from.Read(r.buffer[r.end:])
	r.end += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// feed takes what was sent. What next returned before is not valid any more.
func (r *requests) feed(b []byte) {
	r.room(len(b))
	r.end += copy(r.buffer[r.end:], b)
}

// room makes room for at least n bytes after those that are not used yet.
func (r *requests) room(n int) {
	held := r.buffer[r.at:r.end]
	size := len(r.buffer)
	for size-len(held) < n || len(held) > size/2 && r.end == size { // one command may fill most of it
		size *= 2
	}
	switch {
	case size != len(r.buffer):
		grown := make([]byte, size)
		copy(grown, held)
		r.buffer = grown
	case len(held) > 0 && len(r.buffer)-r.end >= n:
		return
	default:
		copy(r.buffer, held)
	}
	r.at, r.end = 0, len(held)
}

// next returns the next whole command that was read, and none when more must be
// read first. The words lie in the buffer.
func (r *requests) next() ([][]byte, error) {
	for r.at < r.end {
		rest := r.buffer[r.at:r.end]
		if rest[0] != '*' {
			words, used, err := inline(rest)
			r.at += used
			r.consumed += int64(used)
			if err != nil || len(words) > 0 || used == 0 {
				return words, err
			}
			continue
		}
		count, at, err := number(rest, 1, maxWords)
		if err != nil || at == 0 {
			return nil, err
		}
		r.words = r.words[:0]
		for range count {
			if at == len(rest) {
				return nil, nil
			}
			if rest[at] != '$' {
				return nil, fmt.Errorf("%w: expected '$', got '%c'", errProtocol, rest[at])
			}
			length, begin, err := number(rest, at+1, maxWord)
			if err != nil || begin == 0 {
				return nil, err
			}
			if begin+length+2 > len(rest) {
				return nil, nil
			}
			if rest[begin+length] != '\r' || rest[begin+length+1] != '\n' {
				return nil, fmt.Errorf("%w: a word is longer than it says", errProtocol)
			}
			r.words = append(r.words, rest[begin:begin+length])
			at = begin + length + 2
		}
		r.at += at
		r.consumed += int64(at)
		if len(r.words) > 0 {
			return r.words, nil
		}
	}
	return nil, nil
}

// number reads digits up to the end of a line; next is the place after it, 0 when
// the line has not come whole.
func number(b []byte, at, most int) (n, next int, err error) {
	begin := at
	for ; at < len(b) && b[at]-'0' <= 9; at++ {
		if n = 10*n + int(b[at]-'0'); n > most {
			return 0, 0, errLength
		}
	}
	switch {
	case at+1 >= len(b) && (at == len(b) || b[at] == '\r'):
		return 0, 0, nil
	case at == begin || b[at] != '\r' || b[at+1] != '\n':
		return 0, 0, errLength
	}
	return n, at + 2, nil
}

// inline reads a command that a person typed: words on a line.
func inline(b []byte) (words [][]byte, used int, err error) {
	const longest = 64 << 10
	line := bytes.IndexByte(b, '\n')
	if line < 0 {
		if len(b) > longest {
			return nil, 0, fmt.Errorf("%w: too big inline request", errProtocol)
		}
		return nil, 0, nil
	}
	return bytes.Fields(b[:line]), line + 1, nil
}
