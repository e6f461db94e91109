package server_test

import (
	"bufio"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"readout/server"
	"readout/server/servertest"
)

// The rows B18 to B20 and B45 to B50 of PROMISES 4: requests that are bad before
// anyone looks at what they push.

// exchange writes a request to a bare connection and returns the answer and
// its body. The server may answer before it has read everything.
func exchange(t *testing.T, s *servertest.Server, request io.Reader) (*http.Response, string) {
	t.Helper()
	conn := s.Raw()
	defer conn.Close()
	go func() { _, _ = io.Copy(conn, request) }() // ends with the connection
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

// B18: a body that stops coming ends its request and its connection.
func TestASilentBody(t *testing.T) {
	for _, path := range []string{readingsPath, "/t/orders"} {
		t.Run("B18 "+path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := servertest.New(t, nil)
				conn := s.Raw()
				began := time.Now()
				if _, err := io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n[{\"to"); err != nil {
					t.Fatal(err)
				}
				in := bufio.NewReader(conn)
				answer, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(answer.Body)
				if p := readPushed(t, string(body)); answer.StatusCode != 408 || p.Error.Code != "body_timeout" || !answer.Close {
					t.Errorf("answered %d %q, close %v", answer.StatusCode, p.Error.Code, answer.Close)
				}
				if _, err := in.ReadByte(); err == nil {
					t.Error("the connection stays open")
				}
				if took := time.Since(began); took < 10*time.Second || took > 11*time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// endless is a chunked body that never ends, and counts what is taken of it.
type endless struct {
	head  io.Reader
	taken int
}

func (e *endless) Read(b []byte) (int, error) {
	if n, err := e.head.Read(b); err == nil {
		return n, nil
	}
	n := copy(b, "a\r\n          \r\n")
	e.taken += n
	return n, nil
}

// B19: a body without an end is cut off at the cap.
func TestAnEndlessBody(t *testing.T) {
	for _, path := range []string{readingsPath, "/t/orders"} {
		t.Run("B19 "+path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := servertest.New(t, nil)
				body := &endless{head: strings.NewReader("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")}
				answer, text := exchange(t, s, body)
				if p := readPushed(t, text); answer.StatusCode != 413 || p.Error.Code != "too_large" || !answer.Close {
					t.Errorf("answered %d %q, close %v", answer.StatusCode, p.Error.Code, answer.Close)
				}
				synctest.Wait()
				if body.taken > 3<<20 { // 1 MiB in chunks of ten bytes is 1.5 MiB on the wire
					t.Errorf("%d bytes were read", body.taken)
				}
			})
		})
	}
}

// B20 and B45 to B47: what net/http and the router make of strange requests.
func TestStrangeRequests(t *testing.T) {
	const json = "Content-Type: application/json\r\n"
	post := func(path, headers, body string) string {
		return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n" + body
	}
	sized := func(method, path string) string {
		return method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n42"
	}
	for _, row := range []struct {
		name    string
		request string
		status  int
		code    string // empty where net/http answers before us
		allow   string
		kept    string // of orders
	}{
		// PROMISES B20 has 400 for both headers. net/http takes the chunks and drops
		// Content-Length, as RFC 9112 6.3 allows; nothing stands behind us that could
		// see the request otherwise. The bytes after it are not taken for a request.
		{"B20 chunked and a length", post("/t/orders", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "1\r\n7\r\n0\r\n\r\n"), 200, "", "", "7"},
		{"B20 two lengths", post("/t/orders", "Content-Length: 2\r\nContent-Length: 3\r\n", "42"), 400, "", "", ""},
		{"B20 bad chunk", post("/t/orders", "Transfer-Encoding: chunked\r\n", "zz\r\n42\r\n0\r\n\r\n"), 400, "bad_request", "", ""},
		{"B20 chunk that claims 16 EB", post("/t/orders", "Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n42\r\n0\r\n\r\n"), 400, "bad_request", "", ""},
		{"B20 negative length", post("/t/orders", "Content-Length: -1\r\n", "42"), 400, "", "", ""},
		{"B45 header of 40 KB", post("/t/orders", "X-Long: "+strings.Repeat("x", 40<<10)+"\r\nContent-Length: 2\r\n", "42"), 431, "", "", ""},
		{"B45 10,000 cookies", post("/t/orders", "Cookie: "+strings.Repeat("ab=c; ", 10_000)+"\r\nContent-Length: 2\r\n", "42"), 431, "", "", ""},
		{"B46 TRACE", sized("TRACE", readingsPath), 405, "method_not_allowed", "GET, HEAD, POST", ""},
		{"B46 PUT", sized("PUT", readingsPath), 405, "method_not_allowed", "GET, HEAD, POST", ""},
		{"B46 PUT of one topic", sized("PUT", "/t/orders"), 405, "method_not_allowed", "GET, HEAD, POST, PATCH, DELETE", ""},
		{"B46 DELETE of many", sized("DELETE", readingsPath), 405, "method_not_allowed", "GET, HEAD, POST", ""},
		{"B46 a method of nobody", sized("BREW", "/t/orders"), 405, "method_not_allowed", "GET, HEAD, POST, PATCH, DELETE", ""},
		{"B46 a method of nobody, nowhere", sized("BREW", "/pot"), 404, "not_found", "", ""},
		{"B46 GET of what is only posted to", "GET /api/v1/dashboards/check HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "not_found", "", ""},
		{"B47 two slashes", post("/"+readingsPath, json+"Content-Length: 2\r\n", "[]"), 404, "not_found", "", ""},
		{"B47 parent", post("/api/../t/orders", "Content-Length: 2\r\n", "42"), 404, "not_found", "", ""},
		{"B47 parent out of static", "GET /static/../metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "", "", ""},
		{"B47 escaped parent", post("/api/%2e%2e/t/orders", "Content-Length: 2\r\n", "42"), 404, "not_found", "", ""},
		{"B47 escaped parent in a topic", post("/t/%2e%2e/orders", "Content-Length: 2\r\n", "42"), 422, "bad_topic", "", ""},
		{"B47 parent in a topic", post("/t/../orders", "Content-Length: 2\r\n", "42"), 422, "bad_topic", "", ""},
		{"B47 NUL", post("/t/orders%00", "Content-Length: 2\r\n", "42"), 422, "bad_topic", "", ""},
		{"B47 NUL, nowhere", post("/api/v1/readings%00", "Content-Length: 2\r\n", "[]"), 404, "not_found", "", ""},
		{"B47 capitals", post("/API/v1/readings", json+"Content-Length: 2\r\n", "[]"), 404, "not_found", "", ""},
		{"B47 capital T", post("/T/orders", "Content-Length: 2\r\n", "42"), 404, "not_found", "", ""},
		{"B47 escaped t", post("/%74/orders", "Content-Length: 2\r\n", "42"), 404, "not_found", "", ""},
		{"B47 escaped slash before the topic", post("/t%2Forders", "Content-Length: 2\r\n", "42"), 404, "not_found", "", ""},
		{"B47 trailing slash", post(readingsPath+"/", json+"Content-Length: 2\r\n", "[]"), 404, "not_found", "", ""},
		{"B47 absolute form", post("http://localhost/t/orders", "Content-Length: 2\r\n", "42"), 200, "", "", "42"},
		{"B47 absolute form of another host", post("http://evil/t/orders", "Content-Length: 2\r\n", "42"), 421, "wrong_host", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := servertest.New(t, nil)
				answer, text := exchange(t, s, strings.NewReader(row.request))
				if answer.StatusCode != row.status {
					t.Errorf("answered %d, want %d: %s", answer.StatusCode, row.status, text)
				}
				if row.code != "" {
					if p := readPushed(t, text); p.Error.Code != row.code {
						t.Errorf("answered %q, want %q", p.Error.Code, row.code)
					}
				}
				if allow := answer.Header.Get("Allow"); allow != row.allow {
					t.Errorf("Allow: %s, want %s", allow, row.allow)
				}
				if got := kept(t, s, "orders"); got != row.kept {
					t.Errorf("orders holds %q, want %q", got, row.kept)
				}
			})
		})
	}
}

// B47: who may do what is decided on the route that serves, so that no spelling
// of a path gets around it.
func TestNoSpellingOfAPathGetsAroundItsPolicy(t *testing.T) {
	locked := newLocked(t)
	for _, path := range []string{
		"/t/secret", "/t/%73ecret", "/t//secret", "/t/./secret", "/t/x/../secret", "/t/secret/", "//t/secret", "/./t/secret", "/static/../t/secret",
		"/livez/../t/secret", "/livez%2f..%2ft/secret", "/%74/secret", "/t%2fsecret", "/T/secret", "/metrics", "//metrics", "/metrics/", "/static/..%2fmetrics",
	} {
		t.Run("B47 "+path, func(t *testing.T) {
			answer, text := exchange(t, locked.Server, strings.NewReader("GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
			if answer.StatusCode != 401 && answer.StatusCode != 404 {
				t.Errorf("answered %d without a token: %s", answer.StatusCode, text)
			}
			if strings.Contains(text, "readout_") || strings.Contains(text, "12345") {
				t.Errorf("a reading or a metric without a token: %s", text)
			}
		})
	}
}

// B48 and B49: what a proxy, or who plays one, says of a request changes nothing.
func TestHeadersOfProxiesAreNotBelieved(t *testing.T) {
	for _, row := range []struct {
		name   string
		header []string
		change func(*server.Options)
		locked bool
		status int
		code   string
		url    string // how the address in the answer begins
	}{
		{name: "B48 X-Forwarded-Host", header: []string{"X-Forwarded-Host", "evil.example"}, status: 200, url: "http://localhost/"},
		{name: "B48 Forwarded", header: []string{"Forwarded", "host=evil.example;proto=https"}, status: 200, url: "http://localhost/"},
		{name: "B48 X-Forwarded-Proto", header: []string{"X-Forwarded-Proto", "https"}, status: 200, url: "http://localhost/"},
		{name: "B48 X-Forwarded-For", header: []string{"X-Forwarded-For", "127.0.0.1", "X-Real-IP", "127.0.0.1", "True-Client-IP", "127.0.0.1"}, locked: true, status: 401, code: "unauthorized"},
		{name: "B48 X-Forwarded-Host of a wrong host", header: []string{"Host", "evil.example", "X-Forwarded-Host", "localhost"}, status: 421, code: "wrong_host"},
		{name: "B48 X-HTTP-Method-Override", header: []string{"X-HTTP-Method-Override", "DELETE"}, status: 200, url: "http://localhost/"},
		{name: "B49 wrong host", header: []string{"Host", "evil.example"}, status: 421, code: "wrong_host"},
		{name: "B49 localhost in front", header: []string{"Host", "localhost.evil.example"}, status: 421, code: "wrong_host"},
		{name: "B49 localhost as user", header: []string{"Host", "localhost@evil.example"}, status: 421, code: "wrong_host"},
		{name: "B49 another port", header: []string{"Host", "localhost:1"}, status: 200, url: "http://localhost:1/"},
		{name: "B49 public URL", header: []string{"Host", "readout.example"}, change: func(o *server.Options) { o.PublicURL = "https://readout.example" }, status: 200, url: "https://readout.example/"},
		{name: "B49 wrong host beside a public URL", header: []string{"Host", "evil.example"}, change: func(o *server.Options) { o.PublicURL = "https://readout.example" }, status: 421, code: "wrong_host"},
		{name: "B49 links of a public URL", header: []string{"Host", "localhost"}, change: func(o *server.Options) { o.PublicURL = "https://readout.example/" }, status: 200, url: "https://readout.example/"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var s *servertest.Server
			if row.locked {
				s = newLocked(t).Server
			} else {
				s = servertest.New(t, &servertest.Options{Change: row.change})
			}
			a := s.Do(http.MethodPost, "/t/orders", "42", row.header...)
			p := readPushed(t, a.Body)
			if a.Status != row.status || p.Error.Code != row.code {
				t.Errorf("answered %d %q, want %d %q", a.Status, p.Error.Code, row.status, row.code)
			}
			if !strings.HasPrefix(p.URL, row.url) {
				t.Errorf("the address is %s, want %s...", p.URL, row.url)
			}
		})
	}
}

// B48: a request's name from outside is kept only if it can do no harm in a log.
func TestRequestNames(t *testing.T) {
	s := servertest.New(t, nil)
	for _, row := range []struct {
		name string
		sent string
		kept bool
	}{
		{"B48 sound", "a-Z09", true},
		{"B48 64 bytes", strings.Repeat("a", 64), true},
		{"B48 65 bytes", strings.Repeat("a", 65), false},
		{"B48 10 KB", strings.Repeat("a", 10<<10), false},
		{"B48 spaces", "a b", false},
		{"B48 escape of a terminal", "a\t[31m", false},
		{"B48 not ASCII", "ä", false},
		{"B48 markup", "<script>", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := s.Do(http.MethodGet, "/livez", "", "X-Request-Id", row.sent)
			got := a.Header.Get("X-Request-Id")
			if (got == row.sent) != row.kept || got == "" || len(got) > 64 {
				t.Errorf("the request is named %q", got)
			}
		})
	}
	t.Run("B48 line breaks", func(t *testing.T) { // no client sends these: they end the header
		answer, _ := exchange(t, s, strings.NewReader("GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: a\r\n b\r\nConnection: close\r\n\r\n"))
		if got := answer.Header.Get("X-Request-Id"); strings.Contains(got, " ") {
			t.Errorf("the request is named %q", got)
		}
	})
}

// B50: who sends headers byte by byte is hung up on, and nobody else waits.
func TestSlowHeaders(t *testing.T) {
	t.Run("B50", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			const slow = 500
			s := servertest.New(t, nil)
			s.Push("orders", "0") // dials the store
			ended := make(chan time.Duration, slow)
			began := time.Now()
			for range slow {
				conn := s.Raw()
				go func() {
					for _, c := range []byte("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n") {
						if _, err := conn.Write([]byte{c}); err != nil {
							break
						}
						time.Sleep(5*time.Second - time.Millisecond)
					}
					ended <- time.Since(began)
				}()
				go func() { _, _ = io.Copy(io.Discard, conn) }() // ends with the connection
			}
			for i := range 20 {
				at := time.Now()
				s.Push("orders", strconv.Itoa(i))
				if took := time.Since(at); took > 10*time.Millisecond {
					t.Errorf("a push took %v meanwhile", took)
				}
				time.Sleep(100 * time.Millisecond)
			}
			for range slow {
				// Twice 5 s: the second byte arrives in time, the write of the third fails.
				if took := <-ended; took > 11*time.Second {
					t.Fatalf("a slow connection was open for %v", took)
				}
			}
		})
	})
}
