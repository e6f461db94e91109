package server

import (
	"cmp"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"readout/server/problem"
	"readout/server/reading"
)

// handler is how every handler of this service is written: it answers, or
// returns why it cannot, before it has written anything.
type handler func(w http.ResponseWriter, r *http.Request) error

// handle is the one place that turns an error into an answer.
func (s *Server) handle(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				s.metrics.panics.Inc()
				s.log.Error("panic in a handler", "path", r.URL.Path, "request", requestID(r), "panic", p, "stack", string(debug.Stack()))
				s.refuse(w, r, problem.New("internal", "something went wrong here"))
			}
		}()
		if err := h(w, r); err != nil {
			s.refuse(w, r, err)
		}
	}
}

// longWait is what nobody is asked to wait longer than is needed: after so long
// senders have spread by themselves.
const longWait = 5 * time.Second

// refuse answers an error: a page for browsers, JSON for everyone else.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p, row := problem.Of(err)
	s.metrics.refused.WithLabelValues(p.Code).Inc()
	level := slog.LevelDebug
	if row.Status >= http.StatusInternalServerError {
		level = slog.LevelWarn
	}
	s.log.Log(r.Context(), level, "refused", "code", p.Code, "message", p.Message, "path", r.URL.Path, "request", requestID(r), "err", p.Cause)

	h := w.Header()
	if p.Allow != "" {
		h.Set("Allow", p.Allow)
	}
	if wait := cmp.Or(p.Retry, row.RetryAfter); wait > 0 {
		if wait < longWait {
			// Up to twice as long, so that those who were refused together do not come back together.
			wait += rand.N(wait)
		}
		h.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	}
	switch p.Code {
	case "unauthorized":
		h.Set("WWW-Authenticate", `Basic realm="Readout: a token as the password", charset="UTF-8"`)
	case "draining":
		h.Set("Connection", "close")
	}
	h.Set("Cache-Control", "no-store")
	unsniffed(h)
	h.Set(requestHeader, requestID(r))
	if wantsPage(r) {
		s.pages.Error(w, r, row.Status, row.Means, p.Message, row.Do, requestID(r))
		return
	}
	h.Set("Content-Type", "application/json")
	if isInflux(r.URL.Path) {
		h.Set("X-Influxdb-Error", p.Message)
	}
	w.WriteHeader(row.Status)
	_, _ = w.Write(errorBody(r.URL.Path, p))
}

func isInflux(path string) bool {
	return path == "/write" || path == "/api/v2/write" || path == "/query"
}

// errorBody prints {"error":{"code","message"}} and the outcome where there is one. To
// clients of InfluxDB 1 an error is the message, and those of 2 look for both outside of it.
func errorBody(path string, p *problem.Error) []byte {
	code := reading.AppendJSONString([]byte(`"code":`), p.Code)
	message := reading.AppendJSONString(nil, p.Message)
	var outcome []byte
	if p.Outcome != "" {
		outcome = reading.AppendJSONString([]byte(`,"outcome":`), p.Outcome)
	}
	members := fmt.Appendf(nil, `%s,"message":%s%s`, code, message, outcome)
	switch path {
	case "/write", "/query":
		return fmt.Appendf(nil, "{\"error\":%s,%s%s}\n", message, code, outcome)
	case "/api/v2/write":
		return fmt.Appendf(nil, "{%s,\"error\":{%s}}\n", members, members)
	default:
		return fmt.Appendf(nil, "{\"error\":{%s}}\n", members)
	}
}

func wantsPage(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && strings.Contains(r.Header.Get("Accept"), "text/html")
}

func (s *Server) notFound(_ http.ResponseWriter, r *http.Request) error {
	return problem.New("not_found", "there is no page at %s", reading.Quote(r.URL.Path))
}

// methodNotAllowed names the methods that the address takes.
func (s *Server) methodNotAllowed(w http.ResponseWriter, r *http.Request) error {
	var allow []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		look := method
		if method == http.MethodHead {
			look = http.MethodGet
		}
		if s.router.Match(chi.NewRouteContext(), look, r.URL.Path) {
			allow = append(allow, method)
		}
	}
	if len(allow) == 0 { // the router says so of every address when it does not know the method
		return s.notFound(w, r)
	}
	p := problem.New("method_not_allowed", "this address does not take %s", reading.Quote(r.Method))
	p.Allow = strings.Join(allow, ", ")
	return p
}
