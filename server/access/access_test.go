package access_test

import (
	"crypto/sha256"
	"encoding/hex"
	"math/bits"
	"net/http"
	"strings"
	"testing"
	"time"

	"readout/server/access"
	"readout/server/problem"
	"readout/server/reading"
)

var now = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// principal is the holder of a token with these rights.
func principal(t *testing.T, scopes []access.Action, topics ...string) access.Principal {
	t.Helper()
	text, token, err := access.Mint("test", scopes, topics, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := access.NewTokens([]access.Token{token})
	if err != nil {
		t.Fatal(err)
	}
	p, err := tokens.Authenticate(text, now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCan(t *testing.T) {
	pusher := principal(t, []access.Action{access.Push}, "orders*", `till{shop="berlin"}`)
	viewer := principal(t, []access.Action{access.View}, `cpu{host=~"web.*"}`)
	both := principal(t, []access.Action{access.View, access.Push}, "*")
	manager := principal(t, []access.Action{access.Manage}, "shop_*")
	for _, c := range []struct {
		who    string
		p      access.Principal
		action access.Action
		topic  reading.Topic
		want   bool
	}{
		{"pusher", pusher, access.Push, "orders", true},
		{"pusher", pusher, access.Push, `orders/late{shop="x"}`, true},
		{"pusher", pusher, access.Push, `till{shop="berlin"}`, true},
		{"pusher", pusher, access.Push, `till{shop="bonn"}`, false},
		{"pusher", pusher, access.Push, `till{shop="berlin",till="1"}`, false},
		{"pusher", pusher, access.Push, "order", false},
		{"pusher", pusher, access.View, "orders", false},
		{"viewer", viewer, access.View, `cpu{host="web1"}`, true},
		{"viewer", viewer, access.View, `cpu{host="db1"}`, false},
		{"viewer", viewer, access.View, "cpu", false},
		{"viewer", viewer, access.Push, `cpu{host="web1"}`, false},
		{"both", both, access.Push, `anything{a="b"}`, true},
		{"both", both, access.View, "anything", true},
		{"both", both, "admin", "anything", false},
		{"both", both, access.Manage, "anything", false},
		{"manager", manager, access.Manage, `shop_orders{shop="berlin"}`, true},
		{"manager", manager, access.Manage, "disk", false},
		{"manager", manager, access.View, "shop_orders", false},
		{"manager", manager, access.Push, "shop_orders", false},
		{"anonymous", access.Anonymous(), access.Manage, "anything", true},
		{"nobody", access.Principal{}, access.Manage, "anything", false},
		{"anonymous", access.Anonymous(), access.Push, "anything", true},
		{"anonymous", access.Anonymous(), access.View, "anything", true},
		{"nobody", access.Principal{}, access.View, "anything", false},
		{"nobody", access.Principal{}, access.Push, "anything", false},
	} {
		if got := access.Can(c.p, c.action, c.topic); got != c.want {
			t.Errorf("%s, %s %s: %v, want %v", c.who, c.action, c.topic, got, c.want)
		}
	}
	for _, c := range []struct {
		p    access.Principal
		push bool
		view bool
	}{{pusher, true, false}, {viewer, false, true}, {both, true, true}, {access.Anonymous(), true, true}, {access.Principal{}, false, false}} {
		if c.p.May(access.Push) != c.push || c.p.May(access.View) != c.view {
			t.Errorf("%q may push %v and view %v", c.p.Name, c.p.May(access.Push), c.p.May(access.View))
		}
	}
}

func TestMint(t *testing.T) {
	seen := map[string]bool{}
	var ones [256]int
	const rounds = 400
	for range rounds {
		text, token, err := access.Mint("shop-pos", []access.Action{access.Push}, []string{"orders{*}"}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(text))
		id, secret, ok := strings.Cut(strings.TrimPrefix(text, "rdo_"), "_")
		if !ok || !strings.HasPrefix(text, "rdo_") || id != token.ID || token.SHA256 != hex.EncodeToString(sum[:]) {
			t.Fatalf("%s does not belong to %+v", text, token)
		}
		if len(secret) < 52 || strings.Trim(secret, "abcdefghijklmnopqrstuvwxyz234567") != "" || len(id) < 8 {
			t.Fatalf("the secret %q has less than 256 bits, or the id %q is short", secret, id)
		}
		if seen[id] || seen[secret] {
			t.Fatal("an id or a secret came twice")
		}
		seen[id], seen[secret] = true, true
		for i := range 256 {
			letter := strings.IndexByte("abcdefghijklmnopqrstuvwxyz234567", secret[i/5])
			ones[i] += bits.OnesCount(uint(letter) & (16 >> (i % 5)))
		}
	}
	// Each bit of the secret is as often set as not; 100 from the middle of 400
	// is ten standard deviations away.
	for i, n := range ones {
		if n < rounds/4 || n > rounds*3/4 {
			t.Errorf("bit %d is set in %d of %d secrets", i, n, rounds)
		}
	}
}

func TestAuthenticate(t *testing.T) {
	text, token, err := access.Mint("wall", []access.Action{access.View}, []string{"*"}, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	other, otherToken, err := access.Mint("other", []access.Action{access.Push}, []string{"*"}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := access.NewTokens([]access.Token{token, otherToken})
	if err != nil {
		t.Fatal(err)
	}
	if tokens.Len() != 2 {
		t.Errorf("%d tokens, want 2", tokens.Len())
	}
	p, err := tokens.Authenticate(text, now)
	if err != nil || p.ID != token.ID || p.Name != "wall" || !p.Expires.Equal(now.Add(time.Hour)) {
		t.Fatalf("%+v, %v", p, err)
	}
	if p.Expired(now.Add(time.Hour-time.Second)) || !p.Expired(now.Add(time.Hour)) {
		t.Error("the token does not expire after an hour")
	}
	if p, err := tokens.Authenticate(other, now.AddDate(100, 0, 0)); err != nil || p.Name != "other" {
		t.Errorf("a token that never expires: %+v, %v", p, err)
	}
	id, secret, _ := strings.Cut(strings.TrimPrefix(text, "rdo_"), "_")
	_, otherSecret, _ := strings.Cut(strings.TrimPrefix(other, "rdo_"), "_")
	message := ""
	for name, wrong := range map[string]string{
		"nothing":                    "",
		"prefix":                     "rdo_",
		"no secret":                  "rdo_" + id,
		"empty secret":               "rdo_" + id + "_",
		"another's secret":           "rdo_" + id + "_" + otherSecret,
		"unknown id":                 "rdo_aaaaaaaaaaaaaaaa_" + secret,
		"no prefix":                  strings.TrimPrefix(text, "rdo_"),
		"another prefix":             "rdi_" + strings.TrimPrefix(text, "rdo_"),
		"one letter less":            text[:len(text)-1],
		"one letter more":            text + "a",
		"capitals":                   strings.ToUpper(text),
		"a space":                    text + " ",
		"the hash":                   "rdo_" + id + "_" + token.SHA256,
		"very long":                  text + strings.Repeat("a", 1<<20),
		"empty id, the zero sum":     "rdo__",
		"the last letter is another": text[:len(text)-1] + string(rune('a'+(text[len(text)-1]-'a'+1)%26)),
	} {
		p, err := tokens.Authenticate(wrong, now)
		if err == nil || p.Name != "" || access.Can(p, access.View, "a") {
			t.Fatalf("%s is let in as %+v", name, p)
		}
		if refusal, row := problem.Of(err); row.Status != 401 || message != "" && refusal.Message != message {
			t.Errorf("%s is refused with %d %q, others with %q", name, row.Status, refusal.Message, message)
		} else {
			message = refusal.Message
		}
	}
	if _, err := tokens.Authenticate(text, now.Add(time.Hour)); err == nil {
		t.Error("an expired token is let in")
	} else if refusal, _ := problem.Of(err); refusal.Message != message {
		t.Errorf("an expired token is told apart: %q", refusal.Message)
	}
}

func TestCredentials(t *testing.T) {
	for _, c := range []struct {
		name   string
		header []string
		text   string
		found  bool
		bad    bool
	}{
		{name: "none"},
		{name: "bearer", header: []string{"Authorization", "Bearer rdo_a_b"}, text: "rdo_a_b", found: true},
		{name: "bearer in another case", header: []string{"Authorization", "bearer  rdo_a_b"}, text: "rdo_a_b", found: true},
		{name: "token", header: []string{"Authorization", "Token rdo_a_b"}, text: "rdo_a_b", found: true},
		{name: "token behind a user", header: []string{"Authorization", "Token web:rdo_a_b"}, text: "rdo_a_b", found: true},
		{name: "empty token", header: []string{"Authorization", "Token web:"}, bad: true},
		{name: "basic", header: []string{"Authorization", "Basic dXNlcjpyZG9fYV9i"}, text: "rdo_a_b", found: true},
		{name: "basic without a user", header: []string{"Authorization", "Basic OnJkb19hX2I="}, text: "rdo_a_b", found: true},
		{name: "subprotocol", header: []string{"Sec-WebSocket-Protocol", "readout.v1, readout.bearer.rdo_a_b"}, text: "rdo_a_b", found: true},
		{name: "subprotocol in a second line", header: []string{"Sec-WebSocket-Protocol", "readout.v1", "Sec-WebSocket-Protocol", "readout.bearer.rdo_a_b"}, text: "rdo_a_b", found: true},
		{name: "only the version", header: []string{"Sec-WebSocket-Protocol", "readout.v1"}},
		{name: "empty subprotocol", header: []string{"Sec-WebSocket-Protocol", "readout.bearer."}},
		{name: "Authorization is asked first", header: []string{"Authorization", "Bearer one", "Sec-WebSocket-Protocol", "readout.bearer.two"}, text: "one", found: true},
		{name: "cookie is none", header: []string{"Cookie", "token=rdo_a_b"}},
		{name: "empty bearer", header: []string{"Authorization", "Bearer "}, bad: true},
		{name: "empty header", header: []string{"Authorization", ""}, bad: true},
		{name: "token alone", header: []string{"Authorization", "rdo_a_b"}, bad: true},
		{name: "digest", header: []string{"Authorization", `Digest username="a"`}, bad: true},
		{name: "basic that is no base64", header: []string{"Authorization", "Basic !!"}, bad: true},
		{name: "basic without a colon", header: []string{"Authorization", "Basic dXNlcg=="}, bad: true},
		{name: "basic without a password", header: []string{"Authorization", "Basic dXNlcjo="}, bad: true},
		{name: "two headers", header: []string{"Authorization", "Bearer a", "Authorization", "Bearer b"}, bad: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/t/a?token=rdo_q_q&access_token=rdo_q_q", nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(c.header); i += 2 {
				r.Header.Add(c.header[i], c.header[i+1])
			}
			text, found, err := access.Credentials(r)
			if text != c.text || found != c.found || (err != nil) != c.bad {
				t.Fatalf("%q, %v, %v", text, found, err)
			}
			if err != nil {
				if _, row := problem.Of(err); row.Status != 401 {
					t.Errorf("status %d, want 401", row.Status)
				}
			}
		})
	}
}
