package collectors

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
)

// mountReader reads /proc/self/mountinfo and asks the kernel for the space.
type mountReader struct{ file kernelFile }

func (r *mountReader) mounts(ctx context.Context) ([]mount, error) {
	text, err := r.file.read(procPath(ctx, "self/mountinfo"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return shownMounts(parseMounts(text)), err
}

// space asks for one mount. It fails for a single file that is mounted, as
// container engines do with /etc/hosts: the disk behind it is not this machine's.
func (r *mountReader) space(_ context.Context, m mount) (space, error) {
	if m.part {
		if info, err := os.Stat(m.point); err != nil || !info.IsDir() {
			return space{}, errors.Join(err, syscall.ENOTDIR)
		}
	}
	var stat syscall.Statfs_t
	if _, err := again(func() (int, error) { return 0, syscall.Statfs(m.point, &stat) }); err != nil {
		return space{}, err
	}
	unit := uint64(stat.Frsize)
	if unit == 0 {
		unit = uint64(stat.Bsize)
	}
	return space{
		total: stat.Blocks * unit,
		used:  (stat.Blocks - min(stat.Bfree, stat.Blocks)) * unit,
		free:  stat.Bavail * unit,
	}, nil
}

// parseMounts reads lines of mount ID, parent ID, device, root within the file
// system, mount point, options, optional fields, a dash, and type, source and
// more options.
func parseMounts(text []byte) []mount {
	var list []mount
	for len(text) > 0 {
		var line []byte
		line, text = nextLine(text)
		_, line = nextField(line)
		_, line = nextField(line)
		device, line := nextField(line)
		root, line := nextField(line)
		point, line := nextField(line)
		_, behind, ok := bytes.Cut(line, []byte(" - "))
		kind, _ := nextField(behind)
		if !ok || len(point) == 0 || point[0] != '/' || len(kind) == 0 {
			continue
		}
		list = append(list, mount{
			device: string(device), point: unescapeMount(point), kind: string(kind), part: string(root) != "/",
		})
	}
	return list
}

// unescapeMount undoes \040 and the like, by which the kernel writes blanks,
// tabs, line ends and backslashes of a path.
func unescapeMount(path []byte) string {
	if bytes.IndexByte(path, '\\') < 0 {
		return string(path)
	}
	isOctal := func(c byte) bool { return '0' <= c && c <= '7' }
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '\\' && i+3 < len(path) && path[i+1] <= '3' && isOctal(path[i+1]) && isOctal(path[i+2]) && isOctal(path[i+3]) {
			b.WriteByte((path[i+1]-'0')<<6 | (path[i+2]-'0')<<3 | (path[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(path[i])
	}
	return b.String()
}

// shownMounts are those of Filesystem, in the order of their mount points. Of
// the mounts of one device it takes one of the whole file system before one of
// a part, and then the shortest.
func shownMounts(list []mount) []mount {
	best := map[string]mount{}
	at := map[string]string{} // the device on top at a mount point: what lies below cannot be seen
	for _, m := range list {
		at[m.point] = m.device
	}
	for _, m := range list {
		if at[m.point] != m.device || !onDisk(m) || innerMount(m.point) {
			continue
		}
		had, ok := best[m.device]
		if !ok || had.part && !m.part || had.part == m.part && len(m.point) < len(had.point) {
			best[m.device] = m
		}
	}
	var shown []mount
	for _, m := range best {
		shown = append(shown, m)
	}
	slices.SortFunc(shown, func(a, b mount) int { return strings.Compare(a.point, b.point) })
	return shown
}

// onDisk reports whether a file system keeps its files on a disk of this
// machine. File systems that are not on one block device have the major number
// 0; of these only three keep files on disks, and a container's root is one.
func onDisk(m mount) bool {
	switch m.kind {
	case "squashfs", "erofs", "cramfs", "romfs", "iso9660", "udf": // images, always full
		return false
	case "ocfs2", "gfs2": // shared over a network
		return false
	case "btrfs", "zfs", "bcachefs":
		return true
	case "overlay":
		return m.point == "/"
	}
	return !strings.HasPrefix(m.device, "0:")
}

// innerMount reports whether a mount belongs to a container or to the system's
// own works.
func innerMount(point string) bool {
	for _, root := range [...]string{"/dev", "/proc", "/sys", "/run/credentials", "/var/lib/docker", "/var/lib/containers/storage", "/var/lib/kubelet"} {
		if rest, ok := strings.CutPrefix(point, root); ok && strings.HasPrefix(rest, "/") {
			return true
		}
	}
	return false
}
