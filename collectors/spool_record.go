package collectors

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strconv"
	"strings"

	"readout/server/reading"
)

// This file reads and writes the bytes of a spool's segments.

// scan is what was found in a segment.
type scan struct {
	size, whole int64 // bytes, and those of them in whole records
	begin       int64 // where to read on: as asked, or at the first record if none begins there
	waiting     int64 // readings from there on
}

// scanSegment reads a segment through, of which the records before begin are
// done with.
func scanSegment(f io.Reader, begin int64) (scan, error) {
	count := &countingReader{r: bufio.NewReaderSize(f, 64<<10)}
	magic := make([]byte, len(spoolMagic))
	n, err := io.ReadFull(count, magic)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		if strings.HasPrefix(spoolMagic, string(magic[:n])) {
			return scan{size: int64(n)}, nil // created, and then the crash
		}
		return scan{}, errors.New("is not a segment of a spool; move it elsewhere")
	case err != nil:
		return scan{}, err
	case string(magic) != spoolMagic:
		return scan{}, errors.New("is not a segment that this version of Readout reads; use another directory, or the version that wrote it")
	}
	got := scan{whole: count.n}
	all, exact := int64(0), false
	for {
		if got.whole == begin {
			exact, got.waiting = true, 0
		}
		var b *batch
		payload, err := readRecord(count)
		if err == nil {
			b, err = decodeRecord(payload)
		}
		var failed *os.PathError
		if errors.As(err, &failed) {
			return scan{}, err
		}
		if err != nil {
			break // the end, or torn
		}
		all += int64(b.readings)
		got.waiting += int64(b.readings)
		got.whole = count.n
	}
	got.begin = begin
	if !exact {
		got.begin, got.waiting = int64(len(spoolMagic)), all
	}
	_, err = io.Copy(io.Discard, count)
	got.size = count.n
	return got, err
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

var errTorn = errors.New("a record of the spool is damaged")

// readRecord reads one record and returns its payload. It never makes more room
// than a record may have, whatever the length says.
func readRecord(r io.Reader) ([]byte, error) {
	var header [recordHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint32(header[:])
	if length > maxRecord {
		return nil, errTorn
	}
	var payload bytes.Buffer
	if _, err := io.CopyN(&payload, r, int64(length)); err != nil {
		return nil, err
	}
	if crc32.Checksum(payload.Bytes(), crc32.MakeTable(crc32.Castagnoli)) != binary.LittleEndian.Uint32(header[4:]) {
		return nil, errTorn
	}
	return payload.Bytes(), nil
}

func encodeRecord(b *batch) []byte {
	record := make([]byte, recordHeader, recordHeader+6+len(b.key)+b.body.Len())
	flags := byte(0)
	if b.describe {
		flags = 1
	}
	record = append(record, flags, byte(len(b.key)))
	record = append(record, b.key...)
	record = binary.LittleEndian.AppendUint32(record, uint32(b.readings))
	record = append(record, b.body.Bytes()...)
	payload := record[recordHeader:]
	binary.LittleEndian.PutUint32(record, uint32(len(payload)))
	binary.LittleEndian.PutUint32(record[4:], crc32.Checksum(payload, crc32.MakeTable(crc32.Castagnoli)))
	return record
}

// decodeRecord reads a payload; the batch's body is part of it.
func decodeRecord(payload []byte) (*batch, error) {
	if len(payload) < 2 || len(payload) < 2+int(payload[1])+4 || payload[1] == 0 || payload[0] > 1 {
		return nil, errTorn
	}
	key, rest := payload[2:2+payload[1]], payload[2+payload[1]:]
	for _, c := range key {
		if c <= ' ' || c > '~' {
			return nil, errTorn // it goes into a header
		}
	}
	readings := binary.LittleEndian.Uint32(rest)
	if readings == 0 || readings > 1<<20 {
		return nil, errTorn
	}
	b := &batch{key: string(key), readings: int(readings), describe: payload[0]&1 == 1}
	b.body = *bytes.NewBuffer(rest[4:])
	return b, nil
}

// ParseBytes reads a number of bytes as people write it: 4096, 64KiB, 256MiB, 1GiB.
func ParseBytes(text string) (int64, error) {
	number, unit := text, int64(1)
	for i, suffix := range []string{"KiB", "MiB", "GiB"} {
		if n, ok := strings.CutSuffix(text, suffix); ok {
			number, unit = n, 1<<(10*(i+1))
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil || n < 0 || n > 1<<62/unit {
		return 0, fmt.Errorf("%s is not a number of bytes; write it like 256MiB", reading.Quote(text))
	}
	return n * unit, nil
}
