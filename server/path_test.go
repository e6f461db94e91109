package server_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"readout/server"
	"readout/server/servertest"
)

// The way of one reading, whole: pushed over HTTP, stored in a stream, tailed,
// fanned out, sent as a frame. Everything is real but the wire and the clock.
func TestTheWayOfOneReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		s.Push("orders", "1")

		viewer := s.Dial()
		viewer.Subscribe("orders")
		first := viewer.Read()
		if first.Type != "snapshot" || len(first.Rows) != 1 || first.Rows[0][1] != 1.0 || strings.Join(first.Columns, " ") != "t value" {
			t.Fatalf("snapshot: %s", first.Raw)
		}
		for i := 2; i <= 100; i++ {
			pushed := time.Now()
			s.Push("orders", strconv.Itoa(i))
			f := viewer.Read()
			if f.Type != "readings" || f.Of != 1 || f.Rows[0][1] != float64(i) {
				t.Fatalf("reading %d: %s", i, f.Raw)
			}
			if late := time.Since(pushed); late > 25*time.Millisecond {
				t.Errorf("reading %d came after %v; the tail paces itself by at most 25 ms", i, late)
			}
			if i%10 == 0 {
				time.Sleep(time.Second)
			}
		}
	})
}

func TestSubscribersShareAStreamerThatLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const linger = 10 * time.Second
		s := servertest.New(t, &servertest.Options{Change: func(o *server.Options) { o.Linger = linger }})
		s.Push("orders", "1")
		first, second := s.Dial(), s.Dial()
		for _, viewer := range []*servertest.Socket{first, second} {
			viewer.Subscribe("orders", "orders") // twice is the same as once
			viewer.ReadType("snapshot")
		}
		streamers := func() string { return metric(s, "readout_streamers") }
		if got := streamers(); got != "1" {
			t.Fatalf("%s streamers for two subscribers of one topic", got)
		}
		s.Push("orders", "2")
		if a, b := first.Read(), second.Read(); a.Raw != b.Raw || a.Type != "readings" {
			t.Errorf("not the same frame:\n%s\n%s", a.Raw, b.Raw)
		}
		first.Close()
		second.Close()
		time.Sleep(linger - time.Second)
		if got := streamers(); got != "1" {
			t.Errorf("%s streamers before the linger is over", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := streamers(); got != "0" {
			t.Errorf("%s streamers after the linger", got)
		}
	})
}

func TestResumeContinuesWhereTheViewerWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		viewer := s.Dial()
		viewer.Subscribe("orders")
		if f := viewer.Read(); f.Type != "snapshot" || len(f.Rows) != 0 {
			t.Fatalf("a topic nobody has pushed begins with an empty snapshot: %s", f.Raw)
		}
		s.Push("orders", "1")
		cursor := viewer.Read().Cursor()
		viewer.Cut()
		time.Sleep(time.Second)
		for i := 2; i <= 5; i++ {
			s.Push("orders", strconv.Itoa(i))
		}
		for _, away := range []time.Duration{0, time.Minute} { // from the ring, and after the streamer has ended
			time.Sleep(away)
			again := s.Dial()
			again.SubscribeAfter("orders", cursor)
			var got []string
			for len(got) < 4 {
				f := again.ReadType("readings")
				for _, row := range f.Rows {
					got = append(got, fmt.Sprint(row[1]))
				}
			}
			if strings.Join(got, " ") != "2 3 4 5" {
				t.Errorf("after %v: resumed with %v", away, got)
			}
			again.Close()
		}
		current := s.Dial()
		current.SubscribeAfter("orders", latestCursor(s))
		if f := current.Read(); f.Type != "readings" || len(f.Rows) != 0 {
			t.Errorf("with nothing new a resume is confirmed by an empty message: %s", f.Raw)
		}
	})
}

func latestCursor(s *servertest.Server) string {
	viewer := s.Dial()
	defer viewer.Close()
	viewer.Subscribe("orders")
	return viewer.ReadType("snapshot").Cursor()
}

func TestSelectorsGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		s.Push("http_requests?code=200", "1")
		s.Push("queue", "1")
		viewer := s.Dial()
		viewer.Subscribe(`http_*{code=~"2..|5.."}`)
		if f := viewer.Read(); f.Type != "snapshot" || f.Topic != `http_requests{code="200"}` {
			t.Fatalf("first: %s", f.Raw)
		}
		s.Push("http_requests?code=404", "1")
		s.Push("http_requests?code=500", "7")
		if f := viewer.ReadType("topics"); len(f.Topics) != 1 || f.Topics[0] != `http_requests{code="500"}` {
			t.Errorf("grew by %v", f.Topics)
		}
		s.Push("http_requests?code=500", "8")
		for last := 0.0; last != 8; {
			f := viewer.Read()
			if f.Topic != `http_requests{code="500"}` {
				t.Fatalf("frame of another topic: %s", f.Raw)
			}
			for _, row := range f.Rows {
				last = row[1].(float64)
			}
		}
	})
}

// A viewer that does not read is conflated, then cut; another one of the same
// topic notices nothing.
func TestASlowSubscriberHarmsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		slow, quick := s.Dial(), s.Dial()
		for _, viewer := range []*servertest.Socket{slow, quick} {
			viewer.Subscribe("orders")
			viewer.ReadType("snapshot")
		}
		slow.Ack() // from now on it is expected to ack
		padding := strings.Repeat("x", 100)
		began := time.Now()
		for i := range 2000 { // about 400 KB, far above what may wait for one viewer
			s.Push("orders", fmt.Sprintf(`n=%d a="%s"`, i, padding))
			f := quick.ReadType("readings")
			if got := f.Rows[len(f.Rows)-1][1]; got != float64(i) {
				t.Fatalf("the quick viewer got %v instead of %d", got, i)
			}
			time.Sleep(time.Millisecond)
		}
		code := slow.Closed() // reads what was in its queue, then the end
		if code != 4009 && code != -1 {
			t.Errorf("the slow viewer was closed with %d", code)
		}
		if took := time.Since(began); took > 2*time.Minute {
			t.Errorf("cut only after %v", took)
		}
	})
}

// A viewer that falls behind gets what it missed in one message that says for
// how many readings it stands.
func TestFallingBehindIsConflatedWithTrueCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		viewer := s.Dial()
		viewer.Subscribe("orders")
		viewer.ReadType("snapshot")
		viewer.Send(`{"type":"pause"}`)
		synctest.Wait()
		const pushed = 500
		for i := range pushed {
			s.Push("orders", strconv.Itoa(i%7-i/499*1000)) // the last one is the lowest
		}
		viewer.Send(`{"type":"resume"}`)
		stood, rows := 0, 0
		var last any
		for stood < pushed {
			f := viewer.ReadType("readings")
			stood += f.Of
			rows += len(f.Rows)
			last = f.Rows[len(f.Rows)-1][1]
		}
		if stood != pushed || rows >= pushed || rows > 300 {
			t.Errorf("%d rows stand for %d readings; %d were pushed", rows, stood, pushed)
		}
		if want := float64(499%7 - 1000); last != want {
			t.Errorf("last value %v, want %v", last, want)
		}
	})
}

func TestARateGathersWholeReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		viewer := s.Dial()
		viewer.Send(`{"type":"subscribe","id":1,"topics":["orders"],"rate":2}`)
		viewer.ReadType("snapshot")
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range 1000 {
				s.Push("orders", strconv.Itoa(i))
				time.Sleep(10 * time.Millisecond)
			}
		}()
		messages, stood := 0, 0
		for stood < 1000 {
			f := viewer.ReadType("readings")
			messages++
			stood += f.Of
		}
		<-done
		if messages < 15 || messages > 23 { // 10 s at 2 a second
			t.Errorf("%d messages in 10 s at a rate of 2", messages)
		}
	})
}

func TestADeadViewerIsNoticedByItsPong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		began := time.Now()
		viewer := s.Dial()
		viewer.Subscribe("orders")
		viewer.ReadType("snapshot")
		// It reads nothing more, so it answers no ping: on a pipe the server's
		// ping cannot even be written.
		time.Sleep(40 * time.Second)
		synctest.Wait()
		if got := metric(s, "readout_subscribers"); got != "0" {
			t.Errorf("%s subscribers %v after the last sign of life", got, time.Since(began))
		}
	})
}

func TestStopTellsViewersToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		viewer := s.Dial()
		viewer.Subscribe("orders")
		viewer.ReadType("snapshot")
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			s.Stop()
		}()
		if f := viewer.ReadType("drain"); f.RetryMs < 0 || f.RetryMs > 1000 {
			t.Errorf("drain: %s", f.Raw)
		}
		if code := viewer.Closed(); code != 1012 {
			t.Errorf("closed with %d, want 1012", code)
		}
		<-stopped
	})
}

func TestAnEventStreamHasTheSameCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		s.Push("orders", "1")
		events := s.Events("orders", "")
		first := events.Next()
		if first.ID == "" || !strings.Contains(first.Data, `"snapshot"`) {
			t.Fatalf("first event: %+v", first)
		}
		events.Close()
		s.Push("orders", "2")
		s.Push("orders", "3")
		again := s.Events("orders", first.ID)
		defer again.Close()
		// The tail may have brought what was missed before or after the stream opened.
		var got string
		for !strings.Contains(got, ",3]") {
			got += again.Next().Data
		}
		if two, three := strings.Index(got, ",2]"), strings.Index(got, ",3]"); two < 0 || two > three || strings.Contains(got, ",1]") {
			t.Errorf("after %s: %s", first.ID, got)
		}
		s.Push("orders", "4")
		if next := again.Next(); !strings.Contains(next.Data, ",4]") {
			t.Errorf("live: %s", next.Data)
		}
	})
}

// metric returns the value of a metric without labels.
func metric(s *servertest.Server, name string) string {
	for line := range strings.Lines(s.Do(http.MethodGet, "/metrics", "").Body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
