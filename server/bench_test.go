package server_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"readout/server/servertest"
)

// BenchmarkPushToSocket is the way of one reading on an idle server over a real
// Redis and loopback: from before the HTTP request to after the socket's frame.
func BenchmarkPushToSocket(b *testing.B) {
	s := servertest.New(b, &servertest.Options{Redis: servertest.Redis(b).URL(), Loopback: true})
	viewer := dialRaw(b, s, "orders")
	s.Push("orders", "0")
	viewer.next()
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		s.Push("orders", "42")
		viewer.next()
		took = append(took, time.Since(began))
		time.Sleep(5 * time.Millisecond) // idle between two: the tail has long gone back to its read
	}
	report(b, took)
}

// BenchmarkFanOut pushes 20 readings a second to 1,000 sockets of one topic,
// and counts a failure for every reading that a socket misses or gets out of order.
func BenchmarkFanOut(b *testing.B) {
	const sockets, readings = 1000, 100
	s := servertest.New(b, &servertest.Options{Redis: servertest.Redis(b).URL(), Loopback: true})
	s.Push("orders", "-1")
	viewers := make([]*rawViewer, sockets)
	for i := range viewers {
		viewers[i] = dialRaw(b, s, "orders")
	}
	var took []time.Duration
	delivered := 0
	for b.Loop() {
		pushed := make([]time.Time, readings)
		arrived := make([][]time.Duration, sockets)
		var wait sync.WaitGroup
		var mu sync.Mutex // guards pushed: the viewers read what the pusher writes
		for i, v := range viewers {
			wait.Go(func() {
				for n := 0; n < readings; {
					frame := v.next()
					now := time.Now()
					for _, value := range values(b, frame) {
						if value != n {
							b.Errorf("socket %d got %d instead of %d", i, value, n)
							return
						}
						mu.Lock()
						arrived[i] = append(arrived[i], now.Sub(pushed[n]))
						mu.Unlock()
						n++
					}
				}
			})
		}
		tick := time.NewTicker(50 * time.Millisecond)
		for n := range readings {
			<-tick.C
			mu.Lock()
			pushed[n] = time.Now()
			mu.Unlock()
			s.Push("orders", strconv.Itoa(n))
		}
		tick.Stop()
		wait.Wait()
		for _, list := range arrived {
			took = append(took, list...)
			delivered += len(list)
		}
	}
	b.ReportMetric(float64(delivered)/b.Elapsed().Seconds(), "deliveries/s")
	report(b, took)
}

// BenchmarkPush is one reading a request, eight at a time, over a real Redis.
func BenchmarkPush(b *testing.B) {
	s := servertest.New(b, &servertest.Options{Redis: servertest.Redis(b).URL(), Loopback: true})
	b.SetParallelism(4)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			s.Push("orders", "42")
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "readings/s")
}

// BenchmarkPushBatch is 1,000 readings of 100 topics a request.
func BenchmarkPushBatch(b *testing.B) {
	s := servertest.New(b, &servertest.Options{Redis: servertest.Redis(b).URL(), Loopback: true})
	var body strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&body, `{"topic":"cpu{host=\"web%d\"}","values":{"user":%d.5,"system":0.25}}`+"\n", i%100, i%90)
	}
	for b.Loop() {
		if a := s.Do(http.MethodPost, "/api/v1/readings", body.String(), "Content-Type", "application/x-ndjson"); a.Status != http.StatusOK {
			b.Fatal(a.Status, a.Body)
		}
	}
	b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "readings/s")
}

// BenchmarkResume is a viewer that comes back after 1,000 missed readings of an
// idle topic: from before the socket opens to the frame after which it is live.
func BenchmarkResume(b *testing.B) {
	const missed = 1000
	s := servertest.New(b, &servertest.Options{Redis: servertest.Redis(b).URL(), Loopback: true})
	s.Push("orders", "0")
	socket := s.Dial()
	socket.Subscribe("orders")
	after := socket.ReadType("snapshot").Cursor()
	for i := range missed {
		s.Push("orders", strconv.Itoa(i))
	}
	socket.Close()
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		socket := s.Dial()
		socket.SubscribeAfter("orders", after)
		for got := 0; got < missed; {
			got += socket.ReadType("readings").Of
		}
		took = append(took, time.Since(began))
		socket.Close()
	}
	report(b, took)
}

// BenchmarkPage is the page of a topic with 600 readings.
func BenchmarkPage(b *testing.B) {
	s := servertest.New(b, &servertest.Options{Redis: servertest.Redis(b).URL(), Loopback: true})
	for i := range 600 {
		s.Push("orders", strconv.Itoa(i%50))
	}
	for b.Loop() {
		if a := s.Do(http.MethodGet, "/t/orders", ""); a.Status != http.StatusOK {
			b.Fatal(a.Status, a.Body)
		}
	}
}

// BenchmarkBesideManyTopics is a push and a page view while 200 topics are
// watched and get two readings a second each.
func BenchmarkBesideManyTopics(b *testing.B) {
	const topics = 200
	s := servertest.New(b, &servertest.Options{Redis: servertest.Redis(b).URL(), Loopback: true})
	var wait sync.WaitGroup
	viewer := s.Dial()
	var list, body strings.Builder
	for i := range topics {
		fmt.Fprintf(&list, `,"load/%d"`, i)
		fmt.Fprintf(&body, `{"topic":"load/%d","value":%d}`+"\n", i, i)
	}
	viewer.Send(`{"type":"subscribe","id":1,"topics":[` + list.String()[1:] + `]}`)
	for range topics {
		viewer.ReadType("snapshot")
	}
	done := make(chan struct{})
	wait.Go(func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			s.Do(http.MethodPost, "/api/v1/readings", body.String(), "Content-Type", "application/x-ndjson")
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	got := 0
	wait.Go(func() {
		for {
			f, err := viewer.TryRead(b.Context())
			if err != nil {
				return
			}
			got += len(f.Rows)
		}
	})
	var pushes, pages []time.Duration
	for b.Loop() {
		began := time.Now()
		s.Push("orders", "42")
		pushes = append(pushes, time.Since(began))
		began = time.Now()
		if a := s.Do(http.MethodGet, "/t/orders", ""); a.Status != http.StatusOK {
			b.Fatal(a.Status, a.Body)
		}
		pages = append(pages, time.Since(began))
		time.Sleep(5 * time.Millisecond)
	}
	b.ReportMetric(float64(got)/b.Elapsed().Seconds(), "watched-readings/s")
	close(done)
	viewer.Cut()
	wait.Wait()
	slices.Sort(pushes)
	slices.Sort(pages)
	last := len(pushes) - 1
	b.ReportMetric(float64(pushes[last/2].Microseconds())/1000, "push-p50-ms")
	b.ReportMetric(float64(pushes[last*99/100].Microseconds())/1000, "push-p99-ms")
	b.ReportMetric(float64(pages[last/2].Microseconds())/1000, "page-p50-ms")
	b.ReportMetric(float64(pages[last*99/100].Microseconds())/1000, "page-p99-ms")
}

func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	for _, q := range []struct {
		name string
		at   float64
	}{{"p50-ms", .5}, {"p99-ms", .99}, {"max-ms", 1}} {
		at := min(len(took)-1, int(q.at*float64(len(took))))
		b.ReportMetric(float64(took[at].Microseconds())/1000, q.name)
	}
}

// rawViewer reads frames with as little work as it can, so that a thousand of
// them leave the cores to the server. It proves the chain.
type rawViewer struct {
	b    *testing.B
	conn net.Conn
	from *bufio.Reader
	last []byte
	buf  []byte
}

func dialRaw(b *testing.B, s *servertest.Server, topic string) *rawViewer {
	b.Helper()
	conn := s.Raw()
	fmt.Fprintf(conn, "GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	v := &rawViewer{b: b, conn: conn, from: bufio.NewReaderSize(conn, 2048)}
	for {
		line, err := v.from.ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		if line == "\r\n" {
			break
		}
	}
	v.frame() // welcome
	sendText(b, conn, fmt.Sprintf(`{"type":"subscribe","id":1,"topics":[%q]}`, topic))
	v.last = bytes.Clone(field(v.frame(), `"id":"`))
	return v
}

func sendText(b *testing.B, conn net.Conn, text string) {
	frame := append([]byte{0x81, 0x80 | 126, 0, 0, 0, 0, 0, 0}, text...) // masked with zeros
	binary.BigEndian.PutUint16(frame[2:], uint16(len(text)))
	if _, err := conn.Write(frame); err != nil {
		b.Fatal(err)
	}
}

// next returns the next readings frame.
func (v *rawViewer) next() []byte {
	for {
		frame := v.frame()
		if !bytes.HasPrefix(frame, []byte(`{"type":"readings"`)) {
			continue
		}
		if prev := field(frame, `"prev":"`); !bytes.Equal(prev, v.last) {
			v.b.Errorf("chain broken: prev %s after %s", prev, v.last)
		}
		v.last = append(v.last[:0], field(frame, `"id":"`)...)
		return frame
	}
}

// frame returns the next text frame; it answers pings.
func (v *rawViewer) frame() []byte {
	for {
		var head [2]byte
		if _, err := io.ReadFull(v.from, head[:]); err != nil {
			v.b.Errorf("socket: %v", err)
			panic(err)
		}
		size := int(head[1])
		if size == 126 {
			var long [2]byte
			_, _ = io.ReadFull(v.from, long[:])
			size = int(binary.BigEndian.Uint16(long[:]))
		}
		v.buf = slices.Grow(v.buf[:0], size)[:size]
		if _, err := io.ReadFull(v.from, v.buf); err != nil {
			v.b.Errorf("socket: %v", err)
			panic(err)
		}
		switch head[0] {
		case 0x81:
			return v.buf
		case 0x89:
			_, _ = v.conn.Write(append([]byte{0x8a, 0x80 | byte(size), 0, 0, 0, 0}, v.buf...))
		}
	}
}

func field(frame []byte, key string) []byte {
	at := bytes.LastIndex(frame, []byte(key))
	if at < 0 {
		return nil
	}
	rest := frame[at+len(key):]
	return rest[:bytes.IndexByte(rest, '"')]
}

// values returns the numbers of a frame's one column.
func values(b *testing.B, frame []byte) []int {
	_, rows, _ := strings.Cut(string(frame), `"rows":[`)
	rows, _, _ = strings.Cut(rows, `],"id"`)
	var list []int
	for row := range strings.SplitSeq(rows, "],[") {
		_, text, _ := strings.Cut(strings.Trim(row, "[]"), ",")
		n, err := strconv.Atoi(text)
		if err != nil {
			b.Errorf("row %s: %v", row, err)
		}
		list = append(list, n)
	}
	return list
}
