package views

import (
	"context"
	"io"
	"strconv"

	"github.com/a-h/templ"

	"readout/server/reading"
)

// feeds holds the readings of a page for its script, each topic once. A block of
// JSON is not executed, so a strict policy lets it stand.
func feeds(series []Series) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		size := 64
		for _, s := range series {
			size += 256 + len(s.Rows)*(16+10*len(s.Columns))
		}
		b := append(make([]byte, 0, size), `<script type="application/json" data-feeds>{"feeds":[`...)
		for i, s := range series {
			if i > 0 {
				b = append(b, ',')
			}
			b = s.appendFeed(b)
		}
		_, err := w.Write(append(b, "]}</script>"...)) // texts are escaped: nothing in them ends the element
		return err
	})
}

// appendFeed prints what the script reads of a topic; its rows as the live
// protocol does: [t,value,...].
func (s *Series) appendFeed(b []byte) []byte {
	b = reading.AppendJSONString(append(b, `{"topic":`...), string(s.Topic))
	for _, list := range [...]struct {
		name string
		of   func(reading.Column) string
	}{
		{"columns", func(c reading.Column) string { return c.Name }},
		{"units", func(c reading.Column) string { return c.Unit }},
		{"kinds", func(c reading.Column) string { return c.Kind }},
	} {
		b = append(append(append(b, `,"`...), list.name...), `":[`...)
		for i, c := range s.Columns {
			if i > 0 {
				b = append(b, ',')
			}
			b = reading.AppendJSONString(b, list.of(c))
		}
		b = append(b, ']')
	}
	b = strconv.AppendInt(append(b, `,"interval":`...), s.Interval, 10)
	b = reading.AppendJSONString(append(b, `,"after":`...), s.Cursor)
	b = append(b, `,"rows":[`...)
	for i, row := range s.Rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, '['), row.Time, 10)
		for _, v := range row.Values {
			b = v.AppendJSON(append(b, ','))
		}
		b = append(b, ']')
	}
	return append(b, "]}"...)
}
