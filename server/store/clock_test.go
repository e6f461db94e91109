package store_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"readout/server/reading"
	"readout/server/store"
)

// These run on the embedded server in a bubble whose clock stands still until
// everybody waits: hours pass at once, and a delay is exact.

func TestAppendReachesTheTail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := onEmbedded(t)
		s := b.open(t)
		tp := topic(t)
		f := follow(t, s, tp, reading.Cursor{})
		synctest.Wait()
		for i := range 100 {
			time.Sleep(time.Duration(i) * 17 * time.Millisecond) // also longer than a read blocks
			mustAppend(t, s, number(tp, 1000+int64(i), float64(i)))
			synctest.Wait()
			select {
			case batch := <-f.batches:
				if show(flat(batch)) != show([]reading.Reading{number(tp, 1000+int64(i), float64(i))}) || batch[0].Cursor.Ordinal != int64(i+1) {
					t.Fatalf("reading %d came as %v", i, batch)
				}
			default:
				t.Fatalf("reading %d needed more than no time", i)
			}
		}
	})
}

// A topic that is new to the tail does not wait for the reads under way, which
// would go on for up to a second.
func TestNewTopicsDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := onEmbedded(t).open(t)
		for i := range 16 { // so that every reader is blocked
			follow(t, s, topic(t, "quiet", fmt.Sprint(i)), reading.Cursor{})
		}
		synctest.Wait()
		for i := range 50 {
			time.Sleep(37 * time.Millisecond)
			tp := topic(t, fmt.Sprint(i))
			mustAppend(t, s, number(tp, 1000, 1))
			began := time.Now()
			follow(t, s, tp, reading.Cursor{}).take(t, 1)
			if took := time.Since(began); took > longestGap {
				t.Fatalf("topic %d waited %v", i, took)
			}
		}
	})
}

// longestGap is how long a reader waits at most after a batch.
const longestGap = 25 * time.Millisecond

func TestRetentionTrimsByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := onEmbedded(t)
		s := b.open(t, func(o *store.Options) { o.Retention = time.Minute })
		tp := topic(t)
		for range 300 {
			mustAppend(t, s, number(tp, time.Now().UnixMilli(), 1))
			time.Sleep(time.Second)
		}
		oldest := mustRange(t, s, tp, store.RangeQuery{}).Entries[0].Cursor.ID.Ms
		if age := time.Since(time.UnixMilli(int64(oldest))); age < time.Minute || age > 75*time.Second {
			t.Errorf("the oldest entry is %v old, want 1 min and at most a round more", age)
		}
		if s.Stats().Trims == 0 {
			t.Error("no trim was counted")
		}
		// Then nobody writes: nothing is trimmed any more, and all of it expires at once.
		time.Sleep(10 * time.Second) // the last round
		n := len(mustRange(t, s, tp, store.RangeQuery{}).Entries)
		time.Sleep(90 * time.Second)
		if left := len(mustRange(t, s, tp, store.RangeQuery{}).Entries); left != n {
			t.Errorf("%d of %d entries are left before the stream expires", left, n)
		}
		time.Sleep(40 * time.Second)
		if h := mustRange(t, s, tp, store.RangeQuery{}); len(h.Entries) > 0 || h.End != (reading.Cursor{}) {
			t.Errorf("an idle stream did not expire: %v", h.End)
		}
		if keys := b.keys(t, "readout:*:e:*"); len(keys) > 0 {
			t.Errorf("epochs outlived their streams: %v", keys)
		}
		time.Sleep(2 * time.Minute)
		if _, ok := s.Info(tp); ok {
			t.Error("the catalog did not forget it")
		}
		mustAppend(t, s, number(tp, 1, 1))
		if info, ok := s.Info(tp); !ok || len(info.Columns) != 1 {
			t.Errorf("it did not come back: %v", info)
		}
	})
}

func TestCountIsAFuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := onEmbedded(t).open(t, func(o *store.Options) { o.MaxEntries = 50 })
		tp := topic(t)
		for i := range 120 {
			mustAppend(t, s, number(tp, 1000+int64(i), 1))
			time.Sleep(time.Millisecond)
		}
		h := mustRange(t, s, tp, store.RangeQuery{})
		if len(h.Entries) != 50 || h.Entries[49].Readings[0].Time != 1119 {
			t.Errorf("%d entries, the newest %v", len(h.Entries), h.End)
		}
		if h.End.Ordinal != 120 {
			t.Errorf("a full stream does not know how many it ever had: %v", h.End)
		}
	})
}

// A crash right after an XADD leaves a stream that never expires.
func TestLostStreamsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := onEmbedded(t)
		tp := topic(t)
		b.xadd(t, tp, "value", 1)
		s := b.open(t, func(o *store.Options) { o.Retention = 10 * time.Minute })
		time.Sleep(time.Minute)
		if life := b.raw.PTTL(t.Context(), store.Key(tp)).Val(); life < 18*time.Minute || life > 20*time.Minute {
			t.Errorf("it expires in %v, want 20 min from the first round", life)
		}
		// While its writer goes on, it stays, and so does the name of its life.
		epoch := mustRange(t, s, tp, store.RangeQuery{}).End.Epoch
		for range 60 {
			b.xadd(t, tp, "value", 1)
			time.Sleep(time.Minute)
		}
		if h := mustRange(t, s, tp, store.RangeQuery{}); len(h.Entries) == 0 || h.End.Epoch != epoch || epoch == "" {
			t.Errorf("after an hour: %d entries, epoch %q, before %q", len(h.Entries), h.End.Epoch, epoch)
		}
		time.Sleep(25 * time.Minute)
		if _, ok := s.Info(tp); ok {
			t.Error("its writer ended and the topic stayed")
		}
	})
}

// FLUSHALL takes the catalog away; what this replica knows goes back there.
func TestLostCatalogComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := onEmbedded(t)
		s := b.open(t)
		alive, gone := topic(t, "alive"), topic(t, "gone")
		if err := s.Describe(t.Context(), alive, []reading.Column{{Name: "value", Unit: "bytes"}}); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, s, number(alive, 1000, 1), number(gone, 1000, 1))
		if err := b.raw.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, s, number(alive, 1001, 1))
		time.Sleep(3 * time.Minute)
		if _, ok := s.Info(gone); ok {
			t.Error("a topic whose stream and row are gone is still known")
		}
		info, _ := b.open(t).Info(alive)
		if !slices.Equal(info.Columns, []reading.Column{{Name: "value", Unit: "bytes", Kind: reading.Gauge}}) {
			t.Errorf("another replica finds %v", info)
		}
	})
}

func TestDescribedTopicsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := onEmbedded(t).open(t)
		tp := topic(t)
		if err := s.Describe(t.Context(), tp, []reading.Column{{Name: "value", Unit: "bytes"}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(119 * time.Minute)
		if _, ok := s.Info(tp); !ok {
			t.Error("a described topic was forgotten before anybody could push to it")
		}
		time.Sleep(3 * time.Minute)
		if _, ok := s.Info(tp); ok {
			t.Error("a described topic that nobody pushed to stays for ever")
		}
	})
}

// Close ends every goroutine: else the bubble would not end.
func TestCloseEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := onEmbedded(t)
		s, err := store.Open(t.Context(), b.options)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan int, 20)
		for i := range 20 {
			go func() {
				n := 0
				for range s.Tail(t.Context(), topic(t, string(rune('a'+i))), reading.Cursor{}) {
					n++
				}
				ended <- n
			}()
		}
		synctest.Wait()
		if got := s.Stats().Tailed; got != 21 { // and the catalog's changes
			t.Errorf("%d streams are followed, want 21", got)
		}
		began := time.Now()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		for range 20 {
			if n := <-ended; n != 0 {
				t.Errorf("a tail yielded %d times", n)
			}
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("Close took %v", took)
		}
		if _, err := s.Append(t.Context(), []reading.Reading{number(topic(t), 1, 1)}, store.Once{}); err == nil {
			t.Error("a closed store took a reading")
		}
		for range s.Tail(t.Context(), topic(t), reading.Cursor{}) {
			t.Error("a closed store yields")
		}
		_ = s.Close()
	})
}

func TestVersionOfTheData(t *testing.T) {
	for text, ok := range map[string]bool{"1": true, "2": false, "0": false, "other": false} {
		t.Run(text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := onEmbedded(t)
				b.raw.Set(t.Context(), "readout:format", text, 0)
				s, err := store.Open(t.Context(), b.options)
				if err == nil {
					defer s.Close()
				}
				if (err == nil) != ok {
					t.Errorf("version %s: %v", text, err)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		b := onEmbedded(t)
		b.open(t)
		if got := b.raw.Get(t.Context(), "readout:format").Val(); got != "1" {
			t.Errorf("an empty store was marked with %q", got)
		}
	})
}
