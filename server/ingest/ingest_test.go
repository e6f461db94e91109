package ingest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"readout/server/ingest"
	"readout/server/problem"
	"readout/server/reading"
)

// now is the clock of every test; readings are kept for an hour.
var (
	now    = time.Date(2026, 11, 22, 10, 0, 0, 123e6, time.UTC)
	bounds = ingest.Bounds{Now: now, Oldest: now.Add(-time.Hour)}
)

// code returns the code of a refusal, empty for none. An error that is no
// *reading.Error, or has a code that the table does not know, is a failure.
func code(tb testing.TB, err error) string {
	tb.Helper()
	if err == nil {
		return ""
	}
	refusal, ok := err.(*reading.Error)
	if !ok {
		tb.Fatalf("error is a %T, want a *reading.Error: %v", err, err)
	}
	if _, row := problem.Of(err); row.Code != refusal.Code {
		tb.Fatalf("the code %q is not in the table", refusal.Code)
	}
	return refusal.Code
}

// show prints a request in one line: each reading as topic@t+ms name=value, or its code.
func show(tb testing.TB, request ingest.Request) string {
	tb.Helper()
	var parts []string
	for i, item := range request.Items {
		if item.Index != i {
			tb.Errorf("item %d says its index is %d", i, item.Index)
		}
		if item.Err != nil {
			parts = append(parts, "!"+code(tb, item.Err))
			continue
		}
		if err := item.Reading.Validate(bounds.Now, bounds.Oldest); err != nil {
			tb.Errorf("item %d is accepted and not valid: %v", i, err)
		}
		parts = append(parts, fmt.Sprintf("%s@%d%s", item.Reading.Topic, item.Reading.Time-now.UnixMilli(), showValues(item.Reading.Values)))
	}
	return strings.Join(parts, "; ")
}

func showValues(values []reading.Named) string {
	var b strings.Builder
	for _, v := range values {
		kind := map[reading.Kind]string{reading.Number: "n", reading.Bool: "b", reading.Text: "t"}[v.Value.Kind()]
		fmt.Fprintf(&b, " %s=%s:%s", v.Name, kind, v.Value)
	}
	return b.String()
}
