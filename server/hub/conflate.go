package hub

import "readout/server/reading"

// Conflate keeps at most about most of the readings, in their order: of each
// equal run of them those with the lowest and the highest number of any column,
// and the last. What it keeps are whole real readings, so no peak is lost and
// no value is invented. A most of 0 keeps one run. Pages use it for what they render.
func Conflate(list []reading.Reading, columns []string, most int) []reading.Reading {
	if len(list) <= max(most, 1) {
		return list
	}
	runs := max(1, most/(2*len(columns)+1))
	keep := make([]bool, len(list))
	for run := range runs {
		from, to := run*len(list)/runs, (run+1)*len(list)/runs
		if from == to {
			continue
		}
		keep[to-1] = true
		for at, name := range columns {
			low, high := extremes(list[from:to], at, name)
			if low >= 0 {
				keep[from+low], keep[from+high] = true, true
			}
		}
	}
	kept := make([]reading.Reading, 0, most+1)
	for i := range list {
		if keep[i] {
			kept = append(kept, list[i])
		}
	}
	return kept
}

// extremes returns the places of the lowest and highest number of a column, -1 if it has none.
func extremes(list []reading.Reading, at int, name string) (low, high int) {
	low, high = -1, -1
	var least, most float64
	for i := range list {
		n, ok := valueOf(&list[i], at, name).Number()
		if !ok {
			continue
		}
		if low < 0 || n < least {
			low, least = i, n
		}
		if high < 0 || n > most {
			high, most = i, n
		}
	}
	return low, high
}
