package live

import (
	"bytes"
	"hash/fnv"
	"strconv"
	"strings"
	"time"
)

// What the transports read out of frames. hub/frame.go writes them with their
// keys in one order, and inside a JSON string a quote is escaped, so that no key
// can be mistaken.

// cursorOf finds the cursor that a frame ends at.
func cursorOf(frame []byte) []byte {
	for _, key := range []string{`"id":"`, `,"to":"`} {
		if at := bytes.LastIndex(frame, []byte(key)); at >= 0 {
			rest := frame[at+len(key):]
			return rest[:bytes.IndexByte(rest, '"')]
		}
	}
	return nil
}

// kindOf is a frame's type, and what follows it.
func kindOf(frame []byte) (kind string, rest []byte) {
	rest, _ = bytes.CutPrefix(frame, []byte(`{"type":"`))
	of, rest, _ := bytes.Cut(rest, []byte(`"`))
	return string(of), rest
}

// confirms says of a readings frame that it holds none: it only says where its viewer is.
func confirms(frame []byte) bool { return bytes.HasSuffix(frame, []byte(`,"of":0}`)) }

// textOf is the text, as JSON writes it, of a key that comes next; empty when another does.
func textOf(rest []byte, key string) string {
	text, found := bytes.CutPrefix(rest, []byte(`,"`+key+`":"`))
	if !found {
		return ""
	}
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return string(text[:i])
		}
	}
	return ""
}

// standing is what a subscriber was told that is so, and not new: the store is
// away, a topic is refused, this is the version of the dashboard. Each poll of a
// viewer is told it again, so only a difference from what the viewer knows is
// worth an answer.
type standing struct {
	set     map[string]struct{}
	changed time.Time
}

// tell notes a frame that stands.
func (s *standing) tell(frame []byte) {
	kind, rest := kindOf(frame)
	switch kind {
	case "stale": // its since is another one on each replica
		s.add("stale " + textOf(rest, "topic"))
	case "error":
		if topic := textOf(rest, "topic"); topic != "" { // without an id before it: it befell the topic by itself
			s.add("error " + topic)
			return
		}
		s.add(string(frame))
	case "limit", "dashboard":
		s.add(string(frame))
	case "store":
		s.store(textOf(rest, "state"))
	}
}

func (s *standing) add(what string) {
	if s.set == nil {
		s.set = map[string]struct{}{}
	}
	if _, known := s.set[what]; !known {
		s.set[what] = struct{}{}
		s.changed = time.Now()
	}
}

func (s *standing) drop(what string) {
	if _, known := s.set[what]; known {
		delete(s.set, what)
		s.changed = time.Now()
	}
}

// mend notes that a topic's readings come again.
func (s *standing) mend(topic string) {
	s.drop("stale " + topic)
	s.drop("error " + topic)
}

func (s *standing) store(state string) {
	for what := range s.set {
		if other, is := strings.CutPrefix(what, "store "); is && other != state {
			s.drop(what)
		}
	}
	if state != "ok" {
		s.add("store " + state)
	}
}

// state is the same for the same set, in whatever order and on whichever replica it was told.
func (s *standing) state() string {
	sum := uint64(0)
	for what := range s.set {
		hash := fnv.New64a()
		_, _ = hash.Write([]byte(what))
		sum += hash.Sum64()
	}
	return strconv.FormatUint(sum, 36)
}
