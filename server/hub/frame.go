package hub

import (
	"strconv"
	"time"

	"readout/server/problem"
	"readout/server/reading"
)

// This file is the one table of what a subscriber is sent: one JSON object a
// frame, told apart by type, keys in this order (DESIGN 4). What stands here is
// a promise to every viewer; static/testdata/frames holds a golden file of each.

// Limits is what the welcome frame says a subscriber may do.
type Limits struct {
	Topics  int // topics at once, after selectors are expanded
	Points  int // readings in a snapshot
	Message int // bytes of one message to the server
}

// Welcome is the first frame of a socket.
func Welcome(replica string, now time.Time, l Limits) []byte {
	b := append([]byte(nil), `{"type":"welcome","replica":`...)
	b = reading.AppendJSONString(b, replica)
	b = appendInt(b, `,"now":`, now.UnixMilli())
	b = appendInt(b, `,"limits":{"topics":`, int64(l.Topics))
	b = appendInt(b, `,"points":`, int64(l.Points))
	b = appendInt(b, `,"message":`, int64(l.Message))
	return append(b, `}}`...)
}

// rows is what snapshot and readings frames have in common.
type rows struct {
	topic    reading.Topic
	columns  []string // sent when not nil
	units    []string // beside columns
	interval int64    // milliseconds, only in a snapshot; 0 for unknown
	readings []reading.Reading
	order    []string // the columns that the rows follow
	id       reading.Cursor
	prev     reading.Cursor
	of       int // how many readings the rows stand for
}

// snapshot opens a flow: what the topic was in the asked window.
func snapshot(r rows) []byte {
	b := make([]byte, 0, 256+24*len(r.readings)*(len(r.order)+1))
	b = append(b, `{"type":"snapshot","topic":`...)
	b = reading.AppendJSONString(b, string(r.topic))
	b = appendColumns(b, r.columns, r.units)
	b = appendInt(b, `,"interval":`, r.interval)
	b = appendRows(b, r.readings, r.order)
	b = append(b, `,"id":`...)
	b = reading.AppendJSONString(b, r.id.String())
	if r.of != len(r.readings) {
		b = appendInt(b, `,"of":`, int64(r.of))
	}
	return append(b, '}')
}

// readings continues a flow after prev.
func readings(r rows) []byte {
	b := make([]byte, 0, 192+24*len(r.readings)*(len(r.order)+1))
	b = append(b, `{"type":"readings","topic":`...)
	b = reading.AppendJSONString(b, string(r.topic))
	if r.columns != nil {
		b = appendColumns(b, r.columns, r.units)
	}
	b = appendRows(b, r.readings, r.order)
	b = append(b, `,"id":`...)
	b = reading.AppendJSONString(b, r.id.String())
	b = append(b, `,"prev":`...)
	b = reading.AppendJSONString(b, r.prev.String())
	b = appendInt(b, `,"of":`, int64(r.of))
	return append(b, '}')
}

// Why a gap frame says that readings are missing. The stream no longer holds
// them in any case.
const (
	trimmed = "trimmed" // it was trimmed before they were read
	slow    = "slow"    // the viewer was paused or did not keep up for so long
	outage  = "outage"  // the store could not be read for so long
)

// gap says what a subscriber does not get. lost counts entries; -1 is unknown.
func gap(topic reading.Topic, from, to reading.Cursor, lost int64, why string) []byte {
	b := append([]byte(nil), `{"type":"gap","topic":`...)
	b = reading.AppendJSONString(b, string(topic))
	b = append(b, `,"from":`...)
	b = reading.AppendJSONString(b, from.String())
	b = append(b, `,"to":`...)
	b = reading.AppendJSONString(b, to.String())
	if lost < 0 {
		b = append(b, `,"lost":null`...)
	} else {
		b = appendInt(b, `,"lost":`, lost)
	}
	b = append(b, `,"why":`...)
	b = reading.AppendJSONString(b, why)
	return append(b, '}')
}

// reset says that the history a subscriber knows is not the topic's any more. A snapshot follows.
func reset(topic reading.Topic) []byte {
	b := append([]byte(nil), `{"type":"reset","topic":`...)
	b = reading.AppendJSONString(b, string(topic))
	return append(b, `,"why":"history"}`...)
}

// ErrorFrame says why a request of a subscriber was refused. id is the request's,
// 0 for none; topic is empty when it is about no topic.
func ErrorFrame(id int64, topic string, err error) []byte {
	p, _ := problem.Of(err)
	b := append([]byte(nil), `{"type":"error"`...)
	if id != 0 {
		b = appendInt(b, `,"id":`, id)
	}
	if topic != "" {
		b = append(b, `,"topic":`...)
		b = reading.AppendJSONString(b, topic)
	}
	b = append(b, `,"code":`...)
	b = reading.AppendJSONString(b, p.Code)
	b = append(b, `,"message":`...)
	b = reading.AppendJSONString(b, p.Message)
	return append(b, '}')
}

// stale says that the store does not answer since a time in milliseconds.
func stale(topic reading.Topic, since time.Time) []byte {
	b := append([]byte(nil), `{"type":"stale","topic":`...)
	b = reading.AppendJSONString(b, string(topic))
	b = appendInt(b, `,"since":`, since.UnixMilli())
	return append(b, '}')
}

// storeIs says how the store is since a time in milliseconds.
func storeIs(state StoreState) []byte {
	code, message := state.Code, state.Message
	if code == "" {
		code, message = "ok", "the store is well again"
	}
	b := append([]byte(nil), `{"type":"store","state":`...)
	b = reading.AppendJSONString(b, code)
	b = appendInt(b, `,"since":`, state.Since.UnixMilli())
	b = append(b, `,"message":`...)
	return append(reading.AppendJSONString(b, message), '}')
}

// dashboard says which version of a dashboard is the newest. A page that shows
// another one loads itself anew.
func dashboard(slug, version string) []byte {
	b := append([]byte(nil), `{"type":"dashboard","slug":`...)
	b = reading.AppendJSONString(b, slug)
	b = append(b, `,"version":`...)
	return append(reading.AppendJSONString(b, version), '}')
}

// lag says that this subscriber does not keep up and gets conflated readings.
func lag(queued int) []byte {
	return append(appendInt(nil, `{"type":"lag","queued":`, int64(queued)), '}')
}

// drain asks a subscriber to come back after a while, to any replica.
func drain(retry time.Duration) []byte {
	return append(appendInt(nil, `{"type":"drain","retry_ms":`, retry.Milliseconds()), '}')
}

// grown names the topics that a selector now picks too.
func grown(id int64, topics []reading.Topic) []byte {
	return topicList(`{"type":"topics","id":`, id, topics)
}

// overLimit names the topics that a subscription leaves out, and says how many
// they are when it does not name all.
func overLimit(id int64, topics []reading.Topic, of int) []byte {
	b := topicList(`{"type":"limit","id":`, id, topics)
	if of == len(topics) {
		return b
	}
	return append(appendInt(b[:len(b)-1], `,"of":`, int64(of)), '}')
}

func topicList(head string, id int64, topics []reading.Topic) []byte {
	b := appendInt(nil, head, id)
	b = append(b, `,"topics":[`...)
	for i, t := range topics {
		if i > 0 {
			b = append(b, ',')
		}
		b = reading.AppendJSONString(b, string(t))
	}
	return append(b, `]}`...)
}

func appendInt(b []byte, key string, n int64) []byte {
	return strconv.AppendInt(append(b, key...), n, 10)
}

func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = reading.AppendJSONString(b, s)
	}
	return append(b, ']')
}

// appendColumns writes the columns with the reading's own time before them.
func appendColumns(b []byte, columns, units []string) []byte {
	b = append(b, `,"columns":`...)
	b = appendStrings(b, append([]string{"t"}, columns...))
	b = append(b, `,"units":`...)
	return appendStrings(b, append([]string{"ms"}, units...))
}

func appendRows(b []byte, list []reading.Reading, order []string) []byte {
	b = append(b, `,"rows":[`...)
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '[')
		b = strconv.AppendInt(b, list[i].Time, 10)
		for at, name := range order {
			b = append(b, ',')
			b = valueOf(&list[i], at, name).AppendJSON(b)
		}
		b = append(b, ']')
	}
	return append(b, ']')
}

// valueOf finds a column in a reading. Senders nearly always keep their order,
// so the place in the row is tried first.
func valueOf(r *reading.Reading, at int, name string) reading.Value {
	if at < len(r.Values) && r.Values[at].Name == name {
		return r.Values[at].Value
	}
	for i := range r.Values {
		if r.Values[i].Name == name {
			return r.Values[i].Value
		}
	}
	return reading.Value{}
}
