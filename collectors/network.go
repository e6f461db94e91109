package collectors

import (
	"context"
	"strings"
	"time"

	"readout/server/reading"
)

// Network counts what the network interfaces of this machine did since boot:
// bytes received and sent, packets, errors and packets dropped, in and out. The
// inner interfaces of containers and virtual machines (veth, docker, br-, cni,
// virbr, tap and the like) and lo are left out, unless no other was ever used.
// So is an interface that was never used.
type Network struct {
	things
	reader networkReader
}

// networkStat is what one interface did since boot.
type networkStat struct {
	name                                       string
	received, sent                             uint64 // bytes
	packetsIn, packetsOut, errorsIn, errorsOut uint64
	dropsIn, dropsOut                          uint64
}

// NewNetwork makes the collector of the topics
// network{host="...",interface="eth0"}. The error says why host cannot be a label.
func NewNetwork(host string) (*Network, error) {
	things, err := newThings("network", "interface", host, append(counters("bytes", "received", "sent"),
		counters("", "packets_in", "packets_out", "errors_in", "errors_out", "drops_in", "drops_out")...))
	if err != nil {
		return nil, err
	}
	return &Network{things: things}, nil
}

// Name is network.
func (n *Network) Name() string { return "network" }

// Interval is one second.
func (n *Network) Interval() time.Duration { return time.Second }

// Collect reads the counters of the kernel. A system that does not tell them
// has no readings.
func (n *Network) Collect(ctx context.Context) ([]reading.Reading, error) {
	list, err := n.reader.read(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now().UnixMilli()
	var readings []reading.Reading
	for _, s := range shownInterfaces(list) {
		topic, ok := n.topic(s.name)
		if !ok {
			continue
		}
		readings = append(readings, reading.Reading{Topic: topic, Time: now, Values: []reading.Named{
			whole("received", s.received), whole("sent", s.sent),
			whole("packets_in", s.packetsIn), whole("packets_out", s.packetsOut),
			whole("errors_in", s.errorsIn), whole("errors_out", s.errorsOut),
			whole("drops_in", s.dropsIn), whole("drops_out", s.dropsOut),
		}})
	}
	return readings, nil
}

// shownInterfaces are those used that lead out of the machine; if none does,
// all that were used.
func shownInterfaces(list []networkStat) []networkStat {
	var outer, used []networkStat
	for _, s := range list {
		if s.packetsIn == 0 && s.packetsOut == 0 {
			continue
		}
		used = append(used, s)
		if !innerInterface(s.name) {
			outer = append(outer, s)
		}
	}
	if len(outer) > 0 {
		return outer
	}
	return used
}

// innerInterface reports whether an interface stays within the machine, going
// by the names that the kernel, container engines and virtual machines give.
func innerInterface(name string) bool {
	if name == "lo" || strings.HasPrefix(name, "lo") && strings.Trim(name[2:], "0123456789") == "" {
		return true
	}
	for _, prefix := range [...]string{
		"veth", "docker", "br-", "virbr", "vnet", "tap", "cni", "cali", "flannel", "cilium", "lxc", "lxd", "incus", "podman",
		"kube-", "nodelocaldns", "vxlan", "dummy", "ifb", "gif", "stf", "anpi", "awdl", "llw", "bridge",
	} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
