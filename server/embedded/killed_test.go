package embedded_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"readout/server/embedded"
	"readout/server/servertest"
)

func TestMain(m *testing.M) { servertest.Main(m) }

// streams are what writers of a test write to.
const streams = 6

// answers are the entries that a server said it had.
type answers struct {
	mu      sync.Mutex
	entries []answered
}

type answered struct {
	key, id string
	at      time.Time
}

// write sends one pipeline of changes and keeps what is answered; false says that
// none is any more.
func (a *answers) write(ctx context.Context, c *redis.Client, random *rand.Rand) bool {
	key := "s" + strconv.Itoa(random.IntN(streams))
	pipe := c.Pipeline()
	var adds []*redis.StringCmd
	for n := range 1 + random.IntN(5) {
		adds = append(adds, pipe.XAdd(ctx, &redis.XAddArgs{Stream: key, MaxLen: 100_000, Approx: true, Values: []any{"t", random.Int32(), "value", n}}))
	}
	switch random.IntN(8) {
	case 0:
		pipe.HSet(ctx, "h", strconv.Itoa(random.IntN(5)), random.Int32())
	case 1:
		pipe.Set(ctx, "str", random.Int32(), time.Hour)
	case 2:
		pipe.PExpire(ctx, key, time.Hour)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, add := range adds {
		a.entries = append(a.entries, answered{key, add.Val(), time.Now()})
	}
	return true
}

func (a *answers) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.entries)
}

// missing counts the entries that a server has not, of those that were answered
// when they had to be safe.
func (a *answers) missing(t testing.TB, p *peer, safe func(at time.Time) bool) int {
	t.Helper()
	held := map[string]bool{}
	for i := range streams {
		key := "s" + strconv.Itoa(i)
		list, _ := p.ask("XRANGE", key, "-", "+").([]any)
		for _, e := range list {
			held[key+" "+e.([]any)[0].(string)] = true
		}
		if len(list) >= 100_000 {
			t.Errorf("the test trims what it looks for")
		}
	}
	missing := 0
	for _, e := range a.entries {
		if !held[e.key+" "+e.id] && safe(e.at) {
			missing++
		}
	}
	return missing
}

// TestKilled kills a process that is written to, as kill -9 does, and starts it
// again on what is left, with each policy: nothing that was ever answered is
// lost. Each time the file is fed to a real Redis, which must hold the same.
func TestKilled(t *testing.T) {
	t.Parallel()
	const kills = 10 // of each policy
	real := dialRedis(t, servertest.Redis(t).Addr())
	seed := uint64(time.Now().UnixNano())
	for _, policy := range []embedded.Sync{embedded.SyncAlways, embedded.SyncEverySecond, embedded.SyncNever} {
		data := t.TempDir()
		s := servertest.StartEmbedded(t, data, policy)
		acked := &answers{}
		for range kills {
			seed++
			writeAndKill(t, s, acked, seed)
			s.Restart()
			p := dialRedis(t, s.Addr())
			if n := acked.missing(t, p, func(time.Time) bool { return true }); n > 0 {
				t.Fatalf("seed %d, %s: %d of %d answered entries are lost", seed, policy, n, acked.count())
			}
			log, err := os.ReadFile(filepath.Join(data, embedded.LogName))
			if err != nil {
				t.Fatal(err)
			}
			holds(t, fmt.Sprintf("seed %d, %s", seed, policy), real, log, dump(p))
		}
	}
}

// writeAndKill lets writers write until a server is killed after some answers.
func writeAndKill(t *testing.T, s *servertest.Embedded, acked *answers, seed uint64) {
	t.Helper()
	enough := acked.count() + 1 + rand.New(rand.NewPCG(seed, 3)).IntN(500)
	var writers sync.WaitGroup
	for w := range uint64(4) {
		own := rand.New(rand.NewPCG(seed, w+10))
		c := redis.NewClient(&redis.Options{Addr: s.Addr(), Protocol: 2, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true})
		t.Cleanup(func() { _ = c.Close() })
		writers.Go(func() {
			for acked.write(t.Context(), c, own) {
				if acked.count() >= enough {
					s.Kill()
				}
			}
		})
	}
	writers.Wait()
}
