package server

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// A Read ends when its deadline passes, whatever was set before, between and meanwhile.
func TestDeadlinesOfReads(t *testing.T) {
	in := func(d time.Duration) time.Time {
		if d == 0 {
			return time.Time{}
		}
		return time.Now().Add(d)
	}
	for name, c := range map[string]struct {
		before    []time.Duration // deadlines set before, 0 for none
		meanwhile []time.Duration // and one a second while it waits
		ends      time.Duration
	}{
		"one":             {[]time.Duration{5 * time.Second}, nil, 5 * time.Second},
		"the last counts": {[]time.Duration{60 * time.Second, 0, 5 * time.Second, 15 * time.Second}, nil, 15 * time.Second},
		"past":            {[]time.Duration{-time.Hour}, nil, 0},
		"sooner":          {[]time.Duration{60 * time.Second}, []time.Duration{2 * time.Second}, 3 * time.Second},
		"at once":         {nil, []time.Duration{60 * time.Second, -time.Hour}, 2 * time.Second},
		"later":           {[]time.Duration{2 * time.Second}, []time.Duration{10 * time.Second}, 11 * time.Second},
		"later and later": {[]time.Duration{2 * time.Second}, []time.Duration{2 * time.Second, 2 * time.Second, 2 * time.Second}, 5 * time.Second},
		"none any more":   {[]time.Duration{2 * time.Second}, []time.Duration{0, 0, 0, 0, time.Second}, 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				defer far.Close()
				conn := newDeadlineConn(near)
				defer conn.Close()
				// A deadline of an earlier Read still stands below.
				go func() { _, _ = far.Write([]byte("x")) }()
				_ = conn.SetReadDeadline(in(4 * time.Second))
				if n, err := conn.Read(make([]byte, 8)); n != 1 || err != nil {
					t.Fatal(n, err)
				}
				for _, d := range c.before {
					_ = conn.SetReadDeadline(in(d))
				}
				if len(c.before) == 0 {
					_ = conn.SetReadDeadline(time.Time{})
				}
				began := time.Now()
				go func() {
					for _, d := range c.meanwhile {
						time.Sleep(time.Second)
						_ = conn.SetDeadline(in(d))
					}
				}()
				n, err := conn.Read(make([]byte, 8))
				if took := time.Since(began); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || took != c.ends {
					t.Errorf("%d, %v after %v, want %v", n, err, took, c.ends)
				}
				// It is usable again.
				_ = conn.SetReadDeadline(time.Time{})
				go func() {
					time.Sleep(time.Hour)
					_, _ = far.Write([]byte("y"))
				}()
				if n, err := conn.Read(make([]byte, 8)); n != 1 || err != nil {
					t.Errorf("then %d, %v", n, err)
				}
			})
		})
	}
}

// A Write whose early deadline passes below goes on behind what was taken.
func TestDeadlinesOfWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		conn := newDeadlineConn(near)
		defer conn.Close()
		defer far.Close()
		_ = conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
		go func() {
			time.Sleep(time.Second)
			_ = conn.SetWriteDeadline(time.Now().Add(time.Minute))
			time.Sleep(4 * time.Second)
			_, _ = io.ReadFull(far, make([]byte, 3))
			time.Sleep(4 * time.Second)
			got := make([]byte, 4)
			if _, err := io.ReadFull(far, got); err != nil || string(got) != "defg" {
				t.Errorf("%q, %v", got, err)
			}
		}()
		if n, err := conn.Write([]byte("abcdefghij")); n != 7 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d, %v", n, err)
		}
	})
}
