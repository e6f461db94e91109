package collectors

import "testing"

const netdev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 1266408527 2715119    0    9    0     0          0         0 1266408527 2715119    0    0    0     0       0          0
  eth0: 1218302015   41009    1    2    3     4          0         0  3046682   26856    5    6    0     0       0          0
eth0.7:     100       2    0    0    0     0          0         0      200       3    0    0    0     0       0          0
  eth1:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
docker0: 5000      50    0    0    0     0          0         0     6000      60    0    0    0     0       0          0
veth1234:    70       7    0    0    0     0          0         0       80       8    0    0    0     0       0          0
br-0a1b2c:  70       7    0    0    0     0          0         0       80       8    0    0    0     0       0          0
   wg0:18446744073709551615 7 0 0 0 0 0 0 80 8 0 0 0 0 0 0
`

func TestNetworkFromProc(t *testing.T) {
	m := newMachine(t)
	n := must(t, NewNetwork)
	m.expect(n) // no file: nothing, and no error
	m.write("proc/net/dev", netdev)
	m.expect(n,
		`network{host="web1",interface="eth0"} [received=1218302015 sent=3046682 packets_in=41009 packets_out=26856 errors_in=1 errors_out=5 drops_in=2 drops_out=6]`,
		`network{host="web1",interface="eth0.7"} [received=100 sent=200 packets_in=2 packets_out=3 errors_in=0 errors_out=0 drops_in=0 drops_out=0]`,
		`network{host="web1",interface="wg0"} [received=18446744073709552000 sent=80 packets_in=7 packets_out=8 errors_in=0 errors_out=0 drops_in=0 drops_out=0]`,
	)
	for _, c := range n.Describe()[`network{host="web1",interface="eth0"}`] {
		if unit := map[string]string{"received": "bytes", "sent": "bytes"}[c.Name]; c.Unit != unit || c.Kind != "counter" {
			t.Errorf("column %+v", c)
		}
	}
}

// Where nothing leads out of the machine, the inner interfaces are shown.
func TestNetworkOfNothingButInner(t *testing.T) {
	m := newMachine(t)
	m.write("proc/net/dev", "    lo: 10 1 0 0 0 0 0 0 10 1 0 0 0 0 0 0\n  eth0: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n")
	m.expect(must(t, NewNetwork),
		`network{host="web1",interface="lo"} [received=10 sent=10 packets_in=1 packets_out=1 errors_in=0 errors_out=0 drops_in=0 drops_out=0]`)
}

func TestInnerInterfaces(t *testing.T) {
	for name, want := range map[string]bool{
		"lo": true, "lo0": true, "veth0a1b": true, "docker0": true, "br-12ab": true, "virbr0": true, "cni0": true, "cali123": true, "tap0": true,
		"eth0": false, "enp3s0": false, "wlan0": false, "wlp2s0": false, "lowpan0": false, "bond0": false, "wg0": false, "tun0": false,
		"br0": false, "ppp0": false, "en0": false, "utun3": false, "tailscale0": false,
	} {
		if got := innerInterface(name); got != want {
			t.Errorf("%s is inner: %v, want %v", name, got, want)
		}
	}
}

func FuzzInterfaces(f *testing.F) {
	f.Add([]byte(netdev))
	f.Add([]byte("a:b:1 2 3 4 5 6 7 8 9 10 11 12"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list := parseInterfaces(text)
		shown := shownInterfaces(list)
		if len(shown) > len(list) {
			t.Errorf("%d interfaces of %d", len(shown), len(list))
		}
		for _, s := range shown {
			readable(t, s.name)
			if s.packetsIn == 0 && s.packetsOut == 0 {
				t.Errorf("%s was never used", s.name)
			}
		}
	})
}
