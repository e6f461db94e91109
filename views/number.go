package views

import (
	"math"
	"strconv"
	"strings"
)

// The number rules of this file also stand in static/src/value.ts. Both are held
// to testdata/numbers.json, so that the figure a page shows before its script
// runs is the figure that the script shows.

const (
	noValue   = "\u2013" // never 0 for a value that nobody has
	minusSign = "\u2212"
	thinSpace = "\u2009"
)

// scale is how one panel prints one unit: everything divided by the same number
// and with the same decimals, so that figures do not jitter as they change.
type scale struct {
	divisor  float64
	unit     string
	decimals int
}

// step is one size of a unit: 1024 bytes are 1 KiB, used from 1024 bytes on.
type step struct {
	size, from float64
	unit       string
}

func sizes(factor float64, units ...string) []step {
	steps := make([]step, len(units))
	size := 1.0
	for i, unit := range units {
		steps[i] = step{size, size, unit}
		size *= factor
	}
	return steps
}

// durations returns the sizes of time for a unit of which perSecond make a second.
func durations(perSecond float64) []step {
	return []step{
		{perSecond / 1e9, 0, "ns"}, {perSecond / 1e6, perSecond / 1e6, "\u00b5s"}, {perSecond / 1e3, perSecond / 1e3, "ms"},
		{perSecond, perSecond, "s"}, {perSecond * 60, perSecond * 120, "min"}, {perSecond * 3600, perSecond * 7200, "h"},
		{perSecond * 86400, perSecond * 172800, "days"},
	}
}

func stepsOf(unit string) []step {
	switch unit {
	case "percent", "%":
		return []step{{1, 0, "%"}}
	case "ratio":
		return []step{{0.01, 0, "%"}}
	case "bytes", "byte", "B", "By":
		return sizes(1024, "B", "KiB", "MiB", "GiB", "TiB", "PiB")
	case "bytes/s", "B/s", "By/s":
		return sizes(1000, "B/s", "kB/s", "MB/s", "GB/s", "TB/s")
	case "bits/s", "bit/s":
		return sizes(1000, "bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s")
	case "ns", "nanoseconds":
		return durations(1e9)
	case "us", "\u00b5s", "microseconds":
		return durations(1e6)
	case "ms", "milliseconds":
		return durations(1e3)
	case "s", "seconds":
		return durations(1)
	}
	// Things are counted in full until they have eight digits.
	with := func(prefix string) string { return strings.TrimRight(prefix+" "+unit, " ") }
	return []step{{1, 0, unit}, {1e6, 1e7, with("M")}, {1e9, 1e10, with("G")}, {1e12, 1e13, with("T")}}
}

// scaleFor chooses how to print values of a unit whose largest magnitude is most.
// whole says that all of them are whole numbers.
func scaleFor(unit string, most float64, whole bool) scale {
	steps := stepsOf(unit)
	chosen := steps[0]
	for _, s := range steps {
		if most > 0 && most >= s.from || most == 0 && s.size == 1 {
			chosen = s
		}
	}
	sc := scale{divisor: chosen.size, unit: chosen.unit}
	m := most / sc.divisor
	switch {
	case whole && sc.divisor == 1, m >= 1000, most == 0:
	case m >= 10, sc.unit == "%" && m >= 1:
		sc.decimals = 1
	default:
		sc.decimals = 2
		for m < 1 && sc.decimals < 9 {
			m *= 10
			sc.decimals++
		}
	}
	return sc
}

// scaleOver chooses how to print values between lo and hi: as scaleFor does, and
// with one decimal more where the axis over them needs it to tell its lines apart.
func scaleOver(unit string, lo, hi float64, whole bool) scale {
	sc := scaleFor(unit, max(math.Abs(lo), math.Abs(hi)), whole)
	if lo < hi {
		sc.decimals = max(sc.decimals, min(sc.decimals+1, decimalsOf(axisFor(unit, lo, hi, whole).step/sc.divisor)))
	}
	return sc
}

// figure prints a value without its unit.
func (s scale) figure(v float64) string {
	if math.IsNaN(v) {
		return noValue
	}
	return decimal(v/s.divisor, s.decimals)
}

// text prints a value and its unit.
func (s scale) text(v float64) string {
	if s.unit == "" || math.IsNaN(v) {
		return s.figure(v)
	}
	return s.figure(v) + thinSpace + s.unit
}

var powersOfTen = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

// decimal prints with commas and a real minus. It rounds in arithmetic that is
// the same in Go and in JavaScript, whose own printing differs on ties.
func decimal(v float64, decimals int) string {
	magnitude := math.Abs(v)
	rounded := math.Floor(float64(magnitude*powersOfTen[decimals]) + 0.5)
	if rounded >= 1e15 {
		return strings.Replace(strings.Replace(strconv.FormatFloat(v, 'e', 2, 64), "-", minusSign, 1), "e-", "e"+minusSign, 1)
	}
	digits := strconv.FormatInt(int64(rounded), 10)
	if missing := decimals + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	whole, fraction := digits[:len(digits)-decimals], digits[len(digits)-decimals:]
	var b strings.Builder
	if v < 0 && rounded > 0 {
		b.WriteString(minusSign)
	}
	for i, c := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	if fraction != "" {
		b.WriteByte('.')
		b.WriteString(fraction)
	}
	return b.String()
}

// age prints how long ago something was: 0.4 s, 12 s, 3 min, 1 h 12 min, 94 days.
func age(ms int64) string {
	ms = max(ms, 0)
	if ms < 9950 {
		return decimal(float64(ms)/1000, 1) + " s"
	}
	if seconds := (ms + 500) / 1000; seconds < 60 {
		return strconv.FormatInt(seconds, 10) + " s"
	}
	minutes := max(ms/60_000, 1)
	if minutes < 60 {
		return strconv.FormatInt(minutes, 10) + " min"
	}
	if hours := minutes / 60; hours < 48 {
		text := strconv.FormatInt(hours, 10) + " h"
		if rest := minutes % 60; rest > 0 {
			text += " " + strconv.FormatInt(rest, 10) + " min"
		}
		return text
	}
	return strconv.FormatInt(minutes/60/24, 10) + " days"
}

// rate prints readings per second, per minute below 0.1/s, per hour below 0.1/min.
func rate(perSecond float64) string {
	switch {
	case perSecond <= 0 || math.IsNaN(perSecond):
		return noValue
	case perSecond >= 10:
		return decimal(perSecond, 0) + thinSpace + "/s"
	case perSecond >= 0.1:
		return decimal(perSecond, 1) + thinSpace + "/s"
	case perSecond*60 >= 0.1:
		return decimal(perSecond*60, 1) + thinSpace + "/min"
	default:
		return decimal(perSecond*3600, 1) + thinSpace + "/h"
	}
}

// interval prints the rhythm of a topic: 0.5 s, 1 s, 10 s, 5 min.
func interval(ms int64) string {
	switch {
	case ms <= 0:
		return "on change"
	case ms < 1000:
		return decimal(float64(ms)/1000, 1) + " s"
	case ms < 10_000 && ms%1000 >= 50 && ms%1000 < 950:
		return decimal(float64(ms)/1000, 1) + " s"
	case ms < 60_000:
		return strconv.FormatInt((ms+500)/1000, 10) + " s"
	default:
		return age(ms)
	}
}
