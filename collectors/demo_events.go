package collectors

import "math"

// This file is what happens in the Demo, and when. Times are Unix seconds.

// random is a number from 0 up to 1 that depends only on its arguments.
func random(seed uint64, n int64) float64 {
	x := seed*0x9e3779b97f4a7c15 + uint64(n)*0xbf58476d1ce4e5b9 + 0x94d049bb133111eb
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return float64((x^x>>31)>>11) / (1 << 53)
}

// of is the seed of one thing of the Demo; the 255 after it are its own too.
func (d *Demo) of(thing uint64) uint64 { return d.seed<<16 + thing<<8 }

// wave wanders smoothly between -1 and 1 and turns about every period seconds.
func wave(seed uint64, t, period float64) float64 {
	at := t / period
	n := math.Floor(at)
	part := at - n
	part *= part * (3 - 2*part)
	from, to := random(seed, int64(n)), random(seed, int64(n)+1)
	return 2*(from+(to-from)*part) - 1
}

// trouble is one event of a service: it is slow, perhaps down, and slow again.
type trouble struct{ begin, down, recovers, end float64 }

// turn is the time in which a service has at most one trouble.
const turn = 300.0 // s

// troubleIn returns the trouble of a turn, which lies within it.
func (d *Demo) troubleIn(service uint64, n int64) (trouble, bool) {
	seed := d.of(service)
	if random(seed+10, n) > 0.55 {
		return trouble{}, false
	}
	var x trouble
	x.begin = float64(n)*turn + 15 + 130*random(seed+11, n)
	x.down = x.begin + 25 + 45*random(seed+12, n)
	x.recovers = x.down
	if random(seed+13, n) < 0.45 {
		x.recovers += 12 + 28*random(seed+14, n)
	}
	x.end = x.recovers + 10 + 25*random(seed+15, n)
	return x, true
}

// health is up, slow or down.
func (d *Demo) health(service uint64, t float64) string {
	x, ok := d.troubleIn(service, int64(math.Floor(t/turn)))
	switch {
	case !ok || t < x.begin || t >= x.end:
		return "up"
	case t >= x.down && t < x.recovers:
		return "down"
	}
	return "slow"
}

// strain is how much a service suffers, from 0 to 1; it comes and goes within
// some seconds.
func (d *Demo) strain(service uint64, t float64) float64 {
	x, ok := d.troubleIn(service, int64(math.Floor(t/turn)))
	if !ok {
		return 0
	}
	const ramp = 8.0 // s
	return max(0, min(1, (t-x.begin)/ramp, (x.end-t)/ramp))
}

// busySeconds is how long a shop has taken orders since midnight UTC. It runs
// faster and slower than the clock but never back, and stands while checkout
// is down.
func (d *Demo) busySeconds(seed uint64, t float64) float64 {
	const day = 86400.0
	midnight := math.Floor(t/day) * day
	lost := 0.0
	for n := int64(midnight / turn); float64(n)*turn < t; n++ {
		if x, ok := d.troubleIn(seedCheckout, n); ok {
			lost += max(0, min(t, x.recovers)-x.down)
		}
	}
	// The slope of a wave is at most 3/period, so these two stay below 1 together.
	passed := t - midnight - lost
	pace := func(s float64) float64 { return 100*wave(seed+20, s, 600) + 8*wave(seed+21, s, 60) }
	return max(0, passed+pace(passed)-pace(0))
}

// history is how far back the Demo looks for what is still felt.
const history = 600 // s

// queue plays the last minutes: jobs come at an uneven pace, and mail takes
// fewer of them while it is slow, none while it is down.
func (d *Demo) queue(t float64) (depth, oldest float64) {
	const most = 14.0 // jobs that mail takes in a second
	for s := math.Floor(t) - history; s <= t; s++ {
		takes := most
		switch d.health(seedMail, s) {
		case "slow":
			takes = 5
		case "down":
			takes = 0
		}
		comes := 9 + 3*wave(d.seed+30, s, 45) + 5*random(d.seed+31, int64(s))
		depth = max(0, depth+comes-takes)
	}
	depth += 4 * random(d.seed+32, int64(t))
	return depth, depth / most
}

// open reports whether a door is open: about every two minutes, for 8 to 40 s.
func (d *Demo) open(which uint64, t float64) bool {
	const every = 120.0 // s
	n := int64(math.Floor(t / every))
	seed := d.of(which)
	if random(seed+70, n) > 0.7 {
		return false
	}
	begin := float64(n)*every + 70*random(seed+71, n)
	return t >= begin && t < begin+8+32*random(seed+72, n)
}

// coldStore plays the last minutes: every second of the open door lets warmth
// in, and the cooler takes one hundredth of it out again.
func (d *Demo) coldStore(t float64) float64 {
	warmth := 0.0
	for s := math.Floor(t) - history; s <= t; s++ {
		if d.open(seedColdDoor, s) {
			warmth += 0.06
		}
		warmth *= 0.99
	}
	return -20 + warmth + 0.3*wave(d.seed+33, t, 240) + 0.05*wave(d.seed+34, t, 3)
}
