package servertest

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Times counts durations, exact to about 3 %, in the same memory however many
// there are. It may be used by any number of goroutines.
type Times struct {
	counts [64 * fine]atomic.Int64
	most   atomic.Int64 // microseconds
}

const fine = 32 // steps between a power of two and the next

// Add counts a duration; a negative one counts as none.
func (t *Times) Add(d time.Duration) {
	us := max(0, d.Microseconds())
	t.counts[stepOf(us)].Add(1)
	for most := t.most.Load(); us > most && !t.most.CompareAndSwap(most, us); most = t.most.Load() {
	}
}

// stepOf finds the step of a number of microseconds: below fine each has its own.
func stepOf(us int64) int {
	if us < fine {
		return int(us)
	}
	over := bits.Len64(uint64(us)) - bits.Len64(fine-1) - 1
	return fine*(over+1) + int(us>>over) - fine
}

// upTo is the largest number of microseconds of a step.
func upTo(step int) int64 {
	if step < fine {
		return int64(step)
	}
	over := step/fine - 1
	return int64(step%fine+fine+1)<<over - 1
}

// Count returns how many durations there are.
func (t *Times) Count() int64 {
	n := int64(0)
	for i := range t.counts {
		n += t.counts[i].Load()
	}
	return n
}

// Quantile returns the duration that a share of them, from 0 to 1, does not exceed.
func (t *Times) Quantile(share float64) time.Duration {
	rest := int64(share * float64(t.Count()))
	for i := range t.counts {
		if rest -= t.counts[i].Load(); rest < 0 {
			return time.Duration(min(upTo(i), t.most.Load())) * time.Microsecond
		}
	}
	return t.Max()
}

// P50 returns the median.
func (t *Times) P50() time.Duration { return t.Quantile(0.5) }

// P99 returns what 99 % do not exceed.
func (t *Times) P99() time.Duration { return t.Quantile(0.99) }

// Max returns the longest.
func (t *Times) Max() time.Duration { return time.Duration(t.most.Load()) * time.Microsecond }
