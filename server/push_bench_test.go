package server_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// BenchmarkPushBesideNull pushes one reading a request, eight at a time, to
// `readout serve` with its own store in memory and, in turns, to the null handler of
// TARGETS.md 7, with its bodies: line protocol of 100 series. Each is a process of its
// own, and so is the sender. ratio is the null handler's time over ours for the same
// request with the same answer, 204; ratio-json is for a push to /t/ whose answer says
// where the reading is to be seen, ratio-minimal for one that does not want to know.
// 1 would be for nothing.
func BenchmarkPushBesideNull(b *testing.B) {
	null := process(b, "./testdata/null", func(at string) []string { return []string{at} })
	ours := process(b, "./cmd/readout", func(at string) []string { return []string{"serve", "--listen", at, "--collect", "none"} })
	const senders, each = 8, 250
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders, DisableCompression: true}}
	b.Cleanup(client.CloseIdleConnections)
	line := func(i int) string { return fmt.Sprintf("cpu_load,host=h%d value=%.3f\n", i%100, float64(i)/7) }
	number := func(int) string { return "42" }
	ways := []struct {
		url, prefer string
		body        func(int) string
	}{
		{null + "/write", "", line},
		{ours + "/write", "", line},
		{ours + "/t/orders", "", number},
		{ours + "/t/orders", "return=minimal", number},
	}
	round := func(url, prefer string, body func(int) string) time.Duration {
		began := time.Now()
		var work sync.WaitGroup
		for sender := range senders {
			work.Go(func() {
				for i := range each {
					push, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body(sender*each+i)))
					if err != nil {
						b.Error(err)
						return
					}
					push.Header.Set("Content-Type", "text/plain")
					if prefer != "" {
						push.Header.Set("Prefer", prefer)
					}
					answer, err := client.Do(push)
					if err != nil || answer.StatusCode > http.StatusNoContent {
						b.Error(answer, err)
						return
					}
					_, _ = io.Copy(io.Discard, answer.Body)
					_ = answer.Body.Close()
				}
			})
		}
		work.Wait()
		return time.Since(began)
	}
	took := make([][]time.Duration, len(ways))
	for b.Loop() {
		for i, way := range ways {
			took[i] = append(took[i], round(way.url, way.prefer, way.body))
		}
	}
	var middle []float64 // seconds
	for i := range took {
		slices.Sort(took[i])
		middle = append(middle, took[i][len(took[i])/2].Seconds())
	}
	b.ReportMetric(middle[0]/middle[1], "ratio")
	b.ReportMetric(middle[0]/middle[2], "ratio-json")
	b.ReportMetric(middle[0]/middle[3], "ratio-minimal")
	b.ReportMetric(senders*each/middle[1], "pushes/s")
	b.ReportMetric(senders*each/middle[0], "null/s")
	b.ReportMetric(0, "ns/op")
}

// process builds a program, runs it until the benchmark ends and returns its URL.
func process(b *testing.B, pkg string, args func(address string) []string) string {
	b.Helper()
	program := filepath.Join(b.TempDir(), "program")
	if out, err := exec.Command("go", "build", "-o", program, pkg).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close()
	command := exec.CommandContext(b.Context(), program, args(address)...)
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = command.Wait() }) // the context has ended by then
	for deadline := time.Now().Add(10 * time.Second); ; {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
			return "http://" + address
		}
		if time.Now().After(deadline) {
			b.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
