package embedded_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"readout/server/embedded"
)

func TestWaitAOF(t *testing.T) {
	t.Parallel()
	const (
		integer  = "-ERR value is not an integer or out of range"
		noTime   = "-ERR timeout is not an integer or out of range"
		disabled = "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
	)
	for _, row := range []struct {
		words            []string
		inMemory, onDisk string
	}{
		{[]string{"1", "0", "100"}, disabled, "[1 0]"},
		{[]string{"1", "0", "0"}, disabled, "[1 0]"},
		{[]string{"0", "0", "0"}, "[0 0]", "[1 0]"},
		{[]string{"0", "1", "1"}, "[0 0]", "[1 0]"},
		{[]string{"2", "0", "1"}, "-ERR value is out of range, must be between 0 and 1", ""},
		{[]string{"-1", "0", "1"}, "-ERR value is out of range, must be between 0 and 1", ""},
		{[]string{"1", "-1", "1"}, "-ERR value is out of range, must be positive", ""},
		{[]string{"x", "0", "1"}, integer, ""},
		{[]string{"1", "x", "1"}, integer, ""},
		{[]string{"1", "0", "x"}, noTime, ""},
		{[]string{"1", "0", "-1"}, "-ERR timeout is negative", ""},
		{[]string{"1", "0"}, "-ERR wrong number of arguments for 'waitaof' command", ""},
	} {
		for _, disk := range []bool{false, true} {
			want, o := row.inMemory, embedded.Options{}
			if disk {
				o = embedded.OnDisk(newBadDisk(1), o)
				if row.onDisk != "" {
					want = row.onDisk
				}
			}
			p := dialEmbedded(t, start(t, o))
			p.ask("SET", "k", "v")
			if got := fmt.Sprint(p.ask(append([]string{"WAITAOF"}, row.words...)...)); got != want {
				t.Errorf("WAITAOF %q, on a disk %v: %s, want %s", row.words, disk, got, want)
			}
		}
	}
}

// What WAITAOF has confirmed is there after a power cut, also where the file is
// never synced otherwise, and in a transaction.
func TestSyncedSurvivesAPowerCut(t *testing.T) {
	missing := 0
	for i := range 50 {
		synctest.Test(t, func(t *testing.T) {
			disk := newBadDisk(uint64(i))
			s, err := embedded.Start(embedded.OnDisk(disk, embedded.Options{Sync: embedded.SyncNever}))
			if err != nil {
				t.Fatal(err)
			}
			c := client(t, s)
			ctx := context.Background()
			pipe := c.Pipeline()
			if i%2 == 0 {
				pipe = c.TxPipeline()
			}
			pipe.Set(ctx, "synced", "v", 0)
			wait := pipe.Do(ctx, "waitaof", 1, 0, 1000)
			if _, err := pipe.Exec(ctx); err != nil || fmt.Sprint(wait.Val()) != "[1 0]" {
				t.Fatalf("%v, %v", wait.Val(), err)
			}
			c.Set(ctx, "stored", "v", 0)
			after := disk.cut()
			s.Close()
			again := start(t, embedded.OnDisk(after, embedded.Options{}))
			p := dialEmbedded(t, again)
			if p.ask("GET", "synced") != "v" {
				t.Errorf("%d: what was synced is lost", i)
			}
			if p.ask("GET", "stored") == nil {
				missing++
			}
			again.Close()
		})
	}
	if missing == 0 {
		t.Error("nothing is ever lost, so this shows nothing")
	}
}

// slowDisk is a disk whose syncs take as long as somebody wants.
type slowDisk struct {
	*badDisk
	begun, end chan struct{}
}

type slowFile struct {
	embedded.File
	disk slowDisk
}

func (d slowDisk) Open(name string, create bool) (embedded.File, error) {
	f, err := d.badDisk.Open(name, create)
	return slowFile{f, d}, err
}

func (f slowFile) Sync() error {
	f.disk.begun <- struct{}{}
	<-f.disk.end
	return f.File.Sync()
}

// Many that wait share a sync, and who does not wait is not held up by it.
func TestSyncsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 100
		disk := slowDisk{newBadDisk(1), make(chan struct{}, many), make(chan struct{})}
		s, err := embedded.Start(embedded.OnDisk(disk, embedded.Options{Sync: embedded.SyncNever}))
		if err != nil {
			t.Fatal(err)
		}
		replies := make(chan any, many)
		waits := func() {
			conn, err := s.Dial(t.Context(), "", "")
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			p := &peer{t, conn, bufio.NewReader(conn)}
			p.ask("INCRBY") // an error, as a pipeline may have
			p.ask("SET", "k", "v")
			replies <- p.ask("WAITAOF", "1", "0", "1000")
		}
		go waits()
		<-disk.begun
		for range many - 1 {
			go waits()
		}
		synctest.Wait() // all of them wait, for the first sync or for the second
		if c := client(t, s); c.Set(t.Context(), "other", "v", 0).Err() != nil || len(replies) > 0 {
			t.Errorf("during the sync %d are answered", len(replies))
		}
		close(disk.end)
		for range many {
			if reply := fmt.Sprint(<-replies); reply != "[1 0]" {
				t.Fatal(reply)
			}
		}
		if disk.syncs != 2 {
			t.Errorf("%d syncs for one that waited alone and %d that waited together, want 2", disk.syncs, many-1)
		}
		s.Close()
	})
}

// A sync that fails is no answer, and neither is the next one that does not: the
// system may have dropped what it could not write.
func TestFailedSyncConfirmsNothing(t *testing.T) {
	for _, policy := range []embedded.Sync{embedded.SyncNever, embedded.SyncAlways} {
		synctest.Test(t, func(t *testing.T) {
			disk := newBadDisk(1)
			s, err := embedded.Start(embedded.OnDisk(disk, embedded.Options{Sync: policy}))
			if err != nil {
				t.Fatal(err)
			}
			waitAOF := func() (any, error) {
				c := client(t, s)
				defer c.Close()
				return c.Do(t.Context(), "waitaof", 1, 0, 1000).Result()
			}
			disk.set(func(d *badDisk) { d.sick = true })
			pipe := client(t, s).Pipeline()
			pipe.Set(t.Context(), "k", "v", 0)
			pipe.Do(t.Context(), "waitaof", 1, 0, 1000)
			if _, err := pipe.Exec(t.Context()); err != io.EOF {
				t.Errorf("%s: a sync that failed: %v", policy, err)
			}
			disk.set(func(d *badDisk) { d.sick = false })
			if reply, err := waitAOF(); err == nil {
				t.Errorf("%s: after it: %v", policy, reply)
			}
			time.Sleep(2 * time.Second) // the file is written anew
			if reply, err := waitAOF(); err != nil {
				t.Errorf("%s: when it is mended: %v, %v", policy, reply, err)
			}
			after := disk.cut()
			s.Close()
			again := start(t, embedded.OnDisk(after, embedded.Options{}))
			defer again.Close()
			if got := dialEmbedded(t, again).ask("GET", "k"); got != "v" {
				t.Errorf("%s: the mended file holds %v", policy, got)
			}
		})
	}
}
