package server

import (
	"math/bits"
	process "runtime/metrics"
	"sync"
	"time"

	"readout/server/reading"
)

// FigureColumns say what the values of Figures mean, in their order.
func FigureColumns() []reading.Column {
	count := func(name, unit string) reading.Column {
		return reading.Column{Name: name, Unit: unit, Kind: reading.Counter}
	}
	level := func(name, unit string) reading.Column {
		return reading.Column{Name: name, Unit: unit, Kind: reading.Gauge}
	}
	return []reading.Column{
		count("pushes", ""), count("readings_stored", ""), count("frames", ""), count("bytes_sent", "bytes"), count("errors", ""), count("cpu_seconds", "s"),
		level("sockets", ""), level("streamers", ""), level("topics", ""),
		level("delivery_p50_ms", "ms"), level("delivery_p99_ms", "ms"),
		level("heap_bytes", "bytes"), level("goroutines", ""),
	}
}

// Figures are this replica's own values now. What /metrics tells scrapers, these
// tell the dashboards of Readout itself. The delivery times are of the last ten
// calls, and missing when nothing was delivered meanwhile.
func (s *Server) Figures() []reading.Named {
	stored, fanned, open := s.store.Stats(), s.hub.Stats(), s.live.Stats()
	failed := stored.TailErrors + fanned.Panics + open.Panics
	for _, n := range stored.AppendErrors {
		failed += n
	}
	samples := []process.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/sched/goroutines:goroutines"}}
	process.Read(samples)
	var list []reading.Named
	add := func(name string, value float64) {
		list = append(list, reading.Named{Name: name, Value: reading.NumberOf(value)})
	}
	add("pushes", float64(stored.Appends))
	add("readings_stored", float64(stored.Readings))
	add("frames", float64(fanned.Frames))
	add("bytes_sent", float64(fanned.Bytes))
	add("errors", float64(failed))
	if used, ok := cpuTime(); ok {
		add("cpu_seconds", used.Seconds())
	}
	add("sockets", float64(open.Open))
	add("streamers", float64(fanned.Streamers))
	add("topics", float64(stored.Topics))
	if half, nearlyAll, ok := s.metrics.recent.next(); ok {
		add("delivery_p50_ms", float64(half.Microseconds())/1000)
		add("delivery_p99_ms", float64(nearlyAll.Microseconds())/1000)
	}
	for i, name := range []string{"heap_bytes", "goroutines"} {
		if samples[i].Value.Kind() == process.KindUint64 {
			add(name, float64(samples[i].Value.Uint64()))
		}
	}
	return list
}

const (
	delayBuckets = 4 * 28 // four to each power of two, from 1 µs to 2 minutes
	delayRounds  = 10
)

// delays counts delivery times for quantiles of the last rounds. Its buckets are
// a quarter of a power of two wide, so a quantile is right to about a tenth.
type delays struct {
	mu     sync.Mutex // guards the fields below
	rounds [delayRounds][delayBuckets]uint32
	at     int
}

func (d *delays) add(delay time.Duration, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rounds[d.at][delayBucket(delay)] += uint32(n)
}

// delayBucket is the bucket of a delay: its power of two, and the next two bits.
func delayBucket(delay time.Duration) int {
	us := uint64(max(0, delay.Microseconds()))
	if us < 4 {
		return int(us)
	}
	power := bits.Len64(us) - 1
	return min(delayBuckets-1, 4*(power-1)+int(us>>(power-2)&3))
}

// delayOf is the middle of a bucket.
func delayOf(bucket int) time.Duration {
	if bucket < 4 {
		return time.Duration(bucket) * time.Microsecond
	}
	power := bucket/4 + 1
	low := uint64(4+bucket%4) << (power - 2)
	return time.Duration(2*low+1<<(power-2)) * time.Microsecond / 2
}

// next returns the delays that half and 99 of 100 stayed below in the last
// rounds, and begins another round. It is false when there were none.
func (d *delays) next() (half, nearlyAll time.Duration, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var sum [delayBuckets]uint64
	total := uint64(0)
	for i := range d.rounds {
		for bucket, n := range d.rounds[i] {
			sum[bucket] += uint64(n)
			total += uint64(n)
		}
	}
	d.at = (d.at + 1) % delayRounds
	d.rounds[d.at] = [delayBuckets]uint32{}
	return quantile(&sum, (total+1)/2), quantile(&sum, total-total/100), total > 0
}

// quantile is the delay of the nth of the counted ones, from the shortest.
func quantile(sum *[delayBuckets]uint64, nth uint64) time.Duration {
	for bucket, n := range sum {
		if n >= nth {
			return delayOf(bucket)
		}
		nth -= n
	}
	return delayOf(delayBuckets - 1)
}
