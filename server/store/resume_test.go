package store

import (
	"testing"

	"readout/server/reading"
)

// The anchor check as a table: what the server shows, and what that means.
func TestSettle(t *testing.T) {
	id := func(ms uint64) reading.StreamID { return reading.StreamID{Ms: ms} }
	at := func(ms uint64, ordinal int64, epoch string) reading.Cursor {
		return reading.Cursor{ID: id(ms), Ordinal: ordinal, Epoch: epoch}
	}
	const unknown = int64(reading.Unknown)
	stream := func(epoch string, last uint64, length, added int64) look {
		return look{epoch: epoch, exists: true, last: id(last), length: length, added: added}
	}
	counted := func(last uint64, length, added int64) look {
		l := stream("e", last, length, added)
		l.counted = true
		return l
	}
	for _, c := range []struct {
		name    string
		after   reading.Cursor
		look    look
		anchor  bool
		first   uint64 // 0 for an empty stream
		verdict reading.Verdict
		lost    int64
	}{
		{"nothing new", at(9, 9, "e"), stream("e", 9, 9, 9), true, 1, reading.Continuous, 0},
		{"nothing new and all trimmed", at(9, 9, "e"), stream("e", 9, 0, 9), false, 0, reading.Continuous, 0},
		{"the anchor is there", at(5, 5, "e"), stream("e", 9, 9, 9), true, 1, reading.Continuous, 0},
		{"the anchor is there, its count unknown", at(5, unknown, "e"), stream("e", 9, 9, 9), true, 1, reading.Continuous, 0},
		{"a bare ID whose entry is there", at(5, unknown, ""), stream("e", 9, 9, 9), true, 1, reading.Continuous, 0},
		{"the beginning of an untrimmed stream", at(0, unknown, ""), stream("e", 9, 9, 9), false, 1, reading.Continuous, 0},
		{"the beginning of a missing stream", at(0, unknown, ""), look{}, false, 0, reading.Continuous, 0},
		{"trimmed just up to the anchor", at(5, 5, "e"), stream("e", 9, 4, 9), false, 6, reading.Continuous, 0},
		{"trimmed past the anchor", at(3, 3, "e"), stream("e", 9, 4, 9), false, 6, reading.Gap, 2},
		{"trimmed, the count unknown", at(3, unknown, "e"), stream("e", 9, 4, 9), false, 6, reading.Gap, -1},
		{"trimmed on a server that does not count", at(3, 3, "e"), stream("e", 9, 4, unknown), false, 6, reading.Gap, -1},
		{"the beginning of a trimmed stream", at(0, unknown, ""), stream("e", 9, 4, 9), false, 6, reading.Gap, 5},
		{"everything trimmed", at(3, 3, "e"), stream("e", 9, 0, 9), false, 0, reading.Gap, 6},
		{"another life", at(5, 5, "e"), stream("f", 9, 9, 9), true, 1, reading.Reset, 0},
		{"a life without a name", at(5, 5, "e"), stream("", 9, 9, 9), true, 1, reading.Reset, 0},
		{"the stream is gone", at(5, 5, "e"), look{}, false, 0, reading.Reset, 0},
		{"a bare ID of a stream that is gone", at(5, unknown, ""), look{}, false, 0, reading.Reset, 0},
		{"rolled back", at(9, 9, "e"), stream("e", 5, 5, 5), false, 1, reading.Reset, 0},
		{"rolled back and grown past", at(9, 9, "e"), stream("e", 20, 8, 8), false, 1, reading.Reset, 0},
		{"rolled back, grown past and trimmed", at(9, 9, "e"), stream("e", 20, 1, 8), false, 20, reading.Reset, 0},
		{"deleted by hand, which leaves the epoch, and back", at(9, 9, "e"), counted(9, 1, 1), true, 9, reading.Reset, 0},
		{"an entry was deleted by hand", at(9, 8, "e"), counted(9, 8, 9), true, 1, reading.Continuous, 0},
		{"an entry that never was", at(5, unknown, ""), stream("e", 9, 9, 9), false, 1, reading.Reset, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var first []raw
			if c.first > 0 {
				first = []raw{{id: id(c.first)}}
			}
			r := settle(c.after, c.look, c.anchor, first)
			if r.Verdict != c.verdict || r.Lost != c.lost {
				t.Errorf("%v with %d lost, want %v with %d", r.Verdict, r.Lost, c.verdict, c.lost)
			}
			switch r.Verdict {
			case reading.Reset:
				if r.End != c.look.end() {
					t.Errorf("a reset ends at %v, want the end of the new history %v", r.End, c.look.end())
				}
			case reading.Gap:
				if c.first > 0 && r.To.ID != id(c.first) {
					t.Errorf("a gap ends before %v, want %d", r.To, c.first)
				}
			}
		})
	}
}

// Between an ID and the very next one nothing can be missing, however little is known.
func TestSettleAtTheNextID(t *testing.T) {
	after := reading.Cursor{ID: reading.StreamID{Ms: 5, Seq: 4}, Ordinal: 310, Epoch: "e"}
	l := look{epoch: "e", exists: true, last: reading.StreamID{Ms: 9}, length: 4, added: reading.Unknown}
	if r := settle(after, l, false, []raw{{id: reading.StreamID{Ms: 5, Seq: 5}}}); r.Verdict != reading.Continuous {
		t.Errorf("a stream that begins with the next ID: %v", r.Verdict)
	}
	if r := settle(after, l, false, []raw{{id: reading.StreamID{Ms: 5, Seq: 6}}}); r.Verdict != reading.Gap {
		t.Errorf("a stream that begins one ID later: %v", r.Verdict)
	}
}
