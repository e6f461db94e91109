package server

import (
	"net/http"
	"time"

	"readout/server/access"
	"readout/server/live"
	"readout/server/problem"
	"readout/server/reading"
)

// principal returns who asks. On a server with tokens a request without
// credentials is nobody: the zero Principal, who may do nothing.
func (s *Server) principal(r *http.Request) (access.Principal, error) {
	if s.o.Tokens == nil {
		return access.Anonymous(), nil
	}
	text, found, err := access.Credentials(r)
	if err != nil || !found {
		return access.Principal{}, err
	}
	return s.o.Tokens.Authenticate(text, time.Now())
}

// can says whether a request may do something with a topic. The answer does not
// depend on whether the topic exists.
func (s *Server) can(action access.Action) func(*http.Request, reading.Topic) error {
	return func(r *http.Request, topic reading.Topic) error {
		p, err := s.principal(r)
		if err != nil {
			return err
		}
		return allow(p, action, topic)
	}
}

func allow(p access.Principal, action access.Action, topic reading.Topic) error {
	if access.Can(p, action, topic) {
		return nil
	}
	return problem.New("forbidden", "this token may not %s %s", action, reading.Quote(string(topic)))
}

// require lets only those in who may do the action with some topic.
func (s *Server) require(action access.Action, h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		p, err := s.principal(r)
		switch {
		case err != nil:
			return err
		case s.o.Tokens != nil && p.ID == "":
			return problem.New("unauthorized", "this needs a token that may %s: send Authorization: Bearer rdo_...", action)
		case !p.May(action):
			return problem.New("forbidden", "this token may not %s", action)
		}
		return h(w, r)
	}
}

// viewer is what a handshake or an event stream shows of its viewer.
func (s *Server) viewer(r *http.Request) (live.Viewer, error) {
	p, err := s.principal(r)
	if err != nil {
		return live.Viewer{}, err
	}
	if s.o.Tokens != nil && p.ID == "" {
		return live.Viewer{}, nil
	}
	return viewerOf(p)
}

// hello is what a first message shows.
func (s *Server) hello(token string) (live.Viewer, error) {
	if s.o.Tokens == nil {
		return viewerOf(access.Anonymous())
	}
	p, err := s.o.Tokens.Authenticate(token, time.Now())
	if err != nil {
		return live.Viewer{}, err
	}
	return viewerOf(p)
}

func viewerOf(p access.Principal) (live.Viewer, error) {
	if !p.May(access.View) {
		return live.Viewer{}, problem.New("forbidden", "this token may not view")
	}
	return live.Viewer{
		Can:     func(topic reading.Topic) error { return allow(p, access.View, topic) },
		Expires: p.Expires,
	}, nil
}
