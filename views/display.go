// Package views renders the pages. It gets display structs that are ready to
// show, fetches nothing and decides nothing: the same struct always gives the
// same bytes. Every page means something before any script runs and with
// scripts off; the script of package static takes over the elements that carry
// data-panel, data-topics and data-home and reads what it needs from them, so
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
}

// TopicView is the page of one topic, and its embed.
type TopicView struct {
	Page
	Series
	Span    int64         // ms of time that the chart covers; 0 means DefaultSpan
	Kept    time.Duration // how long raw readings are kept
	Key     string        // the Redis key of the topic's stream, for those who XADD themselves
	Theme   string        // light, dark or auto; only embeds use it
	Formats []string      // what ?format= answers for this topic, for the links of the page
}

// TopicsView is the list of topics.
type TopicsView struct {
	Page
	Match   string   // the selector of the list; * for all
	Topics  []Series // in the order of the list, each with the rows of its sparkline
	Total   int      // how many topics match, which may be more than are listed
	Problem string   // what is wrong with the selector; empty when nothing is
	Rate    float64  // readings per second over all topics
	Span    int64    // ms of time that a sparkline covers; 0 means DefaultSpan
}

// HomeView is the first page.
type HomeView struct {
	Page
	Machine []Series        // figures of this machine, drawn as cards under their own heading
	Topics  []Series        // live topics of everybody else; while there are none the page teaches the first push
	Own     []reading.Topic // every topic that this process feeds by itself: they do not end the first run
	Total   int             // how many topics there are, for the link to the list
	Span    int64           // ms of time that a sparkline covers; 0 means DefaultSpan
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
