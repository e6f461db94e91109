package dashboard

import "time"

// Limits of a document. Everything that a reader or a browser does with a
// document grows with these, so none of them is large.
const (
	MaxSize        = 1 << 20 // bytes of a document
	MaxPanels      = 100
	MaxTitle       = 200 // characters of titles, notes, names
	MaxText        = 20_000
	MaxTopics      = 20 // topics and selectors of a panel
	MaxColumns     = 64
	MaxNames       = 256
	MaxThresholds  = 10
	MaxLink        = 2048 // bytes
	MaxLimit       = 100  // lines or rows of a panel
	MaxWidth       = 12   // columns of a board
	MaxHeight      = 24   // rows of 32 px
	MaxDecimals    = 9
	MinWindow      = time.Minute
	MaxWindow      = 31 * 24 * time.Hour
	DefaultWindow  = 5 * time.Minute
	DefaultLines   = 12
	DefaultEntries = 8 // rows of bars and tables

	maxProblems    = 20       // places that one answer names
	maxDepth       = 8        // lists and mappings inside each other; the format needs 5
	maxParts       = 100_000  // line ends, commas and colons: what the cost of parsing grows with
	maxExpressions = 16 << 10 // bytes of selectors with regular expressions, in a document
	maxRepeats     = 64       // sum of the counts in them
	maxNumber      = 1e24     // magnitude of numbers, so that no axis overflows
)

// sizeOf returns the usual width and height of a panel.
func sizeOf(kind Kind) (width, height int) {
	switch kind {
	case Stat, Gauge:
		return 2, 3
	case Text:
		return 4, 3
	default:
		return 6, 5
	}
}

// limitOf returns how many lines or rows a panel shows unless it says otherwise.
func limitOf(kind Kind) int {
	switch kind {
	case Text:
		return 0
	case Bars, Table:
		return DefaultEntries
	default:
		return DefaultLines
	}
}
