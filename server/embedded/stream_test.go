package embedded

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// A list that is searched from its beginning is the model of a stream.
func TestStreamAgainstAList(t *testing.T) {
	type listed struct {
		id     id
		fields string
	}
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 3))
		var s stream
		var list []listed
		now := id{ms: 1000}
		show := func(b *block, e item) listed { return listed{e.id, string(b.appendFields(nil, e))} }
		for step := range 3000 {
			switch random.IntN(20) {
			case 0:
				most := int64(random.IntN(600))
				dropped := s.trim(most, id{}, false)
				want := max(0, int64(len(list))-most)
				if dropped != want {
					t.Fatalf("seed %d, step %d: trim to %d dropped %d of %d", seed, step, most, dropped, len(list))
				}
				list = list[want:]
			case 1:
				roughly := s.trim(int64(random.IntN(600)), id{}, true)
				list = list[roughly:]
			case 2:
				if len(list) > 0 {
					at := random.IntN(len(list))
					if !s.delete(list[at].id) || s.delete(list[at].id) {
						t.Fatalf("seed %d, step %d: delete", seed, step)
					}
					list = append(list[:at:at], list[at+1:]...)
				}
			case 3, 4:
				from, to := id{uint64(random.IntN(int(now.ms) + 10)), 0}, id{uint64(random.IntN(int(now.ms) + 10)), 9}
				var got, back, want []listed
				s.each(from, to, func(b *block, e item) bool { got = append(got, show(b, e)); return true })
				s.eachBack(from, to, func(b *block, e item) bool { back = append([]listed{show(b, e)}, back...); return true })
				for _, e := range list {
					if e.id.compare(from) >= 0 && e.id.compare(to) <= 0 {
						want = append(want, e)
					}
				}
				if fmt.Sprint(got) != fmt.Sprint(want) || fmt.Sprint(back) != fmt.Sprint(want) {
					t.Fatalf("seed %d, step %d: %v to %v:\n%v\n%v\nwant\n%v", seed, step, from, to, got, back, want)
				}
			default:
				now = id{now.ms + uint64(random.IntN(3)), now.seq + 1}
				fields := [][]byte{[]byte("t"), fmt.Append(nil, now.ms), []byte("value"), fmt.Append(nil, random.IntN(3000)-1500)}
				if random.IntN(5) == 0 {
					fields = [][]byte{[]byte("other"), []byte("x\r\n")}
				}
				s.add(now, fields)
				var b []byte
				for _, f := range fields {
					b = appendBulk(b, f)
				}
				list = append(list, listed{now, string(b)})
			}
			bytes := 0
			for _, b := range s.blocks {
				bytes += b.bytes()
			}
			if int64(len(list)) != s.length || bytes != s.bytes {
				t.Fatalf("seed %d, step %d: length %d, want %d; %d bytes, want %d", seed, step, s.length, len(list), s.bytes, bytes)
			}
		}
	}
}

func FuzzRequests(f *testing.F) {
	f.Add([]byte("*2\r\n$4\r\nXLEN\r\n$1\r\ns\r\n"), 7)
	f.Add([]byte("PING\r\n*1\r\n$4\r\nPING\r\n"), 1)
	f.Add([]byte("*1\r\n$-1\r\n"), 3)
	f.Add([]byte("*0\r\n\r\n"), 2)
	f.Fuzz(func(t *testing.T, sent []byte, piece int) {
		whole, wholeErr := readAll(sent, len(sent)+1)
		parts, partsErr := readAll(sent, max(1, piece%64))
		if fmt.Sprint(whole) != fmt.Sprint(parts) || (wholeErr == nil) != (partsErr == nil) {
			t.Fatalf("in one piece: %q, %v\nin pieces of %d: %q, %v", whole, wholeErr, piece%64, parts, partsErr)
		}
	})
}

// pieces hands out a text bit by bit.
type pieces struct {
	rest []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, errEnd
	}
	n := copy(b, p.rest[:min(p.size, len(p.rest))])
	p.rest = p.rest[n:]
	return n, nil
}

var errEnd = fmt.Errorf("the end")

func readAll(sent []byte, size int) (list []string, err error) {
	r := newRequests(&pieces{sent, size})
	for {
		words, err := r.next()
		if err != nil {
			return list, err
		}
		if len(words) > 0 {
			list = append(list, fmt.Sprintf("%q", words))
			continue
		}
		if r.fill() != nil {
			return list, nil
		}
	}
}

// FuzzExecute lets anybody send anything: nothing panics, and a log of what was
// done makes the same again.
func FuzzExecute(f *testing.F) {
	f.Add([]byte("XADD s * a b\nXADD s 5-* a b\nXTRIM s MAXLEN 1\nXRANGE s - +\nXREAD COUNT 1 STREAMS s 0\n"))
	f.Add([]byte("MULTI\nSET a b PX 5\nEXEC\nSCAN 0 MATCH * COUNT 5 TYPE string\nHSET h a b\nHDEL h a\n"))
	f.Add([]byte("XADD s MAXLEN ~ 5 LIMIT 3 1-1 a b c d\nXSETID s 9-9 ENTRIESADDED 5 MAXDELETEDID 1-1\nXINFO STREAM s\nINFO\nHELLO 2\n"))
	for sha := range stepBySHA {
		f.Add([]byte("EVALSHA " + sha + " 3 a b c d 1 2 2 2 1 2 x y\nEVALSHA " + sha + " 1 a\nEVALSHA " + sha + " 2 a b 1 100 5 0 2 1 2 x y\n"))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		d := newDB(Limits{})
		c := &client{db: d}
		r := newRequests(&pieces{append(sent, '\n'), len(sent) + 1})
		for r.fill() == nil {
			for {
				words, err := r.next()
				if err != nil || len(words) == 0 {
					break
				}
				c.out = c.out[:0]
				c.execute(words)
				c.waits = nil
			}
		}
	})
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "", true}, {"a*c", "abbc", true}, {"a*c", "abb", false}, {"?", "", false}, {"h[ae]llo", "hallo", true}, {"h[^e]llo", "hello", false},
		{"h[a-c]t", "hbt", true}, {"h[a-c]t", "hdt", false}, {`\*`, "*", true}, {`\*`, "x", false}, {"readout:{???}:s:*", "readout:{012}:s:cpu", true},
		{"[", "a", false}, {"[a", "a", true}, {`\`, `\`, true}, {"a**b", "ab", true},
	} {
		if got := matches(c.pattern, c.name); got != c.want {
			t.Errorf("%q and %q: %v", c.pattern, c.name, got)
		}
	}
}
