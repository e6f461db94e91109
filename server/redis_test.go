package server_test

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"

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
