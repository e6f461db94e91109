package collectors

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func spoolOf(t testing.TB, dir string, limit int64, book *logBook) *spool {
	t.Helper()
	s, err := openSpool(dir, limit, book.logger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.close() })
	return s
}

func batchOf(n, size int) *batch {
	b := &batch{key: fmt.Sprintf("KEY%013d", n), readings: n + 1, describe: n%2 == 0}
	b.body.Write(bytes.Repeat([]byte{byte(n)}, size))
	return b
}

// drain reads all that waits and returns the numbers of the batches.
func drain(t testing.TB, s *spool) []int {
	t.Helper()
	var got []int
	for {
		b, dropped := s.next()
		if dropped > 0 {
			t.Errorf("%d readings were dropped", dropped)
		}
		if b == nil {
			if s.readings != 0 || len(s.segments) != 0 || s.bytes != 0 {
				t.Errorf("an empty spool has %d readings, %d segments, %d bytes", s.readings, len(s.segments), s.bytes)
			}
			return got
		}
		n := b.readings - 1
		if want := batchOf(n, b.body.Len()); b.key != want.key || b.describe != want.describe || !bytes.Equal(b.body.Bytes(), want.body.Bytes()) {
			t.Errorf("batch %d came back as %s, %v, %d bytes", n, b.key, b.describe, b.body.Len())
		}
		got = append(got, n)
		s.done(b)
	}
}

func upTo(from, to int) []int {
	var list []int
	for i := from; i < to; i++ {
		list = append(list, i)
	}
	return list
}

func put(t testing.TB, s *spool, from, to, size int) (dropped int64) {
	t.Helper()
	for i := from; i < to; i++ {
		_, gone, err := s.append(batchOf(i, size))
		if err != nil {
			t.Fatal(err)
		}
		dropped += gone
	}
	return dropped
}

func TestSpoolKeepsOrderOverRestarts(t *testing.T) {
	dir, book := t.TempDir(), &logBook{}
	s := spoolOf(t, dir, 16<<20, book)
	put(t, s, 0, 40, 60<<10) // more than one segment of 1 MiB
	if len(s.segments) < 2 {
		t.Fatalf("%d segments; the test wants several", len(s.segments))
	}
	for i := range 25 { // into the second
		b, _ := s.next()
		if b.readings != i+1 {
			t.Fatalf("batch %d came as %d", i, b.readings-1)
		}
		s.done(b)
	}
	if again, _ := s.next(); again.readings != 26 { // read, not done: it comes again
		t.Errorf("%d", again.readings)
	}
	want := s.readings
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	s = spoolOf(t, dir, 16<<20, book)
	if s.readings != want {
		t.Errorf("%d readings after the restart, %d before", s.readings, want)
	}
	put(t, s, 40, 45, 10)
	if got := drain(t, s); !slices.Equal(got, upTo(25, 45)) {
		t.Errorf("got %v", got)
	}
	_ = s.close()
	s = spoolOf(t, dir, 16<<20, book)
	if got := drain(t, s); got != nil {
		t.Errorf("after all was read: %v", got)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.spool")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if lines := book.lines(); lines[0] != "" {
		t.Errorf("log %q", lines)
	}
}

// The cap holds for what is on the disk at any time; the oldest goes, the newest
// stays, and every reading is either there or counted.
func TestSpoolCap(t *testing.T) {
	dir := t.TempDir()
	const limit = leastSpool
	s := spoolOf(t, dir, limit, &logBook{})
	var dropped, all int64
	for i := range 500 {
		dropped += put(t, s, i, i+1, 7000+i)
		all += int64(i + 1)
		total := int64(0)
		entries, err := filepath.Glob(filepath.Join(dir, "*.spool"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range entries {
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			total += info.Size()
		}
		if total > limit || total != s.bytes {
			t.Fatalf("%d bytes are on the disk, %d are counted, the limit is %d", total, s.bytes, limit)
		}
	}
	if dropped+s.readings != all || s.bytes < limit*8/10 {
		t.Errorf("%d readings: %d dropped, %d wait in %d bytes", all, dropped, s.readings, s.bytes)
	}
	got := drain(t, s)
	if !slices.Equal(got, upTo(500-len(got), 500)) {
		t.Errorf("got %v", got)
	}
	// A batch that is as large as a segment, and larger.
	dropped = put(t, s, 0, 3, 600<<10)
	if got := drain(t, s); dropped != 1+2 || !slices.Equal(got, []int{2}) {
		t.Errorf("large batches: %v, %d dropped", got, dropped)
	}
	// A lower limit at the next start.
	put(t, s, 0, 10, 90<<10)
	_ = s.close()
	if _, err := openSpool(dir, 1<<10, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a limit of 1 KiB was taken")
	}
}

// What a crash can leave: any length of the last record is cut off with a
// message, the records before it are whole, and writing goes on.
func TestSpoolTornTail(t *testing.T) {
	dir := t.TempDir()
	s := spoolOf(t, dir, leastSpool, &logBook{})
	put(t, s, 0, 3, 50)
	name := s.path(s.last().number)
	whole := s.last().size
	_ = s.close()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	third := whole - int64(len(content)-len(spoolMagic))/3
	for cut := third; cut <= whole; cut++ {
		book := &logBook{}
		_ = os.Remove(filepath.Join(dir, "position"))
		if err := os.WriteFile(name, content[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		s := spoolOf(t, dir, leastSpool, book)
		want := upTo(0, 3)
		if cut < whole {
			want = upTo(0, 2)
		}
		put(t, s, 7, 8, 50)
		if got := drain(t, s); !slices.Equal(got, append(want, 7)) {
			t.Fatalf("cut at %d: %v", cut, got)
		}
		if told := strings.Contains(strings.Join(book.lines(), ""), "is torn"); told != (cut > third && cut < whole) {
			t.Errorf("cut at %d: log %q", cut, book.lines())
		}
		_ = s.close()
	}
	// A byte that changed in the middle.
	for i := range content {
		changed := slices.Clone(content)
		changed[i] ^= 0x10
		if err := os.WriteFile(name, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(filepath.Join(dir, "position"))
		s, err := openSpool(dir, leastSpool, slog.New(slog.DiscardHandler))
		if i < len(spoolMagic) {
			if err == nil || !strings.Contains(err.Error(), "is not a segment that this version") {
				t.Fatalf("another version: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := drain(t, s); !slices.Equal(got, upTo(0, len(got))) || len(got) > 2 {
			t.Errorf("changed at %d: %v", i, got)
		}
		_ = s.close()
	}
}

func TestSpoolIsForOneProcess(t *testing.T) {
	dir := t.TempDir()
	s := spoolOf(t, dir, leastSpool, &logBook{})
	if _, err := NewPusher(PusherOptions{URL: "http://a", Spool: dir}); err == nil || !strings.Contains(err.Error(), "another process uses it") {
		t.Errorf("a second use: %v", err)
	}
	_ = s.close()
	spoolOf(t, dir, leastSpool, &logBook{})
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openSpool(file, leastSpool, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a file is no directory")
	}
}

// A disk that takes nothing more: what is there stays whole.
func TestSpoolWriteFails(t *testing.T) {
	dir, book := t.TempDir(), &logBook{}
	s := spoolOf(t, dir, leastSpool, book)
	put(t, s, 0, 2, 50)
	_ = s.writer.Close() // every further write to it fails
	if _, _, err := s.append(batchOf(2, 50)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("append: %v", err)
	}
	put(t, s, 3, 4, 50)
	if got := drain(t, s); !slices.Equal(got, []int{0, 1, 3}) {
		t.Errorf("got %v", got)
	}
}

// The Pusher on a disk, with the clock stopped: 10 minutes away, lost answers,
// and two restarts of the collector in between; everything arrives once, in order.
func TestPusherWithSpool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		w.receiver.after = func(n int) bool { return n%7 == 3 } // stored, but not answered
		dir, book := t.TempDir(), &logBook{}
		o := PusherOptions{Spool: dir, BatchReadings: 10, Log: book.logger(), Describe: Description{"orders": {{Name: "value", Kind: "counter"}}}}
		p := w.pusher(t, o)
		p.Start()
		for i := range 1000 {
			switch i {
			case 100:
				w.down()
			case 300, 500: // the collector is restarted while the server is away
				stop(t, p)
				p = w.pusher(t, o)
				p.Start()
			case 700:
				w.up()
			}
			push(t, p, i)
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		if s := p.Stats(); s.Waiting != 0 || s.Spooled != 0 || s.Dropped != 0 || s.Retries == 0 {
			t.Errorf("stats %+v", s)
		}
		stop(t, p)
		w.down()
		w.receiver.inOrder(1000)
		if left, _ := filepath.Glob(filepath.Join(dir, "*.spool")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		text := strings.Join(book.lines(), "\n")
		for _, want := range []string{"readings wait in the spool", "wait in the spool for the next start", "readings of before wait in the spool", "pushing again"} {
			if !strings.Contains(text, want) {
				t.Errorf("the log does not say %q:\n%s", want, text)
			}
		}
	})
}

// A crash, not a stop: what was collected more than a second before is on the
// disk, and nothing of it is sent twice under another key.
func TestPusherSpoolSurvivesACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		w.down()
		dir := t.TempDir()
		p := w.pusher(t, PusherOptions{Spool: dir})
		p.Start()
		for i := range 60 {
			push(t, p, i)
			time.Sleep(time.Second)
		}
		p.aborted() // as kill -9: neither the open batch nor anything in memory is written
		<-p.ended
		_ = p.spool.close()
		w.up()
		p = w.pusher(t, PusherOptions{Spool: dir})
		p.Start()
		stop(t, p)
		w.down()
		n := len(w.receiver.values)
		if n < 57 {
			t.Errorf("%d of 60 readings are there", n)
		}
		w.receiver.inOrder(n)
	})
}

// Beyond its cap the spool drops the oldest readings, counts them and says so,
// even while one of them is being sent.
func TestPusherSpoolDropsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		free := make(chan struct{})
		w.receiver.before = func(rw http.ResponseWriter, n int) bool {
			if n == 0 {
				<-free // the first batch is on the wire meanwhile
			}
			return false
		}
		book := &logBook{}
		p := w.pusher(t, PusherOptions{Spool: t.TempDir(), SpoolBytes: leastSpool, BatchReadings: 1000, Timeout: time.Hour, Log: book.logger(),
			Describe: Description{"orders": {{Name: "value", Kind: "counter"}}}})
		p.Start()
		push(t, p, 0)
		time.Sleep(time.Second)
		next := 1
		for p.Stats().Dropped == 0 {
			var many []int
			for range 1000 {
				many = append(many, next)
				next++
			}
			push(t, p, many...)
			if next > 2_000_000 {
				t.Fatalf("nothing is dropped: %+v", p.Stats())
			}
		}
		s := p.Stats()
		if s.Spooled > leastSpool || s.Dropped+s.Waiting+1 != int64(next) {
			t.Errorf("%d readings pushed, one of them on the wire: %+v", next, s)
		}
		close(free)
		time.Sleep(time.Minute)
		stop(t, p)
		w.down()
		if got := p.Stats(); got.Stored+got.Dropped != int64(next) || got.Waiting != 0 || got.Dropped != s.Dropped {
			t.Errorf("%d readings pushed: %+v", next, got)
		}
		if v := w.receiver.values; v[0] != 0 || v[1] != float64(1+s.Dropped) || v[len(v)-1] != float64(next-1) || int64(len(v)) != int64(next)-s.Dropped {
			t.Errorf("stored %v, %v ... %v: %d readings", v[0], v[1], v[len(v)-1], len(v))
		}
		if lines := strings.Join(book.lines(), "\n"); strings.Count(lines, "oldest readings are dropped") != 1 {
			t.Errorf("log %s", lines)
		}
	})
}

func TestPushFigures(t *testing.T) {
	f, err := NewPushFigures("web1")
	if err != nil {
		t.Fatal(err)
	}
	if got := collect(t, t.Context(), f); got != nil {
		t.Errorf("before there is a pusher: %q", got)
	}
	p, err := NewPusher(PusherOptions{URL: "http://a"})
	if err != nil {
		t.Fatal(err)
	}
	f.Watch(p)
	push(t, p, 1, 2)
	want := `readout_push{host="web1"}[waiting=2 spooled=0 stored=0 rejected=0 refused=0 dropped=0 requests=0 retries=0]`
	if got := collect(t, t.Context(), f); len(got) != 1 || got[0] != want {
		t.Errorf("got  %q\nwant %s", got, want)
	}
}

// FuzzSpool: whatever is in a segment, opening it ends, reads no more than is
// there, leaves a spool that works, and says the same the next time.
func FuzzSpool(f *testing.F) {
	record := encodeRecord(batchOf(3, 20))
	f.Add([]byte(spoolMagic), int64(16))
	f.Add(append([]byte(spoolMagic), record...), int64(16))
	f.Add(append(append([]byte(spoolMagic), record...), record[:11]...), int64(16+len(record)))
	f.Add(append([]byte(spoolMagic), 0xff, 0xff, 0x3f, 0, 1, 2, 3, 4), int64(3))
	f.Fuzz(func(t *testing.T, content []byte, offset int64) {
		dir := t.TempDir()
		name := filepath.Join(dir, segmentName(5))
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		position, err := os.Create(filepath.Join(dir, "position"))
		if err != nil {
			t.Fatal(err)
		}
		(&spool{position: position}).writePosition(place{segment: 5, offset: offset})
		_ = position.Close()
		log := slog.New(slog.DiscardHandler)
		s, err := openSpool(dir, leastSpool, log)
		if err != nil {
			if after, _ := os.ReadFile(name); !bytes.Equal(after, content) {
				t.Fatalf("refused with %v, and changed", err)
			}
			return
		}
		waiting := s.readings
		_ = s.close()
		if s, err = openSpool(dir, leastSpool, log); err != nil || s.readings != waiting {
			t.Fatalf("%d readings the first time; then %v", waiting, err)
		}
		if _, _, err := s.append(batchOf(1, 5)); err != nil {
			t.Fatal(err)
		}
		total, last := int64(0), ""
		for {
			b, dropped := s.next()
			if dropped > 0 {
				t.Fatalf("%d readings were counted and then dropped", dropped)
			}
			if b == nil {
				break
			}
			total, last = total+int64(b.readings), b.key
			s.done(b)
		}
		if total != waiting+2 || last != batchOf(1, 5).key || s.readings != 0 {
			t.Fatalf("%d readings came, %d were counted; the last batch is %s", total, waiting+2, last)
		}
		_ = s.close()
	})
}

// FuzzSpoolSegment is the part of FuzzSpool that needs no disk, and so is tried
// far more often: what counts as whole is, and stays so when the rest is cut off.
func FuzzSpoolSegment(f *testing.F) {
	record := encodeRecord(batchOf(3, 20))
	f.Add(append([]byte(spoolMagic), record...), int64(16))
	f.Add(append(append([]byte(spoolMagic), record...), record...), int64(16+len(record)))
	f.Add(append([]byte(spoolMagic), 0xff, 0xff, 0x3f, 0, 1, 2, 3, 4), int64(3))
	f.Fuzz(func(t *testing.T, content []byte, begin int64) {
		got, err := scanSegment(bytes.NewReader(content), begin)
		if err != nil {
			return
		}
		if got.size != int64(len(content)) || got.whole > got.size || got.begin > got.whole && got.waiting > 0 {
			t.Fatalf("%d bytes: %+v", len(content), got)
		}
		again, err := scanSegment(bytes.NewReader(content[:got.whole]), begin)
		if err != nil || got.whole > 0 && again != (scan{got.whole, got.whole, got.begin, got.waiting}) {
			t.Fatalf("%+v; cut: %+v, %v", got, again, err)
		}
		waiting, rest := int64(0), bytes.NewReader(content[min(got.begin, got.whole):got.whole])
		for rest.Len() > 0 {
			payload, err := readRecord(rest)
			if err != nil {
				t.Fatalf("%+v: %v", got, err)
			}
			b, err := decodeRecord(payload)
			if err != nil {
				t.Fatal(err)
			}
			waiting += int64(b.readings)
			if record := encodeRecord(b); !bytes.Equal(record[recordHeader:], payload) {
				t.Fatalf("%x is written as %x", payload, record)
			}
		}
		if waiting != got.waiting {
			t.Fatalf("%d readings wait, %d are counted", waiting, got.waiting)
		}
	})
}
