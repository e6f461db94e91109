package collectors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"readout/server/reading"
)

// Bounds of everything that goes through a Guard.
const (
	maxTargetBody   = 8 << 20          // bytes of an answer, after decompression
	targetTimeout   = 10 * time.Second // one request, from the name's look-up to the answer's last byte
	maxRedirects    = 5                // that a probe follows
	maxTargetHeader = 256 << 10        // bytes of an answer's header
)

// Guard decides where collectors may connect to, so that a target that somebody
// typed, or that an answer redirects to, does not reach what only this machine
// can. Only public addresses are open, and those that the operator allows. The
// address is checked when it is connected to, after its name was looked up, so
// that a name which first is public and then is not (DNS rebinding) gains nothing.
//
// Addresses at which clouds hand out the credentials of the machine stay closed
// whatever is allowed.
type Guard struct {
	allow    []netip.Prefix
	resolver *net.Resolver // nil for the system's
}

// NewGuard makes a guard that lets connections to public addresses and to those
// of allow pass.
func NewGuard(allow []netip.Prefix) *Guard { return &Guard{allow: slices.Clone(allow)} }

// closed are the ranges that are not public, and what they are called. Addresses
// that hold an IPv4 address lead to it through some gateway, so they are closed too.
func closed() []closedRange {
	return []closedRange{
		{netip.MustParsePrefix("127.0.0.0/8"), "a loopback address"},
		{netip.MustParsePrefix("::1/128"), "a loopback address"},
		{netip.MustParsePrefix("::/128"), "an address of this machine"},
		{netip.MustParsePrefix("10.0.0.0/8"), "a private address"},
		{netip.MustParsePrefix("172.16.0.0/12"), "a private address"},
		{netip.MustParsePrefix("192.168.0.0/16"), "a private address"},
		{netip.MustParsePrefix("fc00::/7"), "a private address"},
		{netip.MustParsePrefix("169.254.0.0/16"), "a link-local address"},
		{netip.MustParsePrefix("fe80::/10"), "a link-local address"},
		{netip.MustParsePrefix("fec0::/10"), "a site-local address"},
		{netip.MustParsePrefix("100.64.0.0/10"), "a carrier's private address"},
		{netip.MustParsePrefix("0.0.0.0/8"), "an address of this machine"},
		{netip.MustParsePrefix("192.0.0.0/24"), "a reserved address"},
		{netip.MustParsePrefix("198.18.0.0/15"), "an address for benchmarks"},
		{netip.MustParsePrefix("240.0.0.0/4"), "a reserved address"},
		{netip.MustParsePrefix("224.0.0.0/4"), "a multicast address"},
		{netip.MustParsePrefix("ff00::/8"), "a multicast address"},
		{netip.MustParsePrefix("64:ff9b::/96"), "an IPv4 address behind NAT64"},
		{netip.MustParsePrefix("64:ff9b:1::/48"), "an IPv4 address behind NAT64"},
		{netip.MustParsePrefix("2002::/16"), "an IPv4 address behind 6to4"},
		{netip.MustParsePrefix("2001::/32"), "an IPv4 address behind Teredo"},
		{netip.MustParsePrefix("::/96"), "an IPv4 address in an outdated form"},
		{netip.MustParsePrefix("100::/64"), "an address that leads nowhere"},
	}
}

// publicIPv6 is all of IPv6 that is given out as public addresses. Of the rest some
// leads elsewhere, such as ::ffff:0:127.0.0.1, which translators take for IPv4.
func publicIPv6() netip.Prefix { return netip.MustParsePrefix("2000::/3") }

type closedRange struct {
	prefix netip.Prefix
	what   string
}

// metadata are the addresses of cloud metadata services.
func metadata() []netip.Addr {
	return []netip.Addr{
		netip.MustParseAddr("169.254.169.254"), // most clouds
		netip.MustParseAddr("169.254.170.2"),   // containers at AWS
		netip.MustParseAddr("169.254.170.23"),  // pods at AWS
		netip.MustParseAddr("169.254.42.42"),   // Scaleway
		netip.MustParseAddr("169.254.0.23"),    // Tencent
		netip.MustParseAddr("168.63.129.16"),   // Azure
		netip.MustParseAddr("100.100.100.200"), // Alibaba
		netip.MustParseAddr("192.0.0.192"),     // Oracle
		netip.MustParseAddr("fd00:ec2::254"),   // AWS
		netip.MustParseAddr("fd00:ec2::23"),    // pods at AWS
		netip.MustParseAddr("fd20:ce::254"),    // Google
		netip.MustParseAddr("fd00:42::42"),     // Scaleway
	}
}

// ParseAllowed reads what --allow-targets takes: addresses and networks in CIDR
// form, separated by commas or spaces: 10.0.0.0/8,127.0.0.1,fd00::/8.
func ParseAllowed(text string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' }) {
		prefix, err := netip.ParsePrefix(word)
		if addr, addrErr := netip.ParseAddr(word); err != nil && addrErr == nil && addr.Zone() == "" {
			prefix, err = addr.Unmap().Prefix(addr.Unmap().BitLen())
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s is not a network; write it like 10.0.0.0/8, 127.0.0.1 or fd00::/8", reading.Quote(word))
		case prefix.Addr().Is4In6():
			return nil, fmt.Errorf("%s is an IPv4 network in IPv6 form; write it as IPv4, like 10.0.0.0/8", reading.Quote(word))
		case prefix != prefix.Masked():
			return nil, fmt.Errorf("%s holds bits behind its length; write %s", reading.Quote(word), prefix.Masked())
		}
		list = append(list, prefix)
	}
	return list, nil
}

// Check says whether connections to an address may pass. Its error is a
// *reading.Error of the code bad_target.
func (g *Guard) Check(address netip.Addr) error {
	address = address.WithZone("").Unmap()
	inner := embedded(address)
	for _, a := range append(inner, address) {
		if slices.Contains(metadata(), a) {
			return reading.Refuse("bad_target", "%s is where clouds hand out credentials; no collector may go there", address)
		}
	}
	if g.allows(address) {
		for _, a := range inner {
			if err := g.Check(a); err != nil {
				return err
			}
		}
		return nil
	}
	what := ""
	for _, c := range closed() {
		if c.prefix.Contains(address) {
			what = c.what
			break // the more exact name stands first
		}
	}
	if what == "" && (!address.IsGlobalUnicast() || address.Is6() && !publicIPv6().Contains(address)) {
		what = "not a public address"
	}
	if what == "" {
		return nil
	}
	return reading.Refuse("bad_target", "%s is %s; --allow-targets %s permits it", address, what, address)
}

func (g *Guard) allows(address netip.Addr) bool {
	return slices.ContainsFunc(g.allow, func(p netip.Prefix) bool { return p.Contains(address) })
}

// embedded returns the IPv4 addresses that an IPv6 address stands for.
func embedded(address netip.Addr) []netip.Addr {
	if !address.Is6() {
		return nil
	}
	b := address.As16()
	four := func(a, b, c, d byte) netip.Addr { return netip.AddrFrom4([4]byte{a, b, c, d}) }
	in := func(prefix string) bool { return netip.MustParsePrefix(prefix).Contains(address) }
	switch {
	case in("64:ff9b::/96"), in("::ffff:0:0:0/96"), in("::/96") && !address.IsLoopback() && !address.IsUnspecified():
		return []netip.Addr{four(b[12], b[13], b[14], b[15])}
	case in("64:ff9b:1::/48"): // RFC 6052 knows several lengths within it
		return []netip.Addr{four(b[6], b[7], b[9], b[10]), four(b[7], b[9], b[10], b[11]), four(b[9], b[10], b[11], b[12]), four(b[12], b[13], b[14], b[15])}
	case in("2002::/16"):
		return []netip.Addr{four(b[2], b[3], b[4], b[5])}
	case in("2001::/32"):
		return []netip.Addr{four(b[4], b[5], b[6], b[7]), four(^b[12], ^b[13], ^b[14], ^b[15])}
	}
	return nil
}

// control is net.Dialer's last word before it connects.
func (g *Guard) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return reading.Refuse("bad_target", "collectors connect by TCP only, not by %s", network)
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return reading.Refuse("bad_target", "%s is not an address", reading.Quote(address))
	}
	return g.Check(at.Addr())
}

// Dial connects to host:port by TCP if the guard lets it. It fits the Dial of
// other libraries.
func (g *Guard) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return nil, reading.Refuse("bad_target", "collectors connect by TCP only, not by %s", network)
	}
	d := net.Dialer{Timeout: targetTimeout, Resolver: g.resolver, ControlContext: g.control}
	return d.DialContext(ctx, network, address)
}

// Target reads the text of a target that somebody typed: an absolute URL of one
// of the schemes. What can be known without looking a name up is refused here,
// the rest when it is connected to. Its error is a *reading.Error of the code
// bad_target.
func (g *Guard) Target(text string, schemes ...string) (*url.URL, error) {
	u, err := url.Parse(text)
	forms := strings.Join(schemes, ":// or ") + "://"
	switch {
	case len(text) > reading.MaxLabelValue:
		return nil, reading.Refuse("bad_target", "the target has %d bytes; at most %d are allowed", len(text), reading.MaxLabelValue)
	case err != nil:
		return nil, reading.Refuse("bad_target", "%s is not a URL; begin it with %s", reading.Quote(withoutUser(text)), forms)
	case !slices.Contains(schemes, u.Scheme):
		return nil, reading.Refuse("bad_target", "%s does not begin with %s", reading.Quote(withoutUser(text)), forms)
	case u.User != nil:
		return nil, reading.Refuse("bad_target", "%s holds a user; leave it out", reading.Quote(withoutUser(text)))
	case u.Opaque != "" || u.Hostname() == "":
		return nil, reading.Refuse("bad_target", "%s names no host", reading.Quote(text))
	case u.Fragment != "" || strings.Contains(text, "#"):
		return nil, reading.Refuse("bad_target", "%s holds a #, which is for browsers only; leave it out", reading.Quote(text))
	case strings.ContainsRune(text, '\\'):
		return nil, reading.Refuse("bad_target", `%s holds a \`, reading.Quote(text))
	}
	if err := g.checkHost(u); err != nil {
		return nil, fmt.Errorf("the target %s: %w", reading.Quote(text), err)
	}
	return u, nil
}

func (g *Guard) checkHost(u *url.URL) error {
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return reading.Refuse("bad_target", "%s is not a port", reading.Quote(port))
		}
	}
	host := u.Hostname()
	if address, err := netip.ParseAddr(host); err == nil {
		return g.Check(address)
	}
	if strings.Contains(u.Host, "[") {
		return reading.Refuse("bad_target", "%s is not an IPv6 address", reading.Quote(host))
	}
	for _, c := range host {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return reading.Refuse("bad_target", "the host holds %q; write the name in ASCII (xn--...)", c)
		}
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	last := name[strings.LastIndexByte(name, '.')+1:]
	if looksNumeric(last) {
		return reading.Refuse("bad_target", "the host %s is an address in an unusual form; write it like 192.0.2.1", reading.Quote(host))
	}
	if slices.Contains(strings.Split(name, "."), "") {
		return reading.Refuse("bad_target", "the host %s has an empty part", reading.Quote(host))
	}
	if last == "localhost" && g.Check(netip.AddrFrom4([4]byte{127, 0, 0, 1})) != nil && g.Check(netip.IPv6Loopback()) != nil {
		return reading.Refuse("bad_target", "%s is this machine; --allow-targets 127.0.0.1,::1 permits it", host)
	}
	return nil
}

// looksNumeric says whether the last part of a host makes readers other than
// ours take the whole for an IPv4 address: 2130706433, 0x7f.1, 0177.0.0.1.
func looksNumeric(last string) bool {
	hex, is := strings.CutPrefix(last, "0x")
	if is {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

// withoutUser cuts what may be a password out of a text that goes into an error.
func withoutUser(text string) string {
	scheme, rest, ok := strings.Cut(text, "//")
	if !ok {
		return text
	}
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	if at := strings.LastIndexByte(rest[:end], '@'); at >= 0 {
		rest = rest[at+1:]
	}
	return scheme + "//" + rest
}

// transport makes connections that the guard has checked. No proxy of the
// environment stands between: it would be asked to go where we may not.
func (g *Guard) transport() *http.Transport {
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            g.Dial,
		TLSHandshakeTimeout:    targetTimeout,
		ResponseHeaderTimeout:  targetTimeout,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConnsPerHost:    1,
		MaxResponseHeaderBytes: maxTargetHeader,
		ForceAttemptHTTP2:      true,
	}
}

// client makes an HTTP client that follows so many redirects; 0 is none.
func (g *Guard) client(transport http.RoundTripper, redirects int) *http.Client {
	return &http.Client{
		Transport: transport,
		Timeout:   targetTimeout,
		CheckRedirect: func(next *http.Request, before []*http.Request) error {
			if redirects == 0 {
				return http.ErrUseLastResponse
			}
			if len(before) > redirects {
				return reading.Refuse("bad_target", "more than %d redirects", redirects)
			}
			next.Header.Del("Authorization") // also within one host: the target is not the one it was meant for
			next.Header.Del("Cookie")
			next.Header.Del("Referer")
			_, err := g.Target(next.URL.String(), "http", "https")
			return err
		},
	}
}

// errTooLarge says that an answer went over maxTargetBody.
var errTooLarge = errors.New("the answer is larger than 8 MiB")

// readBody reads an answer to its end, which must come within maxTargetBody.
func readBody(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxTargetBody+1))
	if len(b) > maxTargetBody {
		return nil, errTooLarge
	}
	return b, err
}

// plainError takes the method and the address off an error of net/http, which
// those who read it know.
func plainError(err error) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		return outer.Err
	}
	return err
}
