package views

import "math"

// axis is a scale of values: from lo to hi in steps, both of them steps.
type axis struct{ lo, hi, step float64 }

// axisFor covers lo to hi with three to five steps on round numbers: 1, 2, 2.5
// and 5 times a power of ten, or powers of two for bytes. It begins at 0 for
// what is counted or a share of something, and leaves air otherwise.
func axisFor(unit string, lo, hi float64, whole bool) axis {
	if lo > hi {
		return axis{0, 1, 0.5}
	}
	divisor := scaleFor(unit, max(math.Abs(lo), math.Abs(hi)), whole).divisor
	lo, hi = lo/divisor, hi/divisor
	if lo >= 0 && fromZero(unit, hi*divisor, whole) {
		lo = 0
	} else if air := (hi - lo) / 10; air > 0 {
		lo, hi = airBelow(lo, air), -airBelow(-hi, air)
	}
	if hi == lo {
		if hi == 0 {
			hi = 1
		} else {
			air := math.Abs(hi) / 10
			lo, hi = lo-air, hi+air
		}
	}
	step := stepFor((hi-lo)/4, unit)
	if whole && divisor == 1 { // nothing lies between two whole numbers
		step = max(step, 1)
		if step == 2.5 {
			step = 5
		}
	}
	a := axis{math.Floor(lo/step) * step, math.Ceil(hi/step) * step, step}
	return axis{a.lo * divisor, a.hi * divisor, a.step * divisor}
}

// airBelow leaves air under a value, but none of the other sign.
func airBelow(v, air float64) float64 {
	if v >= 0 {
		return max(v-air, 0)
	}
	return v - air
}

// fromZero says whether the axis of a unit begins at 0: shares, amounts, rates
// and whole numbers that are small enough to be counts.
func fromZero(unit string, hi float64, whole bool) bool {
	switch unit {
	case "percent", "%", "ratio", "bytes", "byte", "B", "By", "count":
		return true
	}
	if len(unit) > 2 && unit[len(unit)-2:] == "/s" {
		return true
	}
	return whole && hi < 1e6
}

// stepFor returns the smallest round step that is at least raw.
func stepFor(raw float64, unit string) float64 {
	switch unit {
	case "bytes", "byte", "B", "By":
		step := 1.0 / 1024
		for step < raw {
			step *= 2
		}
		return step
	}
	power := 1.0
	for power > raw {
		power /= 10
	}
	for power*10 <= raw {
		power *= 10
	}
	for _, factor := range [...]float64{1, 2, 2.5, 5} {
		if power*factor >= raw {
			return power * factor
		}
	}
	return power * 10
}

// ticks returns the values of the axis' lines from the lowest to the highest.
func (a axis) ticks() []float64 {
	n := int(math.Round((a.hi - a.lo) / a.step))
	ticks := make([]float64, 0, n+1)
	for i := 0; i <= n; i++ {
		ticks = append(ticks, a.lo+float64(i)*a.step)
	}
	return ticks
}

// mostLabel is from where on a label has more digits than anyone reads.
const mostLabel = 100_000

// scale prints the axis in the unit of the figures beside it, unless its labels
// became too long: bounds may lie far beyond what is read.
func (a axis) scale(figures scale, unit string, whole bool) scale {
	if most := max(math.Abs(a.lo), math.Abs(a.hi)); most >= mostLabel*figures.divisor {
		return scaleFor(unit, most, whole)
	}
	return figures
}

// labels prints the ticks of an axis in the scale that its panel uses, with as
// many decimals as its step needs.
func (a axis) labels(sc scale) []string {
	sc.decimals = decimalsOf(a.step / sc.divisor)
	labels := make([]string, 0, 8)
	for _, tick := range a.ticks() {
		labels = append(labels, sc.figure(tick))
	}
	return labels
}

// decimalsOf counts the decimals that a step needs to be printed exactly.
func decimalsOf(step float64) int {
	decimals := 0
	for ; decimals < 9 && math.Abs(step-math.Round(step)) > 1e-6*math.Max(1, step); step *= 10 {
		decimals++
	}
	return decimals
}
