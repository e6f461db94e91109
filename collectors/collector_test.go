package collectors

import (
	"strings"
	"testing"

	"github.com/shirou/gopsutil/v4/mem"
)

func TestHostThatIsNoLabel(t *testing.T) {
	if _, err := NewCPU("a\x00b"); err == nil {
		t.Error("a host with a control character made a topic")
	}
	if _, err := NewMemory(""); err == nil {
		t.Error("an empty host made a topic")
	}
}

// Only Linux tells iowait, irq, steal, cached and buffers; elsewhere they are
// left out and not sent as 0.
func TestColumnsElsewhere(t *testing.T) {
	var names []string
	for _, v := range (cpuTimes{user: 1, idle: 3}).shares(4, false) {
		names = append(names, v.Name+"="+v.Value.String())
	}
	for _, v := range memoryValues(&mem.VirtualMemoryStat{Total: 8, Available: 9, Free: 1}, false) {
		names = append(names, v.Name+"="+v.Value.String())
	}
	want := "busy=25 user=25 system=0 nice=0 idle=75 used=0 available=8 free=1 total=8 used_percent=0"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
