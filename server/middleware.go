package server

import (
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"readout/server/problem"
)

const requestHeader = "X-Request-Id"

// requestID returns the name of a request in the log and on error pages. A name from
// outside is kept if it can do no harm in a log.
func requestID(r *http.Request) string {
	id := r.Header.Get(requestHeader)
	if !isRequestID(id) {
		id = rand.Text()[:16]
		r.Header.Set(requestHeader, id)
	}
	return id
}

func isRequestID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, c := range id {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// recordRequests logs each request without its query, where secrets may stand. A
// socket or an event stream is logged when it ends.
func (s *Server) recordRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.log.Enabled(r.Context(), slog.LevelDebug) {
			next.ServeHTTP(w, r)
			return
		}
		began, id := time.Now(), requestID(r)
		next.ServeHTTP(w, r)
		s.log.Debug("request", "method", r.Method, "path", r.URL.Path, "request", id, "ms", time.Since(began).Milliseconds())
	})
}

// secure sets the headers that protect documents, and names the request. Pages that
// may be framed loosen frame-ancestors. Answers to POST are data, mostly to senders
// that push thousands of times a second: see unsniffed.
func secure(next http.Handler) http.Handler {
	documents := contentPolicy("'none'")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			h := w.Header()
			unsniffed(h)
			h.Set("Content-Security-Policy", documents)
			h.Set("Referrer-Policy", "no-referrer")
			h.Set("Cross-Origin-Opener-Policy", "same-origin")
			h.Set(requestHeader, requestID(r))
		}
		next.ServeHTTP(w, r)
	})
}

// unsniffed says that no browser may take an answer for anything but its Content-Type.
// An answer without a body has none: a push that gets one touches no header at all.
func unsniffed(h http.Header) { h.Set("X-Content-Type-Options", "nosniff") }

// data serves a POST that is no push.
func data(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		unsniffed(w.Header())
		return next(w, r)
	}
}

func contentPolicy(ancestors string) string {
	return "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
		"object-src 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'; frame-ancestors " + ancestors
}

// frameable lets the configured sites, and this one, show a page in a frame.
func (s *Server) frameable(w http.ResponseWriter) {
	w.Header().Set("Content-Security-Policy", contentPolicy(strings.Join(append([]string{"'self'"}, s.o.EmbedOrigins...), " ")))
}

// checkHost refuses names that an open server does not serve: a page that makes
// its own name point here (DNS rebinding) would otherwise read everything.
func (s *Server) checkHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.o.Tokens == nil && !s.o.InsecureOpen && !s.serves(r.Host) {
			s.refuse(w, r, problem.New("wrong_host", "this server is not asked by the name %q; use localhost, or start it with --public-url", truncate(r.Host)))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func truncate(s string) string { return s[:min(len(s), 100)] }

func (s *Server) serves(hostport string) bool {
	host := hostname(hostport)
	return host == "localhost" || host == "127.0.0.1" || host == "::1" || s.publicHost != "" && host == hostname(s.publicHost)
}

func hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return strings.ToLower(host)
	}
	return strings.ToLower(strings.Trim(hostport, "[]"))
}

// checkOrigin refuses handshakes by pages of other sites. Programs send no
// Origin; they may pass, since only a browser sends credentials unasked.
func (s *Server) checkOrigin(r *http.Request) error {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return nil
	}
	if len(origins) == 1 {
		u, err := url.Parse(origins[0])
		own := strings.EqualFold(origins[0], s.base(r))
		if !strings.EqualFold(r.Host, s.publicHost) {
			// Asked by another name than the public one, the page is of that name too.
			// By the public name only its own scheme will do: behind a proxy that
			// ends TLS, a page that came over plain http would look like ours.
			own = own || strings.EqualFold(origins[0], s.requestBase(r))
		}
		if err == nil && u.Host != "" && own {
			return nil
		}
	}
	return problem.New("bad_origin", "the page at %q may not open a socket here", truncate(origins[0]))
}

// base is scheme and host by which browsers reach this server.
func (s *Server) base(r *http.Request) string {
	if s.o.PublicURL != "" {
		return strings.TrimSuffix(s.o.PublicURL, "/")
	}
	return s.requestBase(r)
}

func (s *Server) requestBase(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// refuseCrossSite keeps pages of other sites from pushing with what a browser
// sends by itself. Programs are not concerned.
func (s *Server) refuseCrossSite(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	if s.o.PublicURL != "" {
		_ = protection.AddTrustedOrigin(strings.TrimSuffix(s.o.PublicURL, "/")) // Validate has checked its form
	}
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, problem.New("bad_origin", "a page of another site may not send this"))
	}))
	return protection.Handler(next)
}

// refuseWhileDraining sends new work to other replicas.
func (s *Server) refuseWhileDraining(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() && !isOperation(r.URL.Path) {
			s.refuse(w, r, problem.New("draining", "this replica is stopping"))
			return
		}
		next.ServeHTTP(w, r)
	})
}
