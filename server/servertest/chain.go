package servertest

import (
	"encoding/json"
	"fmt"
	"maps"
)

// Frame is any frame that a server sends (DESIGN 4).
type Frame struct {
	Type     string   `json:"type"`
	ID       any      `json:"id"` // a cursor in snapshot and readings, a number elsewhere
	Topic    string   `json:"topic"`
	Columns  []string `json:"columns"`
	Units    []string `json:"units"`
	Interval int64    `json:"interval"`
	Rows     [][]any  `json:"rows"`
	Prev     string   `json:"prev"`
	Of       int      `json:"of"`
	From     string   `json:"from"`
	To       string   `json:"to"`
	Lost     *int64   `json:"lost"`
	Why      string   `json:"why"`
	Code     string   `json:"code"`
	Message  string   `json:"message"`
	Topics   []string `json:"topics"`
	RetryMs  int64    `json:"retry_ms"`
	Replica  string   `json:"replica"`
	Now      int64    `json:"now"`
	Slug     string   `json:"slug"`
	Version  string   `json:"version"`
	State    string   `json:"state"`
	Since    int64    `json:"since"`

	Raw string `json:"-"`
}

// Cursor is where a snapshot or readings frame ends.
func (f Frame) Cursor() string { s, _ := f.ID.(string); return s }

func decodeFrame(b []byte) (Frame, error) {
	f := Frame{Raw: string(b)}
	if err := json.Unmarshal(b, &f); err != nil {
		return f, fmt.Errorf("frame %s: %w", b, err)
	}
	return f, nil
}

// Subscription is what a viewer asks for, by any transport.
type Subscription struct {
	ID        int64             `json:"id"` // 0 is sent as 1
	Topics    []string          `json:"topics,omitempty"`
	After     map[string]string `json:"after,omitempty"`
	Window    string            `json:"window,omitempty"`
	Points    int               `json:"points,omitempty"`
	Rate      float64           `json:"rate,omitempty"`
	Rates     bool              `json:"rates,omitempty"`
	Dashboard string            `json:"dashboard,omitempty"`
}

func (want Subscription) message(kind string) string {
	want.ID = max(want.ID, 1)
	b, _ := json.Marshal(struct {
		Type string `json:"type,omitempty"`
		Subscription
	}{kind, want})
	return string(b)
}

// Chain proves that a viewer gets each reading once and in order, or is told
// otherwise: every frame of a topic must go on where the one before it ended.
// It is the same chain whatever transports the viewer takes one after the other.
type Chain struct {
	last map[string]string // cursor by topic
}

// NewChain goes on after the cursors of an earlier one, if there are any.
func NewChain(after map[string]string) *Chain {
	c := &Chain{last: map[string]string{}}
	maps.Copy(c.last, after)
	return c
}

// Follow takes the next frame, and returns an error if it does not go on.
func (c *Chain) Follow(f Frame) error {
	switch f.Type {
	case "snapshot":
		c.last[f.Topic] = f.Cursor()
	case "readings":
		if f.Prev != c.last[f.Topic] {
			return fmt.Errorf("chain of %s broken: prev %s after %s", f.Topic, f.Prev, c.last[f.Topic])
		}
		c.last[f.Topic] = f.Cursor()
	case "gap":
		if f.From != c.last[f.Topic] {
			return fmt.Errorf("chain of %s broken: gap from %s after %s", f.Topic, f.From, c.last[f.Topic])
		}
		c.last[f.Topic] = f.To
	case "reset": // a snapshot follows, here or when the viewer comes back
		delete(c.last, f.Topic)
	}
	return nil
}

// Cursors are where the viewer is, to go on from.
func (c *Chain) Cursors() map[string]string { return maps.Clone(c.last) }

// Closed is what a server says when it ends a stream or a poll.
type Closed struct {
	Code    int    `json:"code"`
	Reason  string `json:"reason"`
	RetryMs int64  `json:"retry_ms"`
}

func (c *Closed) Error() string { return fmt.Sprintf("closed with %d: %s", c.Code, c.Reason) }

// Refused is a plain HTTP answer where a stream or frames were asked for.
type Refused struct{ Answer }

func (r *Refused) Error() string { return fmt.Sprintf("refused with %d: %s", r.Status, r.Body) }
