package dashboard

import (
	"strings"
	"unicode"

	"readout/server/reading"
)

// endings are the ends of names that tell a unit, in the way of Prometheus.
var endings = []struct{ ending, unit string }{
	{"milliseconds", "ms"}, {"microseconds", "us"}, {"nanoseconds", "ns"}, {"seconds", "s"}, {"ms", "ms"}, {"secs", "s"},
	{"bytes", "bytes"}, {"bits", "bits"}, {"percent", "percent"}, {"pct", "percent"}, {"ratio", "ratio"},
	{"celsius", "\u00b0C"}, {"fahrenheit", "\u00b0F"}, {"kelvin", "K"}, {"hertz", "Hz"}, {"volts", "V"}, {"amperes", "A"}, {"watts", "W"}, {"joules", "J"},
	{"meters", "m"}, {"metres", "m"}, {"grams", "g"}, {"pascals", "Pa"}, {"hpa", "hPa"}, {"rpm", "rpm"}, {"lux", "lx"}, {"ppm", "ppm"},
}

// spelt is how titles write words that are no plain words.
var spelt = map[string]string{
	"api": "API", "cpu": "CPU", "cpus": "CPUs", "db": "DB", "dns": "DNS", "fs": "FS", "gc": "GC", "gpu": "GPU", "grpc": "gRPC", "http": "HTTP", "https": "HTTPS",
	"id": "ID", "io": "I/O", "ip": "IP", "iops": "IOPS", "jvm": "JVM", "kafka": "Kafka", "mqtt": "MQTT", "mysql": "MySQL", "nfs": "NFS", "oom": "OOM",
	"os": "OS", "postgres": "Postgres", "postgresql": "PostgreSQL", "qps": "QPS", "ram": "RAM", "redis": "Redis", "rpc": "RPC", "rps": "RPS", "rss": "RSS",
	"rx": "RX", "smtp": "SMTP", "sql": "SQL", "ssd": "SSD", "ssl": "SSL", "tcp": "TCP", "tls": "TLS", "ttl": "TTL", "tx": "TX", "udp": "UDP", "ui": "UI",
	"ups": "UPS", "url": "URL", "vm": "VM", "wifi": "Wi-Fi", "co2": "CO\u2082", "pm25": "PM2.5", "pm10": "PM10", "p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99",
}

// cutUnit cuts the unit that a name ends with, and total, which says that it is
// a counter. A name that is nothing but its unit keeps it as a word.
func cutUnit(name string) (rest, unit string, total bool) {
	if cut, ok := cutWord(name, "total"); ok {
		name, total = cut, true
	}
	lower := strings.ToLower(name)
	for _, e := range endings {
		cut, ok := cutWord(name, e.ending)
		switch {
		case lower == e.ending:
			return name, e.unit, total
		case !ok:
		case e.unit == "s" && (strings.HasSuffix(cut, "timestamp") || strings.HasSuffix(cut, "start_time")):
			return cut, "", total // seconds since 1970 are no duration
		default:
			return cut, e.unit, total
		}
	}
	return name, "", total
}

// cutWord cuts a last word and what separates it.
func cutWord(name, word string) (string, bool) {
	at := len(name) - len(word) - 1
	if at < 1 || !strings.EqualFold(name[at+1:], word) || !strings.ContainsRune("_.:-/", rune(name[at])) {
		return name, false
	}
	return name[:at], true
}

// described is what a topic's name says.
type described struct {
	words  string // HTTP requests
	unit   string // of the name's ending
	labels string // 500, eu
}

func describeName(topic reading.Topic) described {
	name, unit, _ := cutUnit(topic.Name())
	var labels []string
	for _, l := range topic.Labels() {
		value := l.Value
		if plainNumber(value) { // a number alone says nothing
			value = l.Name + " " + value
		}
		labels = append(labels, value)
	}
	return described{sentence(name), unit, strings.Join(labels, ", ")}
}

func plainNumber(s string) bool {
	_, number := reading.ParseNumber(s)
	return number || s == "true" || s == "false"
}

// title puts the name, the one column that is shown and the labels together.
func (d described) title(column string) string {
	title := d.words
	if column != "" {
		cut, _, _ := cutUnit(column)
		if words := lowerFirst(sentence(cut)); !strings.EqualFold(title, words) {
			title += " " + words
		}
	}
	if d.labels != "" {
		title += ", " + d.labels
	}
	if title = clean(title, MaxTitle); title == "" {
		return "Topic" // of nothing but invisible characters
	}
	return title
}

// sentence makes words of a name: http_requests becomes HTTP requests, and
// shop/berlin/orders stays a path.
func sentence(name string) string {
	var words []string
	for word := range strings.FieldsFuncSeq(spaced(name), func(r rune) bool { return r == ' ' }) {
		lower := strings.ToLower(word)
		switch known, ok := spelt[lower]; {
		case ok:
			words = append(words, known)
		case len(words) == 0:
			words = append(words, strings.ToUpper(word[:1])+word[1:])
		default:
			words = append(words, word)
		}
	}
	if len(words) == 0 {
		return name
	}
	return strings.Join(words, " ")
}

// spaced puts spaces where a name's words meet: for _ : - and between a small
// and a capital letter; / stands between two spaces.
func spaced(name string) string {
	var b strings.Builder
	for i, r := range name {
		switch {
		case r == '_' || r == ':' || r == '-' || r == '.' && !betweenDigits(name, i):
			b.WriteByte(' ')
		case r == '/':
			b.WriteString(" / ")
		case i > 0 && unicode.IsUpper(r) && unicode.IsLower(rune(name[i-1])):
			b.WriteByte(' ')
			b.WriteRune(unicode.ToLower(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func betweenDigits(name string, i int) bool {
	return i > 0 && i+1 < len(name) && unicode.IsDigit(rune(name[i-1])) && unicode.IsDigit(rune(name[i+1]))
}

// lowerFirst writes the first letter small, unless the word is one of its own
// spelling.
func lowerFirst(s string) string {
	word, _, _ := strings.Cut(s, " ")
	if s == "" || spelt[strings.ToLower(word)] == word {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
