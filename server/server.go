package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"

	"readout/server/access"
	"readout/server/dashboard"
	"readout/server/hub"
	"readout/server/live"
	"readout/server/pages"
	"readout/server/push"
	"readout/server/reading"
	"readout/server/store"
	"readout/views"
)

// Server is one replica of Readout.
type Server struct {
	o          Options
	log        *slog.Logger
	publicHost string

	store   *store.Store
	hub     *hub.Hub
	live    *live.Live
	push    *push.Handlers
	pages   *pages.Pages
	probe   *probe
	metrics *metrics
	router  chi.Router
	http    *http.Server

	dashboards      *dashboard.Library
	closeDashboards func()
	endProbe        func() // and wait until it has ended

	draining atomic.Bool
}

// New opens the store and wires the service; it serves nothing yet. It is one
// straight function on purpose: read it from top to bottom to see who gets what.
func New(ctx context.Context, o Options) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Replica == "" {
		o.Replica = strings.ToLower(rand.Text()[:8])
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Store.Retention <= 0 {
		o.Store.Retention = time.Hour
	}
	o.Store.Replica, o.Store.Logger = o.Replica, o.Logger
	s := &Server{o: o, log: o.Logger, metrics: newMetrics(o.Version)}
	if u, err := url.Parse(o.PublicURL); err == nil && u.Host != "" {
		// Browsers leave the usual port out of Origin.
		s.publicHost = strings.TrimSuffix(u.Host, map[string]string{"http": ":80", "https": ":443"}[u.Scheme])
		s.o.PublicURL = u.Scheme + "://" + s.publicHost
	}

	var err error
	if s.store, err = store.Open(ctx, o.Store); err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	s.hub = hub.New(hub.Options{
		Tail: s.store.Tail, Recent: s.recent, Resume: s.store.Resume, Topics: s.shown, Columns: s.described, Doubt: s.store.Doubt(),
		Replica: o.Replica, Linger: o.Linger, Window: o.Store.Retention, Logger: o.Logger, Observed: s.metrics.observe,
		Dashboard: func(slug string) string { d, _, _ := s.dashboards.Get(slug); return d.Version },
	})
	s.store.OnTopic(func(i store.Info) {
		if !i.Hidden {
			s.hub.TopicAdded(i.Topic)
		}
		s.hub.TopicDescribed(i.Topic)
	})
	s.store.OnGone(s.hub.TopicDeleted)
	s.probe = &probe{store: s.store.Probe, tell: s.hub.StoreIs, heard: func() bool { return s.hub.Stats().Subscribers > 0 }, log: o.Logger}
	if err := s.openDashboards(); err != nil {
		s.hub.Close()
		return nil, errors.Join(err, s.store.Close())
	}
	s.live = live.New(live.Options{
		Hub: s.hub, Viewer: s.viewer, Hello: s.hello, Origin: s.checkOrigin, Ping: o.Ping, Replica: o.Replica, Logger: o.Logger,
	})
	s.push = push.New(push.Options{
		Append:   s.append,
		Describe: s.Describe,
		Can:      s.can(access.Push),
		Sender: func(r *http.Request) string {
			p, _ := s.principal(r) // the route's policy has refused those without
			return p.ID
		},
		URL:       func(r *http.Request, topic reading.Topic) string { return s.base(r) + views.TopicPath(topic) },
		Retention: o.Store.Retention,
	})
	s.pages = pages.New(pages.Options{
		Recent: func(ctx context.Context, topic reading.Topic, limit int) (reading.History, error) {
			return s.recent(ctx, topic, 0, limit)
		},
		Latest: s.store.Latest, Histories: s.store.Histories, Topics: s.topics, Columns: s.columns, Can: s.can(access.View),
		Base: s.base, Key: store.Key, Frameable: s.frameable, API: s.api(), Dashboards: s.dashboards,
		MemoryOnly: o.MemoryOnly, Retention: o.Store.Retention, Own: s.own, Development: o.Development,
	})
	s.keepProbing()
	s.metrics.watch(s.store, s.hub, s.live, o.Embedded)
	s.router = s.newRouter()
	s.http = &http.Server{
		Handler:           s.router,
		ConnContext:       live.KeepConn,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second, // event streams set their own for each event; sockets have none of these
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// Serve answers on a listener until Stop. Several listeners may be served.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(deadlines{l}); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Handler returns the whole service as a handler, for tests and for those who
// bring their own http.Server.
func (s *Server) Handler() http.Handler { return s.router }

// Drain makes the replica not ready and sends its viewers to others.
func (s *Server) Drain() {
	if !s.draining.Swap(true) {
		s.hub.Drain(drainSpread(s.hub.Stats().Subscribers))
	}
}

// Stop ends the replica: not ready at once, pushes under way are answered,
// viewers are told to come back to another replica, then everything is closed.
// After ctx ends it does not wait any more.
func (s *Server) Stop(ctx context.Context) error {
	s.Drain()
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close()
	}
	ended := make(chan struct{})
	go func() {
		s.live.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	s.closeDashboards()
	s.endProbe()
	s.hub.Close()
	return errors.Join(err, s.store.Close())
}

// drainSpread is the time over which so many viewers are asked to come back.
func drainSpread(viewers int64) time.Duration {
	return min(20*time.Second, max(time.Second, time.Duration(viewers)*2*time.Millisecond))
}

// Append stores readings, for the collectors of this process.
func (s *Server) Append(ctx context.Context, readings []reading.Reading) error {
	_, err := s.store.Append(ctx, readings, store.Once{})
	return err
}

// Describe keeps the units and kinds of a topic's values.
func (s *Server) Describe(ctx context.Context, topic reading.Topic, columns []reading.Column) error {
	return s.store.Describe(ctx, topic, columns)
}

// own says whether this process feeds a topic itself.
func (s *Server) own(topic reading.Topic) bool {
	return slices.Contains(s.o.Own, topic) || s.o.Feeds != nil && s.o.Feeds(topic)
}

// What follows gives the parts their functions: hub, push and pages speak of
// readings and cursors only, and do not know the store.

func (s *Server) append(ctx context.Context, readings []reading.Reading, once push.Once, ack push.Ack) ([]reading.StreamID, error) {
	return s.store.AppendAcked(ctx, readings, store.Once(once), store.Ack(ack))
}

func (s *Server) recent(ctx context.Context, topic reading.Topic, from int64, limit int) (reading.History, error) {
	return s.store.Range(ctx, topic, store.RangeQuery{From: from, Limit: limit})
}

func (s *Server) topics(match func(reading.Topic) bool) []reading.Topic {
	infos := s.store.Topics(match)
	topics := make([]reading.Topic, len(infos))
	for i, info := range infos {
		topics[i] = info.Topic
	}
	return topics
}

func (s *Server) columns(topic reading.Topic) []reading.Column {
	info, _ := s.store.Info(topic)
	return slices.Clone(info.Columns) // pages add to it
}

// shown are the topics that selectors of viewers pick: hidden ones must be named.
func (s *Server) shown(match func(reading.Topic) bool) []reading.Topic {
	return s.topics(func(topic reading.Topic) bool {
		info, _ := s.store.Info(topic)
		return !info.Hidden && match(topic)
	})
}

// described is columns for the hub, which only reads them.
func (s *Server) described(topic reading.Topic) []reading.Column {
	info, _ := s.store.Info(topic)
	return info.Columns
}
