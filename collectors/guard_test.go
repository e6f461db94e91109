package collectors

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"readout/server/reading"
)

func allowed(t testing.TB, text string) *Guard {
	t.Helper()
	list, err := ParseAllowed(text)
	if err != nil {
		t.Fatal(err)
	}
	return NewGuard(list)
}

func isBadTarget(err error) bool {
	var refused *reading.Error
	return errors.As(err, &refused) && refused.Code == "bad_target"
}

// B72: what is refused when it is typed, with and without an allow-list.
func TestGuardTarget(t *testing.T) {
	for _, c := range []struct{ target, allow string }{
		{"file:///etc/passwd", ""},
		{"file:///etc/passwd", "0.0.0.0/0,::/0"},
		{"gopher://example.org/", ""},
		{"ftp://example.org/", ""},
		{"unix:///run/docker.sock", ""},
		{"HTTP+UNIX://x/", ""},
		{"//example.org/", ""},
		{"example.org", ""},
		{"", ""},
		{"http://", ""},
		{"http:///x", ""},
		{"http:example.org", ""},
		{"http://:80/", ""},
		{"http://example.org:0/", ""},
		{"http://example.org:65536/", ""},
		{"http://example.org:http/", ""},
		{"http://a@b", ""},
		{"http://a:secret@example.org/", ""},
		{"http://example.org#@127.0.0.1/", ""},
		{`http://example.org\@127.0.0.1/`, ""},
		{`http://example.org/\..`, ""},
		{"http://example.org/\n", ""},
		{"http://127.0.0.1", ""},
		{"http://127.0.0.1:6379/", "10.0.0.0/8"},
		{"http://127.255.255.254/", ""},
		{"http://localhost:8080/", ""},
		{"http://LOCALHOST./", ""},
		{"http://a.localhost/", ""},
		{"http://[::1]/", ""},
		{"http://[::]/", ""},
		{"http://0.0.0.0/", ""},
		{"http://0.1.2.3/", ""},
		{"http://10.1.2.3/", ""},
		{"http://172.31.0.1/", ""},
		{"http://192.168.1.1/", ""},
		{"http://100.64.0.1/", ""},
		{"http://169.254.1.1/", ""},
		{"http://192.0.0.1/", ""},
		{"http://198.18.0.1/", ""},
		{"http://198.19.255.255/", ""},
		{"http://224.0.0.1/", ""},
		{"http://240.0.0.1/", ""},
		{"http://255.255.255.255/", ""},
		{"http://[fe80::1]/", ""},
		{"http://[fe80::1%25eth0]/", ""},
		{"http://[fec0::1]/", ""},
		{"http://[fd00::1]/", ""},
		{"http://[fc00::1]/", ""},
		{"http://[ff02::1]/", ""},
		{"http://[100::1]/", ""},
		{"http://[::ffff:0:7f00:1]/", ""},
		{"http://[5f00::1]/", ""},
		{"http://[4000::1]/", ""},
		{"http://[::127.0.0.1]/", ""},
		{"http://[::ffff:127.0.0.1]/", ""},
		{"http://[::ffff:169.254.169.254]/", ""},
		{"http://[::ffff:a9fe:a9fe]/", ""},
		{"http://[64:ff9b::a9fe:a9fe]/", ""},
		{"http://[64:ff9b::7f00:1]/", ""},
		{"http://[64:ff9b:1::a9fe:a9fe]/", ""},
		{"http://[2002:a9fe:a9fe::]/", ""},
		{"http://[2002:7f00:1::1]/", ""},
		{"http://[2001:0:7f00:1::]/", ""},
		{"http://2130706433/", ""},
		{"http://0x7f.1/", ""},
		{"http://0x7f000001/", ""},
		{"http://0177.0.0.1/", ""},
		{"http://127.1/", ""},
		{"http://127.0.0.1./", ""},
		{"http://1.2.3.4.5/", ""},
		{"http://256.256.256.256/", ""},
		{"http://example.0x1/", ""},
		{"http://１２７.0.0.1/", ""},
		{"http://ⓔxample.org/", ""},
		{"http://%31%32%37.0.0.1/", ""},
		{"http://exa mple.org/", ""},
		{"http://a..b/", ""},
		{"http://[v1.x]/", ""},
		{"http://" + strings.Repeat("a", 2000) + "/", ""},
		// Clouds hand out credentials at these: closed whatever is allowed.
		{"http://169.254.169.254/latest/meta-data/", "0.0.0.0/0"},
		{"http://169.254.169.254/", "169.254.169.254"},
		{"http://169.254.170.2/", "0.0.0.0/0"},
		{"http://168.63.129.16/", ""},
		{"http://100.100.100.200/", "100.64.0.0/10"},
		{"http://[fd00:ec2::254]/", "::/0"},
		{"http://[fd20:ce::254]/", "::/0"},
		{"http://[::ffff:169.254.169.254]/", "0.0.0.0/0,::/0"},
		{"http://[64:ff9b::a9fe:a9fe]/", "::/0,0.0.0.0/0"},
		{"http://[64:ff9b:1:a9fe:a9:fe00::]/", "::/0,0.0.0.0/0"},
		{"http://[2002:a9fe:a9fe::1]/", "::/0,0.0.0.0/0"},
		{"http://[::a9fe:a9fe]/", "::/0,0.0.0.0/0"},
		{"http://[::ffff:0:a9fe:a9fe]/", "::/0,0.0.0.0/0"},
		// A gateway that is allowed leads only to what is allowed, too.
		{"http://[64:ff9b::7f00:1]/", "64:ff9b::/96"},
		{"http://[2002:0a00:0001::1]/", "2002::/16"},
	} {
		if u, err := allowed(t, c.allow).Target(c.target, "http", "https"); err == nil || !isBadTarget(err) {
			t.Errorf("%s with %q allowed: %v, %v; want a refusal", c.target, c.allow, u, err)
		} else if strings.Contains(err.Error(), "secret") || len(err.Error()) > 500 {
			t.Errorf("%s: the error is %q", c.target, err)
		}
	}
	for _, c := range []struct{ target, allow string }{
		{"http://example.org", ""},
		{"https://example.org:8443/a/b?c=d%20e", ""},
		{"http://xn--bcher-kva.example/", ""},
		{"http://my_service.example/", ""},
		{"http://93.184.216.34/", ""},
		{"http://[2606:2800:220:1::1]/", ""},
		{"http://[::ffff:93.184.216.34]/", ""},
		{"http://127.0.0.1:9100/metrics", "127.0.0.0/8"},
		{"http://localhost:9100/metrics", "127.0.0.1"},
		{"http://localhost:9100/metrics", "::1"},
		{"http://10.0.0.7/", "10.0.0.0/8"},
		{"http://[fd12::1]/", "fd00::/8"},
		{"http://[fe80::1%25eth0]/", "fe80::/10"},
		{"http://[64:ff9b::5db8:d822]/", "64:ff9b::/96"},
		{"http://[::ffff:10.0.0.7]/", "10.0.0.0/8"},
	} {
		if _, err := allowed(t, c.allow).Target(c.target, "http", "https"); err != nil {
			t.Errorf("%s with %q allowed: %v", c.target, c.allow, err)
		}
	}
}

func TestParseAllowed(t *testing.T) {
	list, err := ParseAllowed(" 10.0.0.0/8, 127.0.0.1\n::1 fd00::/8,::ffff:10.1.2.3 ")
	if got := strings.Trim(strings.Join(strings.Fields(prefixes(list)), " "), " "); err != nil || got != "10.0.0.0/8 127.0.0.1/32 ::1/128 fd00::/8 10.1.2.3/32" {
		t.Errorf("%s, %v", got, err)
	}
	for _, bad := range []string{"10.0.0.1/8", "localhost", "10.0.0.0/33", "fe80::1%eth0", "::ffff:10.0.0.0/104", "10.0.0"} {
		if _, err := ParseAllowed(bad); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func prefixes(list []netip.Prefix) string {
	var b strings.Builder
	for _, p := range list {
		b.WriteString(p.String() + " ")
	}
	return b.String()
}

func TestGuardDialsTCPOnly(t *testing.T) {
	g := allowed(t, "0.0.0.0/0,::/0")
	for _, network := range []string{"udp", "udp4", "unix", "ip4:icmp", ""} {
		if _, err := g.Dial(t.Context(), network, "127.0.0.1:1"); !isBadTarget(err) {
			t.Errorf("%q: %v", network, err)
		}
	}
	if err := g.control(t.Context(), "udp4", "127.0.0.1:1", nil); !isBadTarget(err) {
		t.Errorf("the last check lets udp4 through: %v", err)
	}
}

// names is a DNS server of one test. Each question for an address gets the next
// answer of its name; the last one stays.
type names struct {
	mu      sync.Mutex
	answers map[string][]string
	asked   int
}

func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go n.serve(far)
		return near, nil
	}}
}

// serve answers on one stream until the resolver closes it.
func (n *names) serve(conn net.Conn) {
	defer conn.Close()
	for {
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return
		}
		question := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, question); err != nil {
			return
		}
		var name []string
		i := 12
		for question[i] != 0 {
			name = append(name, string(question[i+1:i+1+int(question[i])]))
			i += 1 + int(question[i])
		}
		end := i + 5 // the zero, type and class
		answer := append([]byte{}, question[:end]...)
		binary.BigEndian.PutUint16(answer[2:], 0x8180)
		binary.BigEndian.PutUint32(answer[8:], 0) // no further records
		if binary.BigEndian.Uint16(question[i+1:]) == 1 {
			if address := n.next(strings.Join(name, ".")); address != "" {
				answer[7] = 1
				answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
				b := netip.MustParseAddr(address).As4()
				answer = append(answer, b[:]...)
			}
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

func (n *names) next(name string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	list := n.answers[strings.ToLower(name)]
	if len(list) > 1 {
		n.answers[strings.ToLower(name)] = list[1:]
	}
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// A name that leads to an address which is open when it is first asked for, and
// to this machine the next time.
func TestGuardRebinding(t *testing.T) {
	reached := 0
	listener, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ })}}
	server.Start()
	defer server.Close()
	port := listener.Addr().(*net.TCPAddr).AddrPort().Port()
	dns := &names{answers: map[string][]string{"rebind.example": {"127.0.0.2", "127.0.0.1"}}}
	g := allowed(t, "127.0.0.2") // stands for a public address
	g.resolver = dns.resolver()
	target := url.URL{Scheme: "http", Host: net.JoinHostPort("rebind.example", strconv.Itoa(int(port)))}
	if _, err := g.Target(target.String(), "http"); err != nil {
		t.Fatal(err)
	}
	transport := g.transport()
	transport.DisableKeepAlives = true
	for i, want := range []bool{true, false, false} {
		response, err := g.client(transport, 0).Get(target.String())
		if (err == nil) != want || err != nil && !isBadTarget(err) {
			t.Errorf("request %d: %v, want it to pass: %v", i, err, want)
		}
		if err == nil {
			_ = response.Body.Close()
		}
	}
	if reached != 1 || dns.asked < 3 {
		t.Errorf("the server was reached %d times, the name asked for %d times; want 1 and at least 3", reached, dns.asked)
	}
}

// What an environment says of proxies is not listened to.
func TestGuardIgnoresProxies(t *testing.T) {
	proxied := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") }))
	defer proxied.Close()
	t.Setenv("HTTP_PROXY", proxied.URL)
	t.Setenv("http_proxy", proxied.URL)
	dns := &names{answers: map[string][]string{}}
	g := allowed(t, "127.0.0.1")
	g.resolver = dns.resolver()
	if _, err := g.client(g.transport(), 0).Get("http://nowhere.example/"); err == nil || reasonOf(err) != "dns" {
		t.Errorf("a name that does not exist: %v", err)
	}
}

// Redirects: each place is checked, and nothing that was meant for the first
// goes to the next.
func TestGuardRedirects(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path != "/first" && (q.Header.Get("Authorization") != "" || q.Header.Get("Referer") != "") {
			t.Errorf("%s was asked with %v", q.URL, q.Header)
		}
		to := q.URL.Query().Get("to")
		switch {
		case q.URL.Path == "/loop":
			to = "/loop"
		case to == "":
			return
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}))
	defer server.Close()
	g := allowed(t, "127.0.0.1")
	for _, c := range []struct {
		to        string
		redirects int
		passes    bool
	}{
		{"/end", maxRedirects, true},
		{"/end", 0, true}, // the redirect is the answer
		{"/loop", maxRedirects, false},
		{"http://169.254.169.254/latest/meta-data/", maxRedirects, false},
		{"http://[::ffff:169.254.169.254]/", maxRedirects, false},
		{"http://10.0.0.1/", maxRedirects, false},
		{"http://127.0.0.3:1/", maxRedirects, false},
		{"http://2130706433/", maxRedirects, false},
		{"http://user:pass@127.0.0.1/", maxRedirects, false},
		{"file:///etc/passwd", maxRedirects, false},
		{"gopher://127.0.0.1:6379/_FLUSHALL", maxRedirects, false},
	} {
		request, err := http.NewRequest(http.MethodGet, server.URL+"/first?to="+url.QueryEscape(c.to), nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer secret")
		response, err := g.client(g.transport(), c.redirects).Do(request)
		if (err == nil) != c.passes || err != nil && !isBadTarget(err) {
			t.Errorf("to %s: %v, want it to pass: %v", c.to, err, c.passes)
		}
		if err == nil {
			_ = response.Body.Close()
			if c.redirects == 0 && response.StatusCode != http.StatusFound {
				t.Errorf("a redirect was followed: %d", response.StatusCode)
			}
		}
	}
}

// FuzzTarget: whatever is typed, what passes is an address that may be asked, in
// a form that every reader takes for the same.
func FuzzTarget(f *testing.F) {
	for _, seed := range []string{
		"http://example.org/", "http://127.0.0.1", "http://[::ffff:169.254.169.254]", "http://2130706433", "http://0x7f.1", "file:///x",
		"http://[64:ff9b::a9fe:a9fe]/", "http://a@b", "tcp://db.example:5432", "http://%6c", "http://[fe80::1%25eth0]", "http://a:99999",
	} {
		f.Add(seed)
	}
	g := NewGuard(nil)
	f.Fuzz(func(t *testing.T, text string) {
		u, err := g.Target(text, "http", "https", "tcp")
		if err != nil {
			if !isBadTarget(err) || len(err.Error()) > 1000 {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		host := u.Hostname()
		if u.User != nil || host == "" || strings.ContainsAny(host, " \\@/?#%") || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "tcp" {
			t.Fatalf("%q passes as %v", text, u)
		}
		if address, err := netip.ParseAddr(host); err == nil {
			if a := address.Unmap(); g.Check(a) != nil || !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() {
				t.Fatalf("%q passes and leads to %v", text, a)
			}
		} else if net.ParseIP(host) != nil || strings.Trim(host, "0123456789.") == "" || strings.HasSuffix(strings.ToLower(host), "localhost") {
			t.Fatalf("%q passes and looks like an address", text)
		}
		again, err := g.Target(u.String(), "http", "https", "tcp")
		if err != nil || again.Host != u.Host {
			t.Fatalf("%q passes as %s, which reads as %v, %v", text, u, again, err)
		}
	})
}

// FuzzGuardCheck: no address that is closed by itself is open in another dress.
func FuzzGuardCheck(f *testing.F) {
	for _, seed := range []string{"::1", "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "8.8.8.8", "2606::1"} {
		b := netip.MustParseAddr(seed).As16()
		f.Add(b[:])
	}
	all := NewGuard([]netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")})
	none := NewGuard(nil)
	f.Fuzz(func(t *testing.T, b []byte) {
		address, ok := netip.AddrFromSlice(b)
		if !ok {
			return
		}
		if none.Check(address) == nil {
			a := address.Unmap()
			if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || len(embedded(a)) > 0 {
				t.Fatalf("%v is open", address)
			}
			if all.Check(address) != nil {
				t.Fatalf("%v is open, and closed when everything is allowed", address)
			}
		}
		metadata := netip.MustParseAddr("169.254.169.254")
		for _, a := range append(embedded(address), address.Unmap()) {
			if a == metadata && all.Check(address) == nil {
				t.Fatalf("%v leads to credentials", address)
			}
		}
	})
}
