//go:build faults

package faults

import (
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"readout/server"
	"readout/server/servertest"
)

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
