package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"readout/server/reading"
	"readout/server/store"
)

func openBench(b *testing.B) *store.Store {
	b.Helper()
	return onRedis(b).open(b)
}

func BenchmarkAppend(b *testing.B) {
	s := openBench(b)
	for name, n := range map[string]int{"plain": 1, "packed256": 256} {
		b.Run(name, func(b *testing.B) {
			tp := topic(b)
			readings := make([]reading.Reading, n)
			for i := range readings {
				readings[i] = number(tp, int64(i+1), float64(i))
			}
			for b.Loop() {
				mustAppend(b, s, readings...)
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "readings/s")
		})
	}
	b.Run("topics100", func(b *testing.B) {
		var readings []reading.Reading
		for i := range 100 {
			readings = append(readings, number(topic(b, fmt.Sprint(i)), 1, 1))
		}
		for b.Loop() {
			mustAppend(b, s, readings...)
		}
		b.ReportMetric(float64(100*b.N)/b.Elapsed().Seconds(), "readings/s")
	})
	b.Run("keyed", func(b *testing.B) {
		tp, n := topic(b), 0
		for b.Loop() {
			n++
			if _, err := s.Append(b.Context(), []reading.Reading{number(tp, int64(n), 1)}, store.Once{Key: fmt.Sprint(b.N, n)}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		tp := topic(b)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := s.Append(context.Background(), []reading.Reading{number(tp, 1, 1)}, store.Once{}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

// BenchmarkTail measures from before an append until its batch is yielded.
func BenchmarkTail(b *testing.B) {
	for _, topics := range []int{1, 100} {
		b.Run(fmt.Sprint("topics", topics), func(b *testing.B) {
			s := openBench(b)
			var followers []*follower
			for i := range topics {
				followers = append(followers, follow(b, s, topic(b, fmt.Sprint(i)), reading.Cursor{}))
			}
			mustAppend(b, s, number(topic(b, "0"), 1, 1))
			followers[0].take(b, 1)
			n := 0
			for b.Loop() {
				i := n % topics
				n++
				mustAppend(b, s, number(topic(b, fmt.Sprint(i)), time.Now().UnixMilli(), 1))
				<-followers[i].batches
			}
		})
	}
}

func BenchmarkLatest(b *testing.B) {
	s := openBench(b)
	var topics []reading.Topic
	for i := range 100 {
		topics = append(topics, topic(b, fmt.Sprint(i)))
		mustAppend(b, s, number(topics[i], 1, 1))
	}
	b.Run("entries", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Latest(b.Context(), topics, 1); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("histories", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Histories(b.Context(), topics, 1); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkResume(b *testing.B) {
	s := openBench(b)
	tp := topic(b)
	mustAppend(b, s, number(tp, 1, 1))
	end := mustRange(b, s, tp, store.RangeQuery{}).End
	for b.Loop() {
		mustResume(b, s, tp, end, 0)
	}
}
