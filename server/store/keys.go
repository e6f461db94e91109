package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"

	"readout/server/reading"
)

// Every key of Readout is made in this file and begins with readout:. What
// stands in braces is the Redis Cluster hash tag: all keys of one shard share a
// slot, so that one script or transaction may touch them together. A topic is
// put into a key as it is, because its grammar allows no byte that would let it
// end early or be taken for another key: it always comes last.
const (
	shards      = 256
	formatKey   = "readout:format"            // the version of the data
	changesKey  = "readout:{catalog}:changes" // stream of catalog changes, tailed by every replica
	scanPattern = "readout:{???}:s:*"         // every topic's stream
)

// Key returns the key of the stream that holds a topic's readings. It is a
// promise: people XADD to it themselves.
func Key(topic reading.Topic) string { return shardKey(shardOf(topic), "s:"+string(topic)) }

// topicOfKey is the inverse of Key. Keys that no topic has are refused, also
// those with a right topic in a wrong shard, which nobody would ever read.
func topicOfKey(key string) (reading.Topic, bool) {
	_, text, ok := strings.Cut(key, "}:s:")
	if !ok {
		return "", false
	}
	topic, err := reading.ParseTopic(text)
	if err != nil || Key(topic) != key {
		return "", false
	}
	return topic, true
}

// epochKey holds the random name of the life of a topic's stream.
func epochKey(topic reading.Topic) string { return shardKey(shardOf(topic), "e:"+string(topic)) }

// catalogKey is the hash that describes the topics of one shard.
func catalogKey(shard int) string { return shardKey(shard, "catalog") }

// recordKey holds what a keyed append stored in one shard.
func recordKey(shard int, name string) string { return shardKey(shard, "i:"+name) }

// claimKey holds the body that an Idempotency-Key stands for. It lives in a
// shard of its own choice, so that the key is refused with another body also
// when that body's topics live elsewhere.
func claimKey(name string) string { return shardKey(int(crc16(name)%shards), "claim:"+name) }

// recordName hides token and key: neither may be read out of Redis. The length
// keeps the two apart.
func recordName(once Once) string {
	h := sha256.New()
	_ = binary.Write(h, binary.BigEndian, uint64(len(once.Token)))
	h.Write([]byte(once.Token))
	h.Write([]byte(once.Key))
	return hex.EncodeToString(h.Sum(nil))
}

// wakeKey is the stream that ends the blocking read of one reader of one replica.
func wakeKey(replica string, reader int) string {
	return "readout:wake:" + replica + ":" + strconv.Itoa(reader)
}

// probeKey is written and read by the readiness check of one replica.
func probeKey(replica string) string { return "readout:probe:" + replica }

// shardOf spreads topics over a fixed number of shards, the same for ever:
// changing it would hide every stream written before.
func shardOf(topic reading.Topic) int { return int(crc16(string(topic)) % shards) }

func shardKey(shard int, rest string) string {
	b := make([]byte, 0, 14+len(rest))
	b = append(b, "readout:{"...)
	b = append(b, byte('0'+shard/100), byte('0'+shard/10%10), byte('0'+shard%10))
	b = append(b, "}:"...)
	return string(append(b, rest...))
}

// crc16 is CRC16/XMODEM, which Redis Cluster itself uses for its slots.
func crc16(s string) uint16 {
	var crc uint16
	for i := range len(s) {
		crc = crc<<8 ^ crcOfByte[byte(crc>>8)^s[i]]
	}
	return crc
}

var crcOfByte = func() (table [256]uint16) {
	for b := range table {
		crc := uint16(b) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
		table[b] = crc
	}
	return table
}()
