package embedded_test

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"readout/server/embedded"
	"readout/server/servertest"
)

// peer is a connection on which commands are sent word by word, without a client
// library in between that would mend what is wrong.
type peer struct {
	t    testing.TB
	conn net.Conn
	from *bufio.Reader
}

func newPeer(t testing.TB, conn net.Conn) *peer {
	t.Cleanup(func() { _ = conn.Close() })
	return &peer{t, conn, bufio.NewReaderSize(conn, 1<<16)}
}

func dialRedis(t testing.TB, address string) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return newPeer(t, conn)
}

func dialEmbedded(t testing.TB, s *embedded.Server) *peer {
	t.Helper()
	conn, err := s.Dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	return newPeer(t, conn)
}

func encodeCommand(words []string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, w := range words {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b
}

func (p *peer) send(words ...string) {
	p.t.Helper()
	if _, err := p.conn.Write(encodeCommand(words)); err != nil {
		p.t.Fatal(err)
	}
}

// reply reads one reply: a string for text, an error as "-...", nil, int64 or []any.
func (p *peer) reply() any {
	p.t.Helper()
	line, err := p.from.ReadString('\n')
	if err != nil {
		p.t.Fatal(err)
	}
	line = strings.TrimSuffix(line, "\r\n")
	switch line[0] {
	case '+', '-':
		return line
	case ':':
		n, _ := strconv.ParseInt(line[1:], 10, 64)
		return n
	}
	n, err := strconv.Atoi(line[1:])
	if err != nil {
		p.t.Fatalf("reply %q", line)
	}
	if n < 0 {
		return nil
	}
	if line[0] == '$' {
		b := make([]byte, n+2)
		if _, err := io.ReadFull(p.from, b); err != nil {
			p.t.Fatal(err)
		}
		return string(b[:n])
	}
	list := make([]any, n)
	for i := range list {
		list[i] = p.reply()
	}
	return list
}

func (p *peer) ask(words ...string) any {
	p.t.Helper()
	p.send(words...)
	return p.reply()
}

// same brings replies into a form in which both servers agree. What is done here
// is the whole list of allowed differences:
// the order of the fields of a hash and of the keys of SCAN and KEYS, a few ms of
// PTTL, the inner structure in XINFO STREAM.
func same(words []string, reply any) string {
	list, isList := reply.([]any)
	switch strings.ToUpper(words[0]) {
	case "HGETALL":
		if isList {
			var pairs []string
			for i := 0; i+1 < len(list); i += 2 {
				pairs = append(pairs, fmt.Sprintf("%v=%v", list[i], list[i+1]))
			}
			slices.Sort(pairs)
			return fmt.Sprint(pairs)
		}
	case "KEYS":
		if isList {
			slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		}
	case "PTTL", "TTL":
		if n, ok := reply.(int64); ok && n > 0 {
			return "some"
		}
	case "XINFO":
		if isList {
			for i := 0; i+1 < len(list); i += 2 {
				if name, _ := list[i].(string); strings.HasPrefix(name, "radix-tree") {
					list[i+1] = "any"
				}
			}
		}
	case "EXEC":
		return "" // its commands stand in another order of fields; what they did shows in what follows
	}
	return fmt.Sprintf("%q", reply)
}

// commands makes random commands. Times are far from now, so that both servers
// see the same; IDs are given, since their clocks differ.
type commands struct {
	random *rand.Rand
	ms     int64
}

func (g *commands) pick(list ...string) string { return list[g.random.IntN(len(list))] }

func (g *commands) key() string {
	return g.pick("s1", "s2", "s3", "s4", "str1", "str2", "h1", "h2", "none", "x:{1}:y")
}

func (g *commands) streamKey() string {
	if g.random.IntN(30) == 0 {
		return g.key()
	}
	return g.pick("s1", "s2", "s3", "s4")
}

func (g *commands) value() string {
	switch g.random.IntN(9) {
	case 0:
		return ""
	case 1:
		return strconv.FormatInt(g.random.Int64()-g.random.Int64(), 10)
	case 2:
		return strconv.FormatInt(g.ms+int64(g.random.IntN(2000))-1000, 10)
	case 3:
		return g.pick("0", "-0", "007", "-7", "+1", "1e3", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "-", " 1", "1152921504606846976", "-1152921504606846976")
	case 4:
		return strings.Repeat(g.pick("a", "\r\n", "\x00", "ü"), g.random.IntN(300))
	default:
		return strconv.FormatFloat(g.random.NormFloat64(), 'g', -1, 64)
	}
}

func (g *commands) id() string {
	switch g.random.IntN(14) {
	case 0:
		return g.pick("0-0", "0", "0-1", "1-0", "99999999999999999999-0", "abc", "1-2-3", "-1", "", "18446744073709551615-18446744073709551615", "5-", "-5", "1-abc", "*", "$")
	case 1:
		return strconv.FormatInt(g.ms-int64(g.random.IntN(50)), 10)
	default:
		return fmt.Sprintf("%d-%d", g.ms-int64(g.random.IntN(100)), g.random.IntN(3))
	}
}

func (g *commands) bound() string {
	switch g.random.IntN(5) {
	case 0:
		return g.pick("-", "+")
	case 1:
		return "(" + g.id()
	default:
		return g.id()
	}
}

func (g *commands) fields() []string {
	if g.random.IntN(3) == 0 {
		return []string{"t", strconv.FormatInt(g.ms, 10), "value", g.value()}
	}
	var fields []string
	for range 1 + g.random.IntN(4) {
		fields = append(fields, g.pick("t", "value", "user", "7", ""), g.value())
	}
	return fields
}

func (g *commands) count() string {
	return g.pick("0", "1", "2", "5", "10", "100", "-1", "1000", "x", "1", "3")
}

func (g *commands) xadd() []string {
	words := []string{"XADD", g.streamKey()}
	if g.random.IntN(20) == 0 {
		words = append(words, "NOMKSTREAM")
	}
	switch g.random.IntN(12) {
	case 0:
		words = append(words, "MAXLEN", g.pick("0", "1", "5", "50", "200", "400", "-1", "x"))
	case 1:
		words = append(words, "MAXLEN", "=", g.pick("3", "150", "300"))
	case 2:
		words = append(words, g.pick("MINID", "minid"), g.id())
	case 3:
		if g.random.IntN(4) == 0 {
			words = append(words, "MAXLEN", "10", "LIMIT", "5")
		}
	}
	switch g.random.IntN(25) {
	case 0:
		if words = append(words, strings.ReplaceAll(g.id(), "*", "7")); strings.HasPrefix(words[len(words)-1], "18446744073709551615") {
			words[1] = "s4" // which no XSETID could set but back
		}
	case 1:
		words = append(words, fmt.Sprintf("%d-*", g.ms+int64(g.random.IntN(3))-1))
	default:
		if g.random.IntN(4) > 0 {
			g.ms += int64(g.random.IntN(5))
		}
		words = append(words, fmt.Sprintf("%d-%d", g.ms, g.random.IntN(4)))
	}
	words = append(words, g.fields()...)
	if g.random.IntN(40) == 0 {
		words = words[:len(words)-1]
	}
	return words
}

func (g *commands) next() []string {
	later := func() string { return strconv.FormatInt(4_000_000_000_000+int64(g.random.IntN(1000)), 10) }
	switch n := g.random.IntN(100); {
	case n < 45:
		return g.xadd()
	case n < 53:
		words := []string{"XRANGE", g.streamKey(), g.bound(), g.bound()}
		if g.random.IntN(2) == 0 {
			words = append(words, "COUNT", g.count())
		}
		return words
	case n < 59:
		words := []string{"XREVRANGE", g.streamKey(), g.bound(), g.bound()}
		if g.random.IntN(2) == 0 {
			words = append(words, "count", g.count())
		}
		return words
	case n < 66:
		words := []string{"XREAD"}
		if g.random.IntN(2) == 0 {
			words = append(words, "COUNT", g.count())
		}
		if g.random.IntN(20) == 0 {
			words = append(words, "BLOCK", g.pick("1", "-1", "x"))
		}
		words = append(words, "STREAMS")
		var ids []string
		for range 1 + g.random.IntN(3) {
			words, ids = append(words, g.streamKey()), append(ids, g.id())
		}
		if g.random.IntN(30) == 0 {
			ids = ids[1:]
		}
		return append(words, ids...)
	case n < 70:
		words := []string{"XTRIM", g.streamKey(), g.pick("MAXLEN", "MINID", "maxlen", "SIZE")}
		if g.random.IntN(2) == 0 {
			words = append(words, "=")
		}
		if words[2] == "MINID" {
			return append(words, g.id())
		}
		return append(words, g.pick("0", "10", "100", "250", "x", "-3"))
	case n < 73:
		return []string{"XDEL", g.streamKey(), g.id(), g.id()}
	case n < 75:
		// Never back: where an XDEL took the newest entry, Redis then finds its own entries out of order.
		forth := fmt.Sprintf("%d-%d", g.ms+int64(g.random.IntN(3)), 4+g.random.IntN(3))
		words := []string{"XSETID", g.pick("s1", "s2", "s3", "h1", "none"), g.pick(forth, forth, forth, "abc", "1-2-3", "", "5-")}
		if g.random.IntN(2) == 0 {
			words = append(words, "ENTRIESADDED", g.pick("0", "5", "100", "100000", "-1", "x"), "MAXDELETEDID", g.id())
		}
		return words
	case n < 79:
		return []string{"XINFO", "STREAM", g.streamKey()}
	case n < 80:
		return []string{"XLEN", g.streamKey()}
	case n < 84:
		words := []string{"SET", g.key(), g.value()}
		if strings.HasPrefix(words[1], "s") && !strings.HasPrefix(words[1], "str") && g.random.IntN(10) > 0 {
			words[1] = "str1" // SET would make an end of the stream
		}
		switch g.random.IntN(8) {
		case 0:
			words = append(words, "NX")
		case 1:
			words = append(words, "XX", "GET")
		case 2:
			words = append(words, "PXAT", later())
		case 3:
			words = append(words, "PX", g.pick("0", "-1", "x", "100000000"))
		case 4:
			words = append(words, g.pick("KEEPTTL", "EX", "NX", "WRONG", "GET"))
		case 5:
			words = append(words, "NX", "XX")
		}
		return words
	case n < 87:
		return []string{g.pick("GET", "get", "TYPE", "EXISTS", "PTTL", "XLEN", "HGETALL", "HLEN", "PERSIST"), g.key()}
	case n < 88:
		return []string{"MGET", g.key(), g.key(), g.key()}
	case n < 90:
		return []string{"HSET", g.pick("h1", "h2", "h1", "str1"), g.pick("a", "b", "c", ""), g.value(), "z", g.value()}
	case n < 91:
		return []string{g.pick("HGET", "HDEL"), g.pick("h1", "h2", "none", "str1"), g.pick("a", "b", "c")}
	case n < 92:
		return []string{"DEL", g.pick("str1", "h2", "none", g.key())}
	case n < 93:
		return []string{g.pick("PEXPIREAT", "SETNX"), g.key(), later()}
	case n < 94:
		return []string{"KEYS", g.pick("*", "s*", "s?", "[hs]1", "str[0-9]", "x:{?}:*", "[^s]*", "s[1-2]")}
	case n < 95:
		return []string{"DBSIZE"}
	case n < 96:
		return []string{g.pick("MULTI", "EXEC", "DISCARD", "EXEC")}
	case n < 97:
		return []string{g.pick("GET", "XADD", "XRANGE", "nonsense", "HSET", "XREAD", "SET"), "a", "b"}
	case n < 98:
		return []string{g.pick("PING", "ECHO", "nothing", "XINFO"), g.value()}
	default:
		return []string{"EXPIRE", g.key(), g.pick("x", "100000000", "999999999999999999999")}
	}
}

// TestSameAsRedis sends the same random commands to a real Redis and to the
// embedded store, whose file must then bring the same back, here and in Redis.
// READOUT_COMMANDS says how many; a failure prints the seed for READOUT_SEED.
func TestSameAsRedis(t *testing.T) {
	many := 50_000
	if text := os.Getenv("READOUT_COMMANDS"); text != "" {
		many, _ = strconv.Atoi(text)
	}
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("READOUT_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	data := t.TempDir()
	s := start(t, embedded.Options{Data: data})
	real := servertest.Redis(t)
	compare(t, seed, many, dialRedis(t, real.Addr()), dialEmbedded(t, s))
	before := dump(dialEmbedded(t, s))
	s.Close()
	after := dump(dialEmbedded(t, start(t, embedded.Options{Data: data})))
	if !maps.Equal(before, after) {
		t.Errorf("seed %d: its file brings back something else", seed)
	}
	log, err := os.ReadFile(filepath.Join(data, embedded.LogName))
	if err != nil {
		t.Fatal(err)
	}
	holds(t, fmt.Sprintf("seed %d", seed), dialRedis(t, real.Addr()), log, after)
}

func compare(t *testing.T, seed uint64, many int, real, ours *peer) {
	t.Helper()
	const batch = 50 // in one pipeline
	g := &commands{random: rand.New(rand.NewPCG(seed, 0)), ms: 1_700_000_000_000}
	var history []string
	for range many / batch {
		var lists [][]string
		var b []byte
		for range batch {
			words := g.next()
			lists = append(lists, words)
			b = append(b, encodeCommand(words)...)
		}
		for _, p := range []*peer{real, ours} {
			if _, err := p.conn.Write(b); err != nil {
				t.Fatal(err)
			}
		}
		for _, words := range lists {
			want, got := same(words, real.reply()), same(words, ours.reply())
			history = append(history, fmt.Sprintf("%q -> %.300s", words, want))
			if got != want {
				at := max(0, differ(want, got)-200)
				t.Fatalf("seed %d: %.200q\nRedis:    %.2000s\nembedded: %.2000s\nbefore it:\n%s", seed, words, want[at:], got[at:],
					strings.Join(history[max(0, len(history)-12):], "\n"))
			}
		}
	}
}

// differ returns where two texts begin to.
func differ(a, b string) int {
	at := 0
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	return at
}
