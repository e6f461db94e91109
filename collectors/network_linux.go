package collectors

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
)

// networkReader reads /proc/net/dev.
type networkReader struct{ file kernelFile }

func (r *networkReader) read(ctx context.Context) ([]networkStat, error) {
	text, err := r.file.read(procPath(ctx, "net/dev"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return parseInterfaces(text), err
}

// parseInterfaces reads lines of a name, a colon and 16 numbers: bytes, packets,
// errors, drops and four more received, and the same sent. Two lines of heads,
// which have no such numbers, come first.
func parseInterfaces(text []byte) []networkStat {
	var list []networkStat
	for len(text) > 0 {
		var line []byte
		line, text = nextLine(text)
		at := bytes.LastIndexByte(line, ':')
		if at < 0 {
			continue
		}
		name := bytes.TrimSpace(line[:at])
		var n [12]uint64
		if len(name) == 0 || numbersOf(line[at+1:], n[:]) < len(n) {
			continue
		}
		list = append(list, networkStat{
			name: string(name), received: n[0], packetsIn: n[1], errorsIn: n[2], dropsIn: n[3],
			sent: n[8], packetsOut: n[9], errorsOut: n[10], dropsOut: n[11],
		})
	}
	return list
}
