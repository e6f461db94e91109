package collectors

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"mime"
	"slices"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"readout/server/reading"
)

// Bounds of what is parsed, so that a small hostile answer does not become a
// large one in memory.
const (
	maxLines   = 200_000    // of text, comments not counted
	maxFields  = 1_000_000  // of protobuf
	wideLine   = 64         // labels of a line of text; a topic has at most 32
	maxCompare = 20_000_000 // comparisons of the labels of a line with each other, in all lines
)

// seriesSet turns metric families into readings.
type seriesSet struct {
	instance  string
	readings  []reading.Reading
	described Description
	seen      map[reading.Topic]bool
	skipped   int
}

// read parses the body of an answer.
func (s *seriesSet) read(contentType string, body []byte) error {
	kind, params, err := mime.ParseMediaType(contentType)
	switch {
	case err == nil && kind == expfmt.ProtoType:
		if encoding := params["encoding"]; encoding != "" && encoding != "delimited" {
			return fmt.Errorf("it answers in the form %s, which nobody asked for", reading.Quote(encoding))
		}
		return s.readProto(body)
	case contentType == "" || err == nil && (strings.HasPrefix(kind, "text/plain") || kind == "application/openmetrics-text"):
		return s.readText(body)
	}
	return fmt.Errorf("it answers %s, not Prometheus metrics; is the path right?", reading.Quote(contentType))
}

func (s *seriesSet) readText(body []byte) error {
	lines, compare := 0, 0
	for line := range bytes.Lines(body) {
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
			continue
		}
		// The parser compares each label with all before it: a line of 20,000 would take it a minute.
		labels := quotes(line) / 2
		if lines, compare = lines+1, compare+labels*labels; labels > wideLine {
			return fmt.Errorf("line %d of its figures has %d labels; at most %d are read", lines, labels, wideLine)
		}
	}
	switch {
	case lines > maxLines:
		return fmt.Errorf("it has %d lines; at most %d are read", lines, maxLines)
	case compare > maxCompare:
		return errors.New("its lines have too many labels to be read")
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		var at expfmt.ParseError
		if errors.As(err, &at) { // its message holds a part of the answer
			return fmt.Errorf("line %d is not Prometheus text", at.Line)
		}
		return errors.New("it is not Prometheus text")
	}
	for _, name := range slices.Sorted(maps.Keys(families)) {
		s.family(families[name])
	}
	return nil
}

// quotes counts the quotes of a line that are not escaped: each label takes two.
func quotes(line []byte) int {
	n := 0
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '"':
			n++
		}
	}
	return n
}

func (s *seriesSet) readProto(body []byte) error {
	fields := 0
	for len(body) > 0 {
		size, n := protowire.ConsumeVarint(body)
		if n < 0 || size > uint64(len(body)-n) {
			return errors.New("its protobuf is cut off")
		}
		message := body[n : n+int(size)]
		body = body[n+int(size):]
		if fields += countFields(message, "family", maxFields-fields); fields > maxFields {
			return fmt.Errorf("its protobuf has more than %d fields", maxFields)
		}
		var family dto.MetricFamily
		if err := proto.Unmarshal(message, &family); err != nil {
			return errors.New("it is not the protobuf of Prometheus")
		}
		s.family(&family)
	}
	return nil
}

// within says which fields of a message are messages themselves, of those that
// may repeat or hold such.
func within(message string, field protowire.Number) string {
	switch message + "." + strconv.Itoa(int(field)) {
	case "family.4":
		return "metric"
	case "metric.1", "summary.3", "bucket.3", "histogram.9", "histogram.12", "exemplar.1":
		return "leaf"
	case "metric.4":
		return "summary"
	case "metric.7":
		return "histogram"
	case "histogram.3":
		return "bucket"
	case "histogram.16":
		return "exemplar"
	}
	return ""
}

// countFields counts what a message would become in memory, up to most and one.
func countFields(b []byte, message string, most int) int {
	count := 0
	for len(b) > 0 && count <= most {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return count // Unmarshal says what is wrong
		}
		size := protowire.ConsumeFieldValue(field, kind, b[n:])
		if size < 0 {
			return count
		}
		count++
		if kind == protowire.BytesType {
			inner, _ := protowire.ConsumeBytes(b[n:])
			if what := within(message, field); what != "" {
				count += countFields(inner, what, most-count)
			} else if message == "histogram" {
				count += len(inner) / 8 // packed numbers of native histograms
			}
		}
		b = b[n+size:]
	}
	return count
}

func (s *seriesSet) family(f *dto.MetricFamily) {
	name := f.GetName()
	for _, m := range f.GetMetric() {
		if m == nil {
			continue
		}
		switch f.GetType() {
		case dto.MetricType_COUNTER:
			s.add(name, m, reading.Counter, m.GetCounter().GetValue())
		case dto.MetricType_GAUGE:
			s.add(name, m, reading.Gauge, m.GetGauge().GetValue())
		case dto.MetricType_UNTYPED:
			s.add(name, m, reading.Gauge, m.GetUntyped().GetValue())
		case dto.MetricType_SUMMARY:
			s.add(name+"_sum", m, reading.Counter, m.GetSummary().GetSampleSum())
			s.add(name+"_count", m, reading.Counter, float64(m.GetSummary().GetSampleCount()))
			for _, q := range m.GetSummary().GetQuantile() {
				s.add(name, m, reading.Gauge, q.GetValue(), reading.Label{Name: "quantile", Value: number(q.GetQuantile())})
			}
		case dto.MetricType_HISTOGRAM, dto.MetricType_GAUGE_HISTOGRAM:
			s.histogram(name, m, f.GetType())
		default:
			s.skipped++
		}
	}
}

func (s *seriesSet) histogram(name string, m *dto.Metric, kind dto.MetricType) {
	h, grows := m.GetHistogram(), reading.Counter
	if kind == dto.MetricType_GAUGE_HISTOGRAM {
		grows = reading.Gauge
	}
	// Native histograms may count in floats.
	count := func(whole uint64, float float64) float64 { return max(float64(whole), float) }
	s.add(name+"_sum", m, grows, h.GetSampleSum())
	s.add(name+"_count", m, grows, count(h.GetSampleCount(), h.GetSampleCountFloat()))
	if len(h.GetBucket()) > fewBuckets {
		return
	}
	for _, b := range h.GetBucket() {
		s.add(name+"_bucket", m, grows, count(b.GetCumulativeCount(), b.GetCumulativeCountFloat()), reading.Label{Name: "le", Value: number(b.GetUpperBound())})
	}
}

// add takes one series, or counts it as skipped.
func (s *seriesSet) add(name string, m *dto.Metric, kind string, value float64, more ...reading.Label) {
	labels := append(make([]reading.Label, 0, len(m.GetLabel())+2), more...)
	labels = append(labels, reading.Label{Name: "instance", Value: s.instance})
	for _, l := range m.GetLabel() {
		if l.GetValue() == "" {
			continue // to Prometheus an empty label is none
		}
		label := reading.Label{Name: l.GetName(), Value: l.GetValue()}
		if label.Name == "instance" {
			label.Name = "exported_instance" // as Prometheus names it
		}
		labels = append(labels, label)
	}
	if len(s.readings) == maxSeries || math.IsNaN(value) || math.IsInf(value, 0) {
		s.skipped++
		return
	}
	topic, err := reading.NewTopic(name, labels...)
	if err != nil || s.seen[topic] {
		s.skipped++
		return
	}
	s.seen[topic] = true
	s.described[topic] = []reading.Column{{Name: reading.DefaultValue, Unit: unitOf(name), Kind: kind}}
	s.readings = append(s.readings, reading.Reading{Topic: topic, Values: []reading.Named{{Name: reading.DefaultValue, Value: reading.NumberOf(value)}}})
}

// unitOf reads the unit that a metric's name ends in, as Prometheus advises.
func unitOf(name string) string {
	base := name
	for _, end := range []string{"_total", "_sum", "_bucket"} {
		base = strings.TrimSuffix(base, end)
	}
	switch {
	case strings.HasSuffix(name, "_count"):
		return "" // observations, whatever was observed
	case name != base && strings.HasSuffix(name, "_bucket"):
		return ""
	case strings.HasSuffix(base, "_timestamp_seconds"), strings.HasSuffix(base, "_time_seconds") && !strings.HasSuffix(base, "_cpu_time_seconds"):
		return "" // a moment, not a duration
	}
	for _, u := range []struct{ end, unit string }{
		{"_bytes", "bytes"}, {"_seconds", "s"}, {"_milliseconds", "ms"}, {"_ratio", "ratio"}, {"_percent", "percent"},
		{"_celsius", "°C"}, {"_volts", "V"}, {"_amperes", "A"}, {"_joules", "J"}, {"_watts", "W"}, {"_meters", "m"}, {"_hertz", "Hz"},
	} {
		if strings.HasSuffix(base, u.end) {
			return u.unit
		}
	}
	return ""
}

// number prints a bound or a quantile as Prometheus does: 0.99, 1, +Inf.
func number(f float64) string {
	if math.IsInf(f, 1) {
		return "+Inf"
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}
