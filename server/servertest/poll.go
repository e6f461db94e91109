package servertest

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
)

// Poller is a viewer that asks POST /live/poll again and again, each time after
// the cursors it has. It proves the chain of every topic.
type Poller struct {
	*Chain
	s       *Server
	want    Subscription
	headers []string
	state   string // of the last answer
}

// Poller returns a viewer that has not asked yet. Headers are name, value, name, value.
func (s *Server) Poller(want Subscription, headers ...string) *Poller {
	return &Poller{Chain: NewChain(want.After), s: s, want: want, headers: headers}
}

// Poll asks once and returns what is answered.
func (p *Poller) Poll() []Frame {
	p.s.tb.Helper()
	frames, err := p.TryPoll(p.s.tb.Context())
	if err != nil {
		p.s.tb.Fatalf("poll: %v", err)
	}
	return frames
}

// PollFor polls until a frame of the type comes, and returns it.
func (p *Poller) PollFor(kind string) Frame {
	p.s.tb.Helper()
	for {
		for _, f := range p.Poll() {
			if f.Type == kind {
				return f
			}
		}
	}
}

// TryPoll asks once. The error is *Closed when the server has ended the viewer,
// beside the frames that still came; *Refused for an answer without frames; or
// a broken chain.
func (p *Poller) TryPoll(ctx context.Context) ([]Frame, error) {
	want := p.want
	want.After = p.Cursors()
	answer, err := p.s.post(ctx, "/live/poll?state="+url.QueryEscape(p.state), want.message(""), p.headers)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var told struct {
		Frames []json.RawMessage `json:"frames"`
		State  string            `json:"state"`
		Close  *Closed           `json:"close"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&told); err != nil {
		return nil, err
	}
	p.state = told.State
	var frames []Frame
	for _, b := range told.Frames {
		f, err := decodeFrame(b)
		if err == nil {
			err = p.Follow(f)
		}
		if frames = append(frames, f); err != nil {
			return frames, err
		}
	}
	switch {
	case len(frames) == 0 || frames[0].Type != "welcome":
		return frames, errors.New("the answer does not begin with welcome")
	case told.Close != nil:
		return frames, told.Close
	}
	return frames, nil
}
