package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Limits of one command. A write is tried again by us and never by go-redis,
// whose own retry of an XADD with a lost reply would double its readings.
const (
	commandTimeout = time.Second             // dial, write and read of one command
	writeBudget    = 1200 * time.Millisecond // one Append, its retries included
	readBudget     = 3 * time.Second         // one operation that only reads
	poolSize       = 96                      // connections for everything but tailing, per server, at most
)

type mode uint8

const (
	single mode = iota
	sentinel
	cluster
)

// link knows how to reach the servers of one URL.
type link struct {
	mode    mode
	options redis.UniversalOptions
	tls     *tls.Config
	dial    func(ctx context.Context, network, addr string) (net.Conn, error)
	breaker *breaker

	inside    atomic.Bool  // connections end in this process
	copyUntil atomic.Int64 // until when the primary that Sentinel names is not asked for its role again
}

// newLink reads the URL forms that Options names. Its errors never hold the
// URL, which may hold a password.
func newLink(o Options) (*link, error) {
	l := &link{dial: o.Dial}
	if l.dial == nil {
		l.dial = (&net.Dialer{Timeout: commandTimeout, KeepAlive: 15 * time.Second}).DialContext
	}
	l.breaker = newBreaker(l.secure)
	scheme, rest, ok := strings.Cut(o.URL, "://")
	base, kind, _ := strings.Cut(scheme, "+")
	port := "6379"
	switch kind {
	case "":
	case "sentinel":
		l.mode, port = sentinel, "26379"
	case "cluster":
		l.mode = cluster
	default:
		ok = false
	}
	switch base {
	case "redis", "valkey":
		base = "redis"
	case "rediss", "valkeys":
		base = "rediss"
	default:
		ok = false
	}
	if !ok {
		return nil, errors.New("the store's URL begins with none of redis:// rediss:// redis+sentinel:// redis+cluster:// (or valkey...)")
	}
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	user, hosts := "", authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		user, hosts = authority[:i+1], authority[i+1:]
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if err := l.addHost(base, user, host, tail, port); err != nil {
			var inner *url.Error
			if errors.As(err, &inner) {
				err = inner.Err // the outer one prints the URL
			}
			return nil, fmt.Errorf("the store's URL is not valid: %w", err)
		}
	}
	switch {
	case l.mode == single && len(l.options.Addrs) != 1:
		return nil, errors.New("the store's URL names several hosts; begin it with redis+cluster:// or redis+sentinel://")
	case l.mode == sentinel && l.options.MasterName == "":
		return nil, errors.New("the store's URL needs ?master_name=... for Sentinel")
	case l.mode == cluster && l.options.DB != 0:
		return nil, errors.New("the store's URL names a database; Redis Cluster has only database 0")
	}
	return l, nil
}

func (l *link) addHost(scheme, user, host, tail, port string) error {
	if host == "" && l.mode != single {
		return errors.New("a host is empty")
	}
	u, err := url.Parse(scheme + "://" + user + host + tail)
	if err != nil {
		return err
	}
	if u.Host != "" && u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	query := u.Query()
	own := func(name string) string {
		value := query.Get(name)
		query.Del(name)
		return value
	}
	if l.mode == sentinel {
		l.options.MasterName = own("master_name")
		l.options.SentinelUsername, l.options.SentinelPassword = own("sentinel_username"), own("sentinel_password")
	}
	u.RawQuery = query.Encode()
	o, err := redis.ParseURL(u.String())
	if err != nil {
		return err
	}
	l.options.Addrs = append(l.options.Addrs, o.Addr)
	l.options.Username, l.options.Password, l.options.DB, l.tls = o.Username, o.Password, o.DB, o.TLSConfig
	return nil
}

// client makes a client of its own pool. readTimeout is how long one reply may take.
func (l *link) client(pool int, readTimeout time.Duration) redis.UniversalClient {
	o := l.options
	o.ClientName = "readout"
	o.Protocol = 2 // nothing here needs RESP3, and every server speaks RESP2
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	o.Dialer = l.connect
	o.DialTimeout, o.DialerRetries = commandTimeout, 1
	o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = readTimeout, commandTimeout, commandTimeout
	o.ContextTimeoutEnabled = true
	o.MaxRetries = -1
	o.PoolSize, o.PipelinePoolSize = pool, -1
	o.PoolFIFO = true // they take turns, so that none is closed for being idle, which behind TLS nobody would notice
	if l.mode == sentinel {
		o.OnConnect = func(ctx context.Context, conn *redis.Conn) error { return l.checkRole(ctx, conn) }
	}
	switch l.mode {
	case sentinel:
		return redis.NewFailoverClient(o.Failover())
	case cluster:
		c := o.Cluster()
		// Keys route every command here; the policies would ask each server for
		// its command table first.
		c.DisableRoutingPolicies = true
		return redis.NewClusterClient(c)
	default:
		return redis.NewClient(o.Simple())
	}
}

// connect is how go-redis gets every connection, those to Sentinels too.
func (l *link) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	if l.mode == sentinel && l.copied() && !slices.Contains(l.options.Addrs, addr) {
		return broken{errCopy}, nil
	}
	conn, err := l.breaker.connect(ctx, network, addr)
	if err != nil {
		return broken{err}, nil
	}
	l.inside.Store(conn.RemoteAddr().Network() == "memory") // as the embedded store names it
	return conn, nil
}

// secure dials and does TLS itself, so that both also work over a dialer that
// was handed in.
func (l *link) secure(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := l.dial(ctx, network, addr)
	if err != nil || l.tls == nil {
		return conn, err
	}
	config := l.tls.Clone()
	if host, _, err := net.SplitHostPort(addr); err == nil {
		config.ServerName = host
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secure, nil
}

// silence is the logger of go-redis: it says nothing, because every error comes
// back to us anyway and is mapped, counted and logged with its request.
type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}
