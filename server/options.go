package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"readout/server/access"
	"readout/server/reading"
	"readout/server/store"
)

// Options are what a Server is made of. The zero value of each field is its default.
type Options struct {
	Store      store.Options
	MemoryOnly bool // the store forgets everything when the process ends; pages and /readyz say so

	// Embedded tells of the store of this process, if it has one.
	Embedded func() EmbeddedStats

	Dashboards   string          // directory of dashboards; empty for the built-in ones only
	Tokens       *access.Tokens  // nil for an open server: no tokens, served to this machine's own names only
	PublicURL    string          // how browsers reach this server, https://readout.example; empty for what they ask for
	InsecureOpen bool            // an open server may listen on other addresses and be asked by any name
	EmbedOrigins []string        // sites that may frame ?view=embed, as in CSP frame-ancestors; 'self' always may
	Own          []reading.Topic // topics that this process feeds itself; they do not end the first run of the home page

	// Feeds says the same of topics that this process comes to feed later.
	Feeds func(reading.Topic) bool

	Development bool // GET /design shows every component of the pages

	Replica string // this process' name; default a random one
	Version string
	Linger  time.Duration // how long a topic is tailed after its last viewer left
	Ping    time.Duration // how long a viewer hears nothing before it is pinged; default 20 s
	Logger  *slog.Logger
}

// Validate reports everything that is wrong with the options at once.
func (o *Options) Validate() error {
	var errs []error
	if o.PublicURL != "" {
		u, err := url.Parse(o.PublicURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" {
			errs = append(errs, fmt.Errorf("public URL %q: use scheme and host only, such as https://readout.example", o.PublicURL))
		}
	}
	for _, origin := range o.EmbedOrigins {
		if strings.ContainsAny(origin, ";, \t\r\n") {
			errs = append(errs, fmt.Errorf("embed origin %q: use one origin, such as https://status.example or http://localhost:*", origin))
		}
	}
	return errors.Join(errs...)
}

// CheckListen refuses to serve an open server to other machines.
func (o *Options) CheckListen(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("listen address %q: use HOST:PORT, such as 127.0.0.1:8080", address)
	}
	if o.Tokens != nil || o.InsecureOpen || isLoopback(host) {
		return nil
	}
	return fmt.Errorf("listening on %s without tokens would let everyone on the network push and view.\n"+
		"Give it tokens (readout token --help, then --tokens FILE), listen on 127.0.0.1, or say --insecure-open", address)
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && address.Unmap().IsLoopback()
}
