//go:build e2e

package e2e_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"readout/server/servertest"
)

// way is the network from a browser to a server, which can be cut.
type way struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	isCut bool
	conns map[net.Conn]bool // whether it is lost
	work  sync.WaitGroup
}

func newWay(t *testing.T, to string) *way {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &way{listener: l, to: to, conns: map[net.Conn]bool{}}
	w.work.Go(w.accept)
	t.Cleanup(func() {
		_ = l.Close()
		w.cut()
		w.work.Wait()
	})
	return w
}

func (w *way) url() string { return "http://" + w.listener.Addr().String() }

func (w *way) accept() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return // the test is over
		}
		far, err := net.Dial("tcp", w.to)
		if err != nil || !w.keep(near, far) {
			_ = near.Close()
			continue
		}
		w.work.Go(func() { w.pass(near, far) })
		w.work.Go(func() { w.pass(far, near) })
	}
}

func (w *way) pass(to, from net.Conn) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		lost := w.isLost(from)
		if !lost && n > 0 {
			_, _ = to.Write(b[:n]) // if nobody is there, the other direction ends
		}
		switch {
		case err == nil:
		case lost:
			return // what is at the other end never hears of it
		default:
			_ = to.Close()
			_ = from.Close()
			return
		}
	}
}

func (w *way) keep(near, far net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.isCut {
		_ = far.Close()
		return false
	}
	w.conns[near], w.conns[far] = false, false
	return true
}

// cut ends every connection without a word and lets no other one through.
func (w *way) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isCut = true
	for c := range w.conns {
		_ = c.Close()
		delete(w.conns, c)
	}
}

// lose takes the network away from under every connection: nobody hears that it
// ended, and nothing gets through any more. New ones get through.
func (w *way) lose() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		w.conns[c] = true
	}
}

func (w *way) isLost(c net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.conns[c]
}

func (w *way) restore() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isCut = false
}

// unconflated is slower than the rate that pages ask for, 20 messages a second:
// faster readings would reach them conflated.
const unconflated = 60 * time.Millisecond

// counting pushes from, from+1, ... to a topic until it is stopped; stop returns
// the last number that is stored.
func counting(t testing.TB, s *servertest.Server, topic string, from int, every time.Duration) (stop func() int) {
	t.Helper()
	done := make(chan struct{})
	type outcome struct {
		last int
		err  error
	}
	end := make(chan outcome, 1)
	push := func(n int) error {
		answer, err := s.Client.Post(s.URL+"/t/"+topic, "text/plain", strings.NewReader(strconv.Itoa(n)))
		if err != nil {
			return err
		}
		defer func() { _ = answer.Body.Close() }()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("push %d: %s", n, answer.Status)
		}
		return nil
	}
	go func() { // ends with stop, which cleanup calls too
		tick := time.NewTicker(every)
		defer tick.Stop()
		for n := from; ; n++ {
			select {
			case <-done:
				end <- outcome{n - 1, nil}
				return
			case <-tick.C:
				if err := push(n); err != nil {
					end <- outcome{n - 1, err}
					return
				}
			}
		}
	}()
	stop = sync.OnceValue(func() int {
		close(done)
		o := <-end
		if o.err != nil {
			t.Error(o.err)
		}
		return o.last
	})
	t.Cleanup(func() { stop() })
	return stop
}

// TestReconnectWithoutAHole cuts the connection of a page in the middle of a
// stream of numbered readings. What the browser received on the two sockets must
// be every number once, in order, each message going on where the one before it
// ended, also from the first socket to the second. On a machine that stalls a
// message may be conflated; then it must say of how many, to the reading, and
// never where the page resumes.
func TestReconnectWithoutAHole(t *testing.T) {
	s := start(t, servertest.Redis(t).URL(), nil)
	w := newWay(t, strings.TrimPrefix(s.URL, "http://"))
	const known = 10 // readings that the page is rendered with
	for n := 1; n <= known; n++ {
		s.Push("orders", strconv.Itoa(n))
	}
	p := open(t, w.url()+"/t/orders")
	p.live()
	type rendered struct {
		After string      `json:"after"`
		Rows  [][]float64 `json:"rows"`
	}
	page := evaluate[rendered](p, `JSON.parse(document.querySelector("script[data-feeds]").textContent).feeds[0]`)

	const figure = `Number(document.querySelector("[data-value] [data-figure]").textContent.replaceAll(",", ""))`
	const readOut = `document.querySelector("[data-readout-text]").textContent`
	const chip = `document.querySelector("[data-chip]").innerText`
	stop := counting(t, s, "orders", known+1, unconflated)
	p.until(figure + ` > 30`)
	w.cut()
	p.until(readOut + `.startsWith("reconnecting")`)
	p.until(chip + ` === "reconnecting"`)
	at := evaluate[int](p, figure)
	w.restore()
	restored := time.Now()
	p.until(readOut + ` === "Live"`)
	t.Logf("live again %v after the network came back", time.Since(restored).Round(time.Millisecond))
	p.until(fmt.Sprintf(`%s > %d`, figure, at+40)) // and goes on
	last := stop()
	p.until(fmt.Sprintf(`%s === %d`, figure, last))

	_, _, all := p.reported()
	var sockets []wire // attempts while the way was cut got nothing
	for _, socket := range all {
		if len(socket.frames) > 0 {
			sockets = append(sockets, socket)
		}
	}
	if len(sockets) != 2 {
		t.Fatalf("%d sockets got messages, want one before the cut and one after it", len(sockets))
	}
	cursor := page.After
	var numbers []int
	for i, row := range page.Rows {
		numbers = append(numbers, int(row[1]))
		if numbers[i] != i+1 {
			t.Fatalf("the page was rendered with %v", page.Rows)
		}
	}
	for i, socket := range sockets {
		if after := subscribedAfter(t, socket, "orders"); after != cursor {
			t.Errorf("socket %d went on after %q, want %q", i, after, cursor)
		}
		for j, f := range socket.frames {
			if f.Type == "welcome" && j == 0 {
				continue
			}
			if f.Type != "readings" {
				t.Fatalf("socket %d: a message that has no place here: %s", i, f.Raw)
			}
			if f.Prev != cursor {
				t.Errorf("socket %d: a message follows %s, the one before it ended at %s", i, f.Prev, cursor)
			}
			cursor = f.Cursor()
			before := numbers[len(numbers)-1]
			for _, row := range f.Rows {
				n, _ := row[1].(float64)
				if n <= float64(numbers[len(numbers)-1]) {
					t.Fatalf("socket %d: %v comes after %d", i, n, numbers[len(numbers)-1])
				}
				numbers = append(numbers, int(n))
			}
			if got := numbers[len(numbers)-1] - before; got != f.Of {
				t.Fatalf("socket %d: from %d a message leads to %d and says that it stands for %d", i, before, before+got, f.Of)
			}
			if f.Of != len(f.Rows) {
				t.Logf("socket %d: message %d has %d readings for %d", i, j, len(f.Rows), f.Of)
				if j == 1 {
					t.Errorf("socket %d: what the page missed is conflated", i)
				}
			}
		}
	}
	if numbers[len(numbers)-1] != last {
		t.Errorf("the browser received readings up to %d, %d were pushed", numbers[len(numbers)-1], last)
	}
	if resumed := sockets[1].frames[1]; resumed.Of < 10 {
		t.Errorf("only %d readings were missed: the cut was no cut", resumed.Of)
	}

	// And the page made the same of it: its table shows the newest twenty.
	evaluate[chromedp.Void](p, `void (document.querySelector("[data-values]").open = true)`)
	var want []string
	for _, n := range slices.Backward(numbers[len(numbers)-20:]) {
		want = append(want, strconv.Itoa(n))
	}
	p.until(`[...document.querySelectorAll("[data-values] tbody tr")].map((row) => row.lastElementChild.textContent).join() === "` + strings.Join(want, ",") + `"`)
	p.unbroken()
	p.navigate("about:blank") // a page that is left says what it has not said yet
	eventually(t, "the page tells that it came back", func() bool { return metric(s, "readout_viewer_resumes_total") == 1 })
}

// subscribedAfter returns the cursor after which a page subscribed to a topic.
func subscribedAfter(t *testing.T, socket wire, topic string) string {
	t.Helper()
	for _, sent := range socket.sent {
		var m struct {
			Type  string            `json:"type"`
			After map[string]string `json:"after"`
		}
		if err := json.Unmarshal([]byte(sent), &m); err != nil {
			t.Fatalf("the page sent %s: %v", sent, err)
		}
		if m.Type == "subscribe" {
			return m.After[topic]
		}
	}
	t.Fatal("the page did not subscribe")
	return ""
}
