package store_test

import (
	"testing"

	"readout/server/reading"
	"readout/server/servertest"
	"readout/server/store"
)

// A tail of a Redis Cluster that has lost its connections between two reads says
// so, although the client could dial without a word: behind the next connection
// may stand another history.
func TestAClusterTailSaysThatItRedials(t *testing.T) {
	t.Parallel()
	servers := servertest.StartRedisCluster(t)
	s := opened(t, store.Options{URL: servers.URL()})
	tp := topic(t)
	mustAppend(t, s, number(tp, 1, 1))
	f := follow(t, s, tp, reading.Cursor{})
	f.take(t, 1)
	for round := range 3 {
		for _, node := range servers.Nodes {
			node.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		}
		mustProblem(t, f.fails(t), "store_unavailable", "")
		if again := f.recovers(t); len(again) != 0 {
			t.Errorf("round %d: nothing was written and %v came", round, again)
		}
		eventually(t, "an append works", func() bool {
			_, err := s.Append(t.Context(), []reading.Reading{number(tp, int64(2+round), 1)}, store.Once{})
			return err == nil
		})
		if got := f.take(t, 1); got[0].Readings[0].Time != int64(2+round) {
			t.Errorf("round %d brought %v", round, got)
		}
	}
}

// What was read for those who have gone says nothing of whether those who come
// later have missed something.
func TestAClusterTailForgetsWhatNobodyFollows(t *testing.T) {
	t.Parallel()
	servers := servertest.StartRedisCluster(t)
	s := opened(t, store.Options{URL: servers.URL()})
	tp, other := topic(t), topic(t, "other")
	mustAppend(t, s, number(tp, 1, 1), number(other, 1, 1))
	f, gone := follow(t, s, tp, reading.Cursor{}), follow(t, s, other, reading.Cursor{})
	f.take(t, 1)
	gone.take(t, 1)
	gone.stop()
	<-gone.ended
	for i := range 2 { // the second one is asked for after the stop
		mustAppend(t, s, number(tp, int64(2+i), 1))
		f.take(t, 1)
	}
	for _, node := range servers.Nodes {
		node.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	}
	mustProblem(t, f.fails(t), "store_unavailable", "")
	f.recovers(t)
	follow(t, s, other, reading.Cursor{}).take(t, 1)
}
