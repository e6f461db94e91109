package collectors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A spool is a directory of segments, 0000000000000001.spool and on: files of
// records, each of one batch, read in the order they were written.
//
//	segment   "readout-spool 1\n", records
//	record    length of the payload and its CRC-32C, 4 bytes each, little endian; payload
//	payload   flags (1: carries the description), length of the key, key, readings (4 bytes), body (gzip)
//
// A record is on the disk when append returns. position says how far the first
// segment was read; it is not forced to the disk, because a batch that is sent
// again after a crash goes under the same Idempotency-Key.
const (
	spoolMagic     = "readout-spool 1\n"
	spoolSuffix    = ".spool"
	recordHeader   = 8       // bytes
	maxRecord      = 4 << 20 // bytes of a payload; a batch is far below
	leastSpool     = 1 << 20 // bytes that a spool may be limited to
	spoolShare     = 16      // a segment has this part of the limit, which is what is dropped at once
	leastSegment   = 64 << 10
	mostSegment    = 8 << 20
	positionRecord = 28 // bytes: turn, segment, offset, CRC
)

// spool is used by one goroutine at a time; the Pusher holds its lock.
type spool struct {
	dir   string
	limit int64 // bytes of all segments
	log   *slog.Logger

	lock     *os.File
	position *os.File
	turn     uint64 // of the position; the two slots of its file take turns, so that one is whole

	segments []*segment // oldest first
	number   uint64     // of the newest segment ever
	writer   *os.File   // of the last segment; nil when it takes no more
	reader   *os.File   // of the first segment; nil when it is not open
	at       int64      // where the next record of the first segment is
	bytes    int64      // of all segments
	readings int64      // that wait in all segments
	dropped  int64      // when it was opened, because it was over its limit
}

type segment struct {
	number   uint64
	size     int64 // bytes
	readings int64 // in records that were not read yet
}

// place is where a record is; the zero place is none.
type place struct {
	segment uint64
	offset  int64
	end     int64
}

// openSpool opens or makes the spool of a directory, for this process alone. What
// a crash left torn at the end of a segment is cut off, with a line in the log.
func openSpool(dir string, limit int64, log *slog.Logger) (*spool, error) {
	if limit < leastSpool {
		return nil, fmt.Errorf("the limit of the spool is %d bytes; it is at least %d", limit, leastSpool)
	}
	s := &spool{dir: dir, limit: limit, log: log}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the spool: %w", err)
	}
	err := s.open()
	if err != nil {
		_ = s.close()
		return nil, fmt.Errorf("the spool %s: %w", dir, err)
	}
	return s, nil
}

func (s *spool) open() (err error) {
	if s.lock, err = os.OpenFile(filepath.Join(s.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	if err := lockFile(s.lock); err != nil {
		return fmt.Errorf("another process uses it; give each collector a directory of its own (%w)", err)
	}
	if s.position, err = os.OpenFile(filepath.Join(s.dir, "position"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	read := s.readPosition()
	names, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	s.number = read.segment
	for _, entry := range names { // in the order of their numbers
		text, ours := strings.CutSuffix(entry.Name(), spoolSuffix)
		number, err := strconv.ParseUint(text, 10, 64)
		if !ours || err != nil || entry.Name() != segmentName(number) {
			continue
		}
		s.number = max(s.number, number)
		if err := s.adopt(number, read); err != nil {
			return err
		}
	}
	before := s.readings
	for s.bytes > s.limit {
		s.drop()
	}
	if s.dropped = before - s.readings; s.dropped > 0 {
		s.log.Warn("the spool has more than its limit; the oldest readings are dropped", "dir", s.dir, "readings", s.dropped)
	}
	return nil
}

func segmentName(number uint64) string { return fmt.Sprintf("%016d%s", number, spoolSuffix) }

func (s *spool) path(number uint64) string { return filepath.Join(s.dir, segmentName(number)) }

// adopt takes a segment that was there before, as far as it is whole and was not
// read. read is changed to the segment's beginning when it lies in no record's.
func (s *spool) adopt(number uint64, read place) error {
	name := s.path(number)
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	begin := int64(len(spoolMagic))
	if number == read.segment {
		begin = read.offset
	}
	got, err := scanSegment(f, begin)
	if err != nil {
		return fmt.Errorf("%s: %w", segmentName(number), err)
	}
	if got.whole < got.size {
		s.log.Warn("the end of a spool segment is torn, as by a crash; it is cut off", "file", name, "bytes", got.size-got.whole)
		if err := f.Truncate(got.whole); err != nil {
			return err
		}
	}
	if number < read.segment || got.waiting == 0 {
		return os.Remove(name)
	}
	if len(s.segments) == 0 {
		s.at = got.begin
	}
	s.segments = append(s.segments, &segment{number, got.whole, got.waiting})
	s.bytes += got.whole
	s.readings += got.waiting
	return nil
}

// append writes a batch and returns where it is and how many readings had to be
// dropped for it, oldest first and a whole segment at once.
func (s *spool) append(b *batch) (at place, dropped int64, err error) {
	record := encodeRecord(b)
	segmentBytes := min(max(s.limit/spoolShare, leastSegment), mostSegment)
	need := int64(len(record))
	if s.writer == nil || s.last().size+need > segmentBytes {
		s.endWriter()
		need += int64(len(spoolMagic))
	}
	for s.bytes+need > s.limit && len(s.segments) > 0 {
		before := s.readings
		s.drop()
		dropped += before - s.readings
		if s.writer == nil && need == int64(len(record)) {
			need += int64(len(spoolMagic))
		}
	}
	if s.writer == nil {
		if err := s.begin(); err != nil {
			return place{}, dropped, err
		}
	}
	last := s.last()
	_, err = s.writer.WriteAt(record, last.size)
	if err == nil {
		err = s.writer.Sync()
	}
	if err != nil {
		// The segment ends where it was whole; a later one takes what comes.
		_ = s.writer.Truncate(last.size)
		s.endWriter()
		if last.readings == 0 {
			s.remove(len(s.segments) - 1)
		}
		return place{}, dropped, err
	}
	at = place{last.number, last.size, last.size + int64(len(record))}
	last.size = at.end
	last.readings += int64(b.readings)
	s.bytes += int64(len(record))
	s.readings += int64(b.readings)
	return at, dropped, nil
}

func (s *spool) last() *segment { return s.segments[len(s.segments)-1] }

// begin makes a new segment.
func (s *spool) begin() error {
	f, err := os.OpenFile(s.path(s.number+1), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(spoolMagic); err != nil {
		_ = f.Close()
		return errors.Join(err, os.Remove(s.path(s.number+1)))
	}
	if d, err := os.Open(s.dir); err == nil {
		_ = d.Sync() // the name, too, outlives a power cut; systems that cannot do this lose nothing else
		_ = d.Close()
	}
	s.number++
	s.writer = f
	s.segments = append(s.segments, &segment{number: s.number, size: int64(len(spoolMagic))})
	s.bytes += int64(len(spoolMagic))
	if len(s.segments) == 1 {
		s.at = int64(len(spoolMagic))
	}
	return nil
}

func (s *spool) endWriter() {
	if s.writer != nil {
		_ = s.writer.Close()
		s.writer = nil
	}
}

// drop removes the oldest segment, read or not.
func (s *spool) drop() { s.remove(0) }

func (s *spool) remove(i int) {
	gone := s.segments[i]
	if i == len(s.segments)-1 {
		s.endWriter()
	}
	if i == 0 {
		if s.reader != nil {
			_ = s.reader.Close()
			s.reader = nil
		}
		s.at = int64(len(spoolMagic))
	}
	if err := os.Remove(s.path(gone.number)); err != nil {
		s.log.Warn("a spool segment that is done with stays on the disk", "err", err)
	}
	s.segments = slices.Delete(s.segments, i, i+1)
	s.bytes -= gone.size
	s.readings -= gone.readings
}

// next reads the oldest batch, which stays until done is called; nil without
// one. Segments that cannot be read are dropped; dropped says how many readings
// were in them.
func (s *spool) next() (b *batch, dropped int64) {
	for len(s.segments) > 0 {
		first := s.segments[0]
		b, err := s.read(first)
		if err == nil {
			return b, dropped
		}
		s.log.Warn("a spool segment cannot be read; what is left of it is dropped", "file", s.path(first.number), "readings", first.readings, "err", err)
		dropped += first.readings
		s.drop()
	}
	return nil, dropped
}

func (s *spool) read(first *segment) (*batch, error) {
	if s.reader == nil {
		f, err := os.Open(s.path(first.number))
		if err != nil {
			return nil, err
		}
		s.reader = f
	}
	payload, err := readRecord(io.NewSectionReader(s.reader, s.at, first.size-s.at))
	if err != nil {
		return nil, err
	}
	b, err := decodeRecord(payload)
	if err != nil {
		return nil, err
	}
	b.place = place{first.number, s.at, s.at + recordHeader + int64(len(payload))}
	return b, nil
}

// holds says whether the record at a place is still there.
func (s *spool) holds(at place) bool {
	return at.segment != 0 && slices.ContainsFunc(s.segments, func(g *segment) bool { return g.number == at.segment })
}

// done says that the oldest batch needs no more sending.
func (s *spool) done(b *batch) {
	if len(s.segments) == 0 || b.place.segment != s.segments[0].number || b.place.offset != s.at {
		return
	}
	first := s.segments[0]
	s.at = b.place.end
	first.readings -= int64(b.readings)
	s.readings -= int64(b.readings)
	s.writePosition(place{segment: first.number, offset: s.at})
	if s.at >= first.size {
		s.drop()
	}
}

// writePosition notes how far the first segment was read. Only a crash needs it;
// when it fails, some batches are sent again, under their old keys.
func (s *spool) writePosition(at place) {
	s.turn++
	slot := make([]byte, 0, positionRecord)
	for _, n := range []uint64{s.turn, at.segment, uint64(at.offset)} {
		slot = binary.LittleEndian.AppendUint64(slot, n)
	}
	slot = binary.LittleEndian.AppendUint32(slot, crc32.ChecksumIEEE(slot))
	if _, err := s.position.WriteAt(slot, int64(s.turn%2)*positionRecord); err != nil {
		s.log.Warn("the position in the spool is not noted", "err", err)
	}
}

// readPosition returns the newer of the two slots that is whole.
func (s *spool) readPosition() place {
	var best place
	for i := range int64(2) {
		slot := make([]byte, positionRecord)
		if _, err := s.position.ReadAt(slot, i*positionRecord); err != nil || crc32.ChecksumIEEE(slot[:24]) != binary.LittleEndian.Uint32(slot[24:]) {
			continue
		}
		if turn := binary.LittleEndian.Uint64(slot); turn > s.turn {
			s.turn = turn
			best = place{segment: binary.LittleEndian.Uint64(slot[8:]), offset: int64(binary.LittleEndian.Uint64(slot[16:]))}
		}
	}
	return best
}

// close ends the use of the directory; what waits stays in it.
func (s *spool) close() error {
	s.endWriter()
	var errs []error
	for _, f := range []*os.File{s.reader, s.position, s.lock} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	s.reader, s.position, s.lock = nil, nil, nil
	return errors.Join(errs...)
}
