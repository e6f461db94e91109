package pages

import (
	"time"

	"readout/views"
)

// covering is how much time a page shows that nobody asked to show another: the
// smallest span that covers readings since began, in ms, at most the page's own
// window. The same spans stand in static/src/timeframe.ts, which goes on from
// there while readings come.
func covering(began, now int64, window time.Duration) time.Duration {
	const day = 24 * time.Hour
	age := time.Duration(0)
	if began > 0 {
		age = time.Duration(now-began) * time.Millisecond
	}
	for _, span := range [...]time.Duration{
		shortestSpan, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
		day, 2 * day, 7 * day, 14 * day, longestSpan,
	} {
		if span >= age {
			return min(span, window)
		}
	}
	return window
}

// beganSince is the time of the first row from a time on; 0 without one. The row
// before a window says what still holds, and is not drawn.
func beganSince(rows []views.Row, from int64) int64 {
	for _, row := range rows {
		if row.Time >= from {
			return row.Time
		}
	}
	return 0
}
