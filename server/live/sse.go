package live

import (
	"net/http"

	"readout/server/hub"
	"readout/server/reading"
)

// SSE serves one topic as Server-Sent Events: each event is one frame, its id
// the cursor to come back with (Last-Event-ID, or ?after= where no header can be set).
func (l *Live) SSE(w http.ResponseWriter, r *http.Request, topic reading.Topic) error {
	viewer, err := l.admit(r)
	if err != nil {
		return err
	}
	if err := viewer.Can(topic); err != nil {
		return err
	}
	want := hub.Subscription{ID: 1, Topics: []string{string(topic)}}
	after := r.Header.Get("Last-Event-ID")
	if after == "" {
		after = r.URL.Query().Get("after")
	}
	if after != "" {
		if _, err := reading.ParseCursor(after); err != nil {
			return err
		}
		want.After = map[string]string{string(topic): after}
	}
	out := newEvents(w, r)
	out.ids = true
	if r.Method == http.MethodHead {
		out.begin()
		return nil
	}
	subscriber, leave := l.join(viewer, eventStream)
	defer leave()
	subscriber.Subscribe(want)
	l.stream(r.Context(), out, subscriber)
	return nil
}
