package collectors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"readout/server/ingest"
	"readout/server/reading"
)

func TestPusherBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		defer w.down()
		p := w.pusher(t, PusherOptions{BatchReadings: 3, Describe: Description{"orders": {{Name: "value", Kind: "counter"}}}})
		p.Start()
		push(t, p, 0, 1)
		time.Sleep(60 * time.Millisecond)
		push(t, p, 2, 3) // 2 fills the batch, 3 begins another
		time.Sleep(time.Second)
		push(t, p, 4)
		time.Sleep(time.Second)
		push(t, p, 5)
		stop(t, p) // sends what waits
		w.receiver.inOrder(6)
		if got, want := fmt.Sprint(w.receiver.arrivals, w.receiver.sizes), "[60ms 160ms 1.16s 2.06s] [3 1 1 1]"; got != want {
			t.Errorf("requests at and of: %s, want %s", got, want)
		}
		if got := fmt.Sprint(w.receiver.describe); got != "[0]" {
			t.Errorf("described in requests %s, want [0]", got)
		}
		if got, want := p.Stats(), (PusherStats{Stored: 6, Requests: 4}); got != want {
			t.Errorf("stats %+v, want %+v", got, want)
		}
		if err := p.Append(t.Context(), one("orders", 1)); !errors.Is(err, ErrStopped) {
			t.Errorf("Append after Stop: %v", err)
		}
	})
}

func TestPusherKeepsTheKeyOverRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		defer w.down()
		book := &logBook{}
		w.receiver.before = func(rw http.ResponseWriter, n int) bool {
			if n == 0 || n > 3 {
				return false
			}
			http.Error(rw, `{"error":{"code":"internal","message":"no"}}`, []int{0, 500, 408, 503}[n])
			return true
		}
		p := w.pusher(t, PusherOptions{Log: book.logger()})
		p.Start()
		push(t, p, 0)
		time.Sleep(time.Second)
		push(t, p, 1)
		time.Sleep(10 * time.Second)
		stop(t, p)
		w.receiver.inOrder(2)
		k := w.receiver.keys
		if len(k) != 5 || k[0] == k[1] || k[1] != k[2] || k[2] != k[3] || k[3] != k[4] {
			t.Errorf("keys %q: want one for each of two batches, the second sent four times", k)
		}
		for i, most := range []time.Duration{0, 0, 500 * time.Millisecond, time.Second, 2 * time.Second} {
			if pause := w.receiver.arrivals[i] - w.receiver.arrivals[max(i-1, 0)]; i > 1 && (pause <= 0 || pause > most) {
				t.Errorf("pause %d was %v, want up to %v", i, pause, most)
			}
		}
		if s := p.Stats(); s.Requests != 5 || s.Retries != 3 || s.Stored != 2 {
			t.Errorf("stats %+v", s)
		}
		if lines := book.lines(); len(lines) != 2 || !strings.Contains(lines[0], `err="500 Internal Server Error: no"`) || !strings.Contains(lines[1], `msg="pushing again"`) {
			t.Errorf("log %q, want one line for the outage and one for its end", lines)
		}
	})
}

func TestPusherHonoursRetryAfter(t *testing.T) {
	for name, c := range map[string]struct {
		header string
		least  time.Duration
	}{
		"seconds": {"17", 17 * time.Second},
		"date":    {"Sat, 01 Jan 2000 00:00:42 GMT", 42*time.Second - 100*time.Millisecond},
		"a day":   {"86400", 5 * time.Minute},
		"junk":    {"soon", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWire(t)
				defer w.down()
				w.receiver.before = func(rw http.ResponseWriter, n int) bool {
					if n > 0 {
						return false
					}
					rw.Header().Set("Retry-After", c.header)
					rw.WriteHeader(http.StatusTooManyRequests)
					return true
				}
				p := w.pusher(t, PusherOptions{})
				p.Start()
				push(t, p, 0)
				time.Sleep(10 * time.Minute)
				stop(t, p)
				w.receiver.inOrder(1)
				if pause := w.receiver.arrivals[1] - w.receiver.arrivals[0]; pause < c.least || pause > c.least+500*time.Millisecond {
					t.Errorf("came back after %v, want %v", pause, c.least)
				}
			})
		})
	}
}

// What no retry would change is dropped at once, and the next batch goes on.
func TestPusherDropsWhatIsRefused(t *testing.T) {
	for _, c := range []struct {
		name, kind, body string
		status           int
		stats            PusherStats
		log              string
	}{
		{"bad request", "application/json", `{"error":{"code":"bad_json","message":"byte 7"}}`, 400, PusherStats{Refused: 2, Stored: 1}, "400 Bad Request: byte 7"},
		{"no token", "application/json", `{}`, 401, PusherStats{Refused: 2, Stored: 1}, "401 Unauthorized: no reason given"},
		{"key used", "application/json", `{"error":{"code":"idempotency_conflict","message":"another body"}}`, 422, PusherStats{Refused: 2, Stored: 1}, "another body"},
		{"partial", "application/json", `{"stored":1,"rejected":[{"index":1,"code":"bad_time","message":"too old"}]}`, 422, PusherStats{Stored: 2, Rejected: 1}, "bad_time: too old"},
		{"redirect", "", "", 307, PusherStats{Refused: 2, Stored: 1}, "http://169.254.169.254/"},
		{"another site", "text/html", "<html>welcome", 200, PusherStats{Refused: 2, Stored: 1}, "not from Readout"},
		{"huge answer", "application/json", `{"stored":2}` + strings.Repeat(" ", 4<<20), 200, PusherStats{Stored: 3}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWire(t)
				defer w.down()
				book := &logBook{}
				w.receiver.before = func(rw http.ResponseWriter, n int) bool {
					if n > 0 {
						return false
					}
					rw.Header().Set("Content-Type", c.kind)
					rw.Header().Set("Location", "http://169.254.169.254/")
					rw.WriteHeader(c.status)
					_, _ = io.WriteString(rw, c.body)
					return true
				}
				p := w.pusher(t, PusherOptions{Log: book.logger()})
				p.Start()
				push(t, p, 7, 8)
				time.Sleep(time.Second)
				push(t, p, 0)
				time.Sleep(time.Second)
				stop(t, p)
				w.receiver.inOrder(1)
				c.stats.Requests = 2
				if got := p.Stats(); got != c.stats {
					t.Errorf("stats %+v, want %+v", got, c.stats)
				}
				if got := strings.Join(book.lines(), "\n"); !strings.Contains(got, c.log) || c.log == "" && got != "" {
					t.Errorf("log %q, want %q", got, c.log)
				}
			})
		})
	}
}

// An hour of refusals is a line a minute, not one for each batch.
func TestPusherDoesNotFloodTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		defer w.down()
		book := &logBook{}
		w.receiver.before = func(rw http.ResponseWriter, _ int) bool { rw.WriteHeader(http.StatusForbidden); return true }
		p := w.pusher(t, PusherOptions{Log: book.logger()})
		p.Start()
		for i := range 600 {
			push(t, p, i)
			time.Sleep(time.Second)
		}
		stop(t, p)
		if n := len(book.lines()); n < 10 || n > 11 {
			t.Errorf("%d lines for 600 refusals in 10 minutes, want 10 or 11", n)
		}
	})
}

// F52 with memory instead of a disk: the server is away for 10 minutes, then
// everything arrives, once, in order, in few requests.
func TestPusherSurvivesAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		book := &logBook{}
		p := w.pusher(t, PusherOptions{Log: book.logger(), Describe: Description{"orders": {{Name: "value", Kind: "counter"}}}})
		p.Start()
		for i := range 700 {
			switch i {
			case 50:
				w.down()
			case 650:
				w.up()
			}
			push(t, p, i)
			time.Sleep(time.Second)
		}
		stop(t, p)
		w.down()
		w.receiver.inOrder(700)
		if n := len(w.receiver.keys); n > 110 {
			t.Errorf("%d requests; the 600 readings of the outage should go in few", n)
		}
		if d := w.receiver.describe; len(d) != 2 || d[0] != 0 || d[1] < 50 || d[1] > 53 {
			t.Errorf("described in requests %v, want the first and one just after the outage", d)
		}
		if lines := book.lines(); len(lines) != 2 {
			t.Errorf("log %q, want two lines", lines)
		}
	})
}

// A server that stores and then cuts the connection instead of answering, for
// one request in three: nothing doubles, nothing is lost.
func TestPusherLostAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		dice := rand.New(rand.NewPCG(1, 2))
		w.receiver.after = func(int) bool { return dice.IntN(3) == 0 }
		p := w.pusher(t, PusherOptions{BatchReadings: 10})
		p.Start()
		for i := range 10_000 {
			push(t, p, i)
			if i%100 == 99 {
				time.Sleep(time.Second)
			}
		}
		time.Sleep(time.Hour)
		stop(t, p)
		w.down()
		w.receiver.inOrder(10_000)
		if n := len(w.receiver.keys); n < 1300 {
			t.Errorf("only %d requests for 1,000 batches: no answer was lost", n)
		}
	})
}

func TestPusherDropsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		w.down()
		book := &logBook{}
		p := w.pusher(t, PusherOptions{BatchReadings: 10, BufferBytes: 10 << 10, Log: book.logger(),
			Describe: Description{"orders": {{Name: "value", Kind: "counter"}}}})
		p.Start()
		push(t, p, 0)
		time.Sleep(101 * time.Millisecond)
		synctest.Wait() // the first attempt has failed: no batch is on the wire, where none is dropped
		for i := range 999 {
			push(t, p, i+1)
		}
		time.Sleep(time.Minute)
		before := p.Stats()
		if before.Dropped < 800 || before.Waiting < 50 || before.Dropped+before.Waiting != 1000 {
			t.Errorf("stats %+v: want most of 1,000 dropped, some waiting, none unaccounted for", before)
		}
		p.mu.Lock()
		if p.queued > 10<<10 {
			t.Errorf("%d bytes are kept, the bound is 10 KiB", p.queued)
		}
		p.mu.Unlock()
		w.up()
		time.Sleep(time.Minute)
		push(t, p, 1000)
		stop(t, p)
		w.down()
		for i, v := range w.receiver.values {
			if want := float64(1001 - len(w.receiver.values) + i); v != want {
				t.Fatalf("stored reading %d is %v, want %v: the newest survive, in order", i, v, want)
			}
		}
		if got := p.Stats(); got.Stored != before.Waiting+1 || got.Waiting != 0 {
			t.Errorf("stats %+v, want %d stored", got, before.Waiting+1)
		}
		// The description was in a batch that fell out. It waits with another, and
		// does not only come after the connection is seen to be new.
		if d := w.receiver.describe; len(d) == 0 || d[0] == len(w.receiver.keys)-1 {
			t.Errorf("described in requests %v of %d, want one of those that waited", d, len(w.receiver.keys))
		}
		if lines := book.lines(); len(lines) != 3 {
			t.Errorf("log %q, want one line each for away, dropping and back", lines)
		}
	})
}

// Stop sends what waits, even in the middle of a long pause, but only within its bound.
func TestPusherStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		w.receiver.before = func(rw http.ResponseWriter, n int) bool {
			if n == 0 {
				rw.Header().Set("Retry-After", "200")
				rw.WriteHeader(http.StatusServiceUnavailable)
			}
			return n == 0
		}
		p := w.pusher(t, PusherOptions{})
		p.Start()
		push(t, p, 0)
		time.Sleep(10 * time.Second)
		push(t, p, 1)
		begin := time.Now()
		stop(t, p)
		if took := time.Since(begin); took != 0 {
			t.Errorf("Stop took %v, want none: the server is back", took)
		}
		w.receiver.inOrder(2)

		away := w.pusher(t, PusherOptions{})
		w.down()
		away.Start()
		push(t, away, 0, 1, 2)
		begin = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := away.Stop(ctx); err == nil || !strings.Contains(err.Error(), "3 readings could not be sent to http://readout.test/base/api/v1/readings") {
			t.Errorf("Stop while the server is away: %v", err)
		}
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("Stop took %v, want its 3s", took)
		}

		never := w.pusher(t, PusherOptions{})
		push(t, never, 0)
		if err := never.Stop(ctx); err == nil {
			t.Error("a pusher that never started sent a reading")
		}
	})
}

// A server that accepts and never answers holds one attempt for its timeout.
func TestPusherTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		free := make(chan struct{})
		var requests atomic.Int64
		w.server.Handler = http.HandlerFunc(func(rw http.ResponseWriter, q *http.Request) {
			if requests.Add(1) == 1 {
				<-free
				return
			}
			w.receiver.ServeHTTP(rw, q)
		})
		p := w.pusher(t, PusherOptions{Timeout: 2 * time.Second})
		p.Start()
		push(t, p, 0)
		time.Sleep(10 * time.Second)
		stop(t, p)
		close(free)
		w.down()
		w.receiver.inOrder(1)
		if at := w.receiver.arrivals[0]; at < 2100*time.Millisecond || at > 2600*time.Millisecond {
			t.Errorf("the second attempt came at %v, want 2.1s to 2.6s", at)
		}
	})
}

func TestPusherRefusesBadReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		defer w.down()
		p := w.pusher(t, PusherOptions{})
		p.Start()
		mixed := append(one("orders", 0), one("orders", math.NaN())...)
		mixed = append(mixed, one("", 1)...)
		mixed = append(mixed, one("orders", 1)...)
		err := p.Append(t.Context(), mixed)
		var refusal *reading.Error
		if !errors.As(err, &refusal) || refusal.Code != "not_a_number" || !strings.Contains(err.Error(), "no topic") {
			t.Errorf("Append: %v", err)
		}
		stop(t, p)
		w.receiver.inOrder(2)
		if got := p.Stats(); got.Rejected != 2 || got.Stored != 2 {
			t.Errorf("stats %+v", got)
		}
	})
}

// A batch never outgrows what the API takes, whatever is in the readings.
func TestPusherBoundsABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		defer w.down()
		p := w.pusher(t, PusherOptions{})
		p.Start()
		big := one("orders", 0)[0]
		for i := range reading.MaxValues - 1 {
			big.Values = append(big.Values, reading.Named{
				Name: fmt.Sprintf("%0100d", i), Value: reading.TextOf(strings.Repeat("<", reading.MaxText))})
		}
		for i := range 20 {
			r := big
			r.Values = append([]reading.Named{{Name: "value", Value: reading.NumberOf(float64(i))}}, big.Values[1:]...)
			if err := p.Append(t.Context(), []reading.Reading{r}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		stop(t, p)
		w.receiver.inOrder(20)
		for key, body := range w.receiver.bodies {
			if len(body) > 1<<20 {
				t.Errorf("the batch %s has %d bytes", key, len(body))
			}
		}
	})
}

func TestPusherAddress(t *testing.T) {
	for _, bad := range []string{"", "localhost:8080", "ftp://a", "http://", "http://user:pass@a", "http://a/?x=1", "http://a/#x", "http://a b"} {
		if _, err := NewPusher(PusherOptions{URL: bad}); err == nil {
			t.Errorf("the address %q was taken", bad)
		}
	}
}

// The Pusher's own transport, on a real loopback connection, under a real runner.
func TestPusherOnLoopback(t *testing.T) {
	arrived := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		sent, _ := io.ReadAll(q.Body)
		body, err := ingest.Inflate(q.Header.Get("Content-Encoding"), sent, 8<<20)
		request, decodeErr := ingest.JSON(body, ingest.Bounds{Now: time.Now()})
		if err != nil || decodeErr != nil {
			t.Errorf("%v %v", err, decodeErr)
		}
		for _, item := range request.Items {
			arrived <- item.Reading.Topic.Name()
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]int{"stored": len(request.Items)})
	}))
	defer server.Close()
	p, err := NewPusher(PusherOptions{URL: server.URL, BatchWait: time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewRunner([]Collector{&scripted{name: "steady", interval: 10 * time.Millisecond, step: steady}}, p, RunnerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p.Start()
	r.Start(t.Context())
	for range 10 {
		if topic := <-arrived; topic != "steady" && topic != "readout_collector" {
			t.Errorf("a reading of %s arrived", topic)
		}
	}
	r.Stop()
	stop(t, p)
}
