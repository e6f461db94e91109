package live

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"readout/server/hub"
	"readout/server/reading"
)

// The time that a look through the catalog takes is not taken from the answer.
func TestAPollAfterALongLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(hub.Options{
			Tail: func(ctx context.Context, _ reading.Topic, _ reading.Cursor) iter.Seq2[[]reading.Entry, error] {
				return func(func([]reading.Entry, error) bool) { <-ctx.Done() }
			},
			Recent: func(context.Context, reading.Topic, int64, int) (reading.History, error) {
				return reading.History{}, nil
			},
			Resume: func(context.Context, reading.Topic, reading.Cursor, int) (reading.Resumed, error) {
				return reading.Resumed{}, nil
			},
			Topics: func(func(reading.Topic) bool) []reading.Topic {
				time.Sleep(time.Second)
				return []reading.Topic{"orders"}
			},
			Columns: func(reading.Topic) []reading.Column { return nil },
		})
		defer h.Close()
		l := New(Options{
			Hub:    h,
			Viewer: func(*http.Request) (Viewer, error) { return Viewer{Can: func(reading.Topic) error { return nil }}, nil },
			Origin: func(*http.Request) error { return nil },
		})
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/live/poll", strings.NewReader(`{"id":1,"topics":["o*"]}`))
		r.Header.Set("Content-Type", "application/json")
		if err := l.Poll(w, r); err != nil || !strings.Contains(w.Body.String(), `{"type":"snapshot","topic":"orders"`) {
			t.Errorf("%v, %s", err, w.Body)
		}
	})
}
