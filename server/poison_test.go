package server_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"readout/server"
	"readout/server/reading"
	"readout/server/servertest"
	"readout/server/store"
)

func redisCLI(t *testing.T, redis *servertest.RedisServer, args ...string) {
	t.Helper()
	host, port, _ := strings.Cut(redis.Addr(), ":")
	if out, err := exec.Command("redis-cli", append([]string{"-h", host, "-p", port}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("redis-cli %v: %v %s", args, err, out)
	}
}

// B71: whoever sets a topic's key to something else stops that topic and no
// other, is told so, and has it back when the key is gone.
func TestAKeyOfAnotherTypeStopsItsTopicOnly(t *testing.T) {
	redis := servertest.Redis(t)
	s := servertest.New(t, &servertest.Options{Redis: redis.URL(), Loopback: true})
	all := []string{"bad", "good1", "good2", "good3", "good4", "good5"}
	for _, topic := range all {
		s.Push(topic, "1")
	}
	viewer := s.Dial()
	viewer.Subscribe(all...)
	for range all {
		viewer.ReadType("snapshot")
	}
	redisCLI(t, redis, "SET", store.Key("bad"), "not a stream")
	if f := viewer.ReadType("error"); f.Topic != "bad" || f.Code != "wrong_type" || f.ID != nil {
		t.Errorf("the viewer is told %s", f.Raw)
	}
	for n := range 3 {
		for _, topic := range all[1:] {
			s.Push(topic, "2")
			if f := viewer.Read(); f.Type != "readings" || f.Topic != topic {
				t.Fatalf("round %d, %s: %s", n, topic, f.Raw)
			}
		}
	}
	for _, c := range []struct{ method, path, body string }{
		{http.MethodPost, "/t/bad", "2"}, {http.MethodGet, "/t/bad?format=json", ""}, {http.MethodGet, "/t/bad?format=csv", ""},
	} {
		if a := s.Do(c.method, c.path, c.body); a.Status != http.StatusConflict || !strings.Contains(a.Body, "wrong_type") {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.Status, a.Body)
		}
	}
	late := s.Dial() // one who comes now is told too, and gets the others
	late.Subscribe("bad", "good1")
	state := map[string]string{}
	for state["good1"] != "snapshot" || state["bad"] != "error wrong_type" { // once, after what is known of it
		f := late.Read()
		state[f.Topic] = strings.TrimSpace(f.Type + " " + f.Code)
	}
	redisCLI(t, redis, "DEL", store.Key("bad"))
	s.Push("bad", "7")
	if f := viewer.ReadType("reset"); f.Topic != "bad" {
		t.Errorf("after the key is gone: %s", f.Raw)
	}
	if f := viewer.ReadType("snapshot"); f.Topic != "bad" || len(f.Rows) != 1 || f.Rows[0][1] != 7.0 {
		t.Errorf("its new history: %s", f.Raw)
	}
	s.Push("bad", "8")
	if f := viewer.ReadType("readings"); f.Topic != "bad" || f.Rows[0][1] != 8.0 {
		t.Errorf("and on: %s", f.Raw)
	}
}

// A viewer of a topic that another replica deletes sees its end and its next life.
func TestADeletedTopicOnScreen(t *testing.T) {
	redis := servertest.Redis(t)
	s := servertest.New(t, &servertest.Options{Redis: redis.URL(), Loopback: true})
	other, err := store.Open(t.Context(), store.Options{URL: redis.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	s.Push("orders", "1")
	s.Push("orders", "2")
	viewer := s.Dial()
	viewer.Subscribe("orders")
	old := viewer.ReadType("snapshot")
	if err := other.Delete(t.Context(), "orders"); err != nil {
		t.Fatal(err)
	}
	if f := viewer.Read(); f.Type != "reset" || f.Topic != "orders" {
		t.Errorf("its end: %s", f.Raw)
	}
	if f := viewer.Read(); f.Type != "snapshot" || len(f.Rows) != 0 || len(f.Columns) != 1 {
		t.Errorf("what is left: %s", f.Raw)
	}
	if _, err := other.Append(t.Context(), []reading.Reading{{Topic: "orders", Time: 1763785200123, Values: []reading.Named{{Name: "value", Value: reading.NumberOf(9)}}}}, store.Once{}); err != nil {
		t.Fatal(err)
	}
	if f := viewer.Read(); f.Type != "readings" || f.Rows[0][1] != 9.0 {
		t.Errorf("its next life: %s", f.Raw)
	}
	again := s.Dial() // an old cursor is of another life
	again.SubscribeAfter("orders", old.Cursor())
	if f := again.Read(); f.Type != "reset" {
		t.Errorf("an old cursor: %s", f.Raw)
	}
}

// A hidden topic is picked by no selector, and shown to who names it.
func TestAHiddenTopicMustBeNamed(t *testing.T) {
	redis := servertest.Redis(t)
	s := servertest.New(t, &servertest.Options{Redis: redis.URL(), Loopback: true})
	other, err := store.Open(t.Context(), store.Options{URL: redis.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	s.Push("orders.test", "1")
	s.Push("orders.shop", "1")
	if err := other.Hide(t.Context(), "orders.test", true); err != nil {
		t.Fatal(err)
	}
	if err := other.Describe(t.Context(), "orders.done", nil); err != nil { // comes after it in the stream of changes
		t.Fatal(err)
	}
	viewer := s.Dial()
	viewer.Send(`{"type":"subscribe","id":1,"topics":["orders.done"]}`)
	viewer.ReadType("snapshot")
	viewer.Send(`{"type":"subscribe","id":2,"topics":["orders.s*"]}`)
	if f := viewer.Read(); f.Type != "snapshot" || f.Topic != "orders.shop" {
		t.Errorf("%s", f.Raw)
	}
	viewer.Send(`{"type":"subscribe","id":3,"topics":["orders.t*"]}`)
	viewer.Send(`{"type":"subscribe","id":4,"topics":["orders.test"]}`)
	if f := viewer.Read(); f.Type != "snapshot" || f.Topic != "orders.test" {
		t.Errorf("%s", f.Raw)
	}
	if err := other.Hide(t.Context(), "orders.test", false); err != nil {
		t.Fatal(err)
	}
	if f := viewer.Read(); f.Type != "topics" || f.Topics[0] != "orders.test" {
		t.Errorf("when it is shown again: %s", f.Raw)
	}
}

// A page that shows a dashboard hears of its version at once and of each change.
func TestADashboardOnScreenHearsOfItsChanges(t *testing.T) {
	dir := t.TempDir()
	write := func(title string) {
		t.Helper()
		text := "readout: 1\ntitle: " + title + "\npanels:\n  - title: Orders\n    topics: orders\n"
		if err := os.WriteFile(filepath.Join(dir, "shop.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("Shop")
	s := servertest.New(t, &servertest.Options{Loopback: true, Change: func(o *server.Options) { o.Dashboards = dir }})
	viewer := s.Dial()
	viewer.Send(`{"type":"subscribe","id":1,"dashboard":"shop"}`)
	first := viewer.Read()
	if first.Type != "dashboard" || first.Slug != "shop" || first.Version == "" {
		t.Fatalf("after subscribing: %s", first.Raw)
	}
	write("Shop, Berlin")
	if f := viewer.Read(); f.Type != "dashboard" || f.Slug != "shop" || f.Version == "" || f.Version == first.Version {
		t.Errorf("after a change: %s", f.Raw)
	}
}
