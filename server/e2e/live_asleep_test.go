//go:build e2e

package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"readout/server/servertest"
)

// ownClock gives the page a clock that jumps: only what its machine takes for the
// time of day, as when a laptop sleeps or somebody sets the clock. What has passed
// since the page was opened goes on as it was.
const ownClock = `{
	const Real = Date;
	let ahead = 0;
	globalThis.Date = class extends Real {
		constructor(...args) {
			if (args.length > 0) super(...args);
			else super(Real.now() + ahead);
		}
		static now() { return Real.now() + ahead }
	};
	globalThis.jump = (ms) => { ahead += ms };
}`

// hide puts another tab in front of this one; show brings this one back.
func (p *tab) hide() (show func()) {
	p.t.Helper()
	attach(p.t, p.ctx, chromedp.WithNewWindow(false))
	p.until(`document.visibilityState === "hidden"`)
	return func() {
		p.t.Helper()
		if _, err := chromedp.Call(p.ctx, page.BringToFront, cdp.Empty{}); err != nil {
			p.t.Fatal(err)
		}
		p.until(`document.visibilityState === "visible"`)
	}
}

// freeze stops the page where it is, as browsers do with tabs that nobody has
// looked at for long; thaw lets it go on.
func (p *tab) freeze() (thaw func()) {
	p.t.Helper()
	become := func(state page.SetWebLifecycleStateState) {
		p.t.Helper()
		if _, err := chromedp.Call(p.ctx, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: state}); err != nil {
			p.t.Fatal(err)
		}
	}
	become(page.SetWebLifecycleStateStateFrozen)
	return func() {
		p.t.Helper()
		become(page.SetWebLifecycleStateStateActive)
	}
}

// heap is what the page's scripts hold, in MB.
func (p *tab) heap() float64 {
	p.t.Helper()
	for range 2 { // the first run finds what the second one can free
		if _, err := chromedp.Call(p.ctx, heapprofiler.CollectGarbage, cdp.Empty{}); err != nil {
			p.t.Fatal(err)
		}
	}
	usage, err := chromedp.Call(p.ctx, runtime.GetHeapUsage, cdp.Empty{})
	if err != nil {
		p.t.Fatal(err)
	}
	return usage.UsedSize / 1e6
}

// messages are those that came by the page's WebSockets, one after the other.
func (p *tab) messages() (all []servertest.Frame) {
	p.t.Helper()
	_, _, sockets := p.reported()
	for _, socket := range sockets {
		all = append(all, socket.frames...)
	}
	return all
}

// received is how many bytes they are.
func (p *tab) received() (bytes int) {
	p.t.Helper()
	for _, f := range p.messages() {
		bytes += len(f.Raw)
	}
	return bytes
}

// absence is what became of a tab while nobody looked at it.
type absence struct {
	seen, hidden float64       // bytes of messages that it got for a reading, before and meanwhile
	back         time.Duration // from being looked at again to the newest value
	grown        float64       // MB of heap
}

// absent opens a page, leaves it alone, or even frozen, for so many readings, one
// every so often, and comes back.
func absent(t testing.TB, frozen bool, readings int, every time.Duration) absence {
	t.Helper()
	const looked = 100 // readings before
	s := start(t, servertest.Redis(t).URL(), nil)
	s.Push("orders", "0")
	p := open(t, s.URL+"/t/orders")
	p.live()
	other := s.Dial()
	other.Subscribe("orders")
	var heard atomic.Int64 // by who looks all the time
	go func() {            // ends with the test's context
		for {
			f, err := other.TryRead(t.Context())
			if err != nil {
				return
			}
			if len(f.Rows) > 0 {
				n, _ := f.Rows[len(f.Rows)-1][1].(float64)
				heard.Store(int64(n))
			}
		}
	}()
	newest := 0
	push := func(n int) {
		t.Helper()
		var next <-chan time.Time
		if every > 0 {
			tick := time.NewTicker(every)
			defer tick.Stop()
			next = tick.C
		}
		for to := newest + n; newest < to; {
			if next != nil {
				<-next
			}
			newest++
			s.Push("orders", fmt.Sprint(newest))
		}
		eventually(t, "who looks all the time has it", func() bool { return heard.Load() == int64(newest) })
	}
	from := p.received()
	push(looked)
	p.until(shows(fmt.Sprint(looked)))
	a := absence{seen: float64(p.received()-from) / looked}
	before := p.heap()

	comeBack := p.hide()
	eventually(t, "a hidden tab asks for a pause", func() bool {
		_, _, sockets := p.reported()
		return slices.Contains(sockets[len(sockets)-1].sent, `{"type":"pause"}`)
	})
	if frozen {
		thaw, show := p.freeze(), comeBack
		comeBack = func() { thaw(); show() }
	}
	from = p.received()
	push(readings)
	a.hidden = float64(p.received()-from) / float64(readings)
	at := len(p.messages())
	a.back = p.follows(comeBack, shows(decimal(newest)))
	a.grown = p.heap() - before
	p.unbroken()

	// Of each reading it was told: it came, another one stands for it, or it is lost.
	told := 0
	for _, f := range p.messages()[at:] {
		told += f.Of
		if f.Type == "gap" && f.Lost != nil {
			told += int(*f.Lost)
		}
	}
	if told != readings {
		t.Errorf("%d readings came while nobody looked, and the page was told of %d", readings, told)
	}
	return a
}

// decimal prints a count as pages do.
func decimal(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

// check holds an absence against PROMISES F39.
func (a absence) check(t testing.TB) {
	t.Helper()
	t.Logf("%.1f bytes a reading while looked at, %.3f while not; back after %v; heap %+.2f MB", a.seen, a.hidden, a.back.Round(time.Millisecond), a.grown)
	if a.hidden > a.seen/20 {
		t.Errorf("a tab that nobody looks at is sent %.3f bytes a reading, before it was %.1f: want 95 %% less", a.hidden, a.seen)
	}
	if a.grown > 20 {
		t.Errorf("the tab holds %.1f MB more than before, want at most 20", a.grown)
	}
}

// TestAbsence looks at a page again that was hidden, or frozen, for the readings of minutes.
func TestAbsence(t *testing.T) {
	t.Parallel()
	for name, frozen := range map[string]bool{"hidden": false, "frozen": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			absent(t, frozen, 2000, 0).check(t)
		})
	}
}

// TestAbsenceByEventStream hides a page that is live by an event stream. That
// cannot be paused, so it ends, and begins again where it was.
func TestAbsenceByEventStream(t *testing.T) {
	t.Parallel()
	s := start(t, "", nil)
	g := newGateway(t, s)
	g.set(forbids, false)
	s.Push("orders", "1")
	p := open(t, g.url+"/t/orders")
	p.until(by("sse"))
	evaluate[chromedp.Void](p, collect)
	show := p.hide()
	eventually(t, "a hidden page has no connection", func() bool { return metric(s, "readout_connections") == 0 })
	for n := 2; n <= 12; n++ {
		s.Push("orders", fmt.Sprint(n))
	}
	p.follows(show, shows("12"))
	p.checkCollected(12)
	p.unbroken()
}

// BenchmarkAbsence is the same for b.N seconds (-benchtime=600x are the ten
// minutes of PROMISES F39) with ten readings a second.
func BenchmarkAbsence(b *testing.B) {
	for name, frozen := range map[string]bool{"hidden": false, "frozen": true} {
		b.Run(name, func(b *testing.B) {
			a := absent(b, frozen, 10*b.N, 100*time.Millisecond)
			a.check(b)
			b.ReportMetric(100*a.hidden/a.seen, "sent-while-hidden-%")
			b.ReportMetric(float64(a.back.Milliseconds()), "back-ms")
			b.ReportMetric(a.grown, "heap-growth-MB")
		})
	}
}

// TestBackForward leaves a page by a link and comes back by the Back button. The
// browser kept it as it was, and it goes on from there.
func TestBackForward(t *testing.T) {
	t.Parallel()
	s := start(t, "", nil)
	g := newGateway(t, s)
	for _, blocked := range []answer{passes, forbids} {
		g.set(blocked, false)
		topic := fmt.Sprintf("orders%d", blocked)
		s.Push(topic, "1")
		p := newTab(t)
		p.before(`addEventListener("pageshow", (e) => { globalThis.kept = e.persisted })`)
		p.navigate(g.url + "/t/" + topic)
		p.live()
		evaluate[chromedp.Void](p, collect)
		p.navigate(g.url + "/topics")
		for n := 2; n <= 12; n++ {
			s.Push(topic, fmt.Sprint(n))
		}
		began := time.Now()
		evaluate[chromedp.Void](p, `history.back()`)
		p.until(shows("12"))
		took := time.Since(began)
		if !evaluate[bool](p, `globalThis.kept`) {
			t.Fatal("the browser did not keep the page")
		}
		t.Logf("back after %v", took.Round(time.Millisecond))
		if took > promised {
			t.Errorf("a page that the browser kept shows the newest value after %v, want at most %v", took, promised)
		}
		p.checkCollected(12)
		p.unbroken()
	}
}

// TestSleep lets a laptop sleep: its connections are gone without a word, and
// its clock is ten minutes further. In one run the page hears of it, in the
// other it does not, which is how it is when a lid is closed.
func TestSleep(t *testing.T) {
	t.Parallel()
	const (
		slept = 10 * time.Minute
		awake = 2 * time.Second // from waking up to live
	)
	for name, frozen := range map[string]bool{"suspended": false, "frozen": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, "", nil)
			w := newWay(t, strings.TrimPrefix(s.URL, "http://"))
			s.Push("orders", "1")
			p := newTab(t)
			p.before(ownClock)
			p.navigate(w.url() + "/t/orders")
			p.live()
			s.Push("orders", "2")
			p.until(shows("2"))
			evaluate[chromedp.Void](p, collect)
			wake := func() {}
			if frozen {
				show := p.hide()
				thaw := p.freeze()
				wake = func() { thaw(); show() }
			}
			w.lose()
			for n := 3; n <= 12; n++ {
				s.Push("orders", fmt.Sprint(n))
			}
			isBack := p.watch(shows("12"))
			began := time.Now()
			evaluate[chromedp.Void](p, fmt.Sprintf(`jump(%d)`, slept.Milliseconds()))
			wake()
			took := isBack().Sub(began) // a jump of the page's clock moves no time of watch
			t.Logf("from waking up to the newest value: %v", took.Round(time.Millisecond))
			if _, _, sockets := p.reported(); len(sockets) < 2 {
				t.Error("the page went on by a connection that is lost: it was not lost")
			}
			if took > awake {
				t.Errorf("a page that slept shows the newest value %v after waking up, want at most %v", took, awake)
			}
			p.checkCollected(12)
			p.unbroken()
		})
	}
}

// TestClockJumps sets the clock of the viewer's machine an hour forth and two
// back. Whatever it says: times, how fresh things are and how long a reading took
// are right.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	s := start(t, "", nil)
	s.Push("orders", "1")
	p := newTab(t)
	p.before(ownClock)
	p.navigate(s.URL + "/t/orders")
	p.live()
	evaluate[chromedp.Void](p, collect)
	const (
		newest = `document.querySelector("[data-values] tbody tr").firstElementChild.textContent`
		took   = `Number(/^(\d+)\s?ms$/.exec(document.querySelector("[data-readout-latency]").textContent)?.[1] ?? -1)`
		word   = `document.querySelector("[data-readout-text]").textContent`
	)
	n := 1
	for _, jump := range []time.Duration{0, time.Hour, -2 * time.Hour} {
		evaluate[chromedp.Void](p, fmt.Sprintf(`jump(%d)`, jump.Milliseconds()))
		for range 5 {
			n++
			s.Push("orders", fmt.Sprint(n))
			p.until(shows(fmt.Sprint(n)))
			p.until(word + ` === "Live"`)
		}
		p.until(fmt.Sprintf(`collected.has("%d")`, n))
		shown := evaluate[string](p, newest)
		zone := evaluate[int](p, `0 - new Date().getTimezoneOffset()`)
		at, err := time.Parse("15:04:05", shown[:min(len(shown), 8)])
		if err != nil {
			t.Fatalf("after a jump of %v the newest reading is of %q", jump, shown)
		}
		now := time.Now().UTC().Add(time.Duration(zone) * time.Minute)
		apart := time.Duration(now.Hour()-at.Hour())*time.Hour + time.Duration(now.Minute()-at.Minute())*time.Minute + time.Duration(now.Second()-at.Second())*time.Second
		if apart < -time.Minute || apart > time.Minute {
			t.Errorf("after a jump of %v the newest reading, pushed now, is of %s; it is %s", jump, shown, now.Format(time.TimeOnly))
		}
		if ms := evaluate[float64](p, took); ms < 0 || ms > 2000 {
			t.Errorf("after a jump of %v a reading takes %v ms", jump, ms)
		}
		if end := evaluate[string](p, period); !strings.Contains(end, now.Format("15:04")) {
			t.Errorf("after a jump of %v the page shows %s; it is %s", jump, end, now.Format(time.TimeOnly))
		}
	}
	p.unbroken()
}
