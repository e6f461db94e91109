package server_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"readout/server"
	"readout/server/access"
	"readout/server/servertest"
)

// managed is a server with a token that may manage the topics of the shop, one
// that may do everything, and the log.
type managed struct {
	*servertest.Server
	shop, all string
	log       *logged
}

// logged is a log that a test reads.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newManaged(t *testing.T) *managed {
	t.Helper()
	m := &managed{log: &logged{}}
	var tokens []access.Token
	for _, one := range []struct {
		text   *string
		name   string
		scopes []access.Action
		topics string
	}{{&m.shop, "shop-admin", []access.Action{access.Manage}, "shop_*"}, {&m.all, "all", access.Actions, "*"}} {
		text, token, err := access.Mint(one.name, one.scopes, []string{one.topics}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		*one.text, tokens = text, append(tokens, token)
	}
	known, err := access.NewTokens(tokens)
	if err != nil {
		t.Fatal(err)
	}
	m.Server = servertest.New(t, &servertest.Options{Change: func(o *server.Options) {
		o.Tokens, o.Logger = known, slog.New(slog.NewTextHandler(m.log, nil))
	}})
	return m
}

func (m *managed) as(token, method, path, body string, header ...string) servertest.Answer {
	return m.Do(method, path, body, append([]string{"Authorization", "Bearer " + token}, header...)...)
}

func (m *managed) list(t *testing.T, query string) string {
	t.Helper()
	v, _ := getJSON[topicsAnswer](t, m.Server, "/api/v1/topics"+query, "Authorization", "Bearer "+m.all)
	return v.names()
}

func TestHideAndDelete(t *testing.T) {
	m := newManaged(t)
	for _, topic := range []string{"shop_orders", "shop_orders?shop=berlin", "disk"} {
		if a := m.as(m.all, http.MethodPost, "/t/"+topic, "42"); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	const berlin = "/t/shop_orders%7Bshop%3D%22berlin%22%7D"
	for _, c := range []struct {
		name, token, method, path, body string
		header                          []string
		status                          int
		code                            string
		list                            string // what is listed afterwards
	}{
		{"hide", m.shop, "PATCH", berlin, `{"hidden":true}`, nil, 200, "", "disk shop_orders"},
		{"hide again", m.shop, "PATCH", berlin, `{"hidden":true}`, nil, 200, "", "disk shop_orders"},
		{"as curl sends it", m.shop, "PATCH", "/t/shop_orders", `{"hidden":true}`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 200, "", "disk"},
		{"show", m.shop, "PATCH", "/t/shop_orders", `{"hidden":false}`, nil, 200, "", "disk shop_orders"},
		{"not his", m.shop, "PATCH", "/t/disk", `{"hidden":true}`, nil, 403, "forbidden", "disk shop_orders"},
		{"not his to delete", m.shop, "DELETE", "/t/disk", "", nil, 403, "forbidden", "disk shop_orders"},
		{"not his, and not there", m.shop, "DELETE", "/t/nothing", "", nil, 403, "forbidden", "disk shop_orders"},
		{"not there", m.shop, "DELETE", "/t/shop_nothing", "", nil, 404, "not_found", "disk shop_orders"},
		{"not there to hide", m.shop, "PATCH", "/t/shop_nothing", `{"hidden":true}`, nil, 404, "not_found", "disk shop_orders"},
		{"labels as a query would delete another topic", m.shop, "DELETE", "/t/shop_orders?shop=berlin", "", nil, 400, "bad_request", "disk shop_orders"},
		{"labels as a query would hide another topic", m.shop, "PATCH", "/t/shop_orders?shop=berlin", `{"hidden":true}`, nil, 400, "bad_request", "disk shop_orders"},
		{"no topic", m.shop, "DELETE", "/t/a%20b", "", nil, 422, "bad_topic", "disk shop_orders"},
		{"a selector is none", m.all, "DELETE", "/t/shop_*", "", nil, 422, "bad_topic", "disk shop_orders"},
		{"no body", m.shop, "PATCH", "/t/shop_orders", "", nil, 400, "empty_body", "disk shop_orders"},
		{"bad body", m.shop, "PATCH", "/t/shop_orders", `{"hidden":"yes"}`, nil, 400, "bad_json", "disk shop_orders"},
		{"unknown field", m.shop, "PATCH", "/t/shop_orders", `{"title":"x"}`, nil, 400, "unknown_field", "disk shop_orders"},
		{"long body", m.shop, "PATCH", "/t/shop_orders", strings.Repeat(" ", 2000) + `{"hidden":true}`, nil, 413, "too_large", "disk shop_orders"},
		{"from another site", m.all, "DELETE", "/t/disk", "", []string{"Origin", "https://evil.example"}, 403, "bad_origin", "disk shop_orders"},
		{"from another site, by fetch metadata", m.all, "PATCH", "/t/disk", `{"hidden":true}`, []string{"Sec-Fetch-Site", "cross-site"}, 403, "bad_origin", "disk shop_orders"},
		{"from a sister of this site", m.all, "DELETE", "/t/disk", "", []string{"Sec-Fetch-Site", "same-site"}, 403, "bad_origin", "disk shop_orders"},
		{"from our own page", m.all, "PATCH", "/t/disk", `{"hidden":true}`, []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://localhost"}, 200, "", "shop_orders"},
		{"delete what is hidden", m.shop, "DELETE", berlin, "", nil, 204, "", "shop_orders"},
		{"delete again", m.shop, "DELETE", berlin, "", nil, 404, "not_found", "shop_orders"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := m.as(c.token, c.method, c.path, c.body, c.header...)
			var v struct {
				Topic  string
				Hidden *bool
				Error  struct{ Code string }
			}
			if a.Status != http.StatusNoContent {
				if err := json.Unmarshal([]byte(a.Body), &v); err != nil {
					t.Fatalf("%d %s", a.Status, a.Body)
				}
			} else if a.Body != "" {
				t.Errorf("204 with %q", a.Body)
			}
			if a.Status != c.status || v.Error.Code != c.code {
				t.Errorf("answered %d %s, want %d %s", a.Status, a.Body, c.status, c.code)
			}
			if c.status == http.StatusOK && (v.Hidden == nil || *v.Hidden != strings.Contains(c.body, "true") || v.Topic == "") {
				t.Errorf("answered %s", a.Body)
			}
			if got := m.list(t, ""); got != c.list {
				t.Errorf("listed afterwards: %s, want %s", got, c.list)
			}
		})
	}
	if got := m.list(t, "?hidden=1"); got != "disk shop_orders" {
		t.Errorf("with the hidden ones: %s", got)
	}
	if got := m.list(t, "?match=disk"); got != "disk" {
		t.Errorf("a hidden topic that is named exactly: %q", got)
	}
	if a := m.as(m.all, http.MethodGet, "/t/disk?format=txt", ""); a.Status != http.StatusOK || a.Body != "42\n" {
		t.Errorf("a hidden topic's readings: %d %s", a.Status, a.Body)
	}
	for _, want := range []string{`msg="topic hidden" topic=disk`, `msg="topic shown" topic=shop_orders`, `msg="topic deleted"`, "name=shop-admin"} {
		if !strings.Contains(m.log.String(), want) {
			t.Errorf("the log does not say %s", want)
		}
	}
	if n := strings.Count(m.log.String(), `msg="topic deleted"`); n != 1 {
		t.Errorf("%d deletions are logged", n)
	}
}

// A deleted topic has no readings, and begins again with the next one.
func TestADeletedTopicBeginsAgain(t *testing.T) {
	m := newManaged(t)
	push := func(value string) {
		t.Helper()
		if a := m.as(m.all, http.MethodPost, "/t/orders", value); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	values := func() string {
		v, _ := getJSON[rangeAnswer](t, m.Server, readingsPath+"?topic=orders", "Authorization", "Bearer "+m.all)
		b, _ := json.Marshal(v.Rows)
		return string(b)
	}
	push("1")
	push("2")
	if a := m.as(m.all, http.MethodDelete, "/t/orders", ""); a.Status != http.StatusNoContent {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if got := values(); got != "[]" {
		t.Errorf("after it was deleted it holds %s", got)
	}
	if got := m.list(t, "?hidden=1"); got != "" {
		t.Errorf("after it was deleted %s is listed", got)
	}
	push("3")
	if got := values(); strings.Count(got, "[") != 2 || !strings.Contains(got, ",3]") {
		t.Errorf("it began again with %s", got)
	}
	if got := m.list(t, ""); got != "orders" {
		t.Errorf("it began again and %q is listed", got)
	}
}
