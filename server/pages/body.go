package pages

import (
	"net/http"

	"readout/server/body"
	"readout/server/problem"
)

// readBody reads a body of at most so many bytes, and not an empty one.
func readBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	b, err := body.Read(w, r, most)
	if err == nil && len(b) == 0 {
		return nil, problem.New("empty_body", "the body is empty")
	}
	return b, err
}
