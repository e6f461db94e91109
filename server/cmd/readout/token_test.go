package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"readout/server/access"
	"readout/server/reading"
)

func TestTokenIsShownOnceAndWorks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens.json")
	var out, info strings.Builder
	args := []string{"--file", file, "--name", "shop-pos", "--scope", "push", "--topics", "orders*", "--topics", `till{shop="a,b"}`, "--expires", "1h"}
	if code := runToken(args, &out, &info); code != 0 {
		t.Fatalf("exit code %d: %s", code, info.String())
	}
	text := strings.TrimSuffix(out.String(), "\n")
	if !strings.HasPrefix(text, "rdo_") || strings.ContainsAny(text, " \n") {
		t.Fatalf("standard output is %q, want the token alone", out.String())
	}
	if strings.Contains(info.String(), text) || !strings.Contains(info.String(), "shop-pos") {
		t.Errorf("standard error is %q; want what was written and not the token", info.String())
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if secret := text[strings.LastIndexByte(text, '_')+1:]; strings.Contains(string(kept), secret) {
		t.Error("the file holds the secret")
	}
	tokens, err := access.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := tokens.Authenticate(text, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for topic, want := range map[reading.Topic]bool{`orders{shop="x"}`: true, `till{shop="a,b"}`: true, `till{shop="a"}`: false} {
		if got := access.Can(p, access.Push, topic); got != want {
			t.Errorf("may push %s: %v, want %v", topic, got, want)
		}
	}
	if _, err := tokens.Authenticate(text, time.Now().Add(2*time.Hour)); err == nil {
		t.Error("the token is valid after it expired")
	}
}

func TestTokenOfOneWhoManages(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens.json")
	var out, info strings.Builder
	args := []string{"--file", file, "--name", "shop-admin", "--scope", "view,manage", "--topics", "shop_*"}
	if code := runToken(args, &out, &info); code != 0 {
		t.Fatalf("exit code %d: %s", code, info.String())
	}
	tokens, err := access.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := tokens.Authenticate(strings.TrimSpace(out.String()), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		action access.Action
		topic  reading.Topic
		want   bool
	}{{access.Manage, "shop_orders", true}, {access.View, "shop_orders", true}, {access.Push, "shop_orders", false}, {access.Manage, "disk", false}} {
		if got := access.Can(p, c.action, c.topic); got != c.want {
			t.Errorf("may %s %s: %v, want %v", c.action, c.topic, got, c.want)
		}
	}
}

func TestTokenCommandLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens.json")
	good := []string{"--file", file, "--name", "n", "--scope", "push,view", "--topics", "*"}
	for _, c := range []struct {
		name string
		args []string
		code int
		says string // in standard error, or for help in standard output
	}{
		{"help", []string{"--help"}, 0, "Examples:"},
		{"help after flags", append(good[:2:2], "-h"), 0, "--scope push"},
		{"no file", good[2:], 2, "--file is missing"},
		{"no name", append(good[:2:2], good[4:]...), 2, "--name is missing"},
		{"no scope", append(good[:4:4], good[6:]...), 2, "--scope is missing"},
		{"no topics", good[:6], 2, "--topics is missing"},
		{"unknown flag", append(good[:8:8], "--admin"), 2, "-admin"},
		{"selector without quotes", append(good[:8:8], "orders.csv"), 2, "single quotes"},
		{"unknown scope", append(good[:8:8], "--scope", "admin"), 2, `scope "admin"`},
		{"scope twice", append(good[:8:8], "--scope", "push"), 2, "given twice"},
		{"wrong selector", append(good[:8:8], "--topics", "{"), 2, "topics:"},
		{"negative expiry", append(good[:8:8], "--expires", "-1h"), 2, "--expires"},
		{"no such folder", append([]string{"--file", file + "/no/such"}, good[2:]...), 1, "tokens file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, info strings.Builder
			if code := runToken(c.args, &out, &info); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			said, silent := info.String(), out.String()
			if c.code == 0 {
				said, silent = silent, said
			}
			if !strings.Contains(said, c.says) {
				t.Errorf("says %q, want %q in it", said, c.says)
			}
			if silent != "" {
				t.Errorf("the other stream says %q", silent)
			}
			if _, err := os.Stat(file); err == nil {
				t.Error("a tokens file was written")
			}
		})
	}
}
