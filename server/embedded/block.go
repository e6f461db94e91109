package embedded

import (
	"encoding/binary"
	"slices"
	"strconv"
)

// Blocks are small enough to be searched one entry after the other, and large
// enough that what a block costs beside its entries does not count.
const (
	blockEntries = 128
	blockBytes   = 4096
)

// block is a run of entries of one stream, packed: IDs as differences, names of
// fields once for all entries that have the same, and numbers as numbers. A
// reading that Redis sends as 100 bytes takes about a dozen.
//
// An entry is: flags, the difference of its ms to the block's first, its
// sequence, then its fields: the number of fields and their names unless they are
// the block's, and their values (see appendValue).
type block struct {
	first, last id
	names       [][]byte // of the fields of the first entry
	data        []byte
	count       int // entries in data from skip on, the deleted ones included
	live        int // of these, not deleted
	skip        int // bytes of data before the first entry that is left
}

const (
	deleted byte = 1 << iota
	sameNames
)

// cost is about how many bytes a block takes beside data.
const blockCost = 160

func newBlock(first id, fields [][]byte) *block {
	b := &block{first: first, names: make([][]byte, 0, len(fields)/2)}
	for i := 0; i < len(fields); i += 2 {
		b.names = append(b.names, slices.Clone(fields[i]))
	}
	return b
}

// full says that the next entry belongs into another block.
func (b *block) full() bool { return b.count >= blockEntries || len(b.data) >= blockBytes }

// add appends an entry; its ID is later than all others.
func (b *block) add(at id, fields [][]byte) {
	flags := sameNames
	if len(fields) != 2*len(b.names) {
		flags = 0
	}
	for i := 0; i < len(fields) && flags != 0; i += 2 {
		if string(fields[i]) != string(b.names[i/2]) {
			flags = 0
		}
	}
	d := append(b.data, flags)
	d = binary.AppendUvarint(d, at.ms-b.first.ms)
	d = binary.AppendUvarint(d, at.seq)
	if flags&sameNames == 0 {
		d = binary.AppendUvarint(d, uint64(len(fields)/2))
		for i := 0; i < len(fields); i += 2 {
			d = appendValue(d, fields[i], at.ms)
		}
	}
	for i := 1; i < len(fields); i += 2 {
		d = appendValue(d, fields[i], at.ms)
	}
	b.data = d
	b.last = at
	b.count++
	b.live++
}

// seal gives back what the block was given for more entries.
func (b *block) seal() { b.data = slices.Clip(slices.Clone(b.data)) }

func (b *block) bytes() int {
	n := blockCost + cap(b.data)
	for _, name := range b.names {
		n += 24 + len(name)
	}
	return n
}

// The kinds of value: in the two lowest bits of what each value begins with.
const (
	kindText  = iota // the rest is a length, and the bytes follow
	kindInt          // the rest is a number, zigzag
	kindSince        // the rest is its difference to the entry's ms, zigzag: times are mostly close to it
)

func appendValue(d, value []byte, ms uint64) []byte {
	if n, ok := parseInt(value); ok && n < 1<<60 && n > -1<<60 {
		if since := n - int64(ms); since > -1<<20 && since < 1<<20 {
			return binary.AppendUvarint(d, zigzag(since)<<2|kindSince)
		}
		return binary.AppendUvarint(d, zigzag(n)<<2|kindInt)
	}
	d = binary.AppendUvarint(d, uint64(len(value))<<2) // kindText is 0
	return append(d, value...)
}

func zigzag(n int64) uint64   { return uint64(n<<1) ^ uint64(n>>63) }
func unzigzag(n uint64) int64 { return int64(n>>1) ^ -int64(n&1) }

// item is one entry of a block, read in place.
type item struct {
	id     id
	gone   bool
	fields int    // pairs of name and value
	own    []byte // the names, when they are not the block's
	values []byte
	at     int // where it begins in the block's data
	end    int
}

// at reads the entry at a place in data.
func (b *block) at(place int) item {
	e := item{at: place}
	flags := b.data[place]
	e.gone = flags&deleted != 0
	place++
	ms, n := binary.Uvarint(b.data[place:])
	place += n
	seq, n := binary.Uvarint(b.data[place:])
	place += n
	e.id = id{b.first.ms + ms, seq}
	e.fields = len(b.names)
	if flags&sameNames == 0 {
		count, n := binary.Uvarint(b.data[place:])
		place += n
		e.fields = int(count)
		e.own = b.data[place:]
		place += skipValues(e.own, e.fields)
	}
	e.values = b.data[place:]
	e.end = place + skipValues(e.values, e.fields)
	return e
}

func skipValues(d []byte, count int) int {
	at := 0
	for range count {
		head, n := binary.Uvarint(d[at:])
		at += n
		if head&3 == kindText {
			at += int(head >> 2)
		}
	}
	return at
}

// each calls f with the entries that are not deleted, in order, until f says no.
func (b *block) each(f func(item) bool) bool {
	for place := b.skip; place < len(b.data); {
		e := b.at(place)
		if !e.gone && !f(e) {
			return false
		}
		place = e.end
	}
	return true
}

// reply appends an entry as Redis replies with one: its ID and its fields.
func (b *block) reply(out []byte, e item) []byte {
	out = append(out, "*2\r\n"...)
	out = appendID(out, e.id)
	out = appendArray(out, 2*e.fields)
	return b.appendFields(out, e)
}

// appendFields appends names and values as bulk strings.
func (b *block) appendFields(out []byte, e item) []byte {
	own, values := e.own, e.values
	for i := range e.fields {
		if e.own != nil {
			out, own = appendNextValue(out, own, e.id.ms)
		} else {
			out = appendBulk(out, b.names[i])
		}
		out, values = appendNextValue(out, values, e.id.ms)
	}
	return out
}

// appendNextValue appends the first value of d as a bulk string and returns what follows it.
func appendNextValue(out, d []byte, ms uint64) (reply, rest []byte) {
	head, n := binary.Uvarint(d)
	d = d[n:]
	if head&3 == kindText {
		length := int(head >> 2)
		return appendBulk(out, d[:length]), d[length:]
	}
	number := unzigzag(head >> 2)
	if head&3 == kindSince {
		number += int64(ms)
	}
	var text [20]byte
	return appendBulk(out, strconv.AppendInt(text[:0], number, 10)), d
}
