package collectors

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

const mountinfo = `22 27 0:21 / /proc rw,relatime - proc proc rw
23 27 0:22 / /sys rw,relatime shared:7 - sysfs sysfs rw
24 27 0:6 / /dev rw,relatime - devtmpfs devtmpfs rw,size=12334524k,nr_inodes=3083631,mode=755
27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,discard
28 27 0:25 / /tmp rw,nosuid - tmpfs tmpfs rw
29 27 254:2 / /var rw,relatime shared:2 master:3 - xfs /dev/vda2 rw
30 29 254:2 /lib/docker/overlay2 /var/lib/docker/overlay2 rw - xfs /dev/vda2 rw
31 29 254:2 /www /srv rw,relatime - xfs /dev/vda2 rw
32 27 7:0 / /snap/core/1 ro,nodev - squashfs /dev/loop0 ro
33 27 0:40 / /mnt/nas rw - nfs4 nas:/vol rw,vers=4.2
34 27 0:41 / /mnt/share rw - cifs //nas/share rw
35 27 0:42 / /home/me/remote rw - fuse.sshfs me@host: rw
36 27 0:43 /@home /home rw - btrfs /dev/sdb1 rw,subvol=/@home
37 27 0:43 /@data /data rw - btrfs /dev/sdb1 rw,subvol=/@data
38 27 254:3 / /mnt/usb\040stick\134x rw - exfat /dev/sdc1 rw
39 29 0:50 / /var/lib/docker/overlay2/abc/merged rw - overlay overlay rw
40 27 11:0 / /media/cd ro - iso9660 /dev/sr0 ro
41 27 254:4 / /mnt/under rw - ext4 /dev/sdd1 rw
42 27 254:5 / /mnt/under rw - ext4 /dev/sde1 rw
43 27 0:60 / /tank rw - zfs tank rw
`

func TestShownMounts(t *testing.T) {
	var got []string
	for _, m := range shownMounts(parseMounts([]byte(mountinfo))) {
		got = append(got, fmt.Sprintf("%s %s %s %v", m.point, m.device, m.kind, m.part))
	}
	equalLines(t, got, []string{
		"/ 254:1 ext4 false",
		"/home 0:43 btrfs true",       // each file system once
		`/mnt/under 254:5 ext4 false`, // the one on top
		`/mnt/usb stick\x 254:3 exfat false`,
		"/tank 0:60 zfs false",
		"/var 254:2 xfs false",
	})
}

// In a container the root is an overlay, and single files of the host's disk
// are mounted on it.
func TestShownMountsOfAContainer(t *testing.T) {
	m := newMachine(t)
	hosts := filepath.Join(m.root, "hosts")
	m.write("hosts", "127.0.0.1 localhost")
	m.write("proc/self/mountinfo", `600 500 0:70 / / rw,relatime - overlay overlay rw,lowerdir=/x
601 600 0:71 / /proc rw - proc proc rw
602 600 254:1 /var/lib/docker/containers/1/hosts `+hosts+` rw - ext4 /dev/vda1 rw
`)
	got := m.collect(must(t, NewFilesystem))
	if len(got) != 1 || !strings.HasPrefix(got[0], `filesystem{host="web1",mount="/"} [used=`) {
		t.Errorf("got %q, want the root alone", got)
	}
	m.remove("proc/self")
	m.expect(must(t, NewFilesystem))
}

// A mount that is gone when it is asked is left out, the others stay.
func TestFilesystemThatIsGone(t *testing.T) {
	m := newMachine(t)
	m.write("proc/self/mountinfo", "1 0 254:1 / / rw - ext4 /dev/vda1 rw\n2 1 254:2 / "+m.root+"/gone rw - ext4 /dev/vdb rw\n")
	if got := m.collect(must(t, NewFilesystem)); len(got) != 1 {
		t.Errorf("got %q", got)
	}
}

func TestUnescapeMount(t *testing.T) {
	for text, want := range map[string]string{
		`/a\040b`: "/a b", `/a\011b\012\134`: "/a\tb\n\\", `/plain`: "/plain", `/a\04`: `/a\04`, `/a\089`: `/a\089`, `/\`: `/\`, `/a\777`: `/a\777`, `/\303\244`: "/ä",
	} {
		if got := unescapeMount([]byte(text)); got != want {
			t.Errorf("%s becomes %q, want %q", text, got, want)
		}
	}
}

func FuzzMounts(f *testing.F) {
	f.Add([]byte(mountinfo))
	f.Add([]byte(`1 2 8:1 / /\040\12 - - ext4 -`))
	f.Fuzz(func(t *testing.T, text []byte) {
		devices := map[string]bool{}
		for _, m := range shownMounts(parseMounts(text)) {
			if !strings.HasPrefix(m.point, "/") || m.kind == "" {
				t.Errorf("mount %+v", m)
			}
			if devices[m.device] {
				t.Errorf("the device %s is shown twice", m.device)
			}
			devices[m.device] = true
		}
	})
}
