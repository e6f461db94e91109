package servertest_test

import (
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"readout/server/embedded"
	"readout/server/servertest"
)

func TestMain(m *testing.M) { servertest.Main(m) }

// What the embedded store has answered is there after a kill if it keeps a file,
// and gone if it does not.
func TestEmbeddedIsAProcess(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{t.TempDir(): "a value", "": ""} {
		s := servertest.StartEmbedded(t, data, embedded.SyncNever)
		s.Do("SET", "a key", "a value")
		s.Freeze()
		s.Continue()
		s.Crash()
		s.Restart()
		if got := s.Do("GET", "a key"); got != want {
			t.Errorf("in %q: %q after a kill, want %q", data, got, want)
		}
	}
}

// A store that ends by itself is not just started again.
func TestProcessesThatEnd(t *testing.T) {
	w := &witness{TB: t}
	redis := servertest.Redis(w)
	pid, err := strconv.Atoi(redis.Info("process_id"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for syscall.Kill(pid, 0) == nil { // until it was waited for
		runtime.Gosched()
	}
	redis.Restart()
	if len(w.errors) != 1 {
		t.Errorf("a Redis that has shut down is restarted: %q", w.errors)
	}
}
