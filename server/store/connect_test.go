package store_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"readout/server/problem"
	"readout/server/reading"
	"readout/server/servertest"
	"readout/server/store"
)

// appendsAndTails checks that a store works both ways.
func appendsAndTails(t *testing.T, s *store.Store) {
	t.Helper()
	tp := topic(t)
	f := follow(t, s, tp, reading.Cursor{})
	mustAppend(t, s, number(tp, 1, 1))
	f.take(t, 1)
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	primary := servertest.Redis(t)
	sentinel := servertest.RedisSentinel(t, primary)
	s, err := store.Open(t.Context(), store.Options{URL: "redis+sentinel://" + sentinel.Addr() + "?master_name=readout"})
	if err != nil {
		t.Fatal(err)
	}
	appendsAndTails(t, s)
	if n := primary.Do("XLEN", store.Key(topic(t))); n != "1" {
		t.Errorf("the primary has %s entries, want 1", n)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// secured puts TLS before a server and returns the address.
func secured(t *testing.T, server *servertest.RedisServer) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer func() { _ = near.Close() }()
				far, err := net.Dial("tcp", server.Addr())
				if err != nil {
					return
				}
				defer func() { _ = far.Close() }()
				work.Go(func() {
					_, _ = io.Copy(far, near)
					_ = far.Close()
				})
				_, _ = io.Copy(near, far)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		work.Wait()
	})
	return l.Addr().String()
}

func TestTLS(t *testing.T) {
	t.Parallel()
	addr := secured(t, servertest.Redis(t))
	if s, err := store.Open(t.Context(), store.Options{URL: "rediss://" + addr}); err == nil {
		_ = s.Close()
		t.Error("a certificate that nobody vouches for was accepted")
	} else {
		mustProblem(t, err, "store_unavailable", "")
	}
	s, err := store.Open(t.Context(), store.Options{URL: "rediss://" + addr + "?skip_verify=true"})
	if err != nil {
		t.Fatal(err)
	}
	appendsAndTails(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// In a Cluster go-redis sends commands again by itself when a connection is cut.
// Never those that store: a reading of unknown outcome is there once or not at all.
func TestClusterDoesNotRepeatAppends(t *testing.T) {
	t.Parallel()
	servers := servertest.StartRedisCluster(t)
	proxies := map[string]*servertest.FaultProxy{}
	for i, node := range servers.Nodes {
		proxies[node.Addr()] = servertest.NewFaultProxy(t, node.Addr(), uint64(i))
	}
	s, err := store.Open(t.Context(), store.Options{URL: servers.URL(), Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if p := proxies[addr]; p != nil {
			addr = p.Addr()
		}
		var d net.Dialer
		return d.DialContext(ctx, network, addr)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	var topics []reading.Topic
	for i := range 20 {
		topics = append(topics, topic(t, fmt.Sprint(i)))
		mustAppend(t, s, number(topics[i], 1, 0))
	}
	for _, p := range proxies {
		p.DropReplies(0.2)
	}
	const rounds = 200
	unknown := 0
	confirmed, refused := map[int64]bool{}, map[int64]bool{}
	for round := range rounds {
		var readings []reading.Reading
		for k := range 3 {
			readings = append(readings, number(topics[(round*3+k)%len(topics)], int64(10+round*3+k), 0))
		}
		ids, err := s.Append(t.Context(), readings, store.Once{})
		var p *problem.Error
		if errors.As(err, &p) && p.Outcome == "unknown" {
			unknown++
		} else if err != nil { // it is known that nothing was stored
			mustProblem(t, err, "store_unavailable", "")
			for _, r := range readings {
				refused[r.Time] = true
			}
		}
		for k, id := range ids {
			if id != (reading.StreamID{}) {
				confirmed[readings[k].Time] = true
			}
		}
	}
	for _, p := range proxies {
		p.DropReplies(0)
	}
	times := map[int64]int{}
	for _, tp := range topics {
		for _, r := range flat(mustRange(t, s, tp, store.RangeQuery{}).Entries) {
			times[r.Time]++
		}
	}
	for ms := int64(10); ms < 10+rounds*3; ms++ {
		if times[ms] > 1 || confirmed[ms] && times[ms] == 0 || refused[ms] && times[ms] > 0 {
			t.Errorf("reading %d is there %d times, confirmed %v, refused %v", ms, times[ms], confirmed[ms], refused[ms])
		}
	}
	if unknown < 20 {
		t.Errorf("only %d of %d appends lost a reply", unknown, rounds)
	}
}
