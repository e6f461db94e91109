package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"readout/server"
	"readout/server/access"
	"readout/server/servertest"
)

// The rows B59 to B63 of PROMISES 4: what Readout answers to messages that are
// sound frames and bad requests, to floods and to silence.

// messageRow is what a viewer sends after it is welcomed, and the frames that
// it gets for that: type, or type:code of an error frame.
type messageRow struct {
	name   string
	send   []string
	frames string
	close  int // the close code; 0 for a socket that stays open
}

func messageRows() []messageRow {
	times := func(n int, message string) []string { return slices.Repeat([]string{message}, n) }
	subscribe := func(topics ...string) string {
		list, _ := json.Marshal(topics)
		return `{"type":"subscribe","id":1,"topics":` + string(list) + `}`
	}
	after := func(cursor string) []string {
		return []string{`{"type":"subscribe","id":1,"topics":["orders"],"after":{"orders":"` + cursor + `"}}`}
	}
	many := make([]string, 10_000)
	selectors := slices.Clone(many)
	for i := range many {
		many[i] = "m" + strconv.Itoa(i)
		selectors[i] = many[i] + "_*"
	}
	rows := []messageRow{
		{name: "B59 ten bad messages", send: times(10, "garbage"), frames: strings.TrimSpace(strings.Repeat("error:bad_message ", 10)), close: 1008},
		{name: "B59 nine bad messages", send: times(9, "garbage"), frames: strings.TrimSpace(strings.Repeat("error:bad_message ", 9))},
		{name: "B60 topic twice", send: []string{subscribe("orders", "orders")}, frames: "snapshot"},
		{name: "B60 topic in two spellings", send: []string{subscribe(`cpu{a="1",b="2"}`, `cpu{b="2", a="1"}`)}, frames: "snapshot"},
		{name: "B60 subscribed twice", send: []string{subscribe("orders"), subscribe("orders")}, frames: "snapshot"},
		// PROMISES B60 allows 200 topics and refuses a pattern; DESIGN 4 allows 1,000,
		// names the rest in a limit frame, and DESIGN 1 has selectors.
		{name: "B60 10,000 topics", send: []string{subscribe(many...)}, frames: "limit" + strings.Repeat(" snapshot", 1000)},
		{name: "B60 80,000 bad topics", send: []string{subscribe(slices.Repeat([]string{""}, 80_000)...)}, frames: strings.Repeat("error:bad_topic ", 100) + "error:limit"},
		{name: "B60 60,000 times the same selector", send: []string{subscribe(slices.Repeat([]string{"*"}, 60_000)...)}, frames: "snapshot"},
		{name: "B60 10,000 selectors", send: []string{subscribe(selectors...)}, frames: strings.Repeat("error:limit ", 100) + "error:limit"},
		{name: "B60 a topic of 200 KB", send: []string{subscribe(strings.Repeat("a", 200<<10))}, frames: "error:bad_topic"},
		{name: "B60 star", send: []string{subscribe("*")}, frames: "snapshot"},
		{name: "B60 bad topics beside a good one", send: []string{subscribe("", "a b", "../a", "a{", "a\x00", "cpu{a=~\"(\"}", strings.Repeat("a", 201), "orders")}, frames: strings.Repeat("error:bad_topic ", 7) + "snapshot"},
		// PROMISES calls the cursor since; its name is after (DESIGN 4).
		{name: "B61 future", send: after("99999999999999-0"), frames: "reset snapshot"},
		{name: "B61 another epoch", send: after("1-0:1:zzzzzzzz"), frames: "reset snapshot"},
		{name: "B61 of a topic that is not asked for", send: []string{`{"type":"subscribe","id":1,"topics":["orders"],"after":{"other":"1-1"}}`}, frames: "snapshot"},
		{name: "B61 of a bad topic", send: []string{`{"type":"subscribe","id":1,"topics":["orders"],"after":{"a b":"1-1"}}`}, frames: "error:bad_topic snapshot"},
	}
	for _, id := range []string{"$", ">", "-", "+", "*", "", "0", "(1-1", "99999999999999999999-0", "1-2-3", "18446744073709551616-0", "-1-0", "+1-0", " 1-0", "1-0 ", "1-0:", "1-0:1", "1-0:1:", "1-0:01:ab", "1-0:-1:ab", "1-0:1:ab:cd", "1-0:1:a b", "1-0:1:" + strings.Repeat("a", 33), "0x1-0"} {
		// A cursor that is none is told, and the topic begins anew.
		rows = append(rows, messageRow{name: "B61 " + id, send: after(id), frames: "error:bad_id snapshot"})
	}
	for name, message := range map[string]string{
		"nothing": "", "white space": " ", "garbage": "garbage", "number": "1", "text": `"pause"`, "null": "null", "array": `[{"type":"pause"}]`,
		"empty object": "{}", "no type": `{"id":1}`, "type is a number": `{"type":1}`, "unknown type": `{"type":"shutdown"}`, "type in capitals": `{"type":"PAUSE"}`,
		"two objects": `{"type":"pause"}{"type":"pause"}`, "brace too many": `{"type":"pause"}}`, "bracket too many": `{"type":"pause"}]`, "truncated": `{"type":"pause"`,
		"subscribe without an id": `{"type":"subscribe","topics":["orders"]}`, "subscribe with id 0": `{"type":"subscribe","id":0,"topics":["orders"]}`,
		"subscribe with a negative id": `{"type":"subscribe","id":-1,"topics":["orders"]}`, "subscribe with id 1.5": `{"type":"subscribe","id":1.5,"topics":["orders"]}`,
		"subscribe with id 1e30": `{"type":"subscribe","id":1e30,"topics":["orders"]}`,
		"subscribe to nothing":   `{"type":"subscribe","id":1}`, "subscribe to no topics": `{"type":"subscribe","id":1,"topics":[]}`,
		"topics is a text": `{"type":"subscribe","id":1,"topics":"orders"}`, "topics holds a number": `{"type":"subscribe","id":1,"topics":[1]}`,
		"window in words": `{"type":"subscribe","id":1,"topics":["orders"],"window":"long"}`, "window of nothing": `{"type":"subscribe","id":1,"topics":["orders"],"window":"0s"}`,
		"negative window": `{"type":"subscribe","id":1,"topics":["orders"],"window":"-5m"}`, "negative points": `{"type":"subscribe","id":1,"topics":["orders"],"points":-1}`,
		"points of 1e9": `{"type":"subscribe","id":1,"topics":["orders"],"points":1000000000}`, "negative rate": `{"type":"subscribe","id":1,"topics":["orders"],"rate":-1}`,
		"rate of 1001": `{"type":"subscribe","id":1,"topics":["orders"],"rate":1001}`, "rate of 1e-300": `{"type":"subscribe","id":1,"topics":["orders"],"rate":1e-300}`,
		"after is a list":           `{"type":"subscribe","id":1,"topics":["orders"],"after":["1-1"]}`,
		"unsubscribe without an id": `{"type":"unsubscribe"}`, "hello without a token": `{"type":"hello"}`, "ack of nothing": `{"type":"ack"}`, "ack below nothing": `{"type":"ack","bytes":-1}`,
		"nested 10,001 deep": `{"type":"pause","x":` + strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001) + "}",
	} {
		rows = append(rows, messageRow{name: "B59 " + name, send: []string{message}, frames: "error:bad_message"})
	}
	return rows
}

// B59 to B61.
func TestBadMessages(t *testing.T) {
	for _, row := range messageRows() {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := servertest.New(t, nil)
				s.Push("orders", "1")
				viewer := s.Dial()
				for _, message := range row.send {
					viewer.Send(message)
				}
				var got []string
				for range strings.Fields(row.frames) {
					f := next(t, viewer)
					if f.Type == "error" {
						f.Type += ":" + f.Code
						if f.Message == "" {
							t.Error("an error frame without a word")
						}
					}
					got = append(got, f.Type)
				}
				if strings.HasPrefix(row.frames, "limit ") {
					slices.Sort(got) // limit may overtake the first snapshots
				}
				if frames := strings.Join(got, " "); frames != row.frames {
					t.Errorf("got %.200s\nwant %.200s", frames, row.frames)
				}
				if row.close != 0 {
					if code := viewer.Closed(); code != row.close {
						t.Errorf("closed with %d, want %d", code, row.close)
					}
					return
				}
				// It goes on as if nothing had happened.
				viewer.Send(`{"type":"subscribe","id":9,"topics":["other"]}`)
				if f := next(t, viewer); row.name == "B60 10,000 topics" {
					if f.Type != "limit" {
						t.Errorf("above the limit: %s", f.Raw)
					}
				} else if f.Type != "snapshot" || f.Topic != "other" {
					t.Errorf("afterwards: %s", f.Raw)
				}
			})
		})
	}
}

// B60: what is subscribed is bounded too, not only the topics.
func TestSubscriptionsAreBounded(t *testing.T) {
	for _, row := range []struct {
		name    string
		most    int
		message func(i int) string
	}{
		{"B60 201 subscriptions", 200, func(i int) string { return fmt.Sprintf(`{"type":"subscribe","id":%d,"topics":["orders"]}`, i) }},
		{"B60 101 selectors", 100, func(i int) string { return fmt.Sprintf(`{"type":"subscribe","id":1,"topics":["orders%d_*"]}`, i) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				viewer := servertest.New(t, nil).Dial()
				refused := countErrors(t, viewer)
				for i := range 250 {
					viewer.Send(row.message(1 + i%row.most))
					time.Sleep(60 * time.Millisecond)
				}
				if n := refused.Load(); n != 0 {
					t.Errorf("%d refused", n)
				}
				viewer.Send(row.message(row.most + 1))
				synctest.Wait()
				if n := refused.Load(); n != 1 {
					t.Errorf("%d refused, want 1", n)
				}
			})
		})
	}
	t.Run("a higher rate does not wait for the lower one", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := servertest.New(t, nil)
			viewer := s.Dial()
			viewer.Send(`{"type":"subscribe","id":1,"topics":["orders"],"rate":0.001}`)
			viewer.ReadType("snapshot")
			s.Push("orders", "1")
			synctest.Wait()
			viewer.Send(`{"type":"subscribe","id":1,"topics":["orders"],"rate":10}`)
			began := time.Now()
			if f := next(t, viewer); f.Type != "readings" || time.Since(began) > time.Second {
				t.Errorf("after %v: %s", time.Since(began), f.Raw)
			}
		})
	})
}

// B59: ten bad messages within a minute are too many; spread out they are not.
func TestBadMessagesNowAndThen(t *testing.T) {
	t.Run("B59 one in seven seconds", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			viewer := servertest.New(t, nil).Dial()
			viewer.Subscribe("orders")
			viewer.ReadType("snapshot")
			refused := countErrors(t, viewer)
			for range 30 {
				viewer.Send("garbage")
				time.Sleep(7 * time.Second)
			}
			if n := refused.Load(); n != 30 {
				t.Errorf("%d error frames", n)
			}
		})
	})
}

// countErrors reads until the socket ends, so that pings are answered.
func countErrors(t *testing.T, viewer *servertest.Socket) *atomic.Int64 {
	var n atomic.Int64
	go func() {
		for {
			f, err := viewer.TryRead(t.Context())
			if err != nil {
				return
			}
			if f.Type == "error" {
				n.Add(1)
			}
		}
	}()
	return &n
}

// next returns the next frame; one that does not come fails the test instead of
// letting the bubble's clock run for ever.
func next(t *testing.T, viewer *servertest.Socket) servertest.Frame {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	f, err := viewer.TryRead(ctx)
	if err != nil {
		t.Fatalf("the next frame: %v", err)
	}
	return f
}

// B60: a topic that the token may not view errs the same whether or not it exists.
func TestForbiddenTopicsTellNothing(t *testing.T) {
	t.Run("B60 topic not permitted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLocked(t)
			viewer := l.Dial("Authorization", "Bearer "+l.shop)
			viewer.Subscribe("secret")
			known := next(t, viewer)
			viewer.Subscribe("nosuch")
			unknown := next(t, viewer)
			if known.Code != "forbidden" || strings.ReplaceAll(known.Raw, "secret", "nosuch") != unknown.Raw {
				t.Errorf("not the same:\n%s\n%s", known.Raw, unknown.Raw)
			}
			viewer.Subscribe("*", "secre*", `secret{*}`)
			viewer.Subscribe("shop_a")
			if f := next(t, viewer); f.Type != "snapshot" || f.Topic != "shop_a" {
				t.Errorf("a selector picks what it may not: %s", f.Raw)
			}
			for topic, value := range map[string]string{"secret2": "1", "shop_b": "1"} {
				l.Do(http.MethodPost, "/t/"+topic, value, "Authorization", "Bearer "+l.push)
			}
			for range 2 { // topics and the snapshot of shop_b
				if f := next(t, viewer); strings.Contains(f.Raw, "secret") {
					t.Errorf("a selector grows into what it may not: %s", f.Raw)
				}
			}
		})
	})
}

// B51: hello is the last way to show a token, and nothing else works before it.
func TestHello(t *testing.T) {
	t.Run("B51 hello", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLocked(t)
			viewer := l.Dial()
			for _, message := range []string{
				`{"type":"subscribe","id":1,"topics":["secret"]}`, `{"type":"pause"}`,
				`{"type":"hello","token":"` + l.expired + `"}`, `{"type":"hello","token":"garbage"}`,
			} {
				viewer.Send(message)
				if f := next(t, viewer); f.Type != "error" || f.Code != "unauthorized" {
					t.Errorf("%s is answered with %s", message, f.Raw)
				}
			}
			viewer.Send(`{"type":"hello","token":"` + l.view + `"}`)
			viewer.Subscribe("secret")
			if f := next(t, viewer); f.Type != "snapshot" || f.Rows[0][1] != 12345.0 {
				t.Errorf("after hello: %s", f.Raw)
			}
		})
	})
	t.Run("B51 only bad hellos", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLocked(t)
			viewer := l.Dial()
			for i := range 9 {
				viewer.Send(fmt.Sprintf(`{"type":"hello","token":"rdo_guess%d"}`, i))
			}
			began := time.Now()
			if code := viewer.Closed(); code != 4008 || time.Since(began) != 10*time.Second {
				t.Errorf("closed with %d after %v", code, time.Since(began))
			}
			viewer = l.Dial()
			for i := range 10 {
				viewer.Send(fmt.Sprintf(`{"type":"hello","token":"rdo_guess%d"}`, i))
			}
			if code := viewer.Closed(); code != 1008 {
				t.Errorf("closed with %d after ten guesses", code)
			}
		})
	})
	t.Run("B51 the token ends", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			short, token, err := access.Mint("short", []access.Action{access.View}, []string{"*"}, time.Now().Add(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			known, err := access.NewTokens([]access.Token{token})
			if err != nil {
				t.Fatal(err)
			}
			s := servertest.New(t, &servertest.Options{Change: func(o *server.Options) { o.Tokens = known }})
			viewer := s.Dial("Authorization", "Bearer "+short)
			began := time.Now()
			viewer.Subscribe("orders")
			if code := viewer.Closed(); code != 4001 || time.Since(began) != time.Minute {
				t.Errorf("closed with %d after %v, want 4001 after a minute", code, time.Since(began))
			}
		})
	})
	// At most 100 sockets may wait for hello. Those that have said it wait no more.
	t.Run("B51 many sockets", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLocked(t)
			for range 120 {
				viewer := l.Dial()
				viewer.Send(`{"type":"hello","token":"` + l.view + `"}`)
				synctest.Wait()
			}
			for range 100 {
				l.Dial()
			}
			_, answer, err := l.TryDial()
			if err == nil || answer == nil || answer.StatusCode != http.StatusTooManyRequests {
				t.Errorf("one more that waits for hello: %v, %v", answer, err)
			}
			if _, _, err := l.TryDial("Authorization", "Bearer "+l.view); err != nil {
				t.Errorf("who shows a token is refused: %v", err)
			}
			time.Sleep(20 * time.Second) // they read nothing, so that a part of it goes to the close frame
			l.Dial()                     // those who did not say hello are gone
		})
	})
}

// B62: floods.
func TestFloods(t *testing.T) {
	flood := func(t *testing.T, frame []byte, every time.Duration, most int) (code, sent int) {
		s := servertest.New(t, nil)
		w, _ := open(t, s, handshake("/live"))
		stop := make(chan struct{})
		ended := make(chan int)
		go func() {
			sent := 0
			defer func() { ended <- sent }()
			for range most {
				if _, err := w.conn.Write(frame); err != nil {
					return
				}
				sent++
				select {
				case <-stop:
					return
				case <-time.After(every):
				}
			}
		}()
		code = w.closed()
		close(stop)
		w.conn.Close()
		return code, <-ended
	}
	pause := text(`{"type":"pause"}`)
	for _, row := range []struct {
		name  string
		frame []byte
		every time.Duration
		most  int
		code  int
		after [2]int // frames sent until then, from and to
	}{
		{"B62 1,000 messages a second", pause, time.Millisecond, 1000, 1008, [2]int{40, 50}},
		{"B62 25 messages a second", pause, 40 * time.Millisecond, 1000, 1008, [2]int{150, 250}},
		{"B62 1,000 acks a second", text(`{"type":"ack","bytes":1}`), time.Millisecond, 10_000, 1008, [2]int{400, 600}},
		{"B62 1,000 pings a second", masked(0x89, []byte("a")), time.Millisecond, 100_000, 1008, [2]int{200, 500}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				code, sent := flood(t, row.frame, row.every, row.most)
				if code != row.code || sent < row.after[0] || sent > row.after[1] {
					t.Errorf("closed with %d after %d frames, want %d after %d to %d", code, sent, row.code, row.after[0], row.after[1])
				}
			})
		})
	}
	t.Run("B62 20 messages a second", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			viewer := servertest.New(t, nil).Dial()
			countErrors(t, viewer)
			for i := range 20 * 60 {
				if err := viewer.TrySend(`{"type":"pause"}`); err != nil {
					t.Fatalf("hung up after %d messages: %v", i, err)
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
	})
	t.Run("B62 a ping a second", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := servertest.New(t, nil)
			w, _ := open(t, s, handshake("/live"))
			w.send(text(`{"type":"pause"}`))
			pongs := 0
			for range 300 {
				w.send(masked(0x89, []byte("a")))
				opcode := byte(0)
				for opcode != 10 {
					var payload []byte
					var err error
					if opcode, payload, err = w.frame(); err != nil {
						t.Fatalf("hung up after %d pongs", pongs)
					}
					if opcode == 9 {
						w.send(masked(0x8a, payload))
					}
				}
				pongs++
				time.Sleep(time.Second)
			}
		})
	})
}

// B63: who opens a socket and says nothing is hung up on.
func TestSilentSockets(t *testing.T) {
	for _, row := range []struct {
		name   string
		locked bool
		send   []byte
	}{
		{"B63 open server", false, nil},
		{"B63 before hello", true, nil},
		{"B63 half a message", false, masked(0x01, []byte("{"))},
		{"B63 half a frame", false, []byte{0x81, 0xfe}},
		{"B63 only pings", false, masked(0x89, nil)},
		{"B63 only garbage", false, text("garbage")},
		{"B63 messages but no hello", true, text(`{"type":"pause"}`)},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &locked{}
				if row.locked {
					l = newLocked(t)
				} else {
					l.Server = servertest.New(t, nil)
				}
				began := time.Now()
				w, _ := open(t, l.Server, handshake("/live", "Sec-WebSocket-Protocol", "readout.v1"))
				if row.send != nil {
					w.send(row.send)
				}
				if code, took := w.closed(), time.Since(began); code != 4008 || took != 10*time.Second {
					t.Errorf("closed with %d after %v, want 4008 after 10 s", code, took)
				}
			})
		})
	}
}
