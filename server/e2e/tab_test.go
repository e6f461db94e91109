//go:build e2e

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"readout/server/servertest"
)

const (
	patience = 15 * time.Second // for what has no promised time, on a busy machine
	promised = time.Second      // from a push to what a viewer sees
)

// tab is one page of the browser and all that the browser reported about it. It
// closes with its test.
type tab struct {
	t   testing.TB
	ctx context.Context

	mu         sync.Mutex
	complaints []complaint
	requests   []string // the address of everything that was asked for
	sockets    []*wire  // in the order in which they were opened
}

// complaint is what the console or the browser itself found wrong.
type complaint struct{ what, url string }

// wire is one WebSocket of a page as the browser's network stack saw it, so that
// nothing here depends on what the page's script made of it.
type wire struct {
	id     network.RequestID
	sent   []string
	frames []servertest.Frame
}

// open shows a page in a tab of its own.
func open(t testing.TB, address string) *tab {
	t.Helper()
	p := newTab(t)
	p.navigate(address)
	return p
}

// newTab opens an empty tab that remembers nothing of others.
func newTab(t testing.TB) *tab {
	t.Helper()
	if err := startBrowser(); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	p := attach(t, browser, chromedp.WithNewBrowserContext())
	// Panels that no screen shows are not drawn, so the screen is a usual one.
	p.do(chromedp.EmulateViewport(1440, 900))
	return p
}

// frame returns what a frame shows. One of another site has a process and a
// target of its own; nil when no frame shows this address.
func (p *tab) frame(address string) *tab {
	p.t.Helper()
	targets, err := chromedp.Targets(p.ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, target := range targets {
		if target.Type == "iframe" && target.URL == address {
			return attach(p.t, p.ctx, chromedp.WithTargetID(target.TargetID))
		}
	}
	return nil
}

func attach(t testing.TB, parent context.Context, option chromedp.ContextOption) *tab {
	t.Helper()
	p := &tab{t: t}
	ctx, closeTab := chromedp.NewContext(parent, option, chromedp.WithListener(p.hear))
	p.ctx = ctx
	t.Cleanup(closeTab)
	// Whatever this tab does, its life must not end with the time of one action,
	// so it begins in an action without a limit.
	if _, err := chromedp.Call(ctx, audits.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	return p
}

// hear takes what the browser reports; it runs in the browser's reading loop.
func (p *tab) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		p.requests = append(p.requests, e.Request.URL)
	case *network.EventWebSocketCreated:
		p.requests = append(p.requests, e.URL)
		p.sockets = append(p.sockets, &wire{id: e.RequestID})
	case *network.EventWebSocketFrameSent:
		if w := p.wire(e.RequestID); w != nil {
			w.sent = append(w.sent, string(e.Response.PayloadData))
		}
	case *network.EventWebSocketFrameReceived:
		w := p.wire(e.RequestID)
		f := servertest.Frame{Raw: string(e.Response.PayloadData)}
		if err := json.Unmarshal(e.Response.PayloadData, &f); err != nil {
			p.complain("a frame that is no JSON: "+f.Raw, "")
		} else if w != nil {
			w.frames = append(w.frames, f)
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			var said []string
			for _, a := range e.Args {
				said = append(said, string(a.Value)+a.Description)
			}
			p.complain("console "+string(e.Type)+": "+strings.Join(said, " "), "")
		}
	case *runtime.EventExceptionThrown:
		what := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			what += " " + e.ExceptionDetails.Exception.Description
		}
		p.complain("exception: "+what, e.ExceptionDetails.URL)
	case *log.EventEntryAdded:
		if e.Entry.Level == "error" || e.Entry.Level == "warning" {
			p.complain(string(e.Entry.Source)+": "+e.Entry.Text, e.Entry.URL)
		}
	case *audits.EventIssueAdded:
		details, _ := json.Marshal(e.Issue.Details)
		p.complain(string(e.Issue.Code)+" "+string(details), "")
	}
}

func (p *tab) complain(what, url string) {
	p.complaints = append(p.complaints, complaint{what, url})
}

func (p *tab) wire(id network.RequestID) *wire {
	for _, w := range p.sockets {
		if w.id == id {
			return w
		}
	}
	return nil
}

// reported returns what the browser reported until now. The command makes the
// round trip through the tab, so everything before it has been heard.
func (p *tab) reported() (complaints []complaint, requests []string, sockets []wire) {
	p.t.Helper()
	evaluate[bool](p, `true`)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.sockets {
		sockets = append(sockets, wire{w.id, append([]string(nil), w.sent...), append([]servertest.Frame(nil), w.frames...)})
	}
	return append(complaints, p.complaints...), append(requests, p.requests...), sockets
}

// do runs actions one after the other.
func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// navigate shows another page and returns when that and its frames are loaded.
func (p *tab) navigate(address string) {
	p.t.Helper()
	p.do(chromedp.Navigate(address))
}

// evaluate returns the value of a script in the page. A content security policy
// does not concern it.
func evaluate[T any](p *tab, script string, options ...chromedp.EvaluateOption) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, options...))
	if err != nil {
		p.t.Fatalf("%s: %v", firstLine(script), err)
	}
	return v
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line[:min(len(line), 200)]
}

// watch begins to look for a condition, so that what happens next is timed from
// inside the page; the function it returns waits and says when the condition held.
func (p *tab) watch(condition string) func() time.Time {
	p.t.Helper()
	n := evaluate[int](p, `(globalThis.watched ??= []).push(new Promise((resolve) => {
		const look = () => {
			let holds = false;
			try { holds = Boolean(`+condition+`) } catch { /* what it asks for is not there yet */ }
			if (holds) resolve((performance.timeOrigin + performance.now()) * 1000);
			else setTimeout(look, 4);
		};
		look();
	}))`)
	return func() time.Time {
		p.t.Helper()
		ctx, cancel := context.WithTimeout(p.ctx, patience)
		defer cancel()
		at, err := chromedp.Run(ctx, chromedp.Evaluate[float64](fmt.Sprintf(`watched[%d]`, n-1), chromedp.EvalAwaitPromise))
		if err != nil {
			p.t.Fatalf("waited for %s: %v\n%s", condition, err, p.state(condition))
		}
		return time.UnixMicro(int64(at))
	}
}

// until waits until a condition holds in the page.
func (p *tab) until(condition string) {
	p.t.Helper()
	p.watch(condition)()
}

// follows acts and fails unless the page fulfils a condition within the promised
// time. It returns how long that took.
func (p *tab) follows(act func(), condition string) time.Duration {
	p.t.Helper()
	held := p.watch(condition)
	began := time.Now()
	act()
	took := held().Sub(began)
	if took > promised {
		p.t.Errorf("%s took %v, want at most %v", condition, took, promised)
	}
	return took
}

// live waits until the page is connected.
func (p *tab) live() {
	p.t.Helper()
	p.until(`document.documentElement.dataset.link === "live"`)
}

// state describes the page for a failed test.
func (p *tab) state(condition string) string {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	seen, err := chromedp.Run(ctx, chromedp.Evaluate[string](`(() => {
		let now;
		try { now = String(`+condition+`) } catch (e) { now = String(e) }
		return location.href + "\nthe condition is now: " + now + "\n" + document.body.innerText.slice(0, 1500);
	})()`))
	if err != nil {
		return fmt.Sprintf("and the page does not answer: %v", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("%s\ncomplaints: %v", seen, p.complaints)
}
