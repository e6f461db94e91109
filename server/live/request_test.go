package live

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"readout/server/hub"
	"readout/server/problem"
)

func TestDecodeRequests(t *testing.T) {
	one := hub.Subscription{ID: 1, Topics: []string{"a"}}
	for _, c := range []struct {
		body string
		want []hub.Subscription
	}{
		{`{"id":1,"topics":["a"]}`, []hub.Subscription{one}},
		{`{"type":"subscribe","id":1,"topics":["a"]}`, []hub.Subscription{one}},
		{" \r\n[{\"id\":1,\"topics\":[\"a\"]}]\n", []hub.Subscription{one}},
		{`[{"id":1,"topics":["a"]},{"id":2,"topics":["b"],"after":{"b":"1-1"},"window":"90s","points":10,"rate":2,"rates":true,"dashboard":"shop"}]`, []hub.Subscription{
			one,
			{ID: 2, Topics: []string{"b"}, After: map[string]string{"b": "1-1"}, Window: 90 * time.Second, Points: 10, Rate: 2, Rates: true, Dashboard: "shop"},
		}},
	} {
		got, err := decodeRequests([]byte(c.body))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v; want %+v", c.body, got, err, c.want)
		}
	}
}

// What a body asks for is what a socket would take, message by message, and
// nothing else.
func FuzzRequests(f *testing.F) {
	for _, seed := range []string{
		`{"id":1,"topics":["http_*"],"after":{"a":"1-0:2:k3v9"},"window":"5m","points":600,"rate":20}`, `[{"id":1,"topics":["a"]},{"type":"subscribe","id":2,"dashboard":"shop"}]`,
		`[]`, `[null]`, `null`, `{"type":"pause"}`, `[{"id":1,"topics":["a"]}`, `{"id":1,"topics":["a"]}]`, `{"ID":1,"tOPICS":["a"]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		wants, err := decodeRequests(b)
		if err != nil {
			var refused *problem.Error
			if !errors.As(err, &refused) || refused.Code != "bad_message" {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if len(wants) == 0 || len(wants) > maxRequests || !json.Valid(b) {
			t.Fatalf("%d subscriptions of %q", len(wants), b)
		}
		var list []map[string]any
		if strings.HasPrefix(strings.TrimLeft(string(b), " \t\r\n"), "[") {
			err = json.Unmarshal(b, &list)
		} else {
			list = make([]map[string]any, 1)
			err = json.Unmarshal(b, &list[0])
		}
		if err != nil || len(list) != len(wants) {
			t.Fatalf("%d objects, %d subscriptions: %v", len(list), len(wants), err)
		}
		for _, want := range wants {
			again, err := decode(asMessage(t, want))
			if err != nil || !reflect.DeepEqual(again.subscription(), want) {
				t.Fatalf("a socket takes %+v as %+v, %v", want, again, err)
			}
		}
	})
}

// asMessage is a subscription as a socket sends it.
func asMessage(t *testing.T, s hub.Subscription) []byte {
	window := ""
	if s.Window != 0 {
		window = s.Window.String()
	}
	return encode(t, message{Type: "subscribe", ID: s.ID, Topics: s.Topics, After: s.After, Window: window, Points: s.Points, Rate: s.Rate, Rates: s.Rates, Dashboard: s.Dashboard})
}

// Whatever a page reports is refused, or within its bounds.
func FuzzReport(f *testing.F) {
	for _, seed := range []string{
		`{"transport":"sse","violations":0,"resumes":1,"painted":{"le":[25,50,100,250,500,1000,2500],"counts":[1,2,3,0,0,0,0,4]}}`,
		`{"transport":"poll"}`, `null`, `{"transport":""}`, `{"transport":"sse","violations":-1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		told, by, err := decodeReport(b)
		if err != nil {
			if p, _ := problem.Of(err); p.Code != "bad_message" {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		counts := []int64{told.Violations, told.Resumes}
		if told.Painted != nil {
			counts = append(counts, told.Painted.Counts...)
		}
		for _, n := range counts {
			if n < 0 || n > maxCounted || transportNames[by] != told.Transport || len(counts) > 2+8 {
				t.Fatalf("taken: %+v", told)
			}
		}
	})
}

// What stands is the same whatever came in which order; what has passed stands no more.
func TestWhatStands(t *testing.T) {
	const (
		staleA   = `{"type":"stale","topic":"cpu{host=\"a\"}","since":1}`
		staleB   = `{"type":"stale","topic":"b","since":2}`
		refused  = `{"type":"error","id":1,"topic":"b","code":"forbidden","message":"no"}`
		wrong    = `{"type":"error","topic":"b","code":"wrong_type","message":"no stream"}`
		board    = `{"type":"dashboard","slug":"shop","version":"1"}`
		away     = `{"type":"store","state":"away","since":1,"message":"m"}`
		awayToo  = `{"type":"store","state":"away","since":2,"message":"m"}`
		readOnly = `{"type":"store","state":"read_only","since":1,"message":"m"}`
		well     = `{"type":"store","state":"ok","since":3,"message":"m"}`
	)
	of := func(frames ...string) string {
		var s standing
		for _, f := range frames {
			s.tell([]byte(f))
		}
		return s.state()
	}
	mended := func(topic string, frames ...string) string {
		var s standing
		for _, f := range frames {
			s.tell([]byte(f))
		}
		s.mend(topic)
		return s.state()
	}
	for _, same := range [][]string{
		{of(), of(`{"type":"welcome"}`), of(`{"type":"lag","queued":1}`), of(well), of(away, well), mended(`cpu{host=\"a\"}`, staleA), mended("b", wrong)},
		{of(staleA, staleB), of(staleB, staleA), of(staleA, staleB, staleA), of(staleA, strings.Replace(staleB, "2", "9", 1)), mended("c", staleA, staleB)},
		{of(staleB), mended(`cpu{host=\"a\"}`, staleA, staleB)},
		{of(refused), mended("b", refused)},
		{of(away), of(awayToo), of(readOnly, well, away)},
		{of(readOnly), of(away, readOnly)},
		{of(board)}, {of(wrong)}, {of(board, refused)},
	} {
		for _, state := range same {
			if state != same[0] || len(state) > 32 {
				t.Errorf("not the same: %q", same)
			}
		}
	}
	states := map[string]bool{}
	for _, frames := range [][]string{nil, {staleA}, {staleB}, {staleA, staleB}, {refused}, {wrong}, {board}, {away}, {readOnly}, {away, board}} {
		states[of(frames...)] = true
	}
	if len(states) != 10 {
		t.Errorf("%d states of 10 sets", len(states))
	}
}

// The ends of frames that the transports look for, in frames as the hub writes them.
func TestWhatIsReadOutOfFrames(t *testing.T) {
	for _, c := range []struct{ frame, kind, topic, cursor string }{
		{`{"type":"readings","topic":"a","rows":[[1,2]],"id":"5-0:2:x","prev":"4-0:1:x","of":1}`, "readings", "a", "5-0:2:x"},
		{`{"type":"readings","topic":"cpu{host=\"w\\1\"}","rows":[],"id":"5-0","prev":"5-0","of":0}`, "readings", `cpu{host=\"w\\1\"}`, "5-0"},
		{`{"type":"snapshot","topic":"a","columns":["t","id"],"units":["ms",""],"interval":0,"rows":[[1,"\"id\":\"9-9\""]],"id":"5-0:2:x"}`, "snapshot", "a", "5-0:2:x"},
		{`{"type":"gap","topic":"a","from":"1-0","to":"5-0:2:x","lost":3,"why":"trimmed"}`, "gap", "a", "5-0:2:x"},
		{`{"type":"error","id":1,"topic":"a","code":"forbidden","message":"no"}`, "error", "", ""},
		{`{"type":"lag","queued":1}`, "lag", "", ""},
		{`{"type":"reset","topic":"a`, "reset", "", ""},
		{``, "", "", ""},
	} {
		kind, rest := kindOf([]byte(c.frame))
		if topic, cursor := textOf(rest, "topic"), string(cursorOf([]byte(c.frame))); kind != c.kind || topic != c.topic || cursor != c.cursor {
			t.Errorf("%s: %s %s %s", c.frame, kind, topic, cursor)
		}
		if bytes.Contains([]byte(c.frame), []byte(`"rows":[]`)) != confirms([]byte(c.frame)) {
			t.Errorf("%s confirms: %v", c.frame, confirms([]byte(c.frame)))
		}
	}
}

func TestPace(t *testing.T) {
	for _, c := range []struct {
		rates []float64
		want  time.Duration
	}{{[]float64{2}, time.Second / 2}, {[]float64{2, 4}, time.Second / 4}, {[]float64{2, 0}, 0}, {[]float64{0}, 0}} {
		var wants []hub.Subscription
		for _, rate := range c.rates {
			wants = append(wants, hub.Subscription{Rate: rate})
		}
		if got := paceOf(wants); got != c.want {
			t.Errorf("%v: %v, want %v", c.rates, got, c.want)
		}
	}
}

func TestCloseIsJSON(t *testing.T) {
	var got struct {
		Code   int
		Reason string
		Retry  int64 `json:"retry_ms"`
	}
	b := appendClose(nil, &hub.Closed{Code: 1012, Reason: `a "word"`, Retry: 1500 * time.Millisecond})
	if err := json.Unmarshal(b, &got); err != nil || fmt.Sprint(got) != `{1012 a "word" 1500}` {
		t.Errorf("%s: %v, %v", b, got, err)
	}
}
