package server_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"readout/server"
	"readout/server/access"
	"readout/server/servertest"
)

// POST /live/sse is a socket for those whose way here lets none through.

func TestAnEventStreamOfManyTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		s.Push("orders", "1")
		s.Push("http_requests?code=200", "1")
		viewer := s.Stream(servertest.Subscription{Topics: []string{"orders", "http_*"}, Dashboard: "machine"})
		seen := map[string]bool{}
		for range 3 {
			f := viewer.Read()
			seen[f.Type+" "+f.Topic+f.Slug] = true
		}
		for _, want := range []string{"snapshot orders", `snapshot http_requests{code="200"}`, "dashboard machine"} {
			if !seen[want] {
				t.Errorf("%s did not come: %v", want, seen)
			}
		}
		s.Push("http_requests?code=500", "7")
		if f := viewer.ReadType("topics"); len(f.Topics) != 1 || f.Topics[0] != `http_requests{code="500"}` {
			t.Errorf("grew by %v", f.Topics)
		}
		for i := range 50 {
			s.Push("orders", fmt.Sprint(i))
			for {
				if f := viewer.ReadType("readings"); f.Topic == "orders" && f.Rows[0][1] == float64(i) {
					break
				}
			}
		}
		viewer.Close()
		synctest.Wait()
		if got := labelled(s, "readout_connections", "sse"); got != "0" || metric(s, "readout_subscribers") != "0" {
			t.Errorf("%s streams are left", got)
		}
	})
}

// ReadTimeout of http.Server is 15 s and WriteTimeout 30 s: neither may end a stream.
func TestAStreamOutlivesEveryDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		s.Push("orders", "1")
		conn := s.Raw()
		const body = `{"id":1,"topics":["orders"]}`
		if _, err := fmt.Fprintf(conn, "POST /live/sse HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		for header, want := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"} {
			if got := answer.Header.Get(header); got != want {
				t.Errorf("%s: %s, want %s", header, got, want)
			}
		}
		lines := bufio.NewScanner(answer.Body)
		comments, began, last := 0, time.Now(), time.Now()
		for comments < 20 && lines.Scan() {
			if lines.Text() != "" {
				if silent := time.Since(last); silent > 15*time.Second {
					t.Errorf("silent for %v", silent)
				}
				last = time.Now()
			}
			if strings.HasPrefix(lines.Text(), ":") {
				comments++
			}
		}
		if comments < 20 || time.Since(began) < 4*time.Minute {
			t.Fatalf("%d comments in %v: %v", comments, time.Since(began), lines.Err())
		}
		s.Push("orders", "2")
		for lines.Scan() && !strings.Contains(lines.Text(), `,2]`) {
			last = time.Now()
		}
		if lines.Err() != nil || time.Since(last) > time.Second {
			t.Errorf("after the silence: %v", lines.Err())
		}
	})
}

func TestAStreamEndsWithItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text, token, err := access.Mint("short", []access.Action{access.View}, []string{"*"}, time.Now().Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		tokens, err := access.NewTokens([]access.Token{token})
		if err != nil {
			t.Fatal(err)
		}
		s := servertest.New(t, &servertest.Options{Change: func(o *server.Options) { o.Tokens = tokens }})
		bearer := []string{"Authorization", "Bearer " + text}
		began := time.Now()
		viewer := s.Stream(servertest.Subscription{Topics: []string{"orders"}}, bearer...)
		viewer.ReadType("snapshot")
		poller := s.Poller(servertest.Subscription{Topics: []string{"orders"}}, bearer...)
		polled := make(chan error)
		go func() { // ends with the token
			for {
				if _, err := poller.TryPoll(t.Context()); err != nil {
					polled <- err
					return
				}
			}
		}()
		var closed *servertest.Closed
		if _, err := viewer.TryRead(); !errors.As(err, &closed) || closed.Code != 4001 {
			t.Errorf("the stream ended with %v", err)
		}
		if err := <-polled; !errors.As(err, &closed) || closed.Code != 4001 {
			t.Errorf("the poll ended with %v", err)
		}
		if took := time.Since(began); took != time.Minute {
			t.Errorf("ended after %v", took)
		}
		var refused *servertest.Refused
		if _, err := s.TryStream(t.Context(), servertest.Subscription{Topics: []string{"orders"}}, bearer...); !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestStopTellsStreamsAndPollsToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		want := servertest.Subscription{Topics: []string{"orders"}}
		viewer := s.Stream(want)
		viewer.ReadType("snapshot")
		poller := s.Poller(want)
		poller.PollFor("snapshot")
		polled := make(chan error, 1)
		var frames []servertest.Frame
		go func() {
			var err error
			frames, err = poller.TryPoll(t.Context())
			polled <- err
		}()
		synctest.Wait()
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			s.Stop()
		}()
		drain := viewer.ReadType("drain")
		var closed *servertest.Closed
		if _, err := viewer.TryRead(); !errors.As(err, &closed) || closed.Code != 1012 || closed.RetryMs != drain.RetryMs || closed.RetryMs > 1000 {
			t.Errorf("the stream ended with %v after %s", err, drain.Raw)
		}
		if _, err := viewer.TryRead(); err != io.EOF {
			t.Errorf("after its end: %v", err)
		}
		if err := <-polled; !errors.As(err, &closed) || closed.Code != 1012 || frames[len(frames)-1].RetryMs != closed.RetryMs {
			t.Errorf("the poll ended with %v, %v", err, frames)
		}
		<-stopped
	})
}

// A viewer that reads nothing holds bounded memory for seconds, and delays nobody.
func TestAStreamThatIsNotReadIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		quick := s.Stream(servertest.Subscription{Topics: []string{"orders"}})
		quick.ReadType("snapshot")
		for _, path := range []string{"/live/sse", "/live/poll"} {
			const body = `{"id":1,"topics":["orders"]}`
			conn := s.Raw()
			if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if got := metric(s, "readout_subscribers"); got != "3" {
			t.Fatalf("%s subscribers", got)
		}
		padding := strings.Repeat("x", 100)
		began := time.Now()
		for i := range 2000 { // about 400 KB
			s.Push("orders", fmt.Sprintf(`n=%d a="%s"`, i, padding))
			if f := quick.ReadType("readings"); f.Rows[len(f.Rows)-1][1] != float64(i) {
				t.Fatalf("the quick viewer got %s instead of %d", f.Raw, i)
			}
			time.Sleep(5 * time.Millisecond)
		}
		synctest.Wait()
		if got := metric(s, "readout_subscribers"); got != "1" {
			t.Errorf("%s subscribers after %v; two of them read nothing", got, time.Since(began))
		}
	})
}

// labelled returns the value of a metric with one label.
func labelled(s *servertest.Server, name, value string) string {
	for line := range strings.Lines(s.Do(http.MethodGet, "/metrics", "").Body) {
		if rest, ok := strings.CutPrefix(line, name+"{"); ok && strings.Contains(rest, `="`+value+`"} `) {
			return strings.TrimSpace(rest[strings.LastIndexByte(strings.TrimSpace(rest), ' '):])
		}
	}
	return ""
}
