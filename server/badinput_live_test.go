package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"readout/server/servertest"
)

// The rows B55 and B59 to B61 of PROMISES 4 where no socket carries them: what
// POST /live/sse and POST /live/poll answer to bad bodies.

var livePaths = []string{"/live/sse", "/live/poll"}

// What a socket answers with error frames is a status here, since nothing has
// been answered yet.
func TestBadLiveBodies(t *testing.T) {
	const good = `{"id":1,"topics":["orders"]}`
	type row struct {
		name   string
		body   string
		header []string // beside Content-Type: application/json
		status int
		code   string
	}
	sized := func(n int) string { return strings.TrimSuffix(good, "}") + strings.Repeat(" ", n-len(good)) + "}" }
	rows := []row{
		{"B55 256 KiB", sized(256 << 10), nil, 200, ""},
		{"B55 more than 256 KiB", sized(256<<10 + 1), nil, 413, "too_large"},
		{"B55 10 MB", sized(10 << 20), nil, 413, "too_large"},
		{"B55 gzip", good, []string{"Content-Encoding", "gzip"}, 415, "unsupported_encoding"},
		{"B55 identity", good, []string{"Content-Encoding", "identity"}, 200, ""},
		{"B56 text", good, []string{"Content-Type", "text/plain"}, 415, "unsupported_type"},
		{"B56 a form", good, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "unsupported_type"},
		{"B56 no type", good, []string{"Content-Type", ""}, 415, "unsupported_type"},
		{"B56 a charset", good, []string{"Content-Type", "application/json; charset=utf-8"}, 200, ""},
		{"B57 not UTF-8", "{\"id\":1,\"topics\":[\"\xff\xfe\"]}", nil, 422, "bad_utf8"},
		{"B57 a surrogate", "{\"id\":1,\"topics\":[\"\xed\xa0\x80\"]}", nil, 422, "bad_utf8"},
		{"B59 empty", "", nil, 400, "empty_body"},
		{"B59 empty list", "[]", nil, 400, "bad_message"},
		{"B59 list of null", "[null]", nil, 400, "bad_message"},
		{"B59 list of lists", "[[" + good + "]]", nil, 400, "bad_message"},
		{"B59 one of a list is bad", "[" + good + `,{"id":2}]`, nil, 400, "bad_message"},
		{"B59 list that does not end", "[" + good, nil, 400, "bad_message"},
		{"B59 two lists", "[" + good + "][" + good + "]", nil, 400, "bad_message"},
		{"B59 another message", `{"type":"pause","id":1,"topics":["orders"]}`, nil, 400, "bad_message"},
		{"B59 a token in the body", `{"type":"hello","token":"rdo_a_b"}`, nil, 400, "bad_message"},
		{"B60 200 subscriptions", "[" + strings.TrimSuffix(strings.Repeat(good+",", 200), ",") + "]", nil, 200, ""},
		{"B60 201 subscriptions", "[" + strings.TrimSuffix(strings.Repeat(good+",", 201), ",") + "]", nil, 400, "bad_message"},
	}
	for _, m := range messageRows() {
		if m.frames == "error:bad_message" && m.send[0] != "" {
			rows = append(rows, row{m.name, m.send[0], nil, 400, "bad_message"})
		}
	}
	s := servertest.New(t, nil)
	for _, path := range livePaths {
		for _, row := range rows {
			t.Run(path+" "+row.name, func(t *testing.T) {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(row.body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", "application/json")
				for i := 0; i < len(row.header); i += 2 {
					r.Header.Set(row.header[i], row.header[i+1])
				}
				answer, err := s.Client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer answer.Body.Close()
				if answer.StatusCode != row.status {
					t.Fatalf("answered %d, want %d", answer.StatusCode, row.status)
				}
				if row.status == http.StatusOK {
					return
				}
				body, err := io.ReadAll(answer.Body)
				if err != nil {
					t.Fatal(err)
				}
				if p := readPushed(t, string(body)); p.Error.Code != row.code || p.Error.Message == "" {
					t.Errorf("answered %s, want %s", body, row.code)
				}
			})
		}
	}
}

// What is sound and asks for too much, or for what is not there, is told in
// frames: the same as on a socket.
func TestBadSubscriptionsOverHTTP(t *testing.T) {
	for _, row := range messageRows() {
		if !strings.HasPrefix(row.name, "B60") && !strings.HasPrefix(row.name, "B61") {
			continue
		}
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := servertest.New(t, nil)
				s.Push("orders", "1")
				body := "[" + strings.Join(row.send, ",") + "]"
				want := strings.Fields(row.frames)
				compare := func(by string, want []string, frames []servertest.Frame) {
					var got []string
					for _, f := range frames {
						if f.Type == "error" {
							f.Type += ":" + f.Code
						}
						got = append(got, f.Type)
					}
					if strings.HasPrefix(row.frames, "limit ") {
						slices.Sort(got) // limit may overtake the first snapshots
					}
					if !slices.Equal(got, want) {
						t.Errorf("%s: got %.200s\nwant %.200s", by, strings.Join(got, " "), strings.Join(want, " "))
					}
				}
				answer := s.Do(http.MethodPost, "/live/poll", body, "Content-Type", "application/json")
				var polled struct{ Frames []servertest.Frame }
				if err := json.Unmarshal([]byte(answer.Body), &polled); err != nil || kinds(polled.Frames[:1]) != "welcome" {
					t.Fatalf("%d %.200s %v", answer.Status, answer.Body, err)
				}
				// A thousand snapshots come in several answers.
				compare("poll", want[:min(len(want), len(polled.Frames)-1)], polled.Frames[1:])
				if len(polled.Frames) < 1+min(len(want), 100) {
					t.Errorf("only %d frames came", len(polled.Frames))
				}

				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/live/sse", strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", "application/json")
				stream, err := s.Client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer stream.Body.Close()
				var frames []servertest.Frame
				lines := bufio.NewReader(stream.Body)
				for len(frames) < 1+len(want) {
					line, err := lines.ReadString('\n')
					if err != nil {
						t.Fatalf("after %d frames: %v", len(frames), err)
					}
					if data, ok := strings.CutPrefix(line, "data: "); ok {
						var f servertest.Frame
						if err := json.Unmarshal([]byte(data), &f); err != nil {
							t.Fatal(err)
						}
						frames = append(frames, f)
					}
				}
				compare("sse", want, frames[1:])
			})
		})
	}
}

// B60: a topic that the token may not view errs the same whether or not it exists.
func TestForbiddenTopicsTellNothingOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocked(t)
		token := []string{"Authorization", "Bearer " + l.shop}
		first := func(topic string) []servertest.Frame {
			want := servertest.Subscription{Topics: []string{topic, "*"}}
			stream := l.Stream(want, token...)
			defer stream.Close()
			return []servertest.Frame{stream.Read(), l.Poller(want, token...).Poll()[1]}
		}
		known, unknown := first("secret"), first("nosuch")
		for i := range known {
			if known[i].Code != "forbidden" || strings.ReplaceAll(known[i].Raw, "secret", "nosuch") != unknown[i].Raw {
				t.Errorf("not the same:\n%s\n%s", known[i].Raw, unknown[i].Raw)
			}
		}
		for _, path := range livePaths {
			for _, header := range [][]string{nil, {"Authorization", "Bearer garbage"}, {"Authorization", "Bearer " + l.expired}} {
				a := l.Do(http.MethodPost, path, "garbage", append(header, "Content-Type", "application/json")...)
				if a.Status != http.StatusUnauthorized {
					t.Errorf("%s: answered %d before it knows who asks", path, a.Status)
				}
			}
			if a := l.Do(http.MethodPost, path, `{"id":1,"topics":["secret"]}`, "Content-Type", "application/json", "Authorization", "Bearer "+l.view, "Origin", "https://evil.example"); a.Status != http.StatusForbidden {
				t.Errorf("%s: a page of another site is answered %d", path, a.Status)
			}
		}
	})
}

// What a poll is asked beside its body.
func TestBadPollQueries(t *testing.T) {
	s := servertest.New(t, nil)
	for _, query := range []string{"?wait=1", "?state=a&state=b", "?state=" + strings.Repeat("a", 33), "?State=a"} {
		a := s.Do(http.MethodPost, "/live/poll"+query, `{"id":1,"topics":["orders"]}`, "Content-Type", "application/json")
		if code := readPushed(t, a.Body).Error.Code; a.Status != http.StatusBadRequest || code != "bad_request" {
			t.Errorf("%s: answered %d %s", query, a.Status, code)
		}
	}
}

// B18, B19: a body that stops coming, or never ends, ends its request and its connection.
func TestLiveBodiesThatDoNotEnd(t *testing.T) {
	for _, path := range slices.Concat(livePaths, []string{"/live/report"}) {
		t.Run("B18 "+path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := servertest.New(t, nil)
				conn := s.Raw()
				began := time.Now()
				if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 30\r\n\r\n{\"id\"", path); err != nil {
					t.Fatal(err)
				}
				answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(answer.Body)
				if p := readPushed(t, string(body)); answer.StatusCode != 408 || p.Error.Code != "body_timeout" || !answer.Close || time.Since(began) > 11*time.Second {
					t.Errorf("answered %d %q after %v, close %v", answer.StatusCode, p.Error.Code, time.Since(began), answer.Close)
				}
			})
		})
		t.Run("B19 "+path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := servertest.New(t, nil)
				body := &endless{head: strings.NewReader("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")}
				answer, text := exchange(t, s, body)
				if p := readPushed(t, text); answer.StatusCode != 413 || p.Error.Code != "too_large" || !answer.Close {
					t.Errorf("answered %d %q, close %v", answer.StatusCode, p.Error.Code, answer.Close)
				}
			})
		})
	}
}
