package live

import (
	"encoding/json"
	"time"

	"readout/server/hub"
	"readout/server/problem"
)

// message is one JSON object from a viewer, told apart by type (DESIGN 4).
// Fields that a later version adds are ignored.
type message struct {
	Type   string            `json:"type"`
	ID     int64             `json:"id"`
	Token  string            `json:"token"`
	Topics []string          `json:"topics"`
	After  map[string]string `json:"after"`
	Window string            `json:"window"`
	Points int               `json:"points"`
	Rate   float64           `json:"rate"`
	Rates  bool              `json:"rates"`
	Bytes  int64             `json:"bytes"`

	Dashboard string `json:"dashboard"`
}

const (
	maxPoints = 1_000_000 // asked for; welcome says how many are sent
	maxRate   = 1000      // messages a second for each topic
	minRate   = 0.001     // below it the time between two messages is no time.Duration any more
)

// decode reads a message and checks what its type needs.
func decode(b []byte) (message, error) {
	var m message
	if err := json.Unmarshal(b, &m); err != nil {
		return m, problem.New("bad_message", "the message is not one JSON object of the protocol")
	}
	switch m.Type {
	case "subscribe":
		return m, m.checkSubscribe()
	case "unsubscribe":
		if m.ID == 0 {
			return m, problem.New("bad_message", "unsubscribe needs the id of the subscription")
		}
	case "hello":
		if m.Token == "" {
			return m, problem.New("bad_message", "hello needs a token")
		}
	case "ack":
		if m.Bytes <= 0 {
			return m, problem.New("bad_message", "ack needs the bytes received so far")
		}
	case "pause", "resume":
	case "":
		return m, problem.New("bad_message", "the message has no type")
	default:
		return m, problem.New("bad_message", "this server knows no such type; see docs/live.md")
	}
	return m, nil
}

func (m *message) checkSubscribe() error {
	switch {
	case m.ID <= 0:
		return problem.New("bad_message", "subscribe needs an id of its own, 1 or more")
	case len(m.Topics) == 0 && m.Dashboard == "":
		return problem.New("bad_message", "subscribe needs topics or a dashboard")
	case m.Dashboard != "" && !isSlug(m.Dashboard):
		return problem.New("bad_message", "a dashboard is named by 1 to 63 of a-z 0-9 and -")
	case m.Points < 0 || m.Points > maxPoints:
		return problem.New("bad_message", "points must lie between 1 and %d", maxPoints)
	case m.Rate != 0 && (m.Rate < minRate || m.Rate > maxRate):
		return problem.New("bad_message", "rate must lie between %g and %d messages a second", minRate, maxRate)
	}
	_, err := m.window()
	return err
}

// isSlug holds what a viewer names to what a dashboard's file may be called.
func isSlug(s string) bool {
	if len(s) > 63 || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

func (m *message) window() (time.Duration, error) {
	if m.Window == "" {
		return 0, nil
	}
	window, err := time.ParseDuration(m.Window)
	if err != nil || window <= 0 {
		return 0, problem.New("bad_message", "window must be a time like 30s, 5m or 1h")
	}
	return window, nil
}

func (m *message) subscription() hub.Subscription {
	window, _ := m.window() // decode has checked it
	return hub.Subscription{
		ID: m.ID, Topics: m.Topics, After: m.After, Window: window, Points: m.Points, Rate: m.Rate, Rates: m.Rates, Dashboard: m.Dashboard,
	}
}
