package main

import (
	"io"
	"strings"
	"testing"
)

// Streams would expire while they are written.
func TestARetentionOfSecondsIsRefused(t *testing.T) {
	for _, c := range []struct {
		args []string
		env  string
		ok   bool
	}{
		{nil, "", true},
		{[]string{"--retention", "1m"}, "", true},
		{[]string{"--retention", "59s"}, "", false},
		{[]string{"--retention", "0"}, "", false},
		{nil, "-1h", false},
	} {
		_, err := parseSettings(c.args, func(name string) string {
			return map[string]string{"READOUT_RETENTION": c.env}[name]
		}, io.Discard, io.Discard)
		if c.ok != (err == nil) || err != nil && !strings.Contains(err.Error(), "--retention") {
			t.Errorf("%q, %q: %v", c.args, c.env, err)
		}
	}
}
