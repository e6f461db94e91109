// Null is the null handler of TARGETS.md 7: it reads bodies of line protocol, parses
// them, answers 204 and stores nothing. Beside it pushes are measured. Its argument is
// where to listen.
package main

import (
	"bytes"
	"log"
	"net/http"
	"os"
	"strconv"
	"sync"
)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func main() {
	log.Fatal(http.ListenAndServe(os.Args[1], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := buffers.Get().(*bytes.Buffer)
		defer buffers.Put(body)
		body.Reset()
		if _, err := body.ReadFrom(r.Body); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for line := range bytes.Lines(body.Bytes()) {
			_, value, _ := bytes.Cut(line, []byte("value="))
			if _, err := strconv.ParseFloat(string(bytes.TrimSpace(value)), 64); err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
		}
		w.WriteHeader(http.StatusNoContent)
	})))
}
