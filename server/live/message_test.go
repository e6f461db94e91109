package live

import (
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

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		message string
		want    message
	}{
		{`{"type":"hello","token":"rdo_a_b"}`, message{Type: "hello", Token: "rdo_a_b"}},
		{`{"type":"subscribe","id":1,"topics":["cpu{host=\"web1\"}","http_*"]}`, message{Type: "subscribe", ID: 1, Topics: []string{`cpu{host="web1"}`, "http_*"}}},
		{`{"type":"subscribe","id":9007199254740993,"topics":["a"],"after":{"a":"1-1"},"window":"5m","points":600,"rate":20}`,
			message{Type: "subscribe", ID: 9007199254740993, Topics: []string{"a"}, After: map[string]string{"a": "1-1"}, Window: "5m", Points: 600, Rate: 20}},
		{`{"type":"subscribe","id":1,"topics":["a"],"rate":0.001}`, message{Type: "subscribe", ID: 1, Topics: []string{"a"}, Rate: 0.001}},
		{`{"type":"subscribe","id":1,"topics":["a"],"rate":0}`, message{Type: "subscribe", ID: 1, Topics: []string{"a"}}},
		{`{"type":"subscribe","id":1,"topics":["a"],"after":null,"window":null}`, message{Type: "subscribe", ID: 1, Topics: []string{"a"}}},
		{`{"type":"subscribe","id":1,"topics":["a"],"rates":true}`, message{Type: "subscribe", ID: 1, Topics: []string{"a"}, Rates: true}},
		{`{"type":"subscribe","id":1,"dashboard":"shop-2"}`, message{Type: "subscribe", ID: 1, Dashboard: "shop-2"}},
		{`{"type":"unsubscribe","id":1}`, message{Type: "unsubscribe", ID: 1}},
		{`{"type":"pause"}`, message{Type: "pause"}},
		{` { "type" : "resume" } ` + "\n", message{Type: "resume"}},
		{`{"type":"ack","bytes":65536}`, message{Type: "ack", Bytes: 65536}},
		{`{"type":"pause","later":{"version":[2]}}`, message{Type: "pause"}}, // what a later version adds
	} {
		t.Run(c.message, func(t *testing.T) {
			got, err := decode([]byte(c.message))
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
	m, err := decode([]byte(`{"type":"subscribe","id":7,"topics":["a","b"],"after":{"a":"1-1"},"window":"90s","points":10,"rate":2,"rates":true,"dashboard":"shop"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := hub.Subscription{ID: 7, Topics: []string{"a", "b"}, After: map[string]string{"a": "1-1"}, Window: 90 * time.Second, Points: 10, Rate: 2, Rates: true, Dashboard: "shop"}
	if got := m.subscription(); !reflect.DeepEqual(got, want) {
		t.Errorf("asks for %+v, want %+v", got, want)
	}
}

// What is wrong with a message is answered with its id, so that a viewer can
// tell which of its requests failed.
func TestDecodeKeepsTheIDOfWhatItRefuses(t *testing.T) {
	for _, message := range []string{`{"type":"subscribe","id":5}`, `{"id":5}`, `{"type":"nonsense","id":5}`, `{"type":"subscribe","id":5,"topics":["a"],"rate":-1}`,
		`{"type":"subscribe","id":5,"dashboard":"../shop"}`, `{"type":"subscribe","id":5,"dashboard":"-shop"}`,
	} {
		m, err := decode([]byte(message))
		if err == nil || m.ID != 5 {
			t.Errorf("%s: id %d, %v", message, m.ID, err)
		}
	}
}

// Whatever a viewer sends is either refused with bad_message, or is a whole JSON
// object of a known type within its limits.
func FuzzMessage(f *testing.F) {
	for _, seed := range []string{
		`{"type":"hello","token":"rdo_a_b"}`, `{"type":"subscribe","id":1,"topics":["http_*"],"after":{"a":"1-0:2:k3v9"},"window":"5m","points":600,"rate":20}`,
		`{"type":"unsubscribe","id":1}`, `{"type":"ack","bytes":1}`, `{"type":"pause"}}`, `null`, `{"type":"subscribe","id":1,"topics":[""],"rate":1e-300}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decode(b)
		if err != nil {
			var refused *problem.Error
			if !errors.As(err, &refused) || refused.Code != "bad_message" {
				t.Fatalf("refused with %v", err)
			}
			if frame := hub.ErrorFrame(m.ID, "", err); !json.Valid(frame) {
				t.Fatalf("the error frame is not JSON: %s", frame)
			}
			return
		}
		if !json.Valid(b) || strings.TrimLeft(string(b), " \t\r\n")[0] != '{' {
			t.Fatalf("%q is no JSON object", b)
		}
		switch m.Type {
		case "hello":
			if m.Token == "" {
				t.Fatal("hello without a token")
			}
		case "unsubscribe":
			if m.ID == 0 {
				t.Fatal("unsubscribe without an id")
			}
		case "ack":
			if m.Bytes <= 0 {
				t.Fatal("ack of nothing")
			}
		case "pause", "resume":
		case "subscribe":
			s := m.subscription()
			if s.ID < 1 || len(s.Topics) == 0 && s.Dashboard == "" || s.Window < 0 || s.Points < 0 || s.Points > maxPoints || s.Rate < 0 || s.Rate > maxRate {
				t.Fatalf("subscribe out of its limits: %+v", s)
			}
			if s.Rate > 0 && time.Duration(float64(time.Second)/s.Rate) <= 0 {
				t.Fatalf("at a rate of %g the time between two messages overflows", s.Rate)
			}
		default:
			t.Fatalf("unknown type %q", m.Type)
		}
		// What was understood is understood again, and as the same.
		again, err := decode(encode(t, m))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(m) {
			t.Fatalf("%+v came back as %+v, %v", m, again, err)
		}
	})
}

func encode(t *testing.T, m message) []byte {
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
