package live

import (
	"net/http"
	"strconv"

	"readout/server/reading"
)

// Session serves GET /api/v1/session: what a handshake would be answered, for
// browsers, which keep that from their pages.
func (l *Live) Session(w http.ResponseWriter, r *http.Request) error {
	viewer, err := l.admit(r)
	if err != nil {
		return err
	}
	b := []byte(`{"view":true,"expires":`)
	if viewer.Expires.IsZero() {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, viewer.Expires.UnixMilli(), 10)
	}
	b = append(b, `,"transports":[`...)
	for i, name := range transportNames {
		if i > 0 {
			b = append(b, ',')
		}
		b = reading.AppendJSONString(b, name)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(b, "]}\n"...))
	return nil
}
