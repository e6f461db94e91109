package live

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"

	"readout/server/hub"
	"readout/server/problem"
	"readout/server/reading"
)

// SSE serves one topic as Server-Sent Events: each event is one frame, its id
// the cursor to come back with (Last-Event-ID, or ?after= where no header can be set).
func (l *Live) SSE(w http.ResponseWriter, r *http.Request, topic reading.Topic) error {
	viewer, err := l.o.Viewer(r)
	if err != nil {
		return err
	}
	if viewer.Can == nil {
		return problem.New("unauthorized", "send Authorization: Bearer with a token that may view")
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
	ctx := r.Context()
	if !viewer.Expires.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, viewer.Expires)
		defer cancel()
	}

	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	l.open.Add(1)
	defer l.open.Add(-1)
	subscriber := l.o.Hub.Join(viewer.Can)
	defer subscriber.Leave()
	subscriber.Subscribe(want)

	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Time{}) // the request is read; what bounds bodies must not end the stream
	var b []byte
	for {
		wait, cancel := context.WithTimeout(ctx, pingEvery)
		frames, err := subscriber.Next(wait)
		cancel()
		b = b[:0]
		var closed *hub.Closed
		switch {
		case errors.As(err, &closed) || ctx.Err() != nil:
			return nil
		case err != nil: // nothing for a while: a comment keeps proxies from cutting
			b = append(b, ": still here\n\n"...)
		}
		for _, frame := range frames {
			b = appendEvent(b, frame)
		}
		_ = rc.SetWriteDeadline(time.Now().Add(writeWait))
		if _, err := w.Write(b); err != nil {
			return nil // the viewer is gone
		}
		if err := rc.Flush(); err != nil {
			return nil
		}
	}
}

// appendEvent writes one event. A frame is one line of JSON.
func appendEvent(b, frame []byte) []byte {
	if id := cursorOf(frame); id != nil {
		b = append(append(append(b, "id: "...), id...), '\n')
	}
	return append(append(append(b, "data: "...), frame...), "\n\n"...)
}

// cursorOf finds the cursor that a frame ends at. The keys cannot be mistaken:
// inside a JSON string their quotes would be escaped.
func cursorOf(frame []byte) []byte {
	for _, key := range []string{`"id":"`, `,"to":"`} {
		if at := bytes.LastIndex(frame, []byte(key)); at >= 0 {
			rest := frame[at+len(key):]
			return rest[:bytes.IndexByte(rest, '"')]
		}
	}
	return nil
}
