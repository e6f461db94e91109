package server_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"readout/server"
	"readout/server/embedded"
	"readout/server/servertest"
	"readout/server/store"
)

// POST /live/poll is a socket for those whose way here keeps answers back until
// they are whole.

func TestAPollWaitsForNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		s.Push("orders", "1")
		s.Push("queue", "1")
		viewer := s.Poller(servertest.Subscription{Topics: []string{"orders", "queue"}})
		began := time.Now()
		if got := kinds(viewer.Poll()); got != "welcome snapshot snapshot" || time.Since(began) > 60*time.Millisecond {
			t.Errorf("first %s after %v", got, time.Since(began))
		}
		// With nothing new it says so after 20 s.
		began = time.Now()
		if got := kinds(viewer.Poll()); got != "welcome" || time.Since(began) != 20*time.Second {
			t.Errorf("%s after %v", got, time.Since(began))
		}
		// What comes at nearly the same time comes in one answer.
		began = time.Now()
		go func() {
			time.Sleep(3 * time.Second)
			for i := range 4 {
				s.Push("orders", fmt.Sprint(i))
				time.Sleep(10 * time.Millisecond)
			}
		}()
		frames := viewer.Poll()
		if took := time.Since(began); took < 3*time.Second || took > 3*time.Second+80*time.Millisecond {
			t.Errorf("answered after %v", took)
		}
		readings := 0
		for _, f := range frames[1:] {
			if f.Topic != "orders" {
				t.Errorf("nothing has happened here: %s", f.Raw)
			}
			readings += len(f.Rows)
		}
		if readings != 4 {
			t.Errorf("%d readings in one answer", readings)
		}
	})
}

// A poll may last longer than http.Server lets an answer take that is not its own
// master: ReadTimeout is 15 s and WriteTimeout 30 s.
func TestAPollOutlivesEveryDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, &servertest.Options{Change: func(o *server.Options) { o.Ping = time.Minute }})
		viewer := s.Poller(servertest.Subscription{Topics: []string{"orders"}})
		viewer.PollFor("snapshot")
		for range 2 { // the second one on the same connection
			began := time.Now()
			if got := kinds(viewer.Poll()); got != "welcome" || time.Since(began) != time.Minute {
				t.Errorf("%s after %v", got, time.Since(began))
			}
		}
		go func() {
			time.Sleep(50 * time.Second)
			s.Push("orders", "1")
		}()
		if got := kinds(viewer.Poll()); got != "welcome readings readings" {
			t.Errorf("%s after 50 s", got)
		}
	})
}

// What is wrong with the store reaches a viewer that polls while it waits, is no
// reason to answer it again and again, and ends when it ends.
func TestAPollTellsOfTheStoreOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, err := embedded.Start(embedded.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(memory.Close)
		line := &cuttable{dial: memory.Dial}
		s := servertest.New(t, &servertest.Options{Change: func(o *server.Options) {
			o.Store = store.Options{URL: embedded.URL, Dial: line.connect}
		}})
		s.Push("orders", "1")
		viewer := s.Poller(servertest.Subscription{Topics: []string{"orders"}})
		viewer.PollFor("snapshot")
		viewer.Poll() // the state of the first answer is known
		go func() {
			time.Sleep(5 * time.Second)
			line.cut(true)
		}()
		began := time.Now()
		told := map[string]bool{}
		polls := 0
		for !told["stale"] || !told["store"] {
			for _, f := range viewer.Poll() {
				told[f.Type] = true
			}
			if polls++; time.Since(began) > 15*time.Second {
				t.Fatalf("10 s after the store went away a viewer knows of %v", told)
			}
		}
		settled := time.Now()
		viewer.Poll() // what stands may still change
		for range 3 {
			began := time.Now()
			if frames := viewer.Poll(); time.Since(began) != 20*time.Second || !strings.Contains(kinds(frames), "stale") || !strings.Contains(kinds(frames), "store") {
				t.Errorf("%s after %v, while nothing changes", kinds(frames), time.Since(began))
			}
		}
		if polls > 4 || time.Since(settled) > 90*time.Second {
			t.Errorf("%d polls until it is told", polls)
		}
		go func() {
			time.Sleep(3 * time.Second)
			line.cut(false)
		}()
		stale, away := true, true
		for began := time.Now(); stale || away; {
			away = false // what stands follows the welcome
			for _, f := range viewer.Poll() {
				switch f.Type {
				case "stale":
					stale = true
				case "readings":
					stale = false
				case "store":
					away = f.State != "ok"
				}
			}
			if time.Since(began) > 10*time.Second {
				t.Fatalf("7 s after the store is back: stale %v, away %v", stale, away)
			}
		}
	})
}

// cuttable is the way to a store, which a test cuts and mends.
type cuttable struct {
	dial func(context.Context, string, string) (net.Conn, error)

	mu    sync.Mutex // guards the fields below
	away  bool
	conns []net.Conn
}

func (c *cuttable) connect(ctx context.Context, network, address string) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return nil, errors.New("nobody is there")
	}
	conn, err := c.dial(ctx, network, address)
	if err == nil {
		c.conns = append(c.conns, conn)
	}
	return conn, err
}

func (c *cuttable) cut(away bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = away
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

// Who comes back with cursors, from another transport or after a pause, knows at
// once that they hold.
func TestAFirstPollConfirmsCursors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		s.Push("orders", "1")
		want := servertest.Subscription{Topics: []string{"orders"}}
		before := s.Stream(want)
		before.ReadType("snapshot")
		before.Close()
		want.After = before.Cursors()
		viewer := s.Poller(want)
		began := time.Now()
		frames := viewer.Poll()
		if took := time.Since(began); kinds(frames) != "welcome readings" || len(frames[1].Rows) != 0 || took > 300*time.Millisecond {
			t.Errorf("%s after %v", kinds(frames), took)
		}
	})
}

func TestNothingIsLostBetweenTwoPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		viewer := s.Poller(servertest.Subscription{Topics: []string{"orders"}})
		viewer.PollFor("snapshot")
		const pushed = 300
		go func() {
			for i := range pushed {
				s.Push("orders", fmt.Sprint(i))
				time.Sleep(7 * time.Millisecond)
			}
		}()
		next := 0.0
		for polls := 0; next < pushed; polls++ {
			for _, f := range viewer.Poll() {
				for _, row := range f.Rows {
					if row[1] != next {
						t.Fatalf("poll %d: %v, want %v", polls, row[1], next)
					}
					next++
				}
			}
			time.Sleep(time.Duration(polls%3) * 100 * time.Millisecond) // and sometimes the viewer takes its time
		}
	})
}

// What stands is told once: a dashboard, a topic that is refused, a limit. Told
// with every poll it must not make the viewer ask without end.
func TestWhatAPollingViewerKnowsIsNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		s.Push("orders", "1")
		viewer := s.Poller(servertest.Subscription{Topics: []string{"orders", "a b"}, Dashboard: "machine"})
		first := strings.Fields(kinds(viewer.Poll()))
		slices.Sort(first[1:]) // a snapshot may come before what is said at once
		if got := strings.Join(first, " "); got != "welcome dashboard error snapshot" {
			t.Errorf("first %s", got)
		}
		for range 2 {
			began := time.Now()
			if got := kinds(viewer.Poll()); got != "welcome error dashboard" && got != "welcome dashboard error" || time.Since(began) != 20*time.Second {
				t.Errorf("then %s after %v", got, time.Since(began))
			}
		}
	})
}

// A page of a thousand topics gets its snapshots in several answers, each
// bounded, and then polls cheaply.
func TestAPollOfAThousandTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		var batch []string
		for i := range 1000 {
			for k := range 5 {
				batch = append(batch, fmt.Sprintf(`{"topic":"m%d","values":{"n":%d,"text":"%040d"}}`, i, k, k))
			}
		}
		for chunk := range slices.Chunk(batch, 5000) {
			if a := s.Do(http.MethodPost, readingsPath, "["+strings.Join(chunk, ",")+"]", "Content-Type", "application/json"); a.Status != http.StatusOK {
				t.Fatal(a.Body)
			}
		}
		viewer := s.Poller(servertest.Subscription{Topics: []string{"m*"}})
		began := time.Now()
		polls, snapshots := 0, map[string]bool{}
		for len(snapshots) < 1000 {
			size := 0
			for _, f := range viewer.Poll() {
				size += len(f.Raw)
				if f.Type != "snapshot" {
					continue
				}
				if snapshots[f.Topic] {
					t.Errorf("%s came twice", f.Topic)
				}
				snapshots[f.Topic] = true
			}
			if polls++; size > 160<<10 {
				t.Errorf("an answer of %d KiB", size>>10)
			}
		}
		if took := time.Since(began); polls < 3 || took > 5*time.Second {
			t.Errorf("%d polls in %v", polls, took)
		}
		viewer.Poll() // the state it knows is that of the last answer
		began = time.Now()
		if got := kinds(viewer.Poll()); got != "welcome" || time.Since(began) != 20*time.Second {
			t.Errorf("%.100s after %v", got, time.Since(began))
		}
		s.Push("m500", "n=7")
		if frames := viewer.Poll(); len(frames) > 3 || viewer.Cursors()["m500"] != frames[len(frames)-1].Cursor() {
			t.Errorf("one reading came in %d frames", len(frames))
		}
	})
}

func TestAPollKeepsItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		viewer := s.Poller(servertest.Subscription{Topics: []string{"orders"}, Rate: 2})
		viewer.PollFor("snapshot")
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range 1000 {
				s.Push("orders", fmt.Sprint(i))
				time.Sleep(10 * time.Millisecond)
			}
		}()
		polls, stood := 0, 0
		for stood < 1000 {
			for _, f := range viewer.Poll() {
				stood += f.Of
			}
			polls++
		}
		<-done
		if polls < 15 || polls > 23 { // 10 s at 2 a second
			t.Errorf("%d polls in 10 s at a rate of 2", polls)
		}
	})
}

// A viewer that goes away while it waits is forgotten at once.
// Where more happens between two polls than one answer holds, each answer is of
// other topics, and in the end of all.
func TestAThinLineLeavesNoTopicOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		var values strings.Builder
		for i := range 60 {
			fmt.Fprintf(&values, "a_name_that_is_longer_than_its_value_%d=%d ", i, i%10)
		}
		var topics []string
		heard := map[string]int{}
		for i := range 60 {
			topics = append(topics, fmt.Sprint("topic", i))
		}
		viewer := s.Poller(servertest.Subscription{Topics: topics})
		for range 40 {
			for _, topic := range topics {
				s.Push(topic, values.String())
			}
			time.Sleep(time.Second) // until the answer before has come over the line
			for _, f := range viewer.Poll() {
				heard[f.Topic]++
			}
		}
		for _, topic := range topics {
			if heard[topic] == 0 {
				t.Errorf("nothing was said of %s", topic)
			}
		}
	})
}

func TestAPollThatIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		viewer := s.Poller(servertest.Subscription{Topics: []string{"orders"}})
		viewer.PollFor("snapshot")
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = viewer.TryPoll(ctx)
		}()
		synctest.Wait()
		if got := labelled(s, "readout_connections", "poll"); got != "1" {
			t.Errorf("%s polls wait", got)
		}
		cancel()
		<-ended
		synctest.Wait()
		if got := labelled(s, "readout_connections", "poll"); got != "0" || metric(s, "readout_subscribers") != "0" {
			t.Errorf("%s polls wait for nobody", got)
		}
	})
}

// Viewers that poll keep what they watch warm: no poll begins a streamer anew.
func TestPollsShareAStreamerThatLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		s.Push("orders", "1")
		viewer := s.Poller(servertest.Subscription{Topics: []string{"orders"}})
		viewer.PollFor("snapshot")
		for i := range 20 {
			time.Sleep(5 * time.Second)
			if got := metric(s, "readout_streamers"); got != "1" {
				t.Fatalf("%s streamers between two polls", got)
			}
			s.Push("orders", fmt.Sprint(i))
			viewer.PollFor("readings")
		}
	})
}

func kinds(frames []servertest.Frame) string {
	var list []string
	for _, f := range frames {
		list = append(list, f.Type)
	}
	return strings.Join(list, " ")
}
