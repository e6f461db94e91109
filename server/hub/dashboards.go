package hub

// DashboardChanged tells every subscriber that follows a dashboard which version
// of it is the newest. It waits for nobody: of several changes that a subscriber
// has not read yet it is told the last.
func (h *Hub) DashboardChanged(slug, version string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subscribers {
		s.dashboardChanged(slug, version)
	}
}

func (s *Subscriber) dashboardChanged(slug, version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, followed := range s.follows {
		if followed == slug {
			s.tellDashboard(slug, version)
			return
		}
	}
}

// follow notes the dashboard of a subscription, or with an empty slug none, and
// tells its version: it may have changed since the page was made.
func (s *Subscriber) follow(id int64, slug string) {
	version := ""
	if slug != "" && s.hub.o.Dashboard != nil {
		version = s.hub.o.Dashboard(slug)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.follows, id)
	if slug == "" {
		return
	}
	if s.follows == nil {
		s.follows = map[int64]string{}
	}
	s.follows[id] = slug
	if version != "" {
		s.tellDashboard(slug, version)
	}
}

// tellDashboard leaves a version for Next. The caller holds s.mu.
func (s *Subscriber) tellDashboard(slug, version string) {
	if s.finished != nil {
		return
	}
	if s.changed == nil {
		s.changed = map[string]string{}
	}
	s.changed[slug] = version
	signal(s.wake)
}
