package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// frameLines prints frames as they are, each on one line.
type frameLines struct{ out io.Writer }

func (f *frameLines) show(frame []byte) error {
	var line bytes.Buffer
	if err := json.Compact(&line, frame); err != nil {
		return fmt.Errorf("the server sent a frame that is not JSON: %w", err)
	}
	line.WriteByte('\n')
	_, err := f.out.Write(line.Bytes())
	return err
}

// readingLines prints one line for each reading: its time here, and its values,
// each below the one of the line before. Everything else that a viewer must know
// (gap, reset, error ...) is a line that begins with --.
type readingLines struct {
	out      io.Writer
	last     int // readings of the first snapshot to show
	location *time.Location

	columns []string
	widths  map[string]int // of name=value, the widest so far
	begun   bool           // a snapshot or readings came
	newest  int64          // the largest time shown
}

// shownFrame is what is used of the frames of DESIGN.md section 4.
type shownFrame struct {
	Type    string              `json:"type"`
	Columns []string            `json:"columns"`
	Rows    [][]json.RawMessage `json:"rows"`
	Of      int                 `json:"of"`
	Lost    *int64              `json:"lost"`
	Why     string              `json:"why"`
	Code    string              `json:"code"`
	Message string              `json:"message"`
	Since   int64               `json:"since"`
	Queued  int                 `json:"queued"`
}

func (l *readingLines) show(data []byte) error {
	var frame shownFrame
	if err := json.Unmarshal(data, &frame); err != nil {
		return fmt.Errorf("the server sent a frame that cannot be read: %w", err)
	}
	if frame.Columns != nil {
		l.columns = frame.Columns
	}
	var b []byte
	switch frame.Type {
	case "snapshot":
		b = l.snapshot(b, frame.Rows)
	case "readings":
		l.begun = true
		for i, row := range frame.Rows {
			stands := 0
			if i == len(frame.Rows)-1 && frame.Of > len(frame.Rows) {
				stands = frame.Of
			}
			b = l.row(b, row, stands)
		}
	case "gap":
		lost := "an unknown number of entries is"
		if frame.Lost != nil {
			lost = fmt.Sprintf("%d entries are", *frame.Lost)
		}
		b = fmt.Appendf(b, "-- gap: %s missing here (%s)\n", lost, printable(frame.Why))
	case "reset":
		b = fmt.Appendf(b, "-- reset: the history that was shown is not the topic's any more (%s); what is new follows\n", printable(frame.Why))
	case "stale":
		b = fmt.Appendf(b, "-- stale: the store does not answer since %s\n", l.time(frame.Since))
	case "lag":
		b = fmt.Appendf(b, "-- lag: this terminal does not keep up, %d frames wait\n", frame.Queued)
	case "error":
		b = fmt.Appendf(b, "-- error %s: %s\n", printable(frame.Code), printable(frame.Message))
	case "drain":
		b = append(b, "-- drain: this replica is stopping; another one, or its successor, goes on\n"...)
	case "welcome":
	default:
		b = fmt.Appendf(b, "-- %s\n", printable(string(data)))
	}
	if len(b) == 0 {
		return nil
	}
	_, err := l.out.Write(b)
	return err
}

// snapshot shows the last readings of the first one. A later one follows a
// reset or an overflow; of it only what is newer than all that was shown is news.
func (l *readingLines) snapshot(b []byte, rows [][]json.RawMessage) []byte {
	skip := max(0, len(rows)-l.last)
	if l.begun {
		skip = 0
	}
	newest, at := l.newest, slices.Index(l.columns, "t")
	for i, row := range rows {
		t := int64(0)
		if at >= 0 && at < len(row) {
			t = milliseconds(row[at])
		}
		l.newest = max(l.newest, t)
		if i >= skip && (!l.begun || t > newest) {
			b = l.row(b, row, 0)
		}
	}
	l.begun = true
	return b
}

// row appends one reading. stands is how many readings it and the rows before it
// stand for when the server left some out, else 0.
func (l *readingLines) row(b []byte, row []json.RawMessage, stands int) []byte {
	if l.widths == nil {
		l.widths = make(map[string]int)
	}
	var line strings.Builder
	pad := 0
	for i, column := range l.columns {
		if i >= len(row) {
			break
		}
		if column == "t" {
			t := milliseconds(row[i])
			l.newest = max(l.newest, t)
			line.WriteString(l.time(t))
			continue
		}
		text := ""
		if value := cell(row[i]); value != "" {
			text = column + "=" + value
		}
		if text == "" && l.widths[column] == 0 {
			continue
		}
		width := len([]rune(text))
		l.widths[column] = max(l.widths[column], width)
		line.WriteString(strings.Repeat(" ", pad) + "  " + text)
		pad = l.widths[column] - width
	}
	b = append(b, strings.TrimRight(line.String(), " ")...)
	if stands > 0 {
		b = fmt.Appendf(b, "  (stands for %d readings)", stands)
	}
	return append(b, '\n')
}

func (l *readingLines) time(ms int64) string {
	return time.UnixMilli(ms).In(l.location).Format("2006-01-02 15:04:05.000")
}

func milliseconds(cell json.RawMessage) int64 {
	ms, _ := strconv.ParseFloat(string(cell), 64)
	return int64(ms)
}

// cell prints a value as it came; a missing one is empty.
func cell(value json.RawMessage) string {
	var text string
	switch {
	case string(value) == "null":
		return ""
	case len(value) > 0 && value[0] == '"' && json.Unmarshal(value, &text) == nil:
		if text == "" || strings.ContainsFunc(text, unicode.IsSpace) {
			return strconv.Quote(text)
		}
		return printable(text)
	default:
		return string(value)
	}
}

// printable escapes what could move a terminal's cursor or change its colours.
func printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}
