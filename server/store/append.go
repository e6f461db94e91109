package store

import (
	"context"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"readout/server/problem"
	"readout/server/reading"
)

const (
	recordLife   = 10 * time.Minute // how long an Idempotency-Key is remembered
	keyedRetries = 2

	kindConflict    = "conflict"    // an Idempotency-Key came with another body
	kindUnconfirmed = "unconfirmed" // stored, and not as safe as was asked
)

// Once makes an append idempotent for 10 minutes: the same Token and Key with
// the same Body store their readings once and get the same answer again, and
// with another Body they are refused. The zero Once asks for nothing.
type Once struct {
	Token string   // who sends, so that two senders' keys never meet
	Key   string   // the sender's Idempotency-Key; empty for none
	Body  [32]byte // SHA-256 of the request's body
}

// Append stores readings and returns beside each the ID of the entry that holds
// it; readings of one topic stay in order, and several of them share packed
// entries. Without a key there is one attempt. With one, attempts whose outcome
// is unknown are repeated twice within 1.2 s.
//
// On an error the IDs are of those readings that are known to be stored, and
// zero for the others. The error's Outcome is "unknown" when more, or only some,
// may be stored; without it nothing is. A key that came with another body is
// idempotency_conflict.
func (s *Store) Append(ctx context.Context, readings []reading.Reading, once Once) ([]reading.StreamID, error) {
	return s.AppendAcked(ctx, readings, once, Stored)
}

// AppendAcked is Append that waits until the readings are as safe as ack says.
// When they are stored and that was not confirmed in time, the error is
// not_confirmed and its Outcome "stored". What the store could never confirm is
// refused before it is stored.
func (s *Store) AppendAcked(ctx context.Context, readings []reading.Reading, once Once, ack Ack) ([]reading.StreamID, error) {
	ids := make([]reading.StreamID, len(readings))
	if err := ctx.Err(); err != nil {
		return ids, &problem.Error{Code: "store_unavailable", Message: "the sender has gone", Cause: err}
	}
	if len(readings) == 0 {
		return ids, nil
	}
	// From here on it does not end with its sender.
	batches := group(readings)
	var err error
	if ack == Stored {
		err = s.write(s.budgets.begin(), &s.writer, batches, ids, once)
	} else {
		err = s.writeConfirmed(ack, batches, ids, once)
	}
	stored := 0
	for _, id := range ids {
		if id != (reading.StreamID{}) {
			stored++
		}
	}
	s.stats.readings.Add(int64(stored))
	if err == nil {
		s.stats.appends.Add(1)
		return ids, nil
	}
	var p *problem.Error
	if !errors.As(err, &p) {
		p = failure(err, true).(*problem.Error)
	}
	switch {
	case p.Code == "idempotency_conflict":
		s.stats.kind(kindConflict).Add(1)
	case p.Code == "not_confirmed":
		s.stats.kind(kindUnconfirmed).Add(1)
	case p.Cause != nil:
		kind, _ := judge(p.Cause)
		s.stats.kind(kind).Add(1)
		s.learn(p)
	}
	if stored > 0 && p.Outcome == "" {
		p.Outcome = "unknown" // some are there
	}
	return ids, p
}

// batch is the readings of one topic in one append, and their entries.
type batch struct {
	topic    reading.Topic
	readings []reading.Reading
	at       []int // their places in the append
	entries  []entry
}

// entry is one XADD to be: its fields and how many of the readings it holds.
type entry struct {
	fields   []any
	readings int
	from     int // the place of the first of them in the batch
}

// group gathers readings by topic in the order of their first appearance, and
// packs what belongs together. The same readings always make the same entries.
func group(readings []reading.Reading) []*batch {
	if len(readings) == 1 { // most appends by far
		return []*batch{{topic: readings[0].Topic, readings: readings, at: []int{0}, entries: encode(nil, readings)}}
	}
	var batches []*batch
	byTopic := make(map[reading.Topic]*batch, min(len(readings), 64))
	for i, r := range readings {
		b := byTopic[r.Topic]
		if b == nil {
			b = &batch{topic: r.Topic}
			byTopic[r.Topic] = b
			batches = append(batches, b)
		}
		b.readings = append(b.readings, r)
		b.at = append(b.at, i)
	}
	for _, b := range batches {
		b.entries = encode(nil, b.readings)
		from := 0
		for i := range b.entries {
			b.entries[i].from = from
			from += b.entries[i].readings
		}
	}
	return batches
}

// encode packs readings of one topic into as few entries as the limits allow.
func encode(entries []entry, readings []reading.Reading) []entry {
	if len(readings) == 1 {
		return append(entries, entry{fields: encodePlain(nil, readings[0]), readings: 1})
	}
	if block, ok := pack(readings); ok {
		return append(entries, entry{fields: []any{packedField, block}, readings: len(readings)})
	}
	half := len(readings) / 2
	if len(readings) > maxReadings {
		half = maxReadings
	}
	return encode(encode(entries, readings[:half]), readings[half:])
}

// set notes that one entry of a batch was stored under id.
func (s *Store) set(b *batch, nth int, id reading.StreamID, ids []reading.StreamID) {
	e := b.entries[nth]
	for _, at := range b.at[e.from : e.from+e.readings] {
		ids[at] = id
	}
	s.stats.entries.Add(1)
	s.catalog.wrote(b.topic, id)
}

// sender sends the writes of one append: a writer, or a confirmer.
type sender interface {
	send(ctx context.Context, cmds []*redis.Cmd) []*redis.Cmd
	run(ctx context.Context, calls []call) []*redis.Cmd
}

// write stores the readings of batches and sets the ID of each in ids.
func (s *Store) write(ctx context.Context, to sender, batches []*batch, ids []reading.StreamID, once Once) error {
	if once.Key != "" {
		return s.appendKeyed(ctx, to, batches, ids, once)
	}
	if err := s.announce(ctx, batches); err != nil {
		return err
	}
	return s.appendPlain(ctx, to, batches, ids)
}

func (s *Store) appendPlain(ctx context.Context, to sender, batches []*batch, ids []reading.StreamID) error {
	var cmds []*redis.Cmd
	for _, b := range batches {
		key := Key(b.topic)
		for _, e := range b.entries {
			args := append(make([]any, 0, 6+len(e.fields)), "xadd", key, "maxlen", "~", s.options.MaxEntries, "*")
			cmd := redis.NewCmd(ctx, append(args, e.fields...)...)
			cmd.SetFirstKeyPos(1)
			cmds = append(cmds, cmd)
		}
	}
	cmds = to.send(ctx, cmds)
	// Of several errors the one counts that leaves its outcome open.
	var worst error
	for _, b := range batches {
		for nth := range b.entries {
			text, err := cmds[0].Text()
			cmds = cmds[1:]
			var id reading.StreamID
			if err == nil {
				id, err = reading.ParseStreamID(text)
			}
			if err == nil {
				s.set(b, nth, id, ids)
			} else if _, unknown := judge(err); worst == nil || unknown {
				worst = err
			}
		}
	}
	return failure(worst, true)
}

// part is what a keyed append stores in one shard.
type part struct {
	call    call
	batches []*batch
	done    bool
}

func (s *Store) appendKeyed(ctx context.Context, to sender, batches []*batch, ids []reading.StreamID, once Once) error {
	name, body := recordName(once), hex.EncodeToString(once.Body[:])
	parts := s.split(batches, name, body)
	// The scripts of the parts make the claim themselves, where they can reach it:
	// on one server, and when the catalog need not hear of the topics in between.
	claimed, maybe := s.link.mode != cluster && len(s.news(batches)) == 0, false
	var err error
	for attempt := 0; attempt <= keyedRetries; attempt++ {
		if attempt > 0 {
			if !pause(ctx, time.Duration(10+rand.IntN(40))*time.Millisecond) {
				break
			}
			s.stats.retries.Add(1)
		}
		if !claimed {
			if claimed, err = s.claim(ctx, name, body); err != nil {
				if retryable(err) {
					continue
				}
				break
			}
			if !claimed {
				return problem.New("idempotency_conflict", "this Idempotency-Key was used for another body within %v", recordLife)
			}
			if err = s.announce(ctx, batches); err != nil {
				return err
			}
		}
		if err = s.appendParts(ctx, to, parts, ids); err == nil {
			return nil
		}
		if !retryable(err) {
			break
		}
		maybe = true
	}
	// Without the claim no reading was sent, whatever became of the claim.
	err = failure(err, claimed)
	var p *problem.Error
	if maybe && errors.As(err, &p) {
		p.Outcome = "unknown"
	}
	return err
}

// retryable says that the outcome is open, so that only a repetition can tell.
func retryable(err error) bool {
	var known *problem.Error
	if errors.As(err, &known) {
		return false
	}
	_, unknown := judge(err)
	return unknown
}

// claim reserves the key for this body; ok is false when it stands for another.
func (s *Store) claim(ctx context.Context, name, body string) (ok bool, err error) {
	cmd := s.writer.run(ctx, []call{{claimScript, []string{claimKey(name)}, []any{body, recordLife.Milliseconds()}}})[0]
	n, err := cmd.Int()
	return n == 1, err
}

// split makes one call of the append script for each shard.
func (s *Store) split(batches []*batch, name, body string) []*part {
	var parts []*part
	byShard := map[int]*part{}
	for _, b := range batches {
		shard := shardOf(b.topic)
		p := byShard[shard]
		if p == nil {
			p = &part{call: call{
				script: appendScript,
				keys:   []string{recordKey(shard, name)},
				args:   []any{body, recordLife.Milliseconds(), s.options.MaxEntries, 0},
			}}
			if s.link.mode != cluster { // where another server may hold the claim
				p.call.keys, p.call.args[3] = append(p.call.keys, claimKey(name)), 2
			}
			byShard[shard] = p
			parts = append(parts, p)
		}
		p.batches = append(p.batches, b)
		p.call.keys = append(p.call.keys, Key(b.topic))
		for _, e := range b.entries {
			p.call.args = append(p.call.args, len(p.call.keys), e.readings, len(e.fields))
			p.call.args = append(p.call.args, e.fields...)
		}
	}
	return parts
}

// appendParts runs the shards that are not done yet. The error is the worst of
// theirs, as it came from go-redis.
func (s *Store) appendParts(ctx context.Context, to sender, parts []*part, ids []reading.StreamID) error {
	var open []*part
	var calls []call
	for _, p := range parts {
		if !p.done {
			open, calls = append(open, p), append(calls, p.call)
		}
	}
	var worst error
	for i, cmd := range to.run(ctx, calls) {
		text, err := cmd.Text()
		switch {
		case err == nil:
			open[i].done = s.answer(open[i], text, ids)
			if !open[i].done {
				err = errReply
			}
		case redis.HasErrorPrefix(err, "CONFLICT"):
			err = problem.New("idempotency_conflict", "this Idempotency-Key was used for another body within %v", recordLife)
		}
		if err != nil && (worst == nil || retryable(err)) {
			worst = err
		}
	}
	return worst
}

// answer reads "ID readings ID readings ..." beside the readings of a shard.
// The record may be of an earlier attempt at the same body, whose entries were
// cut elsewhere because other default times packed differently.
func (s *Store) answer(p *part, text string, ids []reading.StreamID) bool {
	words := strings.Fields(text)
	var places []int
	var newest reading.StreamID
	for _, b := range p.batches {
		places = append(places, b.at...)
	}
	for len(words) >= 2 {
		id, err := reading.ParseStreamID(words[0])
		n, bad := strconv.Atoi(words[1])
		if err != nil || bad != nil || n < 1 || n > len(places) {
			return false
		}
		for _, at := range places[:n] {
			ids[at] = id
		}
		newest = id
		places, words = places[n:], words[2:]
		s.stats.entries.Add(1)
	}
	for _, b := range p.batches {
		s.catalog.wrote(b.topic, newest)
	}
	return len(places) == 0 && len(words) == 0
}

// pause waits and reports whether the context still lives.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
