// Package views renders the pages. It gets display structs that are ready to
// show, fetches nothing and decides nothing: the same struct always gives the
// same bytes. Every page means something before any script runs and with
// scripts off; the script of package static takes over the elements that carry
// data-board and data-panel and reads what it needs from them, so
// nothing is fetched twice.
package views

import (
	"time"

	"readout/server/reading"
)

// Page is what every page shows around its body.
type Page struct {
	Now        int64  // this server's clock when the page was made, in ms since 1970
	Base       string // scheme and host by which browsers and curl reach this server, without a slash at the end
	MemoryOnly bool   // the store forgets everything when the process ends: the page says so
}

// Row is one reading in the order of the columns.
type Row struct {
	Time   int64           // the reading's own time, in ms since 1970
	Values []reading.Value // one for each column; the zero Value is missing
}

// Series is what a panel knows of one topic. Its rows are in order of time and
// reach up to Cursor, so that a browser that subscribes after Cursor gets each
// later reading once.
type Series struct {
	Topic    reading.Topic
	Columns  []reading.Column
	Rows     []Row
	Cursor   string  // the place after the last row; empty for a topic without history
	Interval int64   // usual ms between two readings; 0 when it sends on change or nobody knows
	Rate     float64 // readings per second over the last minute
	Hidden   bool    // left out of lists unless they are asked for
}

// Panel is one panel of a dashboard, ready to draw. Its JSON, which the script
// reads, stands in Config.
type Panel struct {
	Title, Note string
	Kind        string    // stat line area stacked gauge bars table timeline text
	Series      []*Series // the topics that it shows, in the order of its selectors
	Matching    int       // how many topics match, when they are more than Series
	Columns     []string  // the values that it shows, in this order; none for all that its kind can draw
	Unit        string    // replaces the units of the columns
	Decimals    *int
	Min, Max    *float64
	Names       map[string]string // other names of columns
	Thresholds  []Threshold
	Legend      []string // last, min, max, avg
	Limit       int      // lines, bars or rows at most; 0 for the default of the kind
	Link        string
	Prose       string // the safe HTML of a text panel
	Width       int    // columns of the board, 1 to 12
	Height      int    // rows of the board, 1 to 24
	Config      string // JSON for the script
	Problem     *Problem
	Marks       []Mark // what is missing in the window

	// Link states that only a screen knows; the page of examples shows them too.
	State   string // again or stopped; empty for what the readings say
	Thinned int    // one reading in so many is shown; 0 or 1 for all
}

// Threshold is a value from which on a panel warns.
type Threshold struct {
	At    float64
	Level string // warn or critical
	Below bool   // reached when the value is below
	Name  string // what it is called; the level when empty
}

// Mark is a time in which readings are missing, or from which on they are thinned.
type Mark struct {
	From, To int64 // ms
	Text     string
	Thinned  bool // readings are there, but not all of them
}

// Problem stands in a panel instead of a picture.
type Problem struct {
	State       string // empty, error or forbidden
	Title, Text string
	About       string // topics, shown before Text
}

// DashboardView is a board of panels.
type DashboardView struct {
	Page
	Slug, Version string // empty for a dashboard made of a selector
	Title         string
	Description   string
	Panels        []Panel
	Feeds         []Series // each topic that any panel shows, once
	Span, Kept    int64    // ms
	Window        int64    // ms that Span grows to while nobody chooses another; 0 means DefaultSpan
	Broken        string   // what is wrong with its file; the page then shows the last good version
	Match         string   // the selector that it was made of
	Matching      int      // how many topics match it
	View          string   // wall, embed or empty
	Theme         string   // light, dark or auto; only embeds use it
	BuiltIn       bool
}

// Card leads to a dashboard and shows its most telling figure.
type Card struct {
	Slug, Title string
	Panel       Panel // its first stat; without Series the card shows no figure
	Panels      int
	BuiltIn     bool
	Broken      string // what is wrong with its file; a dashboard that was never good has no panels
}

// TopicView is the page of one topic, and its embed.
type TopicView struct {
	Page
	Panel   Panel         // the automatic panel of the topic
	Series                // what it shows
	Span    int64         // ms of time that the chart covers; 0 means DefaultSpan
	Window  int64         // ms that Span grows to while nobody chooses another; 0 means DefaultSpan
	Kept    time.Duration // how long raw readings are kept
	Key     string        // the Redis key of the topic's stream, for those who XADD themselves
	Theme   string        // light, dark or auto; only embeds use it
	Formats []string      // what ?format= answers for this topic, for the links of the page
	Manage  bool          // the viewer may hide and delete it
	Hidden  bool
}

// TopicsView is the list of topics.
type TopicsView struct {
	Page
	Match   string   // the selector of the list; * for all
	Topics  []Series // in the order of the list, each with the rows of its sparkline
	Total   int      // how many topics match, which may be more than are listed
	All     int      // how many topics there are
	Problem string   // what is wrong with the selector; empty when nothing is
	Rate    float64  // readings per second over all topics
	Span    int64    // ms of time that a sparkline covers; 0 means DefaultSpan
	Window  int64    // ms that Span grows to while readings come; 0 means DefaultSpan
	Hidden  bool     // hidden topics are listed too
}

// HomeView is the first page.
type HomeView struct {
	Page
	Dashboards []Card
	Feeds      []Series // what the cards and the list show, each topic once
	Topics     []Series // live topics; while there are none the page teaches the first push
	Own        []string // topics and selectors of what this process feeds by itself: it does not end the first run
	Total      int      // how many topics there are, for the link to the list
	Span       int64    // ms of time that a sparkline covers; 0 means DefaultSpan
	Window     int64    // ms that Span grows to while readings come; 0 means DefaultSpan
}

// DesignView is every component in every state, for those who work on them.
type DesignView struct {
	Page
	Panels []Panel
	Span   int64
}

// ErrorView says what is wrong and what to do about it.
type ErrorView struct {
	Page
	Status    int    // HTTP status
	Title     string // what is: "Nothing is here."
	Message   string // the part that is wrong, for people
	Do        string // what to do about it
	RequestID string // names this answer in the log; may be empty
}

// DefaultSpan is the time that a chart covers unless the page says otherwise, in ms.
const DefaultSpan = 5 * 60 * 1000

func spanOr(span int64) int64 {
	if span <= 0 {
		return DefaultSpan
	}
	return span
}
