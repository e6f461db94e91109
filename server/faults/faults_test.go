//go:build faults

package faults

import (
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"readout/server"
	"readout/server/embedded"
	"readout/server/servertest"
)

func TestMain(m *testing.M) { servertest.Main(m) }

// long reports whether the runs take as long as promised, instead of as long as CI has.
func long() bool { return os.Getenv("READOUT_FAULTS") == "long" }

// phase is how long a part of a run takes.
func phase(short, longer time.Duration) time.Duration {
	if long() {
		return longer
	}
	return short
}

// load is the usual load of a run: in the long form 2,000 readings a second over 50
// topics, watched by 200 viewers of 5 topics each.
func load() servertest.Load {
	if long() {
		return servertest.Load{Topics: 50, Rate: 20, Batch: 2, Viewers: 200, Each: 5, Churn: 20 * time.Second}
	}
	return servertest.Load{Topics: 10, Rate: 20, Viewers: 15, Each: 4, Churn: 4 * time.Second}
}

// process is what a run does harm to: a store that runs as a process of its own.
type process interface {
	Addr() string
	URL() string
	Do(words ...string) string
	Freeze()
	Continue()
	Kill()
	Crash() // like Kill, and all that was answered is in the file
	Restart()
}

// The stores of the runs. READOUT_FAULTS_STORE=embedded takes Readout's own in the
// place of a redis-server, and then only what is named TestRedis... has a
// redis-server: these are about its copies, its Sentinel, its memory or how it
// loads, all of which the embedded store does not have.

func onEmbedded() bool { return os.Getenv("READOUT_FAULTS_STORE") == "embedded" }

// emptyStore starts a store in memory, which is empty after a Restart.
func emptyStore(t *testing.T) process {
	t.Helper()
	if onEmbedded() {
		return servertest.StartEmbedded(t, "", embedded.SyncEverySecond)
	}
	return servertest.Redis(t)
}

// keptStore starts a store with a file that is synced every second, as most run it.
func keptStore(t *testing.T) process {
	t.Helper()
	if onEmbedded() {
		return servertest.StartEmbedded(t, t.TempDir(), embedded.SyncEverySecond)
	}
	return keptRedis(t)
}

func keptRedis(t *testing.T) *servertest.RedisServer {
	t.Helper()
	return servertest.Redis(t, "--appendonly", "yes", "--appendfsync", "everysec")
}

// service is a Readout of its own over a store, on loopback.
func service(t *testing.T, url string, change ...func(*server.Options)) *servertest.Server {
	t.Helper()
	return servertest.New(t, &servertest.Options{Redis: url, Loopback: true, Change: func(o *server.Options) {
		o.Linger = time.Second // so that streamers end within a run, and begin again
		// A store that fails is logged for each request and topic, which is not what these runs are read for.
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
		for _, f := range change {
			f(o)
		}
	}})
}

// address is where a service listens, for a proxy before it.
func address(s *servertest.Server) string { return strings.TrimPrefix(s.URL, "http://") }

// unharmed is what a fault that takes nothing away leaves: everybody is back on the
// connection they had, and all that was acknowledged is there.
func unharmed(t *testing.T, r servertest.Report) {
	t.Helper()
	r.None(t, "viewers and topics that never recovered", r.Unhealed)
	r.None(t, "lost", r.Lost)
	r.None(t, "resets", r.Resets)
	r.None(t, "sockets closed", r.Closed)
}
