package views

import (
	"strconv"
	"time"
)

// timeLabels names times by their distance from now, because a server does not
// know the viewer's time zone; the script replaces them by the clock.
func timeLabels(span int64) []label {
	step := span / 5
	for _, round := range []int64{1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 86_400_000} {
		if step = round; span/round <= 5 {
			break
		}
	}
	var labels []label
	for back := span / step * step; back >= step; back -= step {
		if at := 100 - float64(back)/float64(span)*100; at >= 3 {
			labels = append(labels, label{minusSign + age(back), percent(at)})
		}
	}
	return append(labels, label{"now", "100%"})
}

// clock prints a time for a page without scripts, which cannot know the zone of
// its reader.
func clock(ms int64) string { return time.UnixMilli(ms).UTC().Format("15:04:05") + " UTC" }

// dated is the same with its day, for paper.
func dated(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2 January 2006, 15:04:05") + " UTC"
}

// machineTime is the same for the script and for other readers of the markup.
func machineTime(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }

// kept prints how long something is kept, in the largest whole unit.
func kept(d time.Duration) string {
	switch {
	case d <= 0:
		return "as long as the store does"
	case d%time.Hour == 0 && d < 48*time.Hour:
		return strconv.Itoa(int(d/time.Hour)) + " h"
	case d%(24*time.Hour) == 0:
		return strconv.Itoa(int(d/(24*time.Hour))) + " days"
	}
	return age(d.Milliseconds())
}
