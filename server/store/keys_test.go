package store

import (
	"strings"
	"testing"

	"readout/server/reading"
)

// These keys are written down in the documentation and in other people's
// programs: the shard of a topic never changes.
func TestKeys(t *testing.T) {
	for topic, want := range map[reading.Topic]string{
		"orders":                          "readout:{105}:s:orders",
		`cpu{host="web1"}`:                `readout:{146}:s:cpu{host="web1"}`,
		`door{room="1.2}:s:x",side="in"}`: `readout:{255}:s:door{room="1.2}:s:x",side="in"}`,
	} {
		if got := Key(topic); got != want {
			t.Errorf("Key(%s) = %s, want %s", topic, got, want)
		}
	}
	// The check value of CRC16/XMODEM, which the Redis Cluster specification names too.
	if got := crc16("123456789"); got != 0x31c3 {
		t.Errorf("crc16 of 123456789 is %#x, want 0x31c3", got)
	}
}

func TestShardsAreEven(t *testing.T) {
	var counts [shards]int
	const n = 100 * shards
	for i := range n {
		topic, err := reading.NewTopic("cpu", reading.Label{Name: "host", Value: strings.Repeat("w", i%7) + string(rune('a'+i%26)) + string(rune('A'+i/26%26)) + string(rune('0'+i/676%70))})
		if err != nil {
			continue
		}
		counts[shardOf(topic)]++
	}
	for shard, c := range counts {
		if c == 0 {
			t.Errorf("shard %d has none of %d topics", shard, n)
		}
	}
}

// hashTag is what Redis Cluster hashes of a key: what stands between the first {
// and the first } after it, if anything does.
func hashTag(key string) string {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			return tag
		}
	}
	return key
}

// Whatever people call their topics, two topics never meet in one key, and all
// keys of one topic share a slot.
func FuzzKey(f *testing.F) {
	f.Add("cpu", "cpu{}")
	f.Add(`cpu{host="a"}`, `cpu{host="a",x="}:s:"}`)
	f.Add(`a{b="readout:{001}:s:x"}`, `a{b="}"}`)
	f.Fuzz(func(t *testing.T, a, b string) {
		one, err := reading.ParseTopic(a)
		if err != nil {
			return
		}
		back, ok := topicOfKey(Key(one))
		if !ok || back != one {
			t.Fatalf("%q came back from its key as %q, %v", one, back, ok)
		}
		tag := hashTag(Key(one))
		for _, key := range []string{epochKey(one), catalogKey(shardOf(one)), recordKey(shardOf(one), recordName(Once{Key: a}))} {
			if hashTag(key) != tag {
				t.Fatalf("%q and %q are of one shard and not of one slot", Key(one), key)
			}
		}
		if other, err := reading.ParseTopic(b); err == nil && other != one && (Key(other) == Key(one) || epochKey(other) == epochKey(one) || epochKey(other) == Key(one)) {
			t.Fatalf("%q and %q share a key", one, other)
		}
	})
}

func TestRecordsKeepSendersApart(t *testing.T) {
	names := map[string]Once{}
	for _, once := range []Once{{Token: "ab", Key: "c"}, {Token: "a", Key: "bc"}, {Key: "abc"}, {Token: "abc"}} {
		name := recordName(once)
		if other, taken := names[name]; taken {
			t.Errorf("%v and %v share a record", once, other)
		}
		names[name] = once
	}
}
