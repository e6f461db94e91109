package embedded

import (
	"slices"
	"sort"
)

// stream is an append-only list of entries in blocks. What is asked of it takes
// time that grows with the logarithm of its length: the block is found by its
// IDs, the entry in the block by reading at most blockEntries of them.
type stream struct {
	blocks  []*block
	length  int64 // entries that are not deleted
	added   int64 // entries ever added
	last    id    // of the newest entry ever
	removed id    // the largest ID ever deleted by XDEL
	bytes   int   // about what all blocks take
}

// add appends an entry with an ID later than all others. Its fields are copied.
func (s *stream) add(at id, fields [][]byte) {
	if len(s.blocks) == 0 || s.blocks[len(s.blocks)-1].full() {
		if len(s.blocks) > 0 {
			s.changed(s.blocks[len(s.blocks)-1], (*block).seal)
		}
		s.blocks = append(s.blocks, newBlock(at, fields))
		s.bytes += s.blocks[len(s.blocks)-1].bytes()
	}
	s.changed(s.blocks[len(s.blocks)-1], func(b *block) { b.add(at, fields) })
	s.last = at
	s.length++
	s.added++
}

func (s *stream) changed(b *block, change func(*block)) {
	s.bytes -= cap(b.data)
	change(b)
	s.bytes += cap(b.data)
}

// from is the place of the first block that may hold an entry at or after an ID.
func (s *stream) from(at id) int {
	return sort.Search(len(s.blocks), func(i int) bool { return s.blocks[i].last.compare(at) >= 0 })
}

// each calls f with the entries from an ID to another, in order, until f says no.
func (s *stream) each(from, to id, f func(*block, item) bool) {
	for _, b := range s.blocks[s.from(from):] {
		if b.first.compare(to) > 0 {
			return
		}
		if !b.each(func(e item) bool {
			return e.id.compare(from) < 0 || e.id.compare(to) <= 0 && f(b, e)
		}) {
			return
		}
	}
}

// eachBack is each, from the newest to the oldest.
func (s *stream) eachBack(from, to id, f func(*block, item) bool) {
	begin := s.from(from)
	for i := min(s.from(to), len(s.blocks)-1); i >= begin; i-- {
		b := s.blocks[i]
		var list [blockEntries]item
		n := 0
		b.each(func(e item) bool {
			if e.id.compare(to) > 0 {
				return false
			}
			if e.id.compare(from) >= 0 {
				list[n] = e
				n++
			}
			return true
		})
		for n--; n >= 0; n-- {
			if !f(b, list[n]) {
				return
			}
		}
	}
}

// first returns the oldest entry; ok is false when there is none.
func (s *stream) first() (found *block, first item, ok bool) {
	s.each(firstID, lastID, func(b *block, e item) bool {
		found, first, ok = b, e, true
		return false
	})
	return found, first, ok
}

// newest returns the newest entry; ok is false when there is none.
func (s *stream) newest() (found *block, newest item, ok bool) {
	s.eachBack(firstID, lastID, func(b *block, e item) bool {
		found, newest, ok = b, e, true
		return false
	})
	return found, newest, ok
}

// trim drops the oldest entries while more of them are there than most, or while
// they are older than an ID. Roughly drops whole blocks only and so less.
func (s *stream) trim(most int64, oldest id, roughly bool) (dropped int64) {
	over := func(b *block) bool { // all of it
		return s.length-int64(b.live) >= most || b.last.compare(oldest) < 0
	}
	whole := 0
	for whole < len(s.blocks) && s.length > 0 && over(s.blocks[whole]) {
		dropped += s.drop(whole)
		whole++
	}
	if whole > 0 {
		clear(s.blocks[:whole])
		s.blocks = s.blocks[whole:]
		if cap(s.blocks) > 4*len(s.blocks)+16 {
			s.blocks = slices.Clone(s.blocks)
		}
	}
	if roughly || len(s.blocks) == 0 {
		return dropped
	}
	b := s.blocks[0]
	for b.skip < len(b.data) {
		e := b.at(b.skip)
		if !e.gone {
			if s.length <= most && e.id.compare(oldest) >= 0 {
				break
			}
			s.length--
			b.live--
			dropped++
		}
		b.count--
		b.skip = e.end
	}
	if b.count == 0 {
		s.bytes -= b.bytes()
		s.blocks[0] = nil
		s.blocks = s.blocks[1:]
	}
	return dropped
}

// drop takes a whole block out of the account.
func (s *stream) drop(i int) int64 {
	b := s.blocks[i]
	s.length -= int64(b.live)
	s.bytes -= b.bytes()
	return int64(b.live)
}

// delete takes one entry out and reports whether it was there.
func (s *stream) delete(at id) bool {
	i := s.from(at)
	if i == len(s.blocks) {
		return false
	}
	b := s.blocks[i]
	for place := b.skip; place < len(b.data); {
		e := b.at(place)
		if e.id == at && !e.gone {
			b.data[place] |= deleted
			b.live--
			s.length--
			if at.compare(s.removed) > 0 {
				s.removed = at
			}
			if b.live == 0 {
				s.bytes -= b.bytes()
				s.blocks = slices.Delete(s.blocks, i, i+1)
			}
			return true
		}
		place = e.end
	}
	return false
}
