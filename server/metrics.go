package server

import (
	"cmp"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"readout/server/hub"
	"readout/server/live"
	"readout/server/store"
)

// metrics is every name at /metrics. None has a label for a topic, a token or
// anything else that senders choose.
type metrics struct {
	registry *prometheus.Registry
	handler  http.Handler
	refused  *prometheus.CounterVec
	panics   prometheus.Counter
	delivery prometheus.Histogram
	recent   delays
}

func newMetrics(version string) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "readout_refused_total", Help: "Requests that were refused, by code (docs/errors.md).",
		}, []string{"code"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "readout_handler_panics_total", Help: "Mistakes of this server that ended one request.",
		}),
		delivery: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "readout_delivery_seconds", Help: "From a reading's entry in the stream to its frame in the queues of its subscribers, by the clocks of the store and of this machine.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "readout_build_info", Help: "Always 1; the label says which version runs.", ConstLabels: prometheus.Labels{"version": version},
	})
	info.Set(1)
	m.registry.MustRegister(m.refused, m.panics, m.delivery, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.handler = promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
	return m
}

// watch adds what the parts count by themselves.
func (m *metrics) watch(s *store.Store, h *hub.Hub, l *live.Live, embedded func() EmbeddedStats) {
	m.registry.MustRegister(&parts{s, h, l, embedded})
}

func (m *metrics) observe(delay time.Duration, readings int) {
	m.recent.add(delay, readings)
	seconds := max(0, delay).Seconds()
	for range readings {
		m.delivery.Observe(seconds)
	}
}

func (m *metrics) serve(w http.ResponseWriter, r *http.Request) error {
	m.handler.ServeHTTP(w, r)
	return nil
}

// parts reads the counters of the store, the hub and the connections.
type parts struct {
	store *store.Store
	hub   *hub.Hub
	live  *live.Live

	embedded func() EmbeddedStats // nil with a Redis
}

// EmbeddedStats is what the store of this process says of itself.
type EmbeddedStats struct {
	Keys, Bytes      int64 // now
	LogBytes         int64 // of the file, now
	Commands, Errors int64
	Expired          int64  // keys whose time had come
	Evicted          int64  // entries that went because memory was full
	Compactions      int64  // of the file
	Broken           string // why the file cannot be written now
}

var embeddedFigures = []struct {
	name, help string
	kind       prometheus.ValueType
	value      func(EmbeddedStats) int64
}{
	{"readout_embedded_keys", "Keys in the store of this process.", gauge, func(e EmbeddedStats) int64 { return e.Keys }},
	{"readout_embedded_bytes", "Bytes that they take, roughly.", gauge, func(e EmbeddedStats) int64 { return e.Bytes }},
	{"readout_embedded_file_bytes", "Bytes of its file.", gauge, func(e EmbeddedStats) int64 { return e.LogBytes }},
	{"readout_embedded_file_broken", "1 while its file cannot be written and pushes are refused.", gauge, func(e EmbeddedStats) int64 {
		if e.Broken != "" {
			return 1
		}
		return 0
	}},
	{"readout_embedded_compactions_total", "How often its file was written anew.", counter, func(e EmbeddedStats) int64 { return e.Compactions }},
	{"readout_embedded_evicted_total", "Entries that went because its memory was full, oldest of the fullest streams first.", counter, func(e EmbeddedStats) int64 { return e.Evicted }},
	{"readout_embedded_expired_total", "Its keys whose time had come.", counter, func(e EmbeddedStats) int64 { return e.Expired }},
	{"readout_embedded_commands_total", "Commands that it executed.", counter, func(e EmbeddedStats) int64 { return e.Commands }},
	{"readout_embedded_errors_total", "Commands that it refused.", counter, func(e EmbeddedStats) int64 { return e.Errors }},
}

type figure struct {
	name, help string
	kind       prometheus.ValueType
	value      func(store.Stats, hub.Stats) int64
}

const (
	counter = prometheus.CounterValue
	gauge   = prometheus.GaugeValue
)

var figures = []figure{
	{"readout_topics", "Topics in the catalog.", gauge, func(s store.Stats, _ hub.Stats) int64 { return s.Topics }},
	{"readout_streamers", "Topics that this replica follows for subscribers.", gauge, func(_ store.Stats, h hub.Stats) int64 { return h.Streamers }},
	{"readout_subscribers", "Open subscribers: sockets and event streams.", gauge, func(_ store.Stats, h hub.Stats) int64 { return h.Subscribers }},
	{"readout_store_connections", "Open connections to the store, those of the tail not counted.", gauge, func(s store.Stats, _ hub.Stats) int64 { return s.Connections }},
	{"readout_readings_stored_total", "Readings stored by this replica.", counter, func(s store.Stats, _ hub.Stats) int64 { return s.Readings }},
	{"readout_entries_stored_total", "Stream entries that hold them.", counter, func(s store.Stats, _ hub.Stats) int64 { return s.Entries }},
	{"readout_append_retries_total", "Second and third attempts of pushes with an Idempotency-Key.", counter, func(s store.Stats, _ hub.Stats) int64 { return s.AppendRetries }},
	{"readout_tail_reads_total", "Replies to the reads that follow streams.", counter, func(s store.Stats, _ hub.Stats) int64 { return s.TailReads }},
	{"readout_tail_errors_total", "Reads that follow streams and failed.", counter, func(s store.Stats, _ hub.Stats) int64 { return s.TailErrors }},
	{"readout_tail_cuts_total", "Of these, cut because no answer came in time.", counter, func(s store.Stats, _ hub.Stats) int64 { return s.WatchdogCuts }},
	{"readout_bad_entries_total", "Stream entries that hold no reading.", counter, func(s store.Stats, _ hub.Stats) int64 { return s.BadEntries }},
	{"readout_trims_total", "Streams trimmed by time.", counter, func(s store.Stats, _ hub.Stats) int64 { return s.Trims }},
	{"readout_frames_sent_total", "Frames handed to subscribers.", counter, func(_ store.Stats, h hub.Stats) int64 { return h.Frames }},
	{"readout_frame_bytes_total", "Bytes of these frames.", counter, func(_ store.Stats, h hub.Stats) int64 { return h.Bytes }},
	{"readout_readings_delivered_total", "Readings in these frames.", counter, func(_ store.Stats, h hub.Stats) int64 { return h.Readings }},
	{"readout_readings_conflated_total", "Readings that others stand for, because a subscriber was slow or asked for a lower rate.", counter, func(_ store.Stats, h hub.Stats) int64 { return h.Conflated }},
	{"readout_gaps_total", "Gap frames: a subscriber was told what it does not get.", counter, func(_ store.Stats, h hub.Stats) int64 { return h.Gaps }},
	{"readout_resets_total", "Reset frames: a stream was not the one that a cursor was of.", counter, func(_ store.Stats, h hub.Stats) int64 { return h.Resets }},
	{"readout_anchor_checks_total", "Checks that nothing is missing between a live stream and what was read of it.", counter, func(_ store.Stats, h hub.Stats) int64 { return h.Checks }},
	{"readout_anchor_checks_failed_total", "Of these, without a verdict because the store did not answer.", counter, func(_ store.Stats, h hub.Stats) int64 { return h.ChecksFailed }},
	{"readout_anchor_checks_cleared_total", "Of these, with a suspicion that a second look did not confirm.", counter, func(_ store.Stats, h hub.Stats) int64 { return h.Cleared }},
	{"readout_streams_overtaken_total", "Live streams that were trimmed past what was read of them: viewers were told gap.", counter, func(_ store.Stats, h hub.Stats) int64 { return h.Overtaken }},
	{"readout_streams_replaced_total", "Live streams that were not the same any more: viewers were told reset.", counter, func(_ store.Stats, h hub.Stats) int64 { return h.Replaced }},
	{"readout_slow_closed_total", "Subscribers closed because they did not read.", counter, func(_ store.Stats, h hub.Stats) int64 { return h.Slowed }},
}

// Describe implements prometheus.Collector. It names nothing, since Collect names all.
func (p *parts) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (p *parts) Collect(out chan<- prometheus.Metric) {
	stored, fanned, open := p.store.Stats(), p.hub.Stats(), p.live.Stats()
	for _, f := range figures {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(f.name, f.help, nil, nil), f.kind, float64(f.value(stored, fanned)))
	}
	if p.embedded != nil {
		now := p.embedded()
		for _, f := range embeddedFigures {
			out <- prometheus.MustNewConstMetric(prometheus.NewDesc(f.name, f.help, nil, nil), f.kind, float64(f.value(now)))
		}
	}
	errors := prometheus.NewDesc("readout_append_errors_total", "Pushes that the store did not take, by kind.", []string{"kind"}, nil)
	for kind, n := range stored.AppendErrors {
		out <- prometheus.MustNewConstMetric(errors, counter, float64(n), kind)
	}
	connections := prometheus.NewDesc("readout_connections", "Open sockets and event streams, and polls that wait.", []string{"transport"}, nil)
	resumes := prometheus.NewDesc("readout_viewer_resumes_total", "How often pages came back and went on where they were, as they report.", []string{"transport"}, nil)
	for _, by := range open.Transports {
		out <- prometheus.MustNewConstMetric(connections, gauge, float64(by.Open), by.Name)
		out <- prometheus.MustNewConstMetric(resumes, counter, float64(by.Resumes), by.Name)
	}
	out <- prometheus.MustNewConstMetric(prometheus.NewDesc("readout_chain_violations_total", "Frames that did not go on where the one before ended, as pages report: always 0, or there is a bug.", nil, nil), counter, float64(open.Reported.Violations))
	out <- paintTimes(open.Reported)
	out <- prometheus.MustNewConstMetric(prometheus.NewDesc("readout_live_panics_total", "Mistakes of this server that ended one socket or one streamer.", nil, nil), counter, float64(open.Panics+fanned.Panics))
	how := prometheus.NewDesc("readout_store_state", "1 for how the store is, as /readyz and the frame store say.", []string{"state"}, nil)
	now := p.hub.Store().Code
	for _, state := range []string{store.Well, store.Away, store.ReadOnly, store.Full, store.Refused} {
		is := 0.0
		if state == now {
			is = 1
		}
		out <- prometheus.MustNewConstMetric(how, gauge, is, cmp.Or(state, "ok"))
	}
	closed := prometheus.NewDesc("readout_sockets_closed_total", "Sockets and event streams that ended, by close code (docs/live.md); 1006 went without a word.", []string{"code"}, nil)
	for code, n := range open.Closed {
		out <- prometheus.MustNewConstMetric(closed, counter, float64(n), strconv.Itoa(code))
	}
}

// paintTimes is the histogram that pages report.
func paintTimes(r live.Reported) prometheus.Metric {
	buckets := map[float64]uint64{}
	count, sum := uint64(0), 0.0
	for i, n := range r.Painted {
		bound := float64(live.PaintBounds[min(i, len(live.PaintBounds)-1)]) / 1000
		count += uint64(n)
		sum += float64(n) * bound
		if i < len(live.PaintBounds) {
			buckets[bound] = count
		}
	}
	desc := prometheus.NewDesc("readout_paint_seconds", "From a reading's push to its paint, as pages report. They report buckets, so the sum takes each for its bucket's upper bound.", nil, nil)
	return prometheus.MustNewConstHistogram(desc, count, sum, buckets)
}
