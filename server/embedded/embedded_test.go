package embedded_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"readout/server/embedded"
)

func connect(t *testing.T) (*redis.Client, *embedded.Server) {
	t.Helper()
	server, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:0", Dialer: server.Dial, Protocol: 2, MaxRetries: -1, DisableIdentity: true})
	t.Cleanup(func() {
		_ = client.Close()
		server.Close()
	})
	return client, server
}

func TestExpiryFollowsTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := connect(t)
		ctx := context.Background()
		if err := client.Set(ctx, "k", "v", 10*time.Second).Err(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(9 * time.Second)
		if n := client.Exists(ctx, "k").Val(); n != 1 {
			t.Fatalf("after 9 of 10 s: %d keys, want 1", n)
		}
		time.Sleep(2 * time.Second)
		if n := client.Exists(ctx, "k").Val(); n != 0 {
			t.Fatalf("after 11 of 10 s: %d keys, want 0", n)
		}
	})
}

// A pipe has no buffer: without room for replies this pipeline would stand still.
func TestLongPipelines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := connect(t)
		ctx := context.Background()
		pipe := client.Pipeline()
		value := strings.Repeat("x", 1000)
		for range 2000 {
			pipe.Set(ctx, "k", value, 0)
			pipe.Get(ctx, "k")
		}
		began := time.Now()
		if _, err := pipe.Exec(ctx); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("the pipeline waited %v of the bubble's time", took)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := connect(t)
		ctx := context.Background()
		failed := make(chan error, 1)
		go func() {
			failed <- client.XRead(ctx, &redis.XReadArgs{Streams: []string{"s", "0-0"}, Block: time.Hour}).Err()
		}()
		synctest.Wait()
		server.Close()
		if err := <-failed; err == nil {
			t.Error("a blocked read survived Close")
		}
		if _, err := server.Dial(ctx, "tcp", "embedded:0"); err != net.ErrClosed {
			t.Errorf("Dial after Close: %v, want %v", err, net.ErrClosed)
		}
		server.Close() // a second time does nothing
	})
}
