package reading

import "slices"

// History is what a topic's stream held at one moment.
type History struct {
	Entries []Entry // in stream order; only readings that were asked for
	End     Cursor  // the end of the stream at that moment: what follows it misses nothing
	Cut     bool    // there were more of them than may be held at once; the oldest are left out
}

// Verdict says what became of the place that a cursor names.
type Verdict uint8

// The verdicts.
const (
	Continuous Verdict = iota // nothing between the cursor and Entries is missing
	Gap                       // entries were trimmed away before they were read
	Reset                     // this is another history: begin again with a snapshot
)

func (v Verdict) String() string { return [...]string{"continuous", "gap", "reset"}[v] }

// Resumed is the truth about a cursor and what follows it.
type Resumed struct {
	Verdict Verdict
	Lost    int64     // entries missing after a Gap; -1 when their number is not known
	From    Cursor    // the cursor that was asked for, with what is known about it
	Before  []Reading // of the entry at the cursor, if it is still there
	To      Cursor    // after a Gap, the first entry that is still there
	Entries []Entry
	// End is the place after Entries, also after those that hold no reading; after
	// a Reset the end of the new history.
	End Cursor
	// More says that more than the limit follows. Entries are the oldest of them,
	// so the caller asks again after End.
	More bool
}

// Interval is the usual time between readings in milliseconds: the median of the
// last ones, which are in order of time. 0 means that they are too few to tell.
func Interval(list []Reading) int64 {
	const enough, look = 5, 32
	list = list[max(0, len(list)-look):]
	if len(list) < enough {
		return 0
	}
	between := make([]int64, 0, look)
	for i := 1; i < len(list); i++ {
		between = append(between, list[i].Time-list[i-1].Time)
	}
	slices.Sort(between)
	return between[len(between)/2]
}
