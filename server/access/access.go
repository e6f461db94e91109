// Package access decides who may do what. One function answers for every way
// in: Can. A Principal is who asks, and comes from a token or, on a server that
// has none, is Anonymous.
package access

import (
	"slices"
	"time"

	"readout/server/reading"
)

// Action is something that a principal may be allowed to do with a topic.
type Action string

// The actions, which are also the scopes of a token.
const (
	Push   Action = "push"   // store readings
	View   Action = "view"   // see readings, live and stored
	Manage Action = "manage" // delete a topic with its readings, or leave it out of lists
)

// Actions is every action there is.
var Actions = []Action{Push, View, Manage}

// Principal is who asks. The zero Principal may do nothing.
type Principal struct {
	ID      string    // of the token; empty without one
	Name    string    // of the token, for people
	Expires time.Time // when the token ends; zero for never

	open    bool // may do everything: the server asks nobody for a token
	actions []Action
	topics  []reading.Selector
}

// Anonymous is everyone on a server without tokens, and may do everything.
func Anonymous() Principal { return Principal{Name: "anonymous", open: true} }

// Can reports whether p may do action with topic.
func Can(p Principal, action Action, topic reading.Topic) bool {
	if p.open {
		return true
	}
	return p.May(action) && slices.ContainsFunc(p.topics, func(s reading.Selector) bool { return s.Match(topic) })
}

// May reports whether p may do action with any topic at all. It is for
// refusing early; what is done with a topic is decided by Can.
func (p Principal) May(action Action) bool {
	return p.open || slices.Contains(p.actions, action) && len(p.topics) > 0
}
