package store_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"readout/server/servertest"
	"readout/server/store"
)

func TestInfoReader(t *testing.T) {
	r := servertest.Redis(t)
	r.Do("CONFIG", "SET", "requirepass", "s3cret")
	info, err := store.NewInfoReader("redis://:s3cret@"+r.Addr(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer info.Close()
	text, err := info.Read(t.Context())
	if err != nil || !strings.Contains(text, "used_memory:") || !strings.Contains(text, "keyspace_hits:") {
		t.Fatalf("INFO: %q, %v", text, err)
	}
	wrong, err := store.NewInfoReader("redis://:wr0ng@"+r.Addr(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer wrong.Close()
	if _, err := wrong.Read(t.Context()); err == nil || strings.Contains(err.Error(), "wr0ng") {
		t.Errorf("with a wrong password: %v", err)
	}
	refused := errors.New("not there")
	closed, err := store.NewInfoReader(r.URL(), func(context.Context, string, string) (net.Conn, error) { return nil, refused })
	if err != nil {
		t.Fatal(err)
	}
	defer closed.Close()
	if _, err := closed.Read(t.Context()); !errors.Is(err, refused) {
		t.Errorf("a dial that refuses: %v, want its own error", err)
	}
	for _, bad := range []string{"http://:s3cret@a", "redis+cluster://:s3cret@a,b", "redis://:s3cret@a,b", "redis://:s3c ret@a"} {
		if _, err := store.NewInfoReader(bad, nil); err == nil || strings.Contains(err.Error(), "s3c") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
