package server

// RoutePolicies returns the policy that every route declares, by method and pattern.
func (s *Server) RoutePolicies() map[string]string {
	policies := map[string]string{}
	for _, r := range s.routes() {
		policies[r.method+" "+r.pattern] = string(r.policy)
	}
	return policies
}

// RouteCount returns how many routes are declared; two of one method and pattern count twice.
func (s *Server) RouteCount() int { return len(s.routes()) }
