package embedded_test

import (
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"readout/server/embedded"
	"readout/server/reading"
	"readout/server/store"
)

// stalledDisk is a disk whose syncs, from a moment on, wait for somebody to let them go.
type stalledDisk struct {
	embedded.Disk
	stuck *atomic.Bool
	goOn  chan struct{}
}

type stalledFile struct {
	embedded.File
	disk stalledDisk
}

func (d stalledDisk) Open(name string, create bool) (embedded.File, error) {
	f, err := d.Disk.Open(name, create)
	return stalledFile{f, d}, err
}

func (f stalledFile) Sync() error {
	if f.disk.stuck.Load() {
		<-f.disk.goOn
	}
	return f.File.Sync()
}

// A disk that does not answer holds those who wait for it no longer than they want
// to wait, and nobody else at all.
func TestAStalledDiskHoldsNobodyForLong(t *testing.T) {
	t.Parallel()
	const atOnce = 500 * time.Millisecond // on a busy machine
	d := stalledDisk{newBadDisk(1), &atomic.Bool{}, make(chan struct{})}
	s, err := embedded.Start(embedded.OnDisk(d, embedded.Options{Sync: embedded.SyncAlways}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		close(d.goOn)
		s.Close()
	}()
	kept, err := store.Open(t.Context(), store.Options{URL: embedded.URL, Dial: s.Dial})
	if err != nil {
		t.Fatal(err)
	}
	one := []reading.Reading{{Topic: "orders", Time: time.Now().UnixMilli(), Values: []reading.Named{{Name: "value", Value: reading.NumberOf(42)}}}}
	if _, err := kept.Append(t.Context(), one, store.Once{}); err != nil {
		t.Fatal(err)
	}
	d.stuck.Store(true)
	began := time.Now()
	if _, err := kept.Append(t.Context(), one, store.Once{}); err == nil || time.Since(began) > 1200*time.Millisecond+atOnce {
		t.Errorf("an append ended after %v with %v", time.Since(began), err)
	}
	reader := dialEmbedded(t, s)
	began = time.Now()
	if got := reader.ask("XLEN", store.Key("orders")); got != int64(2) || time.Since(began) > atOnce {
		t.Errorf("a read was answered %v after %v", got, time.Since(began))
	}
	conn, err := s.Dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	began = time.Now()
	if _, err := conn.Write([]byte("SET a b\r\nPING\r\n")); err != nil {
		t.Error(err)
	}
	if _, err := conn.Read(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) > time.Second+atOnce {
		t.Errorf("a write that waits for the disk ended with %v after %v", err, time.Since(began))
	}
	_ = conn.Close()
	began = time.Now()
	if err := kept.Close(); err != nil || time.Since(began) > atOnce {
		t.Errorf("the store closed after %v: %v", time.Since(began), err)
	}
}
