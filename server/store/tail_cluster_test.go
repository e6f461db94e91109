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
