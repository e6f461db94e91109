package store

import (
	"encoding/binary"
	"math"

	"readout/server/reading"
)

// unpack decodes a packed entry. Its size is bounded before anything is
// allocated: 8 KiB hold at most 256 readings of 256 values.
func unpack(topic reading.Topic, text string) ([]reading.Reading, error) {
	if len(text) > maxPacked {
		return nil, errEntry
	}
	b := block{rest: []byte(text)}
	if b.byte() != packedVersion {
		return nil, errEntry
	}
	n, width := b.count(maxReadings), b.count(reading.MaxValues)
	// Every reading takes a byte of time at least, every column three bytes.
	if b.bad || n == 0 || width == 0 || n+3*width > len(b.rest) {
		return nil, errEntry
	}
	readings := make([]reading.Reading, n)
	ms := int64(0)
	for i := range readings {
		if i == 0 {
			ms = int64(min(b.uvarint(), math.MaxInt64))
		} else {
			ms += b.varint()
		}
		if ms <= 0 || ms > maxTime {
			return nil, errEntry
		}
		readings[i] = reading.Reading{Topic: topic, Time: ms, Values: make([]reading.Named, 0, min(width, 8))}
	}
	for range width {
		name := string(b.bytes(b.count(reading.MaxColumn)))
		if b.column(name, readings); b.bad {
			return nil, errEntry
		}
	}
	if len(b.rest) > 0 {
		return nil, errEntry
	}
	for i := range readings {
		if err := reading.ValidateValues(readings[i].Values); err != nil {
			return nil, err
		}
	}
	return readings, nil
}

// block is what is left of a packed entry; bad says that it ended too soon or
// made no sense, and stays. Then all reads answer nothing.
type block struct {
	rest []byte
	bad  bool
}

func (b *block) bytes(n int) []byte {
	if b.bad || n > len(b.rest) {
		b.bad = true
		return nil
	}
	taken := b.rest[:n]
	b.rest = b.rest[n:]
	return taken
}

func (b *block) byte() byte {
	if one := b.bytes(1); !b.bad {
		return one[0]
	}
	return 0
}

func (b *block) uvarint() uint64 {
	v, n := binary.Uvarint(b.rest)
	b.skip(n)
	return v
}

func (b *block) varint() int64 {
	v, n := binary.Varint(b.rest)
	b.skip(n)
	return v
}

func (b *block) skip(n int) {
	if n <= 0 {
		b.bad = true
	} else {
		b.bytes(n)
	}
}

// count reads a length and refuses one above most.
func (b *block) count(most uint64) int {
	v := b.uvarint()
	if v > most {
		b.bad = true
		return 0
	}
	return int(v)
}

// column reads one column and adds its values to the readings that have it.
func (b *block) column(name string, readings []reading.Reading) {
	head := b.byte()
	form := head &^ formSparse
	has := func(int) bool { return true }
	present := len(readings)
	if head&formSparse != 0 {
		bits := b.bytes((len(readings) + 7) / 8)
		if b.bad {
			return
		}
		has = func(i int) bool { return bits[i/8]>>(i%8)&1 == 1 }
		present = 0
		for i := range readings {
			if has(i) {
				present++
			}
		}
	}
	var bools []byte
	if form == formBool {
		bools = b.bytes((present + 7) / 8)
	}
	lastNumber, lastText, nth := int64(0), "", 0
	for i := range readings {
		if !has(i) {
			continue
		}
		var v reading.Value
		switch form {
		case formWhole:
			lastNumber += b.varint()
			v = reading.NumberOf(float64(lastNumber))
		case formText:
			if text := string(b.bytes(b.count(reading.MaxText))); text != "" {
				lastText = text
			}
			v = reading.TextOf(lastText)
		case formBool:
			if !b.bad {
				v = reading.BoolOf(bools[nth/8]>>(nth%8)&1 == 1)
			}
		case formFloat:
			v = b.value(formFloat)
		case formMixed:
			v = b.value(b.byte())
		default:
			b.bad = true
		}
		if b.bad {
			return
		}
		nth++
		readings[i].Values = append(readings[i].Values, reading.Named{Name: name, Value: v})
	}
}

// value reads a value that stands alone.
func (b *block) value(form byte) reading.Value {
	switch form {
	case formFloat:
		if bits := b.bytes(8); !b.bad {
			return reading.NumberOf(math.Float64frombits(binary.LittleEndian.Uint64(bits)))
		}
	case formBool:
		return reading.BoolOf(b.byte() != 0)
	case formText:
		return reading.TextOf(string(b.bytes(b.count(reading.MaxText))))
	}
	b.bad = true
	return reading.Value{}
}
