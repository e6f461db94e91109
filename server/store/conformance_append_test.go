package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"readout/server/problem"
	"readout/server/reading"
	"readout/server/store"
)

func conformKeyed(t *testing.T, b *backend, s *store.Store) {
	var readings []reading.Reading
	for i := range 30 {
		tp := topic(t, fmt.Sprint(i%10))
		readings = append(readings, number(tp, 1000+int64(i), float64(i)))
	}
	once := store.Once{Token: "alice", Key: t.Name(), Body: [32]byte{1}}
	first, err := s.Append(t.Context(), readings, once)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(first, reading.StreamID{}) {
		t.Errorf("a reading without an entry: %v", first)
	}
	for i := range readings {
		readings[i].Time += 7_000_000 // a default time is another one in a retry
	}
	again, err := b.open(t).Append(t.Context(), readings, once)
	if err != nil || !slices.Equal(first, again) {
		t.Errorf("a retry on another replica: %v, %v, first it was %v", again, err, first)
	}
	for i := range 10 {
		if n := b.raw.XLen(t.Context(), store.Key(topic(t, fmt.Sprint(i)))).Val(); n != 1 {
			t.Errorf("the retry left %d entries", n)
		}
	}
	once.Token = "bob"
	if other, err := s.Append(t.Context(), readings, once); err != nil || slices.Equal(first, other) {
		t.Errorf("another sender's same key: %v, %v", other, err)
	}
	keys := b.keys(t, "readout:*")
	for _, key := range keys {
		if strings.Contains(key, "alice") || strings.Contains(key, t.Name()) && !strings.Contains(key, "}:s:") && !strings.Contains(key, "}:e:") {
			t.Errorf("the key %s tells a secret", key)
		}
	}
}

// The same key with another body is refused also where none of the topics, and
// so none of the shards, is the same.
func conformConflict(t *testing.T, b *backend, s *store.Store) {
	once := store.Once{Token: "alice", Key: t.Name(), Body: [32]byte{1}}
	if _, err := s.Append(t.Context(), []reading.Reading{number(topic(t, "a"), 1, 1)}, once); err != nil {
		t.Fatal(err)
	}
	once.Body = [32]byte{2}
	for i := range 8 {
		tp := topic(t, fmt.Sprint(i))
		_, err := s.Append(t.Context(), []reading.Reading{number(tp, 1, 1)}, once)
		var p *problem.Error
		if !errors.As(err, &p) || p.Code != "idempotency_conflict" || p.Outcome != "" {
			t.Errorf("another body: %v", err)
		}
		if n := b.raw.Exists(t.Context(), store.Key(tp)).Val(); n != 0 {
			t.Error("it was stored")
		}
	}
}

func conformWrongType(t *testing.T, b *backend, s *store.Store) {
	bad, good := topic(t, "bad"), topic(t, "good")
	b.raw.Set(t.Context(), store.Key(bad), "not a stream", 0)
	for _, once := range []store.Once{{}, {Key: t.Name()}} {
		var p *problem.Error
		if _, err := s.Append(t.Context(), []reading.Reading{number(bad, 1, 1)}, once); !errors.As(err, &p) || p.Code != "wrong_type" || p.Outcome != "" {
			t.Errorf("key %q: %v", once.Key, err)
		}
	}
	var p *problem.Error
	ids, err := s.Append(t.Context(), []reading.Reading{number(bad, 1, 1), number(good, 1, 1)}, store.Once{})
	if !errors.As(err, &p) || p.Outcome != "unknown" || ids[0] != (reading.StreamID{}) || ids[1] == (reading.StreamID{}) {
		t.Errorf("one of two stored: %v, %v", ids, err)
	}
	if _, err := s.Range(t.Context(), bad, store.RangeQuery{}); !errors.As(err, &p) || p.Code != "wrong_type" {
		t.Errorf("reading it: %v", err)
	}
}

func conformProbe(t *testing.T, b *backend, s *store.Store) {
	if err := s.Probe(t.Context()); err != nil {
		t.Error(err)
	}
}

// An append of very many new topics takes a few round trips, not a few for each.
func conformMany(t *testing.T, b *backend, s *store.Store) {
	var readings []reading.Reading
	var topics []reading.Topic
	for i := range 300 {
		topics = append(topics, topic(t, fmt.Sprint(i)))
		readings = append(readings, number(topics[i], 1000, float64(i)))
	}
	ids := mustAppend(t, s, readings...)
	if slices.Contains(ids, reading.StreamID{}) {
		t.Error("a reading has no entry")
	}
	latest, err := s.Latest(t.Context(), topics, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i, entries := range latest {
		if show(flat(entries)) != show(readings[i:i+1]) {
			t.Fatalf("%d: %v", i, entries)
		}
	}
}
