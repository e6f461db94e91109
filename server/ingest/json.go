package ingest

import (
	"bytes"
	"math"
	"time"

	"readout/server/reading"
)

// JSON decodes one reading, an array of readings, or {"readings":[...],"describe":{...}}.
// One reading is {"topic":"cpu","t":1763785200123,"values":{"user":0.3}}, or
// "value":42 for short. t is milliseconds since 1970 or RFC 3339; without it the
// reading is of now.
//
// A body that is not such a document, down to an unknown or doubled key, is
// refused whole. What is wrong with one reading stands in its Item.
func JSON(body []byte, bounds Bounds) (Request, error) {
	d := newDecoder(body, bounds)
	var err error
	switch {
	case d.end():
		return Request{}, reading.Refuse("empty_body", "the body is empty; send a reading")
	case d.next() == '[':
		err = d.readings()
	case d.next() == '{':
		err = d.document()
	default:
		err = d.fail("expected an object or an array, found %s", d.found())
	}
	if err != nil {
		return Request{}, err
	}
	if d.space(); !d.end() {
		return Request{}, d.fail("expected the end of the body, found %s", d.found())
	}
	return d.request, nil
}

// decoder keeps what readings of one request share, so that a reading whose
// topic and value names were seen before costs next to no memory of its own.
type decoder struct {
	scanner
	bounds  Bounds
	request Request
	topics  map[string]parsedTopic // by their spelling in this request
	names   map[string]string      // names of values
	values  []reading.Named        // of the reading that is being read
	count   int                    // how many values it has, also beyond MaxValues
	seen    map[string]struct{}    // their names, once there are many
	block   []reading.Named        // room for the values of finished readings
}

type parsedTopic struct {
	topic reading.Topic
	err   error
}

func newDecoder(body []byte, bounds Bounds) *decoder {
	return &decoder{scanner: newScanner(body), bounds: bounds}
}

// draft is a reading whose fields are still coming in.
type draft struct {
	reading                      reading.Reading
	topicErr, timeErr, valuesErr error
	given                        field
}

// field is a set of the keys that an object had so far.
type field uint8

const (
	fieldTopic field = 1 << iota
	fieldTime
	fieldValue
	fieldValues
	fieldReadings
	fieldDescribe
)

func fieldOf(key []byte) field {
	switch string(key) {
	case "topic":
		return fieldTopic
	case "t":
		return fieldTime
	case "value":
		return fieldValue
	case "values":
		return fieldValues
	case "readings":
		return fieldReadings
	case "describe":
		return fieldDescribe
	}
	return 0
}

const fieldsOfReading = fieldTopic | fieldTime | fieldValue | fieldValues

// once adds a key to those given and refuses a key that nobody reads or that came before.
func (d *decoder) once(given *field, allowed field, at int, key []byte) (field, error) {
	f := fieldOf(key)
	switch {
	case f&allowed == 0:
		return 0, d.failAt(at, "unknown_field", "unknown field %s; a reading has topic, t, value or values", reading.Quote(string(key)))
	case *given&f != 0:
		return 0, d.duplicate(at, key)
	}
	*given |= f
	return f, nil
}

func (d *decoder) duplicate(at int, key []byte) error {
	return d.failAt(at, "duplicate_key", "the key %s is given twice", reading.Quote(string(key)))
}

// document reads an object that is one reading or holds readings and descriptions.
func (d *decoder) document() error {
	start := d.i
	var r draft
	d.begin()
	err := d.object(func(at int, key []byte) error {
		f, err := d.once(&r.given, fieldsOfReading|fieldReadings|fieldDescribe, at, key)
		if err != nil {
			return err
		}
		switch f {
		case fieldReadings:
			if d.next() != '[' {
				return d.fail("readings is an array, found %s", d.found())
			}
			return d.readings()
		case fieldDescribe:
			if d.next() != '{' {
				return d.fail("describe is an object of topics, found %s", d.found())
			}
			return d.describe()
		default:
			return d.field(f, &r)
		}
	})
	switch {
	case err != nil:
		return err
	case r.given&(fieldReadings|fieldDescribe) == 0:
		d.finish(&r)
		return nil
	case r.given&fieldsOfReading != 0:
		return d.failAt(start, "bad_json", "one object holds both a reading and readings or describe; put the reading into readings")
	}
	return nil
}

// readings reads an array of readings whose [ is next.
func (d *decoder) readings() error {
	return d.array(d.reading)
}

// reading reads one reading and appends it to the request.
func (d *decoder) reading() error {
	if len(d.request.Items) == MaxReadings {
		return reading.Refuse("too_many", "more than %d readings in one request; split it", MaxReadings)
	}
	if d.next() != '{' {
		return d.fail("a reading is an object, found %s", d.found())
	}
	var r draft
	d.begin()
	err := d.object(func(at int, key []byte) error {
		f, err := d.once(&r.given, fieldsOfReading, at, key)
		if err != nil {
			return err
		}
		return d.field(f, &r)
	})
	if err == nil {
		d.finish(&r)
	}
	return err
}

// field reads the value of one key of a reading. Its error is for the whole
// request; what is wrong with this reading only is kept in the draft.
func (d *decoder) field(f field, r *draft) error {
	var err error
	switch f {
	case fieldTopic:
		if d.next() != '"' {
			r.topicErr = reading.Refuse("bad_topic", "topic is not a string")
			return d.skip(0)
		}
		r.reading.Topic, r.topicErr, err = d.topic()
	case fieldTime:
		r.reading.Time, r.timeErr, err = d.time()
	case fieldValue:
		var v reading.Value
		if v, err = d.value(); err == nil {
			d.add(reading.DefaultValue, v)
		}
	case fieldValues:
		if d.next() != '{' {
			r.valuesErr = reading.Refuse("no_values", `values is not an object; send "values":{"user":0.3} or "value":0.3`)
			return d.skip(0)
		}
		err = d.columns()
	}
	if r.given&fieldValue != 0 && r.given&fieldValues != 0 {
		r.valuesErr = reading.Refuse("duplicate_value", "value and values are both given; send one of them")
	}
	return err
}

// topic reads a topic whose " is next. The first error is of this reading only.
func (d *decoder) topic() (reading.Topic, error, error) {
	text, err := d.text()
	if err != nil {
		return "", nil, err
	}
	known, ok := d.topics[string(text)]
	if !ok {
		spelling := string(text)
		known.topic, known.err = reading.ParseTopic(spelling)
		if d.topics == nil {
			d.topics = map[string]parsedTopic{}
		}
		d.topics[spelling] = known
	}
	return known.topic, known.err, nil
}

// time reads milliseconds or RFC 3339. The first error is of this reading only.
func (d *decoder) time() (int64, error, error) {
	switch c := d.next(); {
	case c == '"':
		text, err := d.text()
		if err != nil {
			return 0, nil, err
		}
		ms, bad := parseRFC3339(text)
		return ms, bad, nil
	case c == '-' || '0' <= c && c <= '9':
		f, err := d.number()
		if err != nil {
			return 0, nil, err
		}
		if f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return 0, reading.Refuse("bad_time", "t is not a whole number of milliseconds since 1970"), nil
		}
		return int64(f), nil, nil
	default:
		return 0, reading.Refuse("bad_time", "t is neither milliseconds since 1970 nor RFC 3339"), d.skip(0)
	}
}

// ParseTime reads a time as senders write it: milliseconds since 1970, or RFC 3339.
func ParseTime(s string) (int64, error) {
	d := scanner{b: []byte(s)}
	if n := d.digits(); n > 0 && n == len(s) && n <= 15 {
		ms := int64(0)
		for i := range n {
			ms = ms*10 + int64(s[i]-'0')
		}
		return ms, nil
	}
	return parseRFC3339([]byte(s))
}

func parseRFC3339(text []byte) (int64, error) {
	t, err := time.Parse(time.RFC3339, string(text))
	// Parse also takes an hour of one digit and a comma before the fraction, which RFC 3339 does not.
	if err != nil || text[len("2006-01-02T15")] != ':' || bytes.IndexByte(text, ',') >= 0 {
		return 0, reading.Refuse("bad_time", "the time %s is neither milliseconds since 1970 nor RFC 3339", reading.Quote(string(text)))
	}
	return t.UnixMilli(), nil
}

// columns reads an object of named values whose { is next.
func (d *decoder) columns() error {
	return d.object(func(at int, key []byte) error {
		if d.count <= reading.MaxValues && d.has(key) {
			return d.duplicate(at, key)
		}
		name, ok := d.names[string(key)]
		if !ok {
			name = string(key)
			if d.names == nil {
				d.names = map[string]string{}
			}
			d.names[name] = name
		}
		v, err := d.value()
		if err == nil {
			d.add(name, v)
		}
		return err
	})
}

// begin forgets the values of the reading before.
func (d *decoder) begin() {
	d.values, d.count = d.values[:0], 0
	clear(d.seen)
}

// add keeps a value, unless the reading has too many anyway.
func (d *decoder) add(name string, v reading.Value) {
	if d.count++; d.count <= reading.MaxValues {
		d.values = append(d.values, reading.Named{Name: name, Value: v})
	}
}

// has reports whether the reading already has a value of this name. Few names
// are compared one by one; with many that would be a way to keep a core busy.
func (d *decoder) has(key []byte) bool {
	const few = 16
	if len(d.values) < few {
		for i := range d.values {
			if d.values[i].Name == string(key) {
				return true
			}
		}
		return false
	}
	if d.seen == nil {
		d.seen = make(map[string]struct{}, 2*few)
	}
	for i := len(d.seen); i < len(d.values); i++ {
		d.seen[d.values[i].Name] = struct{}{}
	}
	_, ok := d.seen[string(key)]
	return ok
}

// finish judges a reading and appends it to the request.
func (d *decoder) finish(r *draft) {
	if r.given&fieldTopic == 0 {
		r.topicErr = reading.Refuse("bad_topic", "topic is missing")
	}
	if r.given&fieldTime == 0 {
		r.reading.Time = d.bounds.Now.UnixMilli()
	} else if r.timeErr == nil {
		r.timeErr = reading.ValidateTime(r.reading.Time, d.bounds.Now, d.bounds.Oldest)
	}
	if d.count > reading.MaxValues {
		r.valuesErr = reading.Refuse("too_many_values", "%d values in one reading; at most %d are allowed", d.count, reading.MaxValues)
	} else if r.valuesErr == nil {
		r.valuesErr = reading.ValidateValues(d.values)
	}
	item := Item{Index: len(d.request.Items), Reading: r.reading}
	switch {
	case r.topicErr != nil:
		item.Err = r.topicErr
	case r.timeErr != nil:
		item.Err = r.timeErr
	case r.valuesErr != nil:
		item.Err = r.valuesErr
	default:
		item.Reading.Values = d.keep()
	}
	d.request.Items = append(d.request.Items, item)
}

// keep copies the values out of the room that the next reading uses. The
// copies of several readings share a block, which grows with the request.
func (d *decoder) keep() []reading.Named {
	n := len(d.values)
	if cap(d.block)-len(d.block) < n {
		d.block = make([]reading.Named, 0, max(n, min(2*cap(d.block), 512)))
	}
	at := len(d.block)
	d.block = append(d.block, d.values...)
	return d.block[at : at+n : at+n]
}

// NDJSON decodes one reading in each line. Blank lines do not count.
func NDJSON(body []byte, bounds Bounds) (Request, error) {
	d := newDecoder(body, bounds)
	if d.end() {
		return Request{}, reading.Refuse("empty_body", "the body is empty; send a reading in each line")
	}
	line := 1 + bytes.Count(body[:d.i], []byte{'\n'})
	for !d.end() {
		// The decoder sees the body up to the end of this line, so that its
		// messages still count bytes from the beginning of the body.
		end := len(body)
		if n := bytes.IndexByte(body[d.i:], '\n'); n >= 0 {
			end = d.i + n
		}
		d.b = body[:end]
		if d.space(); !d.end() {
			err := d.reading()
			if d.space(); err == nil && !d.end() {
				err = d.fail("expected the end of the line, found %s", d.found())
			}
			if err != nil {
				return Request{}, inLine(line, err)
			}
		}
		d.b, d.i = body, min(end+1, len(body))
		line++
	}
	return d.request, nil
}
