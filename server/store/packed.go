package store

import (
	"encoding/binary"
	"math"

	"readout/server/reading"
)

// A packed entry, version 1. Integers are varints as encoding/binary writes
// them; signed ones are zigzag.
//
//	byte 1 · readings (1..256) · columns (1..256)
//	times:  the first in ms, then the signed difference to the one before
//	column: length of its name · name · form · presence · values
//	form:   0 whole numbers, the signed difference to the one before in the column
//	        1 float64, little-endian    2 bools, one bit each, the lowest first
//	        3 texts, length and bytes; length 0 is the same as before in the column
//	        4 mixed, each value a form (1, 2 as one byte, 3) and its value
//	        plus 8 when some readings lack the column: then presence is one bit
//	        for each reading, the lowest first; without it nothing stands there
//
// The values of a reading come back in the order of the columns.
const (
	packedVersion = 1
	maxPacked     = 8 << 10 // bytes
	maxReadings   = 256     // readings in one entry

	formWhole  = 0
	formFloat  = 1
	formBool   = 2
	formText   = 3
	formMixed  = 4
	formSparse = 8
)

// column is one column of a packed entry: beside each reading its value or none.
type column struct {
	name   string
	values []reading.Value
}

// pack encodes readings of one topic; ok is false when they do not fit.
func pack(readings []reading.Reading) (block []byte, ok bool) {
	if len(readings) == 0 || len(readings) > maxReadings {
		return nil, false
	}
	columns := transpose(readings)
	if len(columns) == 0 || len(columns) > reading.MaxValues {
		return nil, false
	}
	b := append(make([]byte, 0, 256), packedVersion)
	b = binary.AppendUvarint(b, uint64(len(readings)))
	b = binary.AppendUvarint(b, uint64(len(columns)))
	last := int64(0)
	for i, r := range readings {
		if i == 0 {
			b = binary.AppendUvarint(b, uint64(r.Time))
		} else {
			b = binary.AppendVarint(b, r.Time-last)
		}
		last = r.Time
	}
	for _, c := range columns {
		if b = c.append(b); len(b) > maxPacked {
			return nil, false
		}
	}
	return b, true
}

// transpose turns rows into columns. It stops at one column more than an entry
// may hold: looking names up among thousands would take longer than storing them.
func transpose(readings []reading.Reading) []column {
	var columns []column
	for i, r := range readings {
		for k, v := range r.Values {
			at := -1
			if k < len(columns) && columns[k].name == v.Name { // the usual case: all alike
				at = k
			}
			for j := 0; at < 0 && j < len(columns); j++ {
				if columns[j].name == v.Name {
					at = j
				}
			}
			if at < 0 {
				if at = len(columns); at > reading.MaxValues {
					return columns
				}
				columns = append(columns, column{v.Name, make([]reading.Value, len(readings))})
			}
			columns[at].values[i] = v.Value
		}
	}
	return columns
}

func (c column) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(c.name)))
	b = append(b, c.name...)
	form, sparse := c.form()
	if sparse {
		b = append(b, byte(form|formSparse))
		b = appendBits(b, c.values, func(v reading.Value) (bit, use bool) { return v.Kind() != reading.None, true })
	} else {
		b = append(b, byte(form))
	}
	lastNumber, lastText := int64(0), ""
	if form == formBool {
		return appendBits(b, c.values, func(v reading.Value) (bit, use bool) { bit, use = v.Bool(); return bit, use })
	}
	for _, v := range c.values {
		if v.Kind() == reading.None {
			continue
		}
		number, _ := v.Number()
		text, _ := v.Text()
		switch form {
		case formWhole:
			b = binary.AppendVarint(b, int64(number)-lastNumber)
			lastNumber = int64(number)
		case formFloat:
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(number))
		case formText:
			if text == lastText {
				b = append(b, 0)
				continue
			}
			b = binary.AppendUvarint(b, uint64(len(text)))
			b = append(b, text...)
			lastText = text
		default:
			b = appendMixed(b, v, number, text)
		}
	}
	return b
}

func appendMixed(b []byte, v reading.Value, number float64, text string) []byte {
	switch v.Kind() {
	case reading.Number:
		return binary.LittleEndian.AppendUint64(append(b, formFloat), math.Float64bits(number))
	case reading.Bool:
		return append(b, formBool, byte(number))
	default:
		b = binary.AppendUvarint(append(b, formText), uint64(len(text)))
		return append(b, text...)
	}
}

// form picks the shortest form that holds all values of the column.
func (c column) form() (form int, sparse bool) {
	form = -1
	for _, v := range c.values {
		var f int
		switch v.Kind() {
		case reading.None:
			sparse = true
			continue
		case reading.Number:
			f = formFloat
			if n, _ := v.Number(); n == math.Trunc(n) && math.Abs(n) < 1<<53 {
				f = formWhole
			}
		case reading.Bool:
			f = formBool
		default:
			f = formText
		}
		switch {
		case form < 0 || form == f:
			form = f
		case form|f == formFloat: // whole numbers and others
			form = formFloat
		default:
			form = formMixed
		}
	}
	return form, sparse
}

func appendBits(b []byte, values []reading.Value, of func(reading.Value) (bit, use bool)) []byte {
	n := 0
	for _, v := range values {
		bit, use := of(v)
		if !use {
			continue
		}
		if n%8 == 0 {
			b = append(b, 0)
		}
		if bit {
			b[len(b)-1] |= 1 << (n % 8)
		}
		n++
	}
	return b
}
