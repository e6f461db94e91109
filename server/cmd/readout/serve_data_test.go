package main

import (
	"net/http"
	"strings"
	"testing"

	"readout/server"
	"readout/server/embedded"
	"readout/server/servertest"
)

// onData starts a server whose store keeps its file in a directory.
func onData(t *testing.T, dir string) (*servertest.Server, *embedded.Server) {
	t.Helper()
	kept, err := embedded.Start(embedded.Options{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kept.Close)
	return servertest.New(t, &servertest.Options{Change: func(o *server.Options) {
		o.MemoryOnly = false
		o.Store.URL, o.Store.Dial = embedded.URL, kept.Dial
		o.Embedded = func() server.EmbeddedStats { return server.EmbeddedStats(kept.Stats()) }
	}}), kept
}

// A viewer that was there before a restart goes on where it was.
func TestReadingsSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, kept := onData(t, dir)
	s.Push("orders", "1")
	s.Push("orders", "2")
	socket := s.Dial()
	socket.Subscribe("orders")
	before := socket.ReadType("snapshot")
	s.Push("orders", "3")
	s.Stop()
	kept.Close()

	s, _ = onData(t, dir)
	socket = s.Dial()
	socket.SubscribeAfter("orders", before.Cursor())
	if f := socket.ReadType("readings"); len(f.Rows) != 1 || f.Rows[0][1] != 3.0 {
		t.Errorf("after a restart the viewer is told %s", f.Raw)
	}
	if a := s.Do(http.MethodGet, "/readyz", ""); !strings.Contains(a.Body, `"store":"a file of this process"`) {
		t.Errorf("/readyz: %s", a.Body)
	}
	if a := s.Do(http.MethodGet, "/metrics", ""); !strings.Contains(a.Body, "readout_embedded_file_bytes") {
		t.Error("/metrics says nothing of the file")
	}
	if a := s.Do(http.MethodGet, "/", ""); strings.Contains(a.Body, "kept in memory") {
		t.Error("the page says that readings are kept in memory")
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int{"512MB": 512e6, "1 gb": 1e9, "7": 7, "64kb": 64e3} {
		if got, err := parseSize(text); got != want || err != nil {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x", "-1", "0", "1TB", "9999999GB"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}
