//go:build !linux

package collectors

import (
	"context"

	"github.com/shirou/gopsutil/v4/net"
)

// networkReader asks gopsutil.
type networkReader struct{}

func (*networkReader) read(ctx context.Context) ([]networkStat, error) {
	stats, err := net.IOCountersWithContext(ctx, true)
	if err != nil {
		return nil, err
	}
	var list []networkStat
	for _, s := range stats {
		list = append(list, networkStat{
			name: s.Name, received: s.BytesRecv, packetsIn: s.PacketsRecv, errorsIn: s.Errin, dropsIn: s.Dropin,
			sent: s.BytesSent, packetsOut: s.PacketsSent, errorsOut: s.Errout, dropsOut: s.Dropout,
		})
	}
	return list, nil
}
