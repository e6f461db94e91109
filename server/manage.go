package server

import (
	"context"
	"net/http"

	"readout/server/access"
	"readout/server/pages"
	"readout/server/push"
	"readout/server/reading"
	"readout/server/store"
)

// api gives pages what the addresses below /api/v1 and the changes of topics need.
func (s *Server) api() pages.API {
	return pages.API{
		Range: func(ctx context.Context, topic reading.Topic, from, to int64, limit int) (reading.History, error) {
			return s.store.Range(ctx, topic, store.RangeQuery{From: from, To: to, Limit: limit})
		},
		Hidden: func(topic reading.Topic) bool {
			info, _ := s.store.Info(topic)
			return info.Hidden
		},
		Manage: s.can(access.Manage),
		Delete: func(r *http.Request, topic reading.Topic) error {
			err := s.store.Delete(r.Context(), topic)
			s.audit(r, "topic deleted", topic, err)
			return err
		},
		Hide: func(r *http.Request, topic reading.Topic, hidden bool) error {
			err := s.store.Hide(r.Context(), topic, hidden)
			event := "topic shown"
			if hidden {
				event = "topic hidden"
			}
			s.audit(r, event, topic, err)
			return err
		},
	}
}

// audit logs who changed something for everyone.
func (s *Server) audit(r *http.Request, event string, topic reading.Topic, err error) {
	if err != nil {
		return // the refusal is logged, and nothing has changed
	}
	p, _ := s.principal(r) // the route's policy has refused those without
	s.log.Info(event, "topic", topic, "token", p.ID, "name", p.Name, "request", requestID(r))
}

// deleteTopic serves DELETE /t/{topic}.
func (s *Server) deleteTopic(w http.ResponseWriter, r *http.Request) error {
	topic, err := push.PathTopic(r.URL)
	if err != nil {
		return err
	}
	return s.pages.DeleteTopic(w, r, topic)
}

// changeTopic serves PATCH /t/{topic}.
func (s *Server) changeTopic(w http.ResponseWriter, r *http.Request) error {
	topic, err := push.PathTopic(r.URL)
	if err != nil {
		return err
	}
	return s.pages.ChangeTopic(w, r, topic)
}
