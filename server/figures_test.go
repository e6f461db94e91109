package server

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestDelaysOfTheLastRounds(t *testing.T) {
	var d delays
	if _, _, ok := d.next(); ok {
		t.Error("nothing was delivered, and yet there are times")
	}
	var all []time.Duration
	for range 10_000 {
		delay := time.Duration(rand.ExpFloat64() * float64(5*time.Millisecond))
		all = append(all, delay)
		d.add(delay, 1)
	}
	slices.Sort(all)
	half, nearlyAll, ok := d.next()
	for _, c := range []struct {
		name      string
		got, want time.Duration
	}{{"half", half, all[4999]}, {"99 of 100", nearlyAll, all[9899]}} {
		if ratio := float64(c.got) / float64(c.want); !ok || ratio < .87 || ratio > 1.13 {
			t.Errorf("%s: %v, want about %v", c.name, c.got, c.want)
		}
	}
	for range delayRounds - 1 {
		if _, _, ok := d.next(); !ok {
			t.Fatal("forgotten too early")
		}
	}
	if half, _, ok := d.next(); ok {
		t.Errorf("ten rounds later half were below %v", half)
	}
	for _, delay := range []time.Duration{-time.Second, 0, 3 * time.Microsecond, 4 * time.Microsecond, time.Millisecond, time.Minute, time.Hour} {
		if bucket := delayBucket(delay); bucket < 0 || bucket >= delayBuckets {
			t.Errorf("%v falls into %d", delay, bucket)
		}
	}
}
