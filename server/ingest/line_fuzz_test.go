package ingest_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"readout/server/ingest"
	"readout/server/reading"
)

// FuzzLines: what is taken is valid and reads the same when written back, a
// refusal names a line that there is, and what the library alone takes without an
// error has as many readings for us.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{
		"cpu,host=web1,mode=user busy=0.3,cores=8i,on=true,state=\"running\" 1795341600123000000\n",
		"a v=1\r\n# comment\r\n\r\nb,c=d w=2u -5", "a,b=,c= v=nan,w=\"x\ny\" 1\nb v=1", `disk\ usage,app/x=C:\t v\=w="a\"b\\c\n"`,
		"cpu v=\"a\nb v=\"c\"\n", "cpu,a v=1", "cpu v=1,", "a\xff,b\xff=\xc3 v=\"\xff\"", "a t=1,p=2,v=1,v=2", "a v=1\\", "\ta\tb v=1\x00\rc v=2",
		"a=,b=1 v=nan", "a v=1\" 1\nb v=t=\"c\" 1", "-a,1b=c .d=TRUE,e%=F",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		sent := bytes.Clone(body)
		request, err := decoder.Decode(body, time.Nanosecond, bounds)
		if !bytes.Equal(body, sent) {
			t.Fatal("the body was written to")
		}
		again, errAgain := decoder.Decode(body, time.Nanosecond, bounds)
		if fmt.Sprint(err, request) != fmt.Sprint(errAgain, again) {
			t.Fatalf("%v %v, then %v %v", request, err, again, errAgain)
		}
		if err != nil {
			namesLine(t, body, err)
			if c := code(t, err); c != "bad_line" && c != "too_many" || len(request.Items) > 0 {
				t.Fatalf("%d readings and %v", len(request.Items), err)
			}
			return
		}
		for _, item := range request.Items {
			if item.Err != nil {
				namesLine(t, body, item.Err)
			} else if topic, err := reading.ParseTopic(string(item.Reading.Topic)); err != nil || topic != item.Reading.Topic {
				t.Fatalf("the topic %q is %q, %v", item.Reading.Topic, topic, err)
			}
		}
		got := show(t, request) // checks that what is accepted is valid
		if n, ok := entries(body); ok && n != len(request.Items) {
			t.Fatalf("%d readings, the library has %d: %s", len(request.Items), n, got)
		}
		accepted, written := writeBack(t, request)
		request, err = decoder.Decode(written, time.Millisecond, bounds)
		if err != nil {
			t.Fatalf("%q: %v", written, err)
		}
		if got, want := show(t, request), show(t, accepted); got != want {
			t.Fatalf("%q\ngot  %s\nwant %s", written, got, want)
		}
	})
}

// namesLine checks that a refusal begins with a line of the body.
func namesLine(t *testing.T, body []byte, err error) {
	t.Helper()
	if strings.HasPrefix(err.Error(), "more than 10000 readings") {
		return
	}
	var line int
	if _, scan := fmt.Sscanf(err.Error(), "line %d: ", &line); scan != nil || line < 1 || line > 1+bytes.Count(body, []byte{'\n'}) || len(err.Error()) > 800 {
		t.Fatalf("refused with %q", err)
	}
}

// entries counts the entries of a body that the library takes without an error.
func entries(body []byte) (int, bool) {
	d := lineprotocol.NewDecoderWithBytes(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	n := 0
	for ; d.Next(); n++ {
		if _, err := d.TimeBytes(); err != nil {
			return 0, false
		}
	}
	return n, true
}

// writeBack writes the readings that were accepted as line protocol again.
func writeBack(t *testing.T, request ingest.Request) (ingest.Request, []byte) {
	var accepted ingest.Request
	var e lineprotocol.Encoder
	e.SetPrecision(lineprotocol.Millisecond)
	for _, item := range request.Items {
		if item.Err != nil {
			continue
		}
		e.StartLine(item.Reading.Topic.Name())
		for _, l := range item.Reading.Topic.Labels() {
			if strings.HasSuffix(l.Value, `\`) {
				l.Value += "." // the format cannot say it
				return ingest.Request{}, nil
			}
			e.AddTag(l.Name, l.Value)
		}
		for _, v := range item.Reading.Values {
			e.AddField(v.Name, lineprotocol.MustNewValue(plain(v.Value)))
		}
		e.EndLine(time.UnixMilli(item.Reading.Time))
		item.Index = len(accepted.Items)
		accepted.Items = append(accepted.Items, item)
	}
	if e.Err() != nil {
		t.Fatal(e.Err())
	}
	return accepted, e.Bytes()
}

func plain(v reading.Value) any {
	if text, ok := v.Text(); ok {
		return text
	}
	if b, ok := v.Bool(); ok {
		return b
	}
	n, _ := v.Number()
	return n
}
