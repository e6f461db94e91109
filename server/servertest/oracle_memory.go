package servertest

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Footprint is what this process takes: the servers under test, and the test.
type Footprint struct {
	Goroutines  int
	Descriptors int
	Resident    int64 // bytes of memory
}

// TakeFootprint measures the process.
func TakeFootprint() Footprint {
	f := Footprint{Goroutines: runtime.NumGoroutine()}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		f.Descriptors = len(open) - 1 // without the one that reads them
	}
	if b, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := strings.Fields(string(b)); len(fields) > 1 {
			pages, _ := strconv.ParseInt(fields[1], 10, 64)
			f.Resident = pages * int64(os.Getpagesize())
		}
	}
	return f
}

// memory follows how much is resident, before a mark and since.
type memory struct {
	mu            sync.Mutex // guards the fields below
	before, since int64
	marked        bool
	done          chan struct{}
	work          sync.WaitGroup
}

func (m *memory) start() {
	m.done = make(chan struct{})
	m.work.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				m.look()
			case <-m.done:
				return
			}
		}
	})
}

func (m *memory) look() {
	now := TakeFootprint().Resident
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.marked {
		m.since = max(m.since, now)
	} else {
		m.before = max(m.before, now)
	}
}

// mark says that the fault begins.
func (m *memory) mark() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.marked = true
}

func (m *memory) most() (before, since int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.before, m.since
}

func (m *memory) stop() {
	if m.done != nil {
		close(m.done)
		m.work.Wait()
		m.done = nil
	}
}
