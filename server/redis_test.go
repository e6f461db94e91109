package server_test

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"readout/server/reading"
	"readout/server/servertest"
	"readout/server/store"
)

// Whoever XADDs to the key that the topic's page prints has pushed a reading.
func TestAForeignXADDIsAReading(t *testing.T) {
	redis := servertest.Redis(t)
	s := servertest.New(t, &servertest.Options{Redis: redis.URL(), Loopback: true})
	const topic = `door{room="lab"}`
	viewer := s.Dial()
	viewer.Subscribe(topic)
	viewer.ReadType("snapshot")

	page := s.Do(http.MethodGet, "/t/door%7Broom=%22lab%22%7D", "", "Accept", "text/html")
	if key := strings.ReplaceAll(store.Key(topic), `"`, "&#34;"); page.Status != http.StatusOK || !strings.Contains(page.Body, key) {
		t.Errorf("the page (%d) does not name the key %s", page.Status, key)
	}
	host, port, _ := strings.Cut(redis.Addr(), ":")
	out, err := exec.Command("redis-cli", "-h", host, "-p", port, "XADD", store.Key(topic), "*", "value", "open", "count", "7").CombinedOutput()
	if err != nil {
		t.Fatalf("redis-cli: %v %s", err, out)
	}
	f := viewer.ReadType("readings")
	if strings.Join(f.Columns, " ") != "t value count" || f.Rows[0][1] != "open" || f.Rows[0][2] != 7.0 {
		t.Errorf("frame: %s", f.Raw)
	}
	if a := s.Do(http.MethodGet, "/t/door%7Broom=%22lab%22%7D?format=txt", ""); a.Body != "value=open count=7\n" {
		t.Errorf("page as text: %q", a.Body)
	}
}

// A page is where its readings end: whatever is trimmed before its connection goes
// on from there is told with its count, on a board as on the page of one topic.
func TestAPageThatMissedReadingsIsToldHowMany(t *testing.T) {
	redis := servertest.Redis(t)
	s := servertest.New(t, &servertest.Options{Redis: redis.URL(), Loopback: true})
	for path, topic := range map[string]string{"/d?match=orders": "orders", "/t/visits": "visits"} {
		s.Push(topic, "1")
		s.Push(topic, "2")
		after := afterOf(t, s.Do(http.MethodGet, path, "", "Accept", "text/html").Body)
		for range 5 {
			s.Push(topic, "3")
		}
		redis.Do("XTRIM", store.Key(reading.Topic(topic)), "MAXLEN", "1")
		viewer := s.Dial()
		viewer.SubscribeAfter(topic, after)
		if f := viewer.ReadType("gap"); f.Lost == nil || *f.Lost != 4 {
			t.Errorf("%s goes on after %s: %s", path, after, f.Raw)
		}
		viewer.Close()
	}
}

// afterOf is the cursor of a page's only feed.
func afterOf(t *testing.T, page string) string {
	t.Helper()
	_, rest, _ := strings.Cut(page, "data-feeds>")
	block, _, _ := strings.Cut(rest, "</script>")
	var known struct {
		Feeds []struct {
			After string `json:"after"`
		} `json:"feeds"`
	}
	if err := json.Unmarshal([]byte(block), &known); err != nil || len(known.Feeds) != 1 {
		t.Fatalf("the page holds %s: %v", block, err)
	}
	return known.Feeds[0].After
}
