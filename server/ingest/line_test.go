package ingest_test

import (
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"readout/server/ingest"
)

// decoder remembers over all tests, as a server does.
var decoder ingest.Lines

func TestLines(t *testing.T) {
	ns := strconv.FormatInt(now.UnixNano(), 10)
	long := strings.Repeat("x", 129)
	for _, c := range []struct {
		name, body string
		want       string // of show, when the body is taken
		says       string // part of the message of a body that is refused, which is always bad_line
	}{
		// What is taken.
		{
			name: "all parts", body: `cpu,mode=user,host=web1 busy=0.3,cores=8i,on=true,state="run" ` + ns,
			want: `cpu{host="web1",mode="user"}@0 busy=n:0.3 cores=n:8 on=b:true state=t:run`,
		},
		{name: "no tags, no time", body: `orders value=42`, want: `orders@0 value=n:42`},
		{name: "a last line with a line break and one without", body: "a v=1\nb v=2", want: `a@0 v=n:1; b@0 v=n:2`},
		{name: "nothing", body: ``},
		{name: "nothing but blank lines and comments", body: "\n \r\n\t\n# a\tcomment \x00\xff\n#\n  # another"},
		{name: "B28 CRLF, comments and blank lines", body: "\r\n# cpu v=\r\n\r\na v=1\r\n\r\n\tb v=2 " + ns + "\r\n  #\r\nc v=\"x\"\r\n\r\n", want: `a@0 v=n:1; b@0 v=n:2; c@0 v=t:x`},
		{name: "CR at the end of the body", body: "a v=1\r", want: `a@0 v=n:1`},
		{name: "CR alone ends a line too", body: "a v=1\rb v=2", want: `a@0 v=n:1; b@0 v=n:2`},
		{name: "byte order mark", body: "\xef\xbb\xbfa v=1", want: `a@0 v=n:1`},
		{name: "several spaces", body: "  a,b=c   v=1   " + ns + "  \n", want: `a{b="c"}@0 v=n:1`},
		{name: "no comment inside a line", body: "a v=\"# b\"\na#b v=1", want: `a@0 v=t:# b; a_b@0 v=n:1`},
		{
			name: "the same series again", body: "a,x=1,y=2 v=1\na,y=2,x=1 v=2\na,x=1,y=2 w=3,v=4\nb v=5\na,x=1,y=2 v=6",
			want: `a{x="1",y="2"}@0 v=n:1; a{x="1",y="2"}@0 v=n:2; a{x="1",y="2"}@0 w=n:3 v=n:4; b@0 v=n:5; a{x="1",y="2"}@0 v=n:6`,
		},

		// Values.
		{name: "floats", body: `a a=1,b=-1.5e-3,c=.5,d=1.,e=1E3,f=-0,g=5e-324,h=1e-400`, want: `a@0 a=n:1 b=n:-0.0015 c=n:0.5 d=n:1 e=n:1000 f=n:0 g=n:5e-324 h=n:0`},
		{
			name: "integers", body: `a a=0i,b=-5i,c=9223372036854775807i,d=-9223372036854775808i,e=18446744073709551615u,f=0u`,
			want: `a@0 a=n:0 b=n:-5 c=n:9223372036854776000 d=n:-9223372036854776000 e=n:18446744073709552000 f=n:0`,
		},
		{
			name: "booleans", body: `a a=t,b=T,c=true,d=True,e=TRUE,g=f,h=F,i=false,j=False,k=FALSE`,
			want: `a@0 a=b:true b=b:true c=b:true d=b:true e=b:true g=b:false h=b:false i=b:false j=b:false k=b:false`,
		},
		{name: "texts", body: `a a="b c",d="1",e="x=1,y 2",f="äö😀",g="true"`, want: `a@0 a=t:b c d=t:1 e=t:x=1,y 2 f=t:äö😀 g=t:true`},
		{name: "text that looks like lines", body: "a v=\"x\"\nb,c=\"d v=1\nc v=2", want: `a@0 v=t:x; b{c="\"d"}@0 v=n:1; c@0 v=n:2`},
		{
			name: "B25 own grammar of numbers", body: "a v=1_000\na v=0x1p-2\na v=nan\na v=NaN\na v=inf\na v=-inf\na v=1e400\na v=1.2.3\na v=-\na v=.\na v=1f\na v=open\na v=tRUE\na v=yes\nok v=1",
			want: strings.Repeat(`!not_a_number; `, 14) + `ok@0 v=n:1`,
		},
		{
			name: "B25 beyond 64 bits", body: "a v=9223372036854775808i\na v=-9223372036854775809i\na v=18446744073709551616u\na v=-1u\na v=1.5i\na v=1e3i\na v=i\na v=99999999999999999999",
			want: strings.Repeat(`!not_a_number; `, 7) + `a@0 v=n:100000000000000000000`,
		},
		{name: "a wrong value among others", body: "a u=1,v=nan,w=\"x\ny z\",x=inf " + ns + "\nb v=1", want: `!not_a_number; b@0 v=n:1`},
		{name: "states", body: "a v=\"\"\na v=\"\",w=1,x=\"\"\na v=\"" + long + "\"\na v=\"" + long[1:] + "\"\na v=\"x\x00\"\na v=\"x\ty\"\na v=\"x\ny\"\na v=1", want: `!no_values; a@0 w=n:1; !bad_text; a@0 v=t:` + long[1:] + `; !bad_text; !bad_text; !bad_text; a@0 v=n:1`},
		{name: "NUL in a number", body: "a v=1\x00", want: `!not_a_number`},
		{name: "duplicate fields", body: "a v=1,v=2\na v=1,w=2,v=3\nb v=1", want: `!duplicate_value; !duplicate_value; b@0 v=n:1`},
		{name: "reserved names", body: "a t=1,p=2\na T=1,P=2\na t=1,_t=2", want: `a@0 _t=n:1 _p=n:2; a@0 T=n:1 P=n:2; !duplicate_value`},
		{name: "value names", body: "a " + strings.Repeat("v", 101) + "=1\na " + strings.Repeat("v", 100) + "=1", want: `!bad_value_name; a@0 ` + strings.Repeat("v", 100) + `=n:1`},
		{name: "257 values", body: "a " + fields(257) + "\na " + fields(300) + ",n0=1\nb v=1", want: `!too_many_values; !too_many_values; b@0 v=n:1`},

		// Escapes.
		{name: "escapes in a measurement", body: `disk\ usage\,all=x v=1`, want: `disk_usage_all_x@0 v=n:1`},
		{name: "escapes in tags", body: `a,b\ c\,d\=e=f\ g\,h\=i v=1`, want: `a{b_c_d_e="f g,h=i"}@0 v=n:1`},
		{name: "escapes in a field key", body: `a b\ c\,d\=e=1`, want: `a@0 b_c_d_e=n:1`},
		{name: "escapes in a text", body: `a v="b\"c\\d, e=f"`, want: `a@0 v=t:b"c\d, e=f`},
		{name: "other backslashes in a text", body: `a v="C:\temp\new\xyz\r"`, want: `a@0 v=t:C:\temp\new\xyz\r`},
		{name: "other backslashes in a text of a line that ends with CR", body: "a v=\"C:\\runs\"\r\nb v=1", want: `a@0 v=t:C:\runs; b@0 v=n:1`},
		{name: "a tag of backslashes", body: `a,path=C:\temp,q=\\x v=1`, want: `a{path="C:\\temp",q="\\\\x"}@0 v=n:1`},
		{name: "a quote in a tag", body: "a,b=\"c,d=e v=1\nf v=2", want: `a{b="\"c",d="e"}@0 v=n:1; f@0 v=n:2`},
		{name: "a quote in a field key and in a number", body: "a b\"=1\na v=1\"2\na v=1", want: `a@0 b_=n:1; !not_a_number; a@0 v=n:1`},

		// Names.
		{
			name: "what names lack", body: `Größe\ m²,app.kubernetes.io/name=x,1st=y,.z=z,a-b=w 1st=1,a%=2,.b=3,€=4`,
			want: `Gr__e_m_{_.z="z",_1st="y",a_b="w",app.kubernetes.io_name="x"}@0 1st=n:1 a_=n:2 .b=n:3 _=n:4`,
		},
		{name: "what may not be first", body: "-a v=1\n.a v=1\n/a v=1\n:a v=1\n1a v=1\n$a v=1", want: `_-a@0 v=n:1; _.a@0 v=n:1; _/a@0 v=n:1; :a@0 v=n:1; 1a@0 v=n:1; _a@0 v=n:1`},
		{name: "names that become the same", body: "a,b-c=1,b_c=2 v=1\na b%=1,b_=2\nb v=1", want: `!bad_topic; !duplicate_value; b@0 v=n:1`},
		{name: "B26 duplicate tags", body: "a,b=1,b=2 v=1\nb v=1", want: `!bad_topic; b@0 v=n:1`},
		{name: "B26 300 tags", body: "a" + tags(300) + " v=1\na" + tags(33) + " v=1\nb v=1", want: `!bad_topic; !bad_topic; b@0 v=n:1`},
		{name: "B26 empty tags", body: "a,b= v=1\na,b=,c=d v=1\na,b=c,d= v=1\na,b\\==,c= v=1\nb v=1", want: `!bad_topic; !bad_topic; !bad_topic; !bad_topic; b@0 v=n:1`},
		{name: "empty segments", body: "a//b v=1\na/../b v=1\na/ v=1\nb v=1", want: `!bad_topic; !bad_topic; !bad_topic; b@0 v=n:1`},
		{name: "too long", body: strings.Repeat("a", 201) + " v=1\na,b=" + strings.Repeat("c", 1025) + " v=1\n" + strings.Repeat("a", 201) + " v=2\nb v=1", want: `!bad_topic; !bad_topic; !bad_topic; b@0 v=n:1`},
		{name: "control characters in names", body: "a\tb v=1\na v\x00=1\na,b=c\x00 v=1\na,b=\u0085 v=1\nb v=1", want: `a_b@0 v=n:1; a@0 v_=n:1; !bad_topic; !bad_topic; b@0 v=n:1`},
		{name: "invalid UTF-8", body: "a\xff v=1\na,b\xff=c v=1\na,b=\xc3 v=1\na v\xff=1\na v=\"\xff\"\nb v=1", want: `!bad_utf8; !bad_utf8; !bad_utf8; !bad_utf8; !bad_utf8; b@0 v=n:1`},
		{name: "B29 good and bad", body: "a v=1\na v=nan\nb v=2 1\nc,d= v=1\nd v=3", want: `a@0 v=n:1; !not_a_number; !bad_time; !bad_topic; d@0 v=n:3`},

		// Syntax: the whole body is refused.
		{name: "B24 no fields", body: "a v=1\ncpu,host=a", says: "line 2: the fields are missing"},
		{name: "B24 no fields, only a measurement", body: "cpu\na v=1", says: "line 1: the fields are missing"},
		{name: "B24 no fields, a space", body: "\n#\ncpu,host=a \na v=1", says: "line 3: "},
		{name: "B24 no fields, a time", body: "cpu,host=a " + ns, says: "line 1: "},
		{name: "B24 missing space", body: "a v=1\r\n\r\ncpu,host=av=1", says: "line 3: the fields are missing"},
		{name: "B24 missing space before the time", body: "cpu v=\"a\"" + ns, says: "line 1: "},
		{name: "B24 trailing comma of fields", body: "cpu v=1,", says: "line 1: "},
		{name: "B24 trailing comma before the time", body: "cpu v=1, " + ns, says: "line 1: "},
		{name: "B24 trailing comma of fields and another line", body: "cpu v=1,\na v=1", says: "line 1: "},
		{name: "B24 trailing comma of tags", body: "cpu,host=a, v=1", says: "line 1: "},
		{name: "B24 trailing comma of a measurement", body: "cpu, v=1", says: "line 1: "},
		{name: "B24 space in a measurement", body: "disk usage v=1", says: "line 1: "},
		{name: "B24 space in a tag", body: "cpu,host=a b v=1", says: "line 1: "},
		{name: "B24 space in a field key", body: "cpu a b=1", says: "line 1: "},
		{name: "B24 space in a value", body: "cpu v=a b", says: "line 1: "},
		{name: "B24 space after a comma", body: "cpu v=1, w=2", says: "line 1: "},
		{name: "B24 unclosed quote", body: "a v=1\ncpu v=\"a", says: "line 2: "},
		{name: "B24 unclosed quote before other lines", body: "cpu v=\"a\na v=1\nb v=1\n", says: "line 1: a text has no closing"},
		{name: "B24 unclosed quote before another quote", body: "cpu v=\"a\na v=\"b\"\n", says: "line 1: "},
		{name: "B24 unclosed quote after a bare word", body: "cpu u=nan,v=\"a\na v=\"b\"\n", says: "line 1: "},
		{name: `B24 \ at the end of a text`, body: `cpu v="a\"`, says: "line 1: "},
		{name: `B24 \ at the end of a text, unclosed`, body: `cpu v="a\`, says: "line 1: "},
		{name: `B24 \ at the end of a number`, body: "cpu v=1\\\na v=1", says: `line 1: the field "v" has no value`},
		{name: `B24 \ at the end of a word`, body: `cpu v=nan\`, says: "line 1: "},
		{name: `B24 \ at the end of a tag`, body: `cpu,host=a\ v=1`, says: "line 1: "},
		{name: `B24 \ at the end of the tags`, body: `cpu,host=a\`, says: "line 1: "},
		{name: `B24 \ at the end of a measurement`, body: `cpu\ v=1`, says: "line 1: "},
		{name: `B24 \ at the end of a field key`, body: `cpu v\=1`, says: "line 1: "},
		{name: `B24 \ at the end of the time`, body: `cpu v=1 ` + ns + `\`, says: "line 1: "},
		{name: "after a reading that is refused", body: "cpu,host= v=nan\ncpu,host= v=", says: "line 2: "},
		{name: "no measurement", body: ",host=a v=1", says: "line 1: "},
		{name: "no tag key", body: "cpu,=a v=1", says: "line 1: "},
		{name: "no field key", body: "cpu =1", says: "line 1: "},
		{name: "no value", body: "cpu v=", says: "line 1: "},
		{name: "no value, another field", body: "cpu v=,w=1", says: "line 1: "},
		{name: "a doubled =", body: "cpu,a=b=c v=1", says: "line 1: "},
		{name: "time that is no whole number", body: "cpu v=1 1.5", says: "line 1: "},
		{name: "time of signs", body: "cpu v=1 1-2\n", says: `line 1: the time "1-2" is not a whole number`},
		{name: "a sign as a time", body: "cpu v=1 -", says: "line 1: "},
		{name: "RFC 3339", body: "cpu v=1 2026-11-22T10:00:00Z", says: "line 1: "},
		{name: "NUL behind the time", body: "a v=1 " + ns + " \x00b v=2", says: "line 1: "},
		{name: "a time with something behind it", body: "a v=1 99999999999999999999999x", says: "line 1: the time "},
		{name: "two times", body: "cpu v=1 1 2", says: "line 1: "},
		{name: "CR inside a line", body: "a,b=c\rd v=1", says: "line 1: "},
		{name: "NUL", body: "\x00", says: "line 1: "},
		{name: "JSON", body: `{"topic":"a","value":1}`, says: "line 1: the fields are missing"},
		{name: "the line after a text with line breaks", body: "a v=\"x\ny\nz\"\nb v", says: "line 4: "},
		{name: "a long token", body: "a " + strings.Repeat("ä", 5000) + " v=1", says: "line 1: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			request, err := decoder.Decode([]byte(c.body), time.Nanosecond, bounds)
			if err != nil {
				if code(t, err) != "bad_line" || c.says == "" || !strings.HasPrefix(err.Error(), c.says) || len(err.Error()) > 400 {
					t.Fatalf("refused with %q, want %q", err, c.says)
				}
				return
			}
			if got := show(t, request); c.says != "" || got != c.want {
				t.Errorf("got  %s\nwant %s%s", got, c.want, c.says)
			}
		})
	}
}

// fields and tags are n distinct ones.
func fields(n int) string {
	var parts []string
	for i := range n {
		parts = append(parts, fmt.Sprintf(`n%d=%di`, i, i))
	}
	return strings.Join(parts, ",")
}

func tags(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ",n%d=%d", i, i)
	}
	return b.String()
}

// The refusal of one reading names its line and, for a wrong precision, what
// the time was taken for.
func TestLinesRefusals(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{"\na v=\"\"", `line 2: a reading needs at least one value`},
		{"#\r\n\r\na v=open", `line 3: "open" is not a finite number and neither true nor false; put a text in double quotes`},
		{"a v=1_000", `line 1: "1_000" is not a finite number and neither true nor false; put a text in double quotes`},
		{"a,b\\ c= v=1", `line 1: the label "b_c" is empty; leave it out`},
		{"a,b\xff=c v=1", `line 1: the line is not valid UTF-8`},
		{"a v=1 1795341600", `line 1: the time 1795341600, in units of 1ns, is 1970-01-01T00:00:01Z: too far from now; see precision`},
		{"a v=1 9999999999999999999999999", `line 1: the time "9999999999999999999999999" does not fit into 64 bits of nanoseconds; see precision`},
	} {
		request, err := decoder.Decode([]byte(c.body), time.Nanosecond, bounds)
		if err != nil || len(request.Items) != 1 || request.Items[0].Err == nil || request.Items[0].Err.Error() != c.want {
			t.Errorf("%q: %v %v\nwant %s", c.body, request.Items, err, c.want)
		}
	}
	// A reading after a text with line breaks has the line that it stands in.
	request, err := decoder.Decode([]byte("a v=\"x\ny\"\n\nb v=x\nb v=y"), time.Nanosecond, bounds)
	if err != nil || len(request.Items) != 3 {
		t.Fatal(request.Items, err)
	}
	for i, want := range []string{"line 1: ", "line 4: ", "line 5: "} {
		if got := request.Items[i].Err; got == nil || !strings.HasPrefix(got.Error(), want) {
			t.Errorf("reading %d: %v, want %s", i, got, want)
		}
	}
}

func TestLinesTimes(t *testing.T) {
	ms := now.UnixMilli()
	for _, c := range []struct {
		precision time.Duration
		time      string
		want      int64 // from now, in ms
		code      string
	}{
		{time.Nanosecond, "", 0, ""},
		{time.Hour, "", 0, ""},
		{time.Nanosecond, fmt.Sprint(now.UnixNano()), 0, ""},
		{time.Nanosecond, fmt.Sprint(now.UnixNano() + 999_999), 0, ""},
		{time.Nanosecond, fmt.Sprint(now.UnixNano() - 1), -1, ""},
		{time.Microsecond, fmt.Sprint(now.UnixMicro() + 999), 0, ""},
		{time.Microsecond, fmt.Sprint(now.UnixMicro() - 1), -1, ""},
		{time.Millisecond, fmt.Sprint(ms), 0, ""},
		{time.Millisecond, "000" + fmt.Sprint(ms), 0, ""},
		{time.Second, fmt.Sprint(now.Unix()), -123, ""},
		{time.Minute, fmt.Sprint(now.Unix() / 60), -123, ""},
		{time.Hour, fmt.Sprint(now.Unix() / 3600), -123, ""},
		{0, fmt.Sprint(now.UnixNano()), 0, ""}, // like nanoseconds

		{time.Millisecond, fmt.Sprint(ms + 600_000), 600_000, ""},
		{time.Millisecond, fmt.Sprint(ms + 600_001), 0, "bad_time"},
		{time.Millisecond, fmt.Sprint(ms - 3600_000), -3600_000, ""},
		{time.Millisecond, fmt.Sprint(ms - 3600_001), 0, "bad_time"},
		{time.Nanosecond, fmt.Sprint(ms), 0, "bad_time"},
		{time.Second, fmt.Sprint(ms), 0, "bad_time"},
		{time.Nanosecond, "0", 0, "bad_time"},
		{time.Nanosecond, "-1", 0, "bad_time"},
		{time.Hour, "-1", 0, "bad_time"},
		{time.Second, fmt.Sprint(-now.Unix()), 0, "bad_time"},
		{time.Nanosecond, fmt.Sprint(int64(math.MaxInt64)), 0, "bad_time"},
		{time.Nanosecond, fmt.Sprint(int64(math.MinInt64)), 0, "bad_time"},
		{time.Nanosecond, "9223372036854775808", 0, "bad_time"},
		{time.Microsecond, fmt.Sprint(int64(math.MaxInt64)), 0, "bad_time"},
		{time.Millisecond, fmt.Sprint(int64(math.MinInt64)), 0, "bad_time"},
		{time.Second, fmt.Sprint(int64(math.MaxInt64)/1e9 + 1), 0, "bad_time"},
		{time.Minute, fmt.Sprint(int64(math.MaxInt64)/60 + now.Unix()/60), 0, "bad_time"},
		{time.Hour, "5124095576030431", 0, "bad_time"}, // times an hour overflows to a small number
		{time.Nanosecond, strings.Repeat("1", 25), 0, "bad_time"},
	} {
		request, err := decoder.Decode([]byte("a v=1 "+c.time), c.precision, bounds)
		if err != nil {
			t.Errorf("%s in %v: refused whole: %v", c.time, c.precision, err)
			continue
		}
		item := request.Items[0]
		if got := code(t, item.Err); got != c.code || got == "" && item.Reading.Time != ms+c.want {
			t.Errorf("%s in %v: %q %d, want %q %d", c.time, c.precision, got, item.Reading.Time-ms, c.code, c.want)
		}
	}
	// Without an oldest time the beginning of 1970 is the bound.
	for stamp, want := range map[string]string{"0": "bad_time", "1": ""} {
		request, err := decoder.Decode([]byte("a v=1 "+stamp), time.Millisecond, ingest.Bounds{Now: now})
		if err != nil || code(t, request.Items[0].Err) != want {
			t.Errorf("%s without an oldest time: %v %v", stamp, request.Items, err)
		}
	}
}

func TestMostLines(t *testing.T) {
	line := "a v=1\n#\n"
	request, err := decoder.Decode([]byte(strings.Repeat(line, ingest.MaxReadings)), time.Nanosecond, bounds)
	if err != nil || len(request.Items) != ingest.MaxReadings || request.Items[ingest.MaxReadings-1].Index != ingest.MaxReadings-1 {
		t.Fatalf("%d readings, %v; want 10000", len(request.Items), err)
	}
	request, err = decoder.Decode([]byte(strings.Repeat(line, ingest.MaxReadings+1)), time.Nanosecond, bounds)
	if code(t, err) != "too_many" || request.Items != nil {
		t.Fatalf("10001 lines: %v", err)
	}
	request, err = decoder.Decode([]byte("a"+tags(32)+" "+fields(256)), time.Nanosecond, bounds)
	if err != nil || request.Items[0].Err != nil || len(request.Items[0].Reading.Values) != 256 {
		t.Fatalf("a reading of 256 values and 32 tags is refused: %v %v", err, request.Items)
	}
}

// A reading of a series that was seen before takes no memory but its own.
func TestLinesMemory(t *testing.T) {
	body := lines(5000, 100)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	request, err := decoder.Decode(body, time.Nanosecond, bounds)
	runtime.ReadMemStats(&after)
	if err != nil || len(request.Items) != 5000 {
		t.Fatal(len(request.Items), err)
	}
	// 100 series at about 17, the rest are blocks of 512 values.
	if n := after.Mallocs - before.Mallocs; n > 2500 {
		t.Errorf("%d allocations for 5000 readings of 100 series", n)
	}
}
