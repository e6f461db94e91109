package server_test

import (
	"context"
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

// A socket shows its token once: flows that one token opened must not live on
// under another.
func TestAnotherTokenNeedsAnotherSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var list []access.Token
		mint := func(topics string, ends time.Time) string {
			text, token, err := access.Mint("x", []access.Action{access.View}, []string{topics}, ends)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, token)
			return text
		}
		short, long := mint("secret", time.Now().Add(time.Minute)), mint("public", time.Time{})
		tokens, err := access.NewTokens(list)
		if err != nil {
			t.Fatal(err)
		}
		s := servertest.New(t, &servertest.Options{Change: func(o *server.Options) { o.Tokens = tokens }})
		viewer := s.Dial("Authorization", "Bearer "+short)
		viewer.Subscribe("secret")
		viewer.ReadType("snapshot")
		viewer.Send(`{"type":"hello","token":"` + long + `"}`)
		if f := viewer.ReadType("error"); f.Code != "bad_message" {
			t.Errorf("a second token: %s", f.Raw)
		}
		began := time.Now()
		if code := viewer.Closed(); code != 4001 || time.Since(began) > time.Minute {
			t.Errorf("closed with %d after %v", code, time.Since(began))
		}
	})
}

// Whoever sends no body, or reads no answer, holds a connection for seconds, and
// no stop.
func TestSilentClientsAreCut(t *testing.T) {
	for _, head := range []string{
		"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n",
		"POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n",
		"GET /t/a HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			s := servertest.New(t, nil)
			s.Push("a", "1")
			conn := s.Raw()
			if _, err := io.WriteString(conn, head); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute) // a pipe holds nothing: the answer waits to be read
			began := time.Now()
			s.Stop()
			if took := time.Since(began); took > time.Second {
				t.Errorf("%.20q holds up the stop for %v", head, took)
			}
		})
	}
}

func TestAnEventStreamOutlivesEveryDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		events := s.Events("a", "")
		events.Next()
		answered := make(chan struct{})
		time.AfterFunc(time.Hour, func() {
			defer close(answered)
			s.Push("a", "77")
		})
		if next := events.Next(); !strings.Contains(next.Data, ",77]") {
			t.Errorf("an hour later: %s", next.Data)
		}
		<-answered // the reading may be seen before its push is answered
	})
}

// A rate holds for messages and rows also on a topic that is faster than a ring
// is long.
func TestARateHoldsOnAFastTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, &servertest.Options{Change: func(o *server.Options) { o.Store.MaxEntries = 10_000 }})
		viewer := s.Dial()
		viewer.Send(`{"type":"subscribe","id":1,"topics":["fast"],"rate":0.5}`)
		viewer.ReadType("snapshot")
		const pushed = 5000
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range pushed {
				s.Push("fast", "2")
				time.Sleep(2 * time.Millisecond)
			}
		}()
		messages, rows, stood := 0, 0, 0
		for stood < pushed {
			f := viewer.ReadType("readings")
			messages, rows, stood = messages+1, rows+len(f.Rows), stood+f.Of
		}
		<-done
		if messages > 9 || rows > 20*messages || stood != pushed {
			t.Errorf("%d messages with %d rows for %d readings in 10 s at a rate of 0.5", messages, rows, stood)
		}
	})
}

// What is pushed late lies behind newer readings in the stream, and must not
// push them out of a snapshot.
func TestABackfillHidesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, &servertest.Options{Change: func(o *server.Options) { o.Store.MaxEntries = 5000 }})
		for range 30 {
			s.Push("b", "111")
			time.Sleep(time.Second)
		}
		old := time.Now().Add(-50 * time.Minute).UnixMilli()
		for i := range 600 {
			if a := s.Do(http.MethodPost, "/t/b", "5", "Readout-Time", fmt.Sprint(old+int64(i))); a.Status != http.StatusOK {
				t.Fatal(a.Body)
			}
		}
		viewer := s.Dial()
		viewer.Send(`{"type":"subscribe","id":1,"topics":["b"],"window":"5m"}`)
		if f := viewer.Read(); len(f.Rows) != 30 || f.Rows[0][1] != 111.0 {
			t.Errorf("5 minutes hold 30 readings, not %d: %.200s", len(f.Rows), f.Raw)
		}
	})
}

// A sender that makes up names cannot make every frame of its topic large.
func TestColumnsOfATopicAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		viewer := s.Dial()
		viewer.Subscribe("a")
		viewer.ReadType("snapshot")
		for push := range 8 {
			var body strings.Builder
			for c := range 250 {
				fmt.Fprintf(&body, "c%d_%d=1 ", push, c)
			}
			s.Push("a", strings.TrimSpace(body.String()))
		}
		s.Push("a", "last=1")
		columns := 0
		for {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			f, err := viewer.TryRead(ctx)
			cancel()
			if err != nil {
				break
			}
			columns = max(columns, len(f.Columns))
		}
		if columns < 1000 || columns > 1025 {
			t.Errorf("%d columns after 2,000 names", columns)
		}
	})
}
