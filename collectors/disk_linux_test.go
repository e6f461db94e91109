package collectors

import (
	"strings"
	"testing"
)

const diskstats = `   7       0 loop0 54 0 696 27 0 0 0 0 0 40 27 0 0 0 0 0 0
   1       0 ram0 5 0 0 0 0 0 0 0 0 0 0
 253       0 zram0 1100 0 8800 12 2200 0 17600 40 0 60 52 0 0 0 0 0 0
   2       0 fd0 3 0 8 1 0 0 0 0 0 1 1
   8       0 sda 1079824 142595 31289850 3616749 190523 435519 52922976 340695 0 303964 4019551 316159 1538 36890432 57016 13456 5090
   8       1 sda1 1079000 142595 31280000 3616000 190523 435519 52922976 340695 0 303900 4019000 0 0 0 0 0 0
  11       0 sr0 0 0 0 0 0 0 0 0 0 0 0
 259       0 nvme0n1 47 0 1000 5 3 0 16 1 0 5 6 0 0 0 0
 259       1 nvme0n1p1 40 0 900 4 3 0 16 1 0 4 5 0 0 0 0
 179       0 mmcblk0 10 0 80 1 0 0 0 0 0 2 1
 179       1 mmcblk0p2 10 0 80 1 0 0 0 0 0 2 1
 202       1 xvda1 7 0 56 1 1 0 8 1 1 2 2
 254       0 dm-0 30 0 240 9 60 0 480 8 0 17 17
   9     127 md127 4 0 32 0 0 0 0 0 0 0 0
`

func TestDiskFromProc(t *testing.T) {
	m := newMachine(t)
	m.write("proc/diskstats", diskstats)
	d := must(t, NewDisk)
	m.expect(d,
		// Sectors are 512 bytes, busy is milliseconds.
		`disk{device="sda",host="web1"} [read=16020403200 written=27096563712 reads=1079824 writes=190523 busy=303.964]`,
		`disk{device="nvme0n1",host="web1"} [read=512000 written=8192 reads=47 writes=3 busy=0.005]`,
		`disk{device="mmcblk0",host="web1"} [read=40960 written=0 reads=10 writes=0 busy=0.002]`,
		`disk{device="xvda1",host="web1"} [read=28672 written=4096 reads=7 writes=1 busy=0.002]`,
		`disk{device="dm-0",host="web1"} [read=122880 written=245760 reads=30 writes=60 busy=0.017]`,
		`disk{device="md127",host="web1"} [read=16384 written=0 reads=4 writes=0 busy=0]`,
	)
	for _, c := range d.Describe()[`disk{device="sda",host="web1"}`] {
		want := map[string]string{"read": "bytes", "written": "bytes", "reads": "", "writes": "", "busy": "s"}
		if unit, ok := want[c.Name]; !ok || c.Unit != unit || c.Kind != "counter" {
			t.Errorf("column %+v", c)
		}
	}
	// A disk that is plugged in is described from then on.
	m.write("proc/diskstats", diskstats+"   8      16 sdb 1 0 8 1 0 0 0 0 0 1 1\n")
	if got := m.collect(d); !strings.HasPrefix(got[len(got)-1], `disk{device="sdb",host="web1"} `) {
		t.Errorf("the new disk is not there: %q", got)
	}
	m.remove("proc/diskstats")
	m.expect(d) // a container that hides it: nothing, and no error
}

func TestParseDisksOfOldAndBrokenKernels(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "\n\n": 0, "8 0 sda": 0, "8 0 sda 1 2 3 4 5 6 7 8 9 10": 0,
		"8 0 sda 1 2 3 4 5 6 7 8 9 10 11":             1,
		"8 0 sda 1 2 3 4 5 6 7 8 9 -10 11":            0,
		"8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n8 1 sda1 4": 1,
	} {
		if got := parseDisks([]byte(text)); len(got) != want {
			t.Errorf("%q: %+v, want %d", text, got, want)
		}
	}
}

func FuzzDisks(f *testing.F) {
	f.Add([]byte(diskstats))
	f.Add([]byte("8 0 p1 1 2 3 4 5 6 7 8 9 10 11\n8 0 1p1 1 2 3 4 5 6 7 8 9 10 11\n8 0 1 1 2 3 4 5 6 7 8 9 10 11"))
	f.Fuzz(func(t *testing.T, text []byte) {
		all := parseDisks(text)
		count := len(all)
		shown := wholeDisks(all)
		if len(shown) > count {
			t.Errorf("%d disks of %d", len(shown), count)
		}
		for _, d := range shown {
			readable(t, d.name)
			if strings.HasPrefix(d.name, "loop") && strings.Trim(d.name[4:], "0123456789") == "" && len(d.name) > 4 {
				t.Errorf("%s is shown", d.name)
			}
		}
	})
}
