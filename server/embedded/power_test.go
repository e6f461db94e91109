package embedded_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"readout/server/embedded"
	"readout/server/servertest"
)

// answered is one entry that the server said it had.
type answered struct {
	key, id string
	at      time.Time
}

func client(t testing.TB, s *embedded.Server) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:0", Dialer: s.Dial, Protocol: 2, MaxRetries: -1, DisableIdentity: true})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestPowerCut cuts the power at 200 moments: 100 of a server that syncs always
// and 100 of one that syncs every second. Nothing of what was answered may be
// missing of the first, and nothing that is older than a second of the second.
// Each file that survives is then fed to a real Redis, which must hold the same.
func TestPowerCut(t *testing.T) {
	now := time.Now()
	seed := uint64(now.UnixNano())
	real := dialRedis(t, servertest.Redis(t))
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
		if i%10 > 1 { // a real Redis looks at each fifth pair
			continue
		}
		real.ask("FLUSHALL")
		replay(t, real, log)
		theirs := dump(real)
		if len(theirs) != len(ours) {
			t.Fatalf("seed %d: a Redis that was fed the file has %d keys, the embedded store %d", moment, len(theirs), len(ours))
		}
		for key, want := range ours {
			if theirs[key] != want {
				t.Fatalf("seed %d: %s\nRedis:    %.500s\nembedded: %.500s", moment, key, theirs[key], want)
			}
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
	var mu sync.Mutex
	var acked []answered
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for w := range 4 {
		own := rand.New(rand.NewPCG(seed, uint64(w)+10))
		c := client(t, s)
		writers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				time.Sleep(time.Duration(own.IntN(60)) * time.Millisecond)
				key := fmt.Sprintf("s%d", own.IntN(6))
				pipe := c.Pipeline()
				var adds []*redis.StringCmd
				for range 1 + own.IntN(5) {
					adds = append(adds, pipe.XAdd(ctx, &redis.XAddArgs{Stream: key, MaxLen: 100_000, Approx: true, Values: []any{"t", n, "value", strconv.Itoa(w)}}))
				}
				switch own.IntN(8) {
				case 0:
					pipe.HSet(ctx, "h", strconv.Itoa(own.IntN(5)), n)
				case 1:
					pipe.Set(ctx, "str", n, time.Hour)
				case 2:
					pipe.PExpire(ctx, key, time.Hour)
				}
				if _, err := pipe.Exec(ctx); err != nil {
					return
				}
				mu.Lock()
				for _, add := range adds {
					acked = append(acked, answered{key, add.Val(), time.Now()})
				}
				mu.Unlock()
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
	held := map[string]bool{}
	for i := range 6 {
		key := fmt.Sprintf("s%d", i)
		list, _ := p.ask("XRANGE", key, "-", "+").([]any)
		for _, e := range list {
			held[key+" "+e.([]any)[0].(string)] = true
		}
		if len(list) >= 100_000 {
			t.Errorf("the test trims what it looks for")
		}
	}
	lost := 0
	for _, a := range acked {
		if !held[a.key+" "+a.id] && (policy == embedded.SyncAlways || off.Sub(a.at) > time.Second) {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("seed %d, %s: %d of %d answered entries are lost", seed, policy, lost, len(acked))
	}
	return after.read(embedded.LogName), dump(p)
}
