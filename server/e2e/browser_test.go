//go:build e2e

package e2e_test

import (
	"context"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"readout/server"
	"readout/server/servertest"
)

const (
	installChromium = "apt-get install -y --no-install-recommends chromium fonts-dejavu-core"
	buildScripts    = "./task assets"
)

// browser is the one Chromium of a test run, which the first test starts: that
// takes longer than most tests. Tests share nothing in it, because every tab has
// cookies, cache and storage of its own.
var browser context.Context

// startBrowser returns when it runs. Only one may start it: chromedp waits for
// ever for a second one.
var startBrowser = sync.OnceValue(func() error { return chromedp.Do(browser) })

func TestMain(m *testing.M) {
	flags := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.Flag("headless", "new"),
		chromedp.NoSandbox, // CI runs as root in a container
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		// The tests must not depend on a network, nor reach one by mistake.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"),
	)
	if path, err := exec.LookPath("chromium"); err == nil {
		flags = append(flags, chromedp.ExecPath(path))
	}
	allocator, free := chromedp.NewExecAllocator(context.Background(), flags...)
	var quit context.CancelFunc
	browser, quit = chromedp.NewContext(allocator)
	m.Run()
	quit()
	free() // waits until the process and its directory are gone
}

// start runs a server on loopback for browsers, on the embedded store unless
// redis names another one.
func start(t testing.TB, redis string, change func(*server.Options)) *servertest.Server {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Fatalf("this test needs chromium; install it: %s", installChromium)
	}
	s := servertest.New(t, &servertest.Options{Loopback: true, Redis: redis, Change: change})
	if home := s.Do("GET", "/", ""); !strings.Contains(home.Body, `<script type="module"`) {
		t.Fatalf("the page scripts are not built; build them: %s\n%s", buildScripts, home.Body)
	}
	return s
}
