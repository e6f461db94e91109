package server_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	influx2 "github.com/influxdata/influxdb-client-go/v2"
	influx2http "github.com/influxdata/influxdb-client-go/v2/api/http"
	"github.com/influxdata/influxdb-client-go/v2/api/write"
	influx1 "github.com/influxdata/influxdb1-client/v2"

	"readout/server"
	"readout/server/access"
	"readout/server/servertest"
)

// The clients that InfluxDB's makers wrote, as they are: what others write with
// needs no change to write to Readout.

// soonEnough is how long a test waits for what a client does in its own time.
const soonEnough = 20 * time.Second

// newKeeper is an open server that keeps what the coarsest unit of time makes of a moment.
func newKeeper(t *testing.T) *servertest.Server {
	t.Helper()
	return servertest.New(t, &servertest.Options{Loopback: true, Change: func(o *server.Options) { o.Store.Retention = 24 * time.Hour }})
}

// newInflux2 is a client of InfluxDB 2. It ends with the test, before the server does.
func newInflux2(t *testing.T, s *servertest.Server, token string, options *influx2.Options) influx2.Client {
	t.Helper()
	client := influx2.NewClientWithOptions(s.URL, token, options)
	t.Cleanup(client.Close)
	return client
}

// newInflux1 is a client of InfluxDB 1. It ends with the test, before the server does.
func newInflux1(t *testing.T, s *servertest.Server, conf influx1.HTTPConfig) influx1.Client {
	t.Helper()
	conf.Addr = s.URL
	client, err := influx1.NewHTTPClient(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// point is one of InfluxDB 1.
func point(t *testing.T, name string, tags map[string]string, fields map[string]any, at ...time.Time) *influx1.Point {
	t.Helper()
	p, err := influx1.NewPoint(name, tags, fields, at...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// batch is what InfluxDB 1 is sent at once.
func batch(t *testing.T, precision string, points ...*influx1.Point) influx1.BatchPoints {
	t.Helper()
	b, err := influx1.NewBatchPoints(influx1.BatchPointsConfig{Database: "shop", Precision: precision})
	if err != nil {
		t.Fatal(err)
	}
	b.AddPoints(points)
	return b
}

// row is the values of a reading by name, and its time as t.
type row = map[string]any

// rowsOf is what is stored of a topic.
func rowsOf(t *testing.T, s *servertest.Server, topic string, header ...string) []row {
	t.Helper()
	v, a := getJSON[rangeAnswer](t, s, readingsPath+"?topic="+url.QueryEscape(topic), header...)
	if a.Status != http.StatusOK {
		t.Fatalf("%s: %d %s", topic, a.Status, a.Body)
	}
	rows := make([]row, len(v.Rows))
	for i, values := range v.Rows {
		rows[i] = row{}
		for j, value := range values {
			rows[i][v.Columns[j]] = value
		}
	}
	return rows
}

// only fails unless one reading of the topic is stored, and it is this one.
func only(t *testing.T, s *servertest.Server, topic string, want row) {
	t.Helper()
	if got := rowsOf(t, s, topic); len(got) != 1 || !maps.Equal(got[0], want) {
		t.Errorf("%s: stored is %v, want %v", topic, got, want)
	}
}

// topics is how many topics there are.
func topics(t *testing.T, s *servertest.Server) int {
	t.Helper()
	v, _ := getJSON[struct{ Total int }](t, s, "/api/v1/topics")
	return v.Total
}

// refusal is how a client of InfluxDB 2 tells what it was answered.
func refusal(t *testing.T, err error) *influx2http.Error {
	t.Helper()
	var refused *influx2http.Error
	if !errors.As(err, &refused) {
		t.Fatalf("the client says %v", err)
	}
	return refused
}

// awhileAgo is a time with something in each of its digits.
func awhileAgo() time.Time {
	return time.Now().Add(-10 * time.Minute).Truncate(time.Second).Add(123_456_789 * time.Nanosecond).UTC()
}

func TestInflux2Client(t *testing.T) {
	t.Parallel()
	s := newKeeper(t)
	if up, err := newInflux2(t, s, "", influx2.DefaultOptions()).Ping(t.Context()); err != nil || !up {
		t.Errorf("ping: %v, %v", up, err)
	}
	at := awhileAgo()
	for _, precision := range []time.Duration{time.Nanosecond, time.Microsecond, time.Millisecond, time.Second} {
		for _, zipped := range []bool{false, true} {
			t.Run(fmt.Sprintf("precision %v, gzip %v", precision, zipped), func(t *testing.T) {
				client := newInflux2(t, s, "", influx2.DefaultOptions().SetPrecision(precision).SetUseGZip(zipped).AddDefaultTag("zone", "eu"))
				host := fmt.Sprintf("%v-%v", precision, zipped)
				p := write.NewPoint("cpu", map[string]string{"host": host}, row{"user": 0.25, "errors": -7, "visits": uint64(12), "open": true, "door": `wide "open"`}, at)
				if err := client.WriteAPIBlocking("org", "bucket").WritePoint(t.Context(), p); err != nil {
					t.Fatal(err)
				}
				only(t, s, fmt.Sprintf(`cpu{host="%s",zone="eu"}`, host), row{
					"t": float64(at.Truncate(precision).UnixMilli()), "user": 0.25, "errors": -7.0, "visits": 12.0, "open": true, "door": `wide "open"`,
				})
			})
		}
	}
}

// What the grammars of names lack becomes _, and a value of a tag stays as it is.
func TestInfluxNamesBecomeOurs(t *testing.T) {
	t.Parallel()
	s := newKeeper(t)
	at := awhileAgo()
	p := write.NewPoint("disk usage", map[string]string{"app.kubernetes.io/name": `web, "1" = a\b`, "1st": "é"}, row{"used percent": 12.5, "größe": 3}, at)
	if err := newInflux2(t, s, "", influx2.DefaultOptions()).WriteAPIBlocking("org", "bucket").WritePoint(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	only(t, s, `disk_usage{_1st="é",app.kubernetes.io_name="web, \"1\" = a\\b"}`, row{"t": float64(at.UnixMilli()), "used_percent": 12.5, "gr__e": 3.0})
}

func TestInflux2ClientInTheBackground(t *testing.T) {
	t.Parallel()
	s := newKeeper(t)
	client := newInflux2(t, s, "", influx2.DefaultOptions().SetBatchSize(100).SetFlushInterval(60_000).SetUseGZip(true))
	writer := client.WriteAPI("org", "bucket")
	failed := writer.Errors()
	at := awhileAgo()
	for i := range 250 { // two batches, and one that is not full when the client ends
		writer.WritePoint(write.NewPoint("orders", map[string]string{"shop": "berlin"}, row{"n": i}, at.Add(time.Duration(i)*time.Millisecond)))
	}
	client.Close()
	for err := range failed {
		t.Error(err)
	}
	rows := rowsOf(t, s, `orders{shop="berlin"}`)
	if len(rows) != 250 {
		t.Fatalf("%d readings are stored, want 250", len(rows))
	}
	for i, r := range rows {
		if want := (row{"t": float64(at.UnixMilli() + int64(i)), "n": float64(i)}); !maps.Equal(r, want) {
			t.Fatalf("reading %d is %v, want %v", i, r, want)
		}
	}
}

// A batch that is refused for good is told once, and those behind it are written.
func TestInflux2ClientHearsInTheBackground(t *testing.T) {
	t.Parallel()
	s := newKeeper(t)
	client := newInflux2(t, s, "", influx2.DefaultOptions().SetBatchSize(2))
	writer := client.WriteAPI("org", "bucket")
	failed := writer.Errors()
	for _, line := range []string{"visits n=1", "visits n=2 yesterday", "orders n=1", "orders n=2"} {
		writer.WriteRecord(line)
	}
	client.Close()
	var told []*influx2http.Error
	for err := range failed {
		told = append(told, refusal(t, err))
	}
	if len(told) != 1 || told[0].StatusCode != http.StatusBadRequest || !strings.HasPrefix(told[0].Message, "line 2: ") {
		t.Errorf("the client was told %v", told)
	}
	if v, o := len(rowsOf(t, s, "visits")), len(rowsOf(t, s, "orders")); v != 0 || o != 2 {
		t.Errorf("%d visits and %d orders are stored, want none and 2", v, o)
	}
}

func TestInflux1Client(t *testing.T) {
	t.Parallel()
	s := newKeeper(t)
	client := newInflux1(t, s, influx1.HTTPConfig{})
	if _, version, err := client.Ping(5 * time.Second); err != nil || version == "" {
		t.Errorf("ping: version %q, %v", version, err)
	}
	for _, statement := range []string{`CREATE DATABASE "shop"`, "create database shop;", "SHOW DATABASES"} {
		answer, err := client.Query(influx1.NewQuery(statement, "", ""))
		if err != nil || answer.Error() != nil || len(answer.Results) != 1 {
			t.Errorf("%s: %+v, %v", statement, answer, err)
		}
	}
	if answer, err := client.Query(influx1.NewQuery("SELECT user FROM cpu", "shop", "")); err != nil || answer.Error() == nil || !strings.Contains(answer.Error().Error(), "InfluxQL") {
		t.Errorf("a query that is not served: %+v, %v", answer, err)
	}
	if err := client.Write(batch(t, "ns")); err != nil {
		t.Errorf("a batch of no points: %v", err)
	}
	at := awhileAgo()
	for precision, unit := range map[string]time.Duration{"ns": time.Nanosecond, "ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour} {
		for _, encoding := range []influx1.ContentEncoding{influx1.DefaultEncoding, influx1.GzipEncoding} {
			t.Run(fmt.Sprintf("precision %s, %s", precision, cmp.Or(encoding, "plain")), func(t *testing.T) {
				client := newInflux1(t, s, influx1.HTTPConfig{WriteEncoding: encoding})
				host := precision + "-" + string(encoding)
				p := point(t, "cpu", map[string]string{"host": host}, row{"user": 0.25, "errors": -7, "open": false, "door": `wide "open"`}, at)
				if err := client.Write(batch(t, precision, p)); err != nil {
					t.Fatal(err)
				}
				only(t, s, fmt.Sprintf(`cpu{host="%s"}`, host), row{
					"t": float64(at.Truncate(unit).UnixMilli()), "user": 0.25, "errors": -7.0, "open": false, "door": `wide "open"`,
				})
			})
		}
	}
}

// The units that no client here sends.
func TestInfluxPrecisions(t *testing.T) {
	t.Parallel()
	s := newKeeper(t)
	at := awhileAgo()
	for precision, unit := range map[string]time.Duration{
		"": time.Nanosecond, "n": time.Nanosecond, "ns": time.Nanosecond, "u": time.Microsecond, "us": time.Microsecond, "µ": time.Microsecond,
		"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
	} {
		line := fmt.Sprintf("cpu,unit=in_%s user=1 %d\n", precision, at.UnixNano()/int64(unit))
		if a := s.Do(http.MethodPost, "/write?db=shop&precision="+url.QueryEscape(precision), line); a.Status != http.StatusNoContent || a.Body != "" {
			t.Errorf("precision %q: %d %s", precision, a.Status, a.Body)
		}
		only(t, s, fmt.Sprintf(`cpu{unit="in_%s"}`, precision), row{"t": float64(at.Truncate(unit).UnixMilli()), "user": 1.0})
	}
	if a := s.Do(http.MethodPost, "/write?precision=weeks", "cpu user=1 1"); a.Status != http.StatusBadRequest || !strings.Contains(a.Header.Get("X-Influxdb-Error"), "precision") {
		t.Errorf("precision in weeks: %d %s %v", a.Status, a.Body, a.Header)
	}
}

// A point without a time is of the moment in which it arrives.
func TestInfluxPointsWithoutATime(t *testing.T) {
	t.Parallel()
	s := newKeeper(t)
	before := time.Now().UnixMilli()
	if err := newInflux1(t, s, influx1.HTTPConfig{}).Write(batch(t, "s", point(t, "cpu", nil, row{"user": 1.5}))); err != nil {
		t.Fatal(err)
	}
	if err := newInflux2(t, s, "", influx2.DefaultOptions()).WriteAPIBlocking("org", "bucket").WriteRecord(t.Context(), "cpu user=2.5"); err != nil {
		t.Fatal(err)
	}
	after := time.Now().UnixMilli()
	rows := rowsOf(t, s, "cpu")
	if len(rows) != 2 {
		t.Fatalf("stored is %v", rows)
	}
	for i, r := range rows {
		if at := int64(r["t"].(float64)); at < before || at > after || r["user"] != 1.5+float64(i) {
			t.Errorf("reading %d is %v, pushed between %d and %d", i, r, before, after)
		}
	}
}

// One reading that is refused takes no other with it, and whoever wrote is told.
func TestInfluxClientsHearOfRefusedReadings(t *testing.T) {
	t.Parallel()
	s := newKeeper(t)
	at, future := awhileAgo(), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

	var points []*write.Point
	for i, when := range []time.Time{at, future, at.Add(time.Second)} {
		points = append(points, write.NewPoint("two", nil, row{"n": i}, when))
	}
	refused := refusal(t, newInflux2(t, s, "", influx2.DefaultOptions()).WriteAPIBlocking("org", "bucket").WritePoint(t.Context(), points...))
	if refused.StatusCode != http.StatusUnprocessableEntity || !strings.HasPrefix(refused.Message, "line 2: ") {
		t.Errorf("the client of InfluxDB 2 says %d %q", refused.StatusCode, refused)
	}

	err := newInflux1(t, s, influx1.HTTPConfig{}).Write(batch(t, "ms",
		point(t, "one", nil, row{"n": 0}, at), point(t, "one", nil, row{"n": 1}, future), point(t, "one", nil, row{"n": 2}, at.Add(time.Second))))
	if err == nil || !strings.Contains(err.Error(), "line 2: ") {
		t.Errorf("the client of InfluxDB 1 says %v", err)
	}
	for _, topic := range []string{"two", "one"} {
		rows := rowsOf(t, s, topic)
		if len(rows) != 2 || rows[0]["n"] != 0.0 || rows[1]["n"] != 2.0 {
			t.Errorf("%s: stored is %v", topic, rows)
		}
	}
}

// A line that cannot be read is named, and nothing beside it is stored.
func TestInfluxClientsHearOfBadLines(t *testing.T) {
	t.Parallel()
	s := newKeeper(t)
	writer := newInflux2(t, s, "", influx2.DefaultOptions()).WriteAPIBlocking("org", "bucket")
	for _, c := range []struct{ name, line string }{
		{"no fields", "cpu"},
		{"no fields behind the tags", "cpu,host=a"},
		{"no space before the fields", "cpu,host=a,user=0.3"},
		{"a comma at the end", "cpu user=0.3,"},
		{"a space in a name", "disk usage value=1"},
		{"a quote that does not end", `cpu door="open`},
		{`a \ at the end`, `cpu\`},
		{"a time in words", "cpu user=0.3 yesterday"},
	} {
		t.Run(c.name, func(t *testing.T) {
			refused := refusal(t, writer.WriteRecord(t.Context(), "mem free=1", "# a comment", c.line))
			if refused.StatusCode != http.StatusBadRequest || !strings.HasPrefix(refused.Message, "line 3: ") {
				t.Errorf("%s: %d %q", c.line, refused.StatusCode, refused)
			}
			a := s.Do(http.MethodPost, "/write?db=shop", "mem free=1\n\n"+c.line+"\n")
			if a.Status != http.StatusBadRequest || !strings.Contains(a.Body, `"code":"bad_line"`) || !strings.Contains(a.Body, "line 3: ") || !strings.HasPrefix(a.Header.Get("X-Influxdb-Error"), "line 3: ") {
				t.Errorf("%s: %d %s %v", c.line, a.Status, a.Body, a.Header)
			}
		})
	}
	if n := topics(t, s); n != 0 {
		t.Errorf("%d topics are stored", n)
	}
}

// Each client shows its token in its own way.
func TestInfluxClientsShowTokens(t *testing.T) {
	t.Parallel()
	var list []access.Token
	mint := func(action access.Action, selector string) string {
		text, token, err := access.Mint("x", []access.Action{action}, []string{selector}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, token)
		return text
	}
	push, shop, view := mint(access.Push, "*"), mint(access.Push, "shop_*"), mint(access.View, "*")
	tokens, err := access.NewTokens(list)
	if err != nil {
		t.Fatal(err)
	}
	s := servertest.New(t, &servertest.Options{Loopback: true, Change: func(o *server.Options) { o.Tokens = tokens }})
	two := func(authorization string) error {
		client := newInflux2(t, s, "", influx2.DefaultOptions())
		client.HTTPService().SetAuthorization(authorization)
		return client.WriteAPIBlocking("org", "bucket").WriteRecord(t.Context(), "orders n=1")
	}
	one := func(user, password string) error {
		return newInflux1(t, s, influx1.HTTPConfig{Username: user, Password: password}).Write(batch(t, "s", point(t, "orders", nil, row{"n": 1})))
	}
	if err := newInflux2(t, s, push, influx2.DefaultOptions()).WriteAPIBlocking("org", "bucket").WriteRecord(t.Context(), "orders n=1"); err != nil {
		t.Errorf("as it sends it: %v", err)
	}
	if err := two("Bearer " + push); err != nil {
		t.Errorf("Bearer: %v", err)
	}
	if err := one("telegraf", push); err != nil {
		t.Errorf("Basic: %v", err)
	}
	if answer, err := newInflux1(t, s, influx1.HTTPConfig{Username: "telegraf", Password: push}).Query(influx1.NewQuery("CREATE DATABASE shop", "", "")); err != nil || answer.Error() != nil {
		t.Errorf("CREATE DATABASE: %+v, %v", answer, err)
	}
	if _, err := newInflux2(t, s, "", influx2.DefaultOptions()).Ping(t.Context()); err != nil {
		t.Errorf("ping without a token: %v", err)
	}
	for _, c := range []struct {
		name, token string
		status      int
		code        string
	}{
		{"a wrong token", "rdo_abcdefghijklmnop_abc", http.StatusUnauthorized, "unauthorized"},
		{"none of ours", "secret", http.StatusUnauthorized, "unauthorized"},
		{"one that may view", view, http.StatusForbidden, "forbidden"},
	} {
		for _, scheme := range []string{"Token ", "Bearer "} {
			if refused := refusal(t, two(scheme+c.token)); refused.StatusCode != c.status || refused.Message == "" {
				t.Errorf("%s%s: %d %q", scheme, c.name, refused.StatusCode, refused)
			}
		}
		if err := one("telegraf", c.token); err == nil || !strings.Contains(err.Error(), c.code) {
			t.Errorf("Basic, %s: %v", c.name, err)
		}
	}
	if refused := refusal(t, two("")); refused.StatusCode != http.StatusUnauthorized {
		t.Errorf("no token: %d %q", refused.StatusCode, refused)
	}
	// Telegraf keeps what is answered 403 until the token is mended.
	if refused := refusal(t, two("Token "+shop)); refused.StatusCode != http.StatusForbidden || !strings.Contains(refused.Message, "orders") {
		t.Errorf("a token of other topics: %d %q", refused.StatusCode, refused)
	}
	if n := len(rowsOf(t, s, "orders", "Authorization", "Bearer "+view)); n != 3 {
		t.Errorf("%d readings are stored, want 3", n)
	}
}

// While the store is away clients are told when to come again, and those that
// keep what they could not write bring it then.
func TestInfluxClientsWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	redis := servertest.Redis(t)
	link := servertest.NewFaultProxy(t, redis.Addr(), 1)
	s := servertest.New(t, &servertest.Options{Redis: link.URL(), Loopback: true})
	client := newInflux2(t, s, "", influx2.DefaultOptions().SetBatchSize(1))
	writer := client.WriteAPI("org", "bucket")
	failed := writer.Errors()
	s.Push("orders", "1")
	link.Refuse()

	away := refusal(t, client.WriteAPIBlocking("org", "bucket").WriteRecord(t.Context(), "visits n=1"))
	if away.StatusCode != http.StatusServiceUnavailable || away.RetryAfter < 1 || away.RetryAfter > 10 {
		t.Errorf("the client says %d, again after %d s: %q", away.StatusCode, away.RetryAfter, away)
	}
	if err := newInflux1(t, s, influx1.HTTPConfig{}).Write(batch(t, "s", point(t, "visits", nil, row{"n": 1}))); err == nil || !strings.Contains(err.Error(), "store_unavailable") {
		t.Errorf("the client of InfluxDB 1 says %v", err)
	}
	writer.WriteRecord("kept n=1")
	select {
	case err := <-failed:
		if told := refusal(t, err); told.StatusCode != http.StatusServiceUnavailable || told.RetryAfter == 0 {
			t.Errorf("in the background: %d %q", told.StatusCode, told)
		}
	case <-time.After(soonEnough):
		t.Fatal("in the background the client says nothing")
	}
	link.Pass()
	for deadline := time.Now().Add(soonEnough); s.Do(http.MethodPost, "/t/orders", "2").Status != http.StatusOK; {
		if time.Now().After(deadline) {
			t.Fatal("the store does not come back")
		}
	}
	writer.Flush() // sends what was kept
	if rows := rowsOf(t, s, "kept"); len(rows) != 1 || rows[0]["n"] != 1.0 {
		t.Errorf("what the client kept: stored is %v", rows)
	}
}
