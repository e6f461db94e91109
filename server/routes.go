package server

import (
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"readout/server/access"
	"readout/server/pages"
	"readout/server/push"
	"readout/static"
)

// policy says who may use a route. Every route declares one; a test fails on a
// route that does not.
type policy string

const (
	public  policy = "public"  // everyone: holds no readings
	viewers policy = "viewers" // tokens that may view; what they see is decided for each topic
	pushers policy = "pushers" // tokens that may push
	sockets policy = "sockets" // as viewers, decided in the handshake or by hello

	managers policy = "managers" // tokens that may delete and hide topics
)

type route struct {
	method, pattern string
	policy          policy
	handler         handler
}

// routes is every URL of the service.
func (s *Server) routes() []route {
	return []route{
		{http.MethodGet, "/", viewers, s.pages.Home},
		{http.MethodGet, "/topics", viewers, s.pages.Topics},
		{http.MethodGet, "/d", viewers, s.pages.Match},
		{http.MethodGet, "/d/{slug}", viewers, s.pages.Dashboard},
		{http.MethodGet, "/design", viewers, s.pages.Design},
		{http.MethodGet, "/t/*", viewers, s.topic},
		{http.MethodPost, "/t/*", pushers, s.push.Topic},
		{http.MethodPatch, "/t/*", managers, s.changeTopic},
		{http.MethodDelete, "/t/*", managers, s.deleteTopic},
		{http.MethodPost, "/api/v1/readings", pushers, s.push.Readings},
		{http.MethodGet, "/api/v1/readings", viewers, s.pages.Readings},
		{http.MethodGet, "/api/v1/topics", viewers, s.pages.TopicsAPI},
		{http.MethodGet, "/api/v1/search", viewers, s.pages.Search},
		{http.MethodGet, "/api/v1/dashboards", viewers, s.pages.DashboardsAPI},
		{http.MethodGet, "/api/v1/dashboards/{slug}", viewers, s.pages.DashboardAPI},
		{http.MethodPost, "/api/v1/dashboards/check", viewers, s.pages.CheckDashboard},
		{http.MethodPost, "/write", pushers, s.push.Write},
		{http.MethodPost, "/api/v2/write", pushers, s.push.Write},
		{http.MethodGet, "/query", pushers, s.push.Query},
		{http.MethodPost, "/query", pushers, s.push.Query},
		{http.MethodGet, "/ping", public, s.push.Ping},
		{http.MethodGet, "/docs", public, s.pages.Docs},
		{http.MethodGet, "/docs/{page}", public, s.pages.Doc},
		{http.MethodGet, "/live", sockets, s.live.Socket},
		{http.MethodPost, "/live/sse", viewers, s.live.Stream},
		{http.MethodPost, "/live/poll", viewers, s.live.Poll},
		{http.MethodPost, "/live/report", viewers, s.live.Report},
		{http.MethodGet, "/api/v1/session", viewers, s.live.Session},
		{http.MethodGet, "/static/*", public, plain(static.Handler())},
		{http.MethodGet, "/livez", public, s.livez},
		{http.MethodGet, "/healthz", public, s.livez},
		{http.MethodGet, "/readyz", public, s.readyz},
		{http.MethodGet, "/metrics", viewers, s.metrics.serve},
	}
}

// newRouter puts the routes behind what every request passes.
func (s *Server) newRouter() chi.Router {
	r := chi.NewRouter()
	r.Use(s.recordRequests, secure, s.refuseWhileDraining, s.checkHost, s.refuseCrossSite, middleware.GetHead)
	r.NotFound(s.handle(s.notFound))
	r.MethodNotAllowed(s.handle(s.methodNotAllowed))
	for _, route := range s.routes() {
		h := route.handler
		switch route.policy {
		case viewers:
			h = s.require(access.View, h)
			if route.method == http.MethodPost {
				h = data(h)
			}
		case pushers:
			h = s.require(access.Push, h)
		case managers:
			h = s.require(access.Manage, h)
		case public, sockets:
		}
		r.Method(route.method, route.pattern, s.handle(h))
	}
	return r
}

// isOperation names the routes that answer also while this replica stops.
func isOperation(path string) bool {
	return path == "/livez" || path == "/healthz" || path == "/readyz" || path == "/metrics"
}

// topic serves GET /t/{topic} in all its formats.
func (s *Server) topic(w http.ResponseWriter, r *http.Request) error {
	topic, err := push.PathTopic(r.URL)
	if err != nil {
		return err
	}
	format, err := pages.Format(r)
	if err != nil {
		return err
	}
	if format == "sse" {
		return s.live.SSE(w, r, topic)
	}
	return s.pages.Topic(w, r, topic)
}

// plain takes a handler that cannot fail.
func plain(h http.Handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}
}
