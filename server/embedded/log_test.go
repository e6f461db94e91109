package embedded_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"readout/server/embedded"
)

func start(t testing.TB, o embedded.Options) *embedded.Server {
	t.Helper()
	s, err := embedded.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestSurvivesARestart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	var before map[string]string
	for round := range 3 {
		s := start(t, embedded.Options{Data: dir})
		p := dialEmbedded(t, s)
		if round > 0 {
			if got := dump(p); fmt.Sprint(got) != fmt.Sprint(before) {
				t.Fatalf("round %d:\n%v\nwant\n%v", round, got, before)
			}
		}
		for i := range 500 {
			p.ask("XADD", "s", "MAXLEN", "~", "700", "*", "t", fmt.Sprint(i), "value", fmt.Sprint(i*round))
		}
		p.ask("HSET", "h", "a", "1", "b", fmt.Sprint(round))
		p.ask("SET", "text", "\r\n\x00", "PX", "100000000")
		p.ask("XADD", "empty", "*", "a", "b")
		p.ask("XTRIM", "empty", "MAXLEN", "0")
		p.ask("XDEL", "s", p.ask("XREVRANGE", "s", "+", "-", "COUNT", "1").([]any)[0].([]any)[0].(string))
		if round == 1 {
			if err := s.Compact(); err != nil {
				t.Fatal(err)
			}
		}
		p.ask("XADD", "late", "*", "round", fmt.Sprint(round))
		before = dump(p)
		s.Close()
	}
}

// A stream may end before what was deleted of it, once its end was set back.
func TestSurvivesASetBackEnd(t *testing.T) {
	t.Parallel()
	for _, compact := range []bool{false, true} {
		dir := t.TempDir()
		s := start(t, embedded.Options{Data: dir})
		p := dialEmbedded(t, s)
		for _, id := range []string{"1-1", "5-1"} {
			p.ask("XADD", "s", id, "a", "b")
		}
		p.ask("XDEL", "s", "5-1")
		if reply := p.ask("XSETID", "s", "2-0"); reply != "+OK" {
			t.Fatal(reply)
		}
		before := dump(p)
		if compact {
			if err := s.Compact(); err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
		if got := dump(dialEmbedded(t, start(t, embedded.Options{Data: dir}))); !maps.Equal(got, before) {
			t.Errorf("compacted %v: %v, want %v", compact, got, before)
		}
	}
}

func TestOneProcessADirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, embedded.Options{Data: dir})
	if _, err := embedded.Start(embedded.Options{Data: dir}); err == nil || !strings.Contains(err.Error(), "another readout uses") {
		t.Errorf("a second server in the same directory: %v", err)
	}
	first.Close()
	start(t, embedded.Options{Data: dir})
}

// Every length of a file that ends early is read up to its last whole step.
func TestTornTail(t *testing.T) {
	t.Parallel()
	disk := newBadDisk(1)
	s := start(t, embedded.OnDisk(disk, embedded.Options{}))
	p := dialEmbedded(t, s)
	p.ask("XADD", "s", "1-1", "a", "b")
	p.send("MULTI")
	p.send("SET", "x", "1")
	p.send("SET", "y", "1")
	p.send("EXEC")
	for range 4 {
		p.reply()
	}
	p.ask("XADD", "s", "2-1", "a", "b")
	s.Close()
	whole := disk.read(embedded.LogName)
	steps := map[int]bool{0: true}
	for _, end := range []string{"EXEC\r\n"} {
		steps[bytes.Index(whole, []byte(end))+len(end)] = true
	}
	first := bytes.Index(whole, []byte("*1\r\n$5\r\nMULTI"))
	steps[first], steps[len(whole)] = true, true
	for length := range len(whole) + 1 {
		for _, tail := range []string{"", "\x00\x00\x00\x00"} {
			torn := newBadDisk(2)
			torn.names[embedded.LogName] = &content{data: append(append([]byte(nil), whole[:length]...), tail...)}
			again, err := embedded.Start(embedded.OnDisk(torn, embedded.Options{}))
			if err != nil {
				t.Fatalf("%d of %d bytes, then %q: %v", length, len(whole), tail, err)
			}
			q := dialEmbedded(t, again)
			if x, y := q.ask("EXISTS", "x"), q.ask("EXISTS", "y"); x != y {
				t.Fatalf("%d bytes: half a step: x %v, y %v", length, x, y)
			}
			again.Close()
			if left := len(torn.read(embedded.LogName)); !steps[left] {
				t.Fatalf("%d bytes: %d were kept", length, left)
			}
		}
	}
}

func TestDamagedMiddle(t *testing.T) {
	t.Parallel()
	disk := newBadDisk(1)
	s := start(t, embedded.OnDisk(disk, embedded.Options{}))
	p := dialEmbedded(t, s)
	for i := range 10 {
		p.ask("SET", fmt.Sprint("k", i), "v")
	}
	s.Close()
	whole := disk.read(embedded.LogName)
	at := bytes.Index(whole, []byte("*3\r\n$3\r\nSET\r\n$2\r\nk5"))
	for name, harm := range map[string]func([]byte){
		"a letter for a length":        func(b []byte) { b[at+1] = 'x' },
		"something that is no command": func(b []byte) { copy(b[at:], "hello") },
		"a command that nobody knows":  func(b []byte) { copy(b[at+8:], "SOT") },
	} {
		bad := newBadDisk(2)
		data := append([]byte(nil), whole...)
		harm(data)
		bad.names[embedded.LogName] = &content{data: data}
		_, err := embedded.Start(embedded.OnDisk(bad, embedded.Options{}))
		var damaged *embedded.Damaged
		if !errors.As(err, &damaged) || damaged.At != int64(at) {
			t.Errorf("%s: %v, want damage at %d", name, err, at)
		}
		if !bytes.Equal(bad.read(embedded.LogName), data) {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

// While the disk is full changes are refused and reads go on; then it goes on by itself.
func TestDiskFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newBadDisk(1)
		s, err := embedded.Start(embedded.OnDisk(disk, embedded.Options{}))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		p := dialEmbedded(t, s)
		p.ask("XADD", "s", "1-1", "n", "1")
		disk.set(func(d *badDisk) { d.full = true })
		first := dialEmbedded(t, s)
		first.send("XADD", "s", "2-1", "n", "2")
		if _, err := first.from.ReadByte(); err == nil {
			t.Error("an entry that could not be written was answered")
		}
		if reply := p.ask("XADD", "s", "3-1", "n", "3"); !strings.HasPrefix(fmt.Sprint(reply), "-MISCONF") {
			t.Errorf("a change while the disk is full: %v", reply)
		}
		if n := p.ask("XLEN", "s"); n == int64(0) {
			t.Error("reads do not go on")
		}
		if s.Stats().Broken == "" {
			t.Error("Stats do not say what is wrong")
		}
		disk.set(func(d *badDisk) { d.full = false })
		time.Sleep(2 * time.Second)
		if reply := p.ask("XADD", "s", "4-1", "n", "4"); reply != "4-1" {
			t.Errorf("after the disk has room again: %v", reply)
		}
		before := dump(p)
		s.Close()
		again, err := embedded.Start(embedded.OnDisk(disk, embedded.Options{}))
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if got := dump(dialEmbedded(t, again)); fmt.Sprint(got) != fmt.Sprint(before) {
			t.Errorf("after a restart: %v, want %v", got, before)
		}
	})
}

// A sync that failed is not believed again: the file is written anew first.
func TestSyncFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newBadDisk(1)
		s, err := embedded.Start(embedded.OnDisk(disk, embedded.Options{Sync: embedded.SyncAlways}))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		p := dialEmbedded(t, s)
		p.ask("SET", "a", "1")
		disk.set(func(d *badDisk) { d.sick = true })
		first := dialEmbedded(t, s)
		first.send("SET", "b", "1")
		if _, err := first.from.ReadByte(); err == nil {
			t.Error("a change that could not be synced was answered")
		}
		time.Sleep(5 * time.Second)
		if reply := p.ask("SET", "c", "1"); !strings.HasPrefix(fmt.Sprint(reply), "-MISCONF") {
			t.Errorf("a change while syncs fail: %v", reply)
		}
		disk.set(func(d *badDisk) { d.sick = false })
		time.Sleep(3 * time.Second)
		if reply := p.ask("SET", "d", "1"); reply != "+OK" {
			t.Errorf("after syncs work again: %v", reply)
		}
		if s.Stats().Compactions == 0 {
			t.Error("the file was not written anew")
		}
	})
}
