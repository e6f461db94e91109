package embedded_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"readout/server/embedded"
	"readout/server/servertest"
)

func client(t testing.TB, s *embedded.Server) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:0", Dialer: s.Dial, Protocol: 2, MaxRetries: -1, DisableIdentity: true})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestPowerCut cuts the power at 200 moments: 100 of a server that syncs always
// and 100 of one that syncs every second. Nothing of what was answered may be
// missing of the first, and nothing that is older than a second of the second.
// Every file that survives is then fed to a real Redis, which must hold the same.
func TestPowerCut(t *testing.T) {
	now := time.Now()
	seed := uint64(now.UnixNano())
	real := dialRedis(t, servertest.Redis(t).Addr())
	for i := range 200 {
		policy := []embedded.Sync{embedded.SyncAlways, embedded.SyncEverySecond}[i%2]
		moment := seed + uint64(i)
		var log []byte
		var ours map[string]string
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Until(now)) // a bubble begins in 2000, and a real Redis would let all expire at once
			log, ours = cutPower(t, moment, policy)
		})
		if t.Failed() {
			t.Fatalf("seed %d, %s", moment, policy)
		}
		holds(t, fmt.Sprintf("seed %d", moment), real, log, ours)
	}
}

// holds feeds a log to a real Redis, which must then have the same keys.
func holds(t testing.TB, when string, real *peer, log []byte, ours map[string]string) {
	t.Helper()
	real.ask("FLUSHALL")
	replay(t, real, log)
	theirs := dump(real)
	if len(theirs) != len(ours) {
		t.Fatalf("%s: a Redis that was fed the file has %d keys, the embedded store %d", when, len(theirs), len(ours))
	}
	for key, want := range ours {
		if theirs[key] != want {
			t.Fatalf("%s: %s\nRedis:    %.500s\nembedded: %.500s", when, key, theirs[key], want)
		}
	}
}

// replay sends a log as redis-cli --pipe does.
func replay(t testing.TB, p *peer, log []byte) {
	t.Helper()
	go func() { _, _ = p.conn.Write(append(log, encodeCommand([]string{"ECHO", "the end"})...)) }()
	for {
		switch reply := p.reply().(type) {
		case string:
			if reply == "the end" {
				return
			}
			if strings.HasPrefix(reply, "-") {
				t.Fatalf("Redis refuses a command of the file: %s", reply)
			}
		}
	}
}

// dump describes all keys, but for the time that is left to those that expire.
func dump(p *peer) map[string]string {
	all := map[string]string{}
	for _, key := range p.ask("KEYS", "*").([]any) {
		name := key.(string)
		kind := p.ask("TYPE", name).(string)
		words := map[string][]string{"+stream": {"XRANGE", name, "-", "+"}, "+hash": {"HGETALL", name}, "+string": {"GET", name}}[kind]
		all[name] = kind + same(words, p.ask(words...))
		if kind == "+stream" {
			words = []string{"XINFO", "STREAM", name}
			all[name] += same(words, p.ask(words...))
		}
	}
	return all
}

// cutPower lets writers work until a random moment, cuts the power and looks at
// what a new server finds.
func cutPower(t *testing.T, seed uint64, policy embedded.Sync) (log []byte, found map[string]string) {
	random := rand.New(rand.NewPCG(seed, 2))
	disk := newBadDisk(seed)
	s, err := embedded.Start(embedded.OnDisk(disk, embedded.Options{Sync: policy}))
	if err != nil {
		t.Fatal(err)
	}
	acked := &answers{}
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for w := range uint64(4) {
		own := rand.New(rand.NewPCG(seed, w+10))
		c := client(t, s)
		writers.Go(func() {
			for {
				time.Sleep(time.Duration(own.IntN(60)) * time.Millisecond)
				if !acked.write(ctx, c, own) {
					return
				}
			}
		})
	}
	if random.IntN(3) == 0 { // in the middle of a compaction
		time.Sleep(time.Duration(random.IntN(500)) * time.Millisecond)
		writers.Go(func() { _ = s.Compact() })
	}
	if policy == embedded.SyncEverySecond {
		time.Sleep(time.Second)
	}
	time.Sleep(time.Duration(random.IntN(1200)) * time.Millisecond)
	after := disk.cut()
	off := time.Now()
	cancel()
	writers.Wait()
	s.Close()

	s, err = embedded.Start(embedded.OnDisk(after, embedded.Options{}))
	if err != nil {
		t.Errorf("seed %d: it does not start after a power cut: %v", seed, err)
		return nil, nil
	}
	defer s.Close()
	p := dialEmbedded(t, s)
	defer p.conn.Close()
	missing := acked.missing(t, p, func(at time.Time) bool { return policy == embedded.SyncAlways || off.Sub(at) > time.Second })
	if missing > 0 {
		t.Errorf("seed %d, %s: %d answered entries are lost", seed, policy, missing)
	}
	return after.read(embedded.LogName), dump(p)
}
