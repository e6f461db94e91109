package store

import (
	"context"
	"errors"
	"net"

	"github.com/redis/go-redis/v9"
)

// InfoReader asks a Redis server for what it says of itself. The server need not
// be the one that readings are kept in.
type InfoReader struct {
	link *link
	db   redis.UniversalClient
}

// NewInfoReader makes a reader of one server, redis://user:password@host:6379/0
// or rediss:// (also valkey...); dial makes its connections, nil is TCP. It
// connects with the first Read. The error never holds the URL, which may hold a
// password.
func NewInfoReader(url string, dial func(ctx context.Context, network, addr string) (net.Conn, error)) (*InfoReader, error) {
	l, err := newLink(Options{URL: url, Dial: dial})
	if err != nil {
		return nil, err
	}
	if l.mode != single {
		return nil, errors.New("INFO is of one server; name each of a cluster by itself, with redis:// or rediss://")
	}
	return &InfoReader{link: l, db: l.client(1, commandTimeout)}, nil
}

// Read returns the text of INFO. Its error is that of the connection or of the
// server, and holds no password.
func (r *InfoReader) Read(ctx context.Context) (string, error) {
	text, err := r.db.Info(ctx).Result()
	var dial *dialError
	if errors.As(err, &dial) {
		err = dial.err
	}
	return text, err
}

// Close ends the connection.
func (r *InfoReader) Close() error {
	err := r.db.Close()
	r.link.breaker.close()
	return err
}
