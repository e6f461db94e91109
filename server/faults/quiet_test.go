//go:build faults

package faults

import (
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	"readout/server"
	"readout/server/servertest"
)

// quietFor is how long the quiet hour takes: READOUT_FAULTS_QUIET=1h for a real one.
func quietFor(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("READOUT_FAULTS_QUIET")
	if text == "" {
		return phase(20*time.Second, 5*time.Minute)
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The quiet hour: nothing fails. Topics are written once a second and read; some
// age out, some are deleted, some are trimmed to nothing, and all of these come
// back; some are never written. Nobody is told a gap, and a reset only by who
// had readings that are gone.
func TestQuietHour(t *testing.T) {
	t.Parallel()
	const lives = 4 // kinds of topics, see below
	store := emptyStore(t)
	s := service(t, store.URL(), func(o *server.Options) { o.Store.Retention = 10 * time.Second })
	shape := servertest.Load{Topics: 3 * lives, Viewers: 12, Each: 5, Churn: 15 * time.Second}
	o := servertest.NewOracle(t, servertest.Run{Fault: "quiet", Servers: []*servertest.Server{s}, Truth: store.URL(), Load: shape})
	o.Start()
	ends := 0
	gone := func(i int) bool { return store.Do("EXISTS", o.Key(i)) == "0" }
	for until := time.Now().Add(quietFor(t)); time.Now().Before(until); {
		for range 6 {
			for i := range shape.Topics - 1 { // the last one is never written
				o.Push(i)
			}
			o.For(time.Second)
		}
		// While the others go on, every fourth ages out, is deleted, or is emptied.
		o.Losing(func() {
			o.Eventually(time.Minute, "topics age out", func() bool {
				for i := range shape.Topics - 1 {
					if i%lives != 1 {
						o.Push(i)
					}
				}
				o.For(time.Second)
				return gone(1) && gone(1+lives) && gone(1+2*lives)
			})
		}, 1, 1+lives, 1+2*lives)
		for i := 2; i < shape.Topics; i += lives {
			o.Losing(func() {
				if a := s.Do(http.MethodDelete, "/t/"+url.PathEscape(o.Topic(i)), ""); a.Status >= 300 {
					t.Errorf("delete: %d %s", a.Status, a.Body)
				}
			}, i)
		}
		for i := 3; i < shape.Topics-1; i += lives {
			store.Do("XTRIM", o.Key(i), "MAXLEN", "0")
		}
		ends++
		o.For(2 * time.Second)
	}
	r := o.Finish()
	r.None(t, "connections closed", r.Closed)
	if ends == 0 {
		t.Error("quiet: no topic ended")
	}
	t.Logf("quiet: %d times three topics aged out, three were deleted and two emptied; %d resets, %d gaps", ends, r.Resets, r.Gaps)
}
