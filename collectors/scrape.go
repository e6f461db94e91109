package collectors

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"readout/server/reading"
)

// Bounds of one scrape.
const (
	scrapeInterval = 10 * time.Second
	maxSeries      = 10_000 // that become topics; the others are counted as skipped
	fewBuckets     = 5      // a histogram with more has only its sum and count
)

// scrapeAccept prefers protobuf, which is read faster than text.
const scrapeAccept = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7," +
	"text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

// Scrape reads the Prometheus metrics of one target. A series becomes a topic of
// its name and labels with the label instance added, and one value. Counters are
// stored as sent. Of a histogram or summary the sum and the count are counters,
// _sum and _count; quantiles are gauges; buckets are kept only where there are at
// most 5, since they are what most series would be of. The time is that of the
// scrape.
//
// The topic scrape{target="..."} tells whether it worked: state, latency, how
// many series were taken and how many skipped (a name or label that no topic may
// have, NaN, the same series again, more than 10,000 of them).
type Scrape struct {
	name      string
	self      reading.Topic
	target    *url.URL
	instance  string
	client    *http.Client
	log       *slog.Logger
	health    state
	described Description // of the scrape before
}

// NewScrape makes the collector of one http:// or https:// target. The error
// says what is wrong with it.
func NewScrape(target string, guard *Guard, log *slog.Logger) (*Scrape, error) {
	u, err := guard.Target(target, "http", "https")
	if err != nil {
		return nil, err
	}
	self, err := reading.NewTopic("scrape", reading.Label{Name: "target", Value: target})
	if err != nil {
		return nil, err
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return &Scrape{
		name: "scrape:" + target, self: self, target: u, instance: net.JoinHostPort(u.Hostname(), port),
		client: guard.client(guard.transport(), 0), log: log, described: Description{},
	}, nil
}

// Name is scrape: and the target.
func (s *Scrape) Name() string { return s.name }

// Interval is 10 seconds.
func (s *Scrape) Interval() time.Duration { return scrapeInterval }

// Describe gives the columns of scrape{target="..."} and the series of the last
// scrape, with the units that their names tell.
func (s *Scrape) Describe() Description {
	all := Description{s.self: {
		{Name: "state", Kind: reading.State},
		{Name: "latency", Unit: "ms", Kind: reading.Gauge},
		{Name: "series", Kind: reading.Gauge},
		{Name: "skipped", Kind: reading.Gauge},
		{Name: "reason", Kind: reading.State},
	}}
	for topic, columns := range s.described {
		all[topic] = columns
	}
	return all
}

// Collect scrapes once. A target that cannot be scraped is told in the topic
// scrape{target="..."} and once in the log.
func (s *Scrape) Collect(ctx context.Context) ([]reading.Reading, error) {
	within, cancel := almost(ctx)
	defer cancel()
	begin := time.Now()
	series, reason, err := s.scrape(within)
	took := time.Since(begin)
	if ctx.Err() != nil {
		return nil, ctx.Err() // stopping; that says nothing about the target
	}
	self := reading.Reading{Topic: s.self, Time: begin.UnixMilli()}
	if err != nil {
		if s.health.fails(reason) {
			s.log.Warn("cannot scrape", "target", s.target.String(), "err", err)
		}
		self.Values = []reading.Named{{Name: "state", Value: reading.TextOf("down")}, {Name: "reason", Value: reading.TextOf(reason)}}
		return []reading.Reading{self}, nil
	}
	if failed, since := s.health.works(); failed > 0 {
		s.log.Info("can scrape again", "target", s.target.String(), "failures", failed, "after", time.Since(since).Round(time.Millisecond))
	}
	s.described = series.described
	self.Values = []reading.Named{
		{Name: "state", Value: reading.TextOf("up")},
		milliseconds("latency", took),
		{Name: "series", Value: reading.NumberOf(float64(len(series.readings)))},
		{Name: "skipped", Value: reading.NumberOf(float64(series.skipped))},
	}
	for i := range series.readings {
		series.readings[i].Time = begin.UnixMilli()
	}
	return append(series.readings, self), nil
}

// scrape makes the request. Its error never holds a part of the answer: the
// target may be one that those who read errors must not see.
func (s *Scrape) scrape(ctx context.Context) (*seriesSet, string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.target.String(), nil)
	if err != nil {
		return nil, "error", err
	}
	request.Header.Set("Accept", scrapeAccept)
	request.Header.Set("User-Agent", "readout-scrape")
	response, err := s.client.Do(request)
	if err != nil {
		return nil, reasonOf(err), plainError(err)
	}
	defer func() { _ = response.Body.Close() }()
	switch status := response.StatusCode; {
	case status >= 300 && status < 400:
		return nil, "status", fmt.Errorf("it answers %d and leads elsewhere; give the address that answers itself", status)
	case status != http.StatusOK:
		return nil, "status", fmt.Errorf("it answers %d", status)
	}
	body, err := readBody(response.Body)
	if err != nil {
		return nil, reasonOf(err), err
	}
	series := &seriesSet{instance: s.instance, seen: map[reading.Topic]bool{}, described: Description{}}
	if err := series.read(response.Header.Get("Content-Type"), body); err != nil {
		return nil, "format", err
	}
	return series, "", nil
}
