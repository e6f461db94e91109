package server

import (
	"context"
	"fmt"

	"readout/server/dashboard"
)

// openDashboards reads the dashboards and follows their directory until the
// server stops. Open pages are told of each that changed.
func (s *Server) openDashboards() error {
	var err error
	s.dashboards, err = dashboard.NewLibrary(s.o.Dashboards, func(slug string) {
		d, _, _ := s.dashboards.Get(slug) // one that is gone has no version
		s.hub.DashboardChanged(slug, d.Version)
	})
	if err != nil {
		return fmt.Errorf("open the dashboards: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { // ends with stop
		defer close(ended)
		s.dashboards.Run(ctx)
	}()
	s.closeDashboards = func() {
		stop()
		<-ended
	}
	return nil
}
