package embedded_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"readout/server/embedded"
	"readout/server/servertest"
)

// BenchmarkBesideRedis runs the same commands through the same client library on
// a real redis-server and on the embedded store, in turns, so that whatever else
// the machine does befalls both. ratio is Redis' time over ours: above 1 we are faster.
func BenchmarkBesideRedis(b *testing.B) {
	real := servertest.Redis(b, "--appendonly", "yes", "--appendfsync", "everysec")
	connect := map[string]func(b *testing.B) *redis.Client{
		"redis": func(b *testing.B) *redis.Client {
			c := redis.NewClient(&redis.Options{Addr: real.Addr(), Protocol: 2, MaxRetries: -1, DisableIdentity: true, PoolSize: 8})
			b.Cleanup(func() { _ = c.Close() })
			return c
		},
		"memory": func(b *testing.B) *redis.Client { return client(b, start(b, embedded.Options{})) },
		"data": func(b *testing.B) *redis.Client {
			return client(b, start(b, embedded.Options{Data: filepath.Join(b.TempDir(), "data")}))
		},
	}
	for _, pipeline := range []int{1, 16, 100} {
		for _, ours := range []string{"memory", "data"} {
			b.Run(fmt.Sprintf("XADD/%s/pipeline=%d", ours, pipeline), func(b *testing.B) {
				clients := []*redis.Client{connect["redis"](b), connect[ours](b)}
				inTurns(b, func(who int) {
					ctx := context.Background()
					var work sync.WaitGroup
					for worker := range 4 {
						work.Go(func() {
							for range max(1, 1000/pipeline) {
								pipe := clients[who].Pipeline()
								for i := range pipeline {
									pipe.XAdd(ctx, &redis.XAddArgs{Stream: fmt.Sprint("s", worker), MaxLen: 10_000, Approx: true, Values: []any{"t", "1763785200123", "value", strconv.Itoa(i)}})
								}
								if _, err := pipe.Exec(ctx); err != nil {
									b.Error(err)
									return
								}
							}
						})
					}
					work.Wait()
				})
			})
		}
	}
}

// inTurns lets both do the same again and again and reports how their times compare.
func inTurns(b *testing.B, do func(who int)) {
	do(0)
	do(1)
	var took [2][]time.Duration
	for b.Loop() {
		for who := range 2 {
			began := time.Now()
			do(who)
			took[who] = append(took[who], time.Since(began))
		}
	}
	for who := range took {
		slices.Sort(took[who])
	}
	redis, ours := took[0][len(took[0])/2], took[1][len(took[1])/2]
	b.ReportMetric(float64(redis)/float64(ours), "ratio")
	b.ReportMetric(float64(redis.Microseconds()), "redis-us")
	b.ReportMetric(float64(ours.Microseconds()), "embedded-us")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkNewestTen reads the newest ten entries of a short and of a long
// stream. ratio is the long one's time over the short one's.
func BenchmarkNewestTen(b *testing.B) {
	c := client(b, start(b, embedded.Options{}))
	ctx := context.Background()
	after := map[int]string{}
	for _, length := range []int{1000, 100_000} {
		pipe := c.Pipeline()
		for i := range length {
			pipe.XAdd(ctx, &redis.XAddArgs{Stream: fmt.Sprint(length), ID: fmt.Sprintf("%d-0", i+1), Values: []any{"value", i}})
		}
		if _, err := pipe.Exec(ctx); err != nil {
			b.Fatal(err)
		}
		after[length] = fmt.Sprintf("%d-0", length-10)
	}
	var took [2][]time.Duration
	for b.Loop() {
		for i, length := range []int{1000, 100_000} {
			began := time.Now()
			for range 100 {
				got, err := c.XRead(ctx, &redis.XReadArgs{Streams: []string{fmt.Sprint(length), after[length]}, Count: 10, Block: -1}).Result()
				if err != nil || len(got[0].Messages) != 10 {
					b.Fatal(got, err)
				}
			}
			took[i] = append(took[i], time.Since(began))
		}
	}
	slices.Sort(took[0])
	slices.Sort(took[1])
	b.ReportMetric(float64(took[1][len(took[1])/2])/float64(took[0][len(took[0])/2]), "ratio")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkMemory keeps 10,000 topics of 1,000 readings each.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		s := start(b, embedded.Options{})
		conn, err := s.Dial(b.Context(), "", "")
		if err != nil {
			b.Fatal(err)
		}
		p := newPeer(b, conn)
		for reading := range 1000 {
			for some := range 100 {
				var batch []byte
				for topic := range 100 {
					ms := 1763785200123 + int64(reading)*1000
					batch = append(batch, encodeCommand([]string{"XADD", fmt.Sprintf("readout:{%03d}:s:cpu{host=%q}", topic, fmt.Sprint(some*100+topic)), strconv.FormatInt(ms, 10) + "-0",
						"t", strconv.FormatInt(ms-2, 10), "value", strconv.FormatFloat(float64(reading%977)/10, 'f', -1, 64)})...)
				}
				if _, err := conn.Write(batch); err != nil {
					b.Fatal(err)
				}
				for range 100 {
					p.reply()
				}
			}
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc)/1e6, "heap-MB")
		b.ReportMetric(float64(m.Sys)/1e6, "sys-MB")
		b.ReportMetric(float64(s.Stats().Bytes)/1e6, "counted-MB")
		s.Close()
	}
}

// BenchmarkIdleReaders lets a thousand readers wait for a second at a time, in a
// process that does nothing else: processor-% is what they take of one core.
func BenchmarkIdleReaders(b *testing.B) {
	for _, way := range []string{"memory", "port"} {
		b.Run(way, func(b *testing.B) {
			s := start(b, embedded.Options{})
			port, err := s.Listen("127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			wait1000(b, func() *peer {
				if way == "port" {
					return dialRedis(b, port)
				}
				return dialEmbedded(b, s)
			})
			runtime.GC()
			second := time.NewTicker(time.Second)
			defer second.Stop()
			began, before := time.Now(), processTime(b)
			for b.Loop() {
				<-second.C
			}
			b.ReportMetric(100*(processTime(b)-before).Seconds()/time.Since(began).Seconds(), "processor-%")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkLoad reads a log of about 1 GB; it must lie in the directory that
// READOUT_LOG_DIR names, and is made there when it does not.
func BenchmarkLoad(b *testing.B) {
	dir := os.Getenv("READOUT_LOG_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	path := filepath.Join(dir, embedded.LogName)
	if info, err := os.Stat(path); err != nil || info.Size() < 1e9 {
		fill(b, path, 1<<30)
	}
	for b.Loop() {
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		s := start(b, embedded.Options{Data: dir})
		b.ReportMetric(float64(info.Size())/1e6/time.Since(began).Seconds(), "MB/s")
		s.Close()
	}
}

func fill(b *testing.B, path string, size int64) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	var batch []byte
	for n := int64(0); size > 0; n++ {
		ms := 1763785200123 + n/1000
		batch = append(batch, encodeCommand([]string{"XADD", fmt.Sprintf("readout:{%03d}:s:topic%d", n%256, n%1000), fmt.Sprintf("%d-%d", ms, n%1000),
			"t", strconv.FormatInt(ms, 10), "value", strconv.FormatFloat(float64(n%9973)/10, 'f', -1, 64)})...)
		if len(batch) > 1<<20 {
			if _, err := f.Write(batch); err != nil {
				b.Fatal(err)
			}
			size -= int64(len(batch))
			batch = batch[:0]
		}
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkWriteWhileCompacting writes one entry after the other during three
// compactions of a log of some hundred MB.
func BenchmarkWriteWhileCompacting(b *testing.B) {
	for b.Loop() {
		dir := b.TempDir()
		fill(b, filepath.Join(dir, embedded.LogName), 200<<20)
		s := start(b, embedded.Options{Data: dir})
		conn, err := s.Dial(b.Context(), "", "")
		if err != nil {
			b.Fatal(err)
		}
		p := newPeer(b, conn)
		done := make(chan error, 1)
		go func() {
			for range 3 {
				if err := s.Compact(); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		var took []time.Duration
		for running := true; running; {
			select {
			case err := <-done:
				if err != nil {
					b.Fatal(err)
				}
				running = false
			default:
				began := time.Now()
				p.ask("XADD", "live", "*", "value", "1")
				took = append(took, time.Since(began))
			}
		}
		slices.Sort(took)
		at := func(share float64) float64 {
			return float64(took[int(share*float64(len(took)-1))].Microseconds()) / 1000
		}
		b.ReportMetric(at(0.5), "p50-ms")
		b.ReportMetric(at(0.999), "p99.9-ms")
		b.ReportMetric(at(1), "max-ms")
		b.ReportMetric(float64(len(took)), "writes")
		s.Close()
	}
}
