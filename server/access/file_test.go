package access_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"readout/server/access"
)

const sum = "0000000000000000000000000000000000000000000000000000000000000000"

// entry is a sound token, with some of its lines replaced.
func entry(pairs ...string) string {
	lines := []string{`"id": "abcdefgh"`, `"name": "shop-pos"`, `"sha256": "` + sum + `"`, `"scopes": ["push"]`, `"topics": ["orders{*}"]`}
	for i := 0; i < len(pairs); i += 2 {
		for j, line := range lines {
			if strings.HasPrefix(line, `"`+pairs[i]+`"`) {
				lines[j] = pairs[i+1]
			}
		}
		if pairs[i] == "" {
			lines = append(lines, pairs[i+1])
		}
	}
	return "{\n" + strings.Join(lines, ",\n") + "\n}"
}

func TestLoad(t *testing.T) {
	for _, c := range []struct {
		name, file string
		says       string // part of the error; empty for none
	}{
		{"one", `{"tokens": [` + entry() + `]}`, ""},
		{"none", `{"tokens": []}`, ""},
		{"expires", `{"tokens": [` + entry("", `"expires": "2027-01-01T00:00:00Z"`) + `]}`, ""},
		{"two", `{"tokens": [` + entry() + `,` + entry("id", `"id": "hgfedcba"`) + `]}`, ""},

		{"empty", ``, "line 1"},
		{"no object", `[]`, `want {"tokens"`},
		{"null", `{"tokens": null}`, `want {"tokens"`},
		{"no tokens", `{}`, `want {"tokens"`},
		{"cut", `{"tokens": [` + entry() + `]`, "line 7: unexpected EOF"},
		{"syntax", "{\"tokens\": [\n{\"id\": }]}", "line 2"},
		{"something behind", "{\"tokens\": []}\n{}", "line 2"},
		{"unknown key", `{"tokens": [` + entry("", `"admin": true`) + `]}`, `line 7: unknown key "admin"`},
		{"unknown key in the file", `{"tokens": [], "version": 1}`, `unknown key "version"`},
		{"key in another case", `{"tokens": [` + entry("scopes", `"Scopes": ["push"]`) + `]}`, `unknown key "Scopes"`},
		{"key twice", `{"tokens": [` + entry("", `"scopes": ["view"]`) + `]}`, `"scopes" is given twice`},
		{"tokens twice", `{"tokens": [], "tokens": []}`, `"tokens" is given twice`},
		{"deep", `{"tokens": ` + strings.Repeat("[", 1000), "line 1"},
		{"wrong kind", `{"tokens": [` + entry("scopes", `"scopes": "push"`) + `]}`, `token 1 ("shop-pos"): scopes cannot be a string`},
		{"token is no object", `{"tokens": [7]}`, "token 1"},
		{"wrong time", `{"tokens": [` + entry("", `"expires": "tomorrow"`) + `]}`, `token 1 ("shop-pos"): parsing time`},
		{"zero time", `{"tokens": [` + entry("", `"expires": "0001-01-01T00:00:00Z"`) + `]}`, `token 1 ("shop-pos"): expires`},
		{"short id", `{"tokens": [` + entry("id", `"id": "abc"`) + `]}`, `token 1 ("shop-pos"): id "abc"`},
		{"id with other letters", `{"tokens": [` + entry("id", `"id": "abc_defgh"`) + `]}`, `id "abc_defgh"`},
		{"no name", `{"tokens": [` + entry("name", `"name": ""`) + `]}`, "token 1 (\"\"): name"},
		{"name of two lines", `{"tokens": [` + entry("name", `"name": "a\nb"`) + `]}`, "name"},
		{"short sum", `{"tokens": [` + entry("sha256", `"sha256": "00"`) + `]}`, "sha256"},
		{"long sum", `{"tokens": [` + entry("sha256", `"sha256": "`+sum+`00"`) + `]}`, "sha256"},
		{"the token itself", `{"tokens": [` + entry("sha256", `"sha256": "rdo_`+sum[4:]+`"`) + `]}`, "sha256"},
		{"no scopes", `{"tokens": [` + entry("scopes", `"scopes": []`) + `]}`, "scopes"},
		{"unknown scope", `{"tokens": [` + entry("scopes", `"scopes": ["push", "admin"]`) + `]}`, `scope "admin"`},
		{"scope twice", `{"tokens": [` + entry("scopes", `"scopes": ["push", "push"]`) + `]}`, "twice"},
		{"no topics", `{"tokens": [` + entry("topics", `"topics": []`) + `]}`, "topics"},
		{"wrong selector", `{"tokens": [` + entry("topics", `"topics": ["a{"]`) + `]}`, "topics"},
		{"id twice", `{"tokens": [` + entry() + `,` + entry("name", `"name": "other"`) + `]}`, `token 2 ("other"): id "abcdefgh": given twice`},
		{"too large", `{"tokens": []}` + strings.Repeat(" ", 4<<20), "more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tokens.json")
			if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
			tokens, err := access.Load(path)
			switch {
			case c.says == "" && err != nil:
				t.Fatal(err)
			case c.says == "":
				if tokens.Len() != strings.Count(c.file, "sha256") {
					t.Errorf("%d tokens", tokens.Len())
				}
			case err == nil:
				t.Fatal("was taken")
			case !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path):
				t.Errorf("says %q, want %q and the path in it", err, c.says)
			}
		})
	}
	if _, err := access.Load(filepath.Join(t.TempDir(), "none.json")); err == nil {
		t.Error("a file that is not there was loaded")
	}
}

func TestAppendFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	texts := map[string]string{}
	for i := range 3 {
		name := fmt.Sprint("token", i)
		text, token, err := access.Mint(name, access.Actions, []string{`a{x="<&>"}`, "b*"}, now.Add(time.Duration(i)*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if err := access.AppendFile(path, token); err != nil {
			t.Fatal(err)
		}
		texts[name] = text
		if err := access.AppendFile(path, token); err == nil {
			t.Error("the same token was added twice")
		}
	}
	tokens, err := access.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range texts {
		if p, err := tokens.Authenticate(text, now.Add(-time.Minute)); err != nil || p.Name != name || !access.Can(p, access.View, `a{x="<&>"}`) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		// T5: at rest there is nothing that could be sent.
		if strings.Contains(string(kept), text[len(text)-20:]) {
			t.Errorf("the file holds the secret of %s", name)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if left, _ := filepath.Glob(path + "?*"); len(left) > 0 {
		t.Errorf("%q is left behind", left)
	}
}

func TestAppendFileRefuses(t *testing.T) {
	_, token, err := access.Mint("a", access.Actions, []string{"*"}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tokens.json")
	broken := []byte(`{"tokens": [}`)
	if err := os.WriteFile(path, broken, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := access.AppendFile(path, token); err == nil {
		t.Error("a broken file was written over")
	}
	if kept, err := os.ReadFile(path); err != nil || string(kept) != string(broken) {
		t.Errorf("the file is now %q, %v", kept, err)
	}
	if err := os.WriteFile(path+".new", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := access.AppendFile(path, token); err == nil || !strings.Contains(err.Error(), "tokens.json.new") {
		t.Errorf("with another writer at work: %v", err)
	}
	if _, err := os.Stat(path + ".new"); err != nil {
		t.Errorf("the other writer's file is gone: %v", err)
	}
	if err := access.AppendFile(filepath.Join(t.TempDir(), "no", "such", "folder.json"), token); err == nil {
		t.Error("wrote into no folder")
	}
}

// Whoever gets to append has appended: no token is lost to another writer.
func TestAppendFileAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	var wg sync.WaitGroup
	var mu sync.Mutex // protects added
	added := 0
	for range 8 {
		_, token, err := access.Mint("a", access.Actions, []string{"*"}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if access.AppendFile(path, token) == nil {
				mu.Lock()
				added++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	tokens, err := access.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if added == 0 || tokens.Len() != added {
		t.Errorf("%d tokens in the file, %d were added", tokens.Len(), added)
	}
}

// FuzzTokens: any file either loads or says why, and nothing but a token's own
// text is let in.
func FuzzTokens(f *testing.F) {
	f.Add([]byte(`{"tokens": [`+entry()+`]}`), "rdo_abcdefgh_secret")
	f.Add([]byte(`{"tokens": [`+entry()+`,`+entry()+`]}`), "rdo__")
	f.Add([]byte(`{"tokens": [{"ID": 1}]}`), "rdo_abcdefgh_")
	f.Add([]byte(`{"tokens": [[[[[]]]]]}`), "")
	f.Add([]byte(`{"tokens": [`+entry("", `"expires": "2027-01-01T00:00:00Z"`)+`]}`), "a")
	minted, token, err := access.Mint("fuzz", access.Actions, []string{"*"}, time.Time{})
	if err != nil {
		f.Fatal(err)
	}
	known, err := access.NewTokens([]access.Token{token})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, file []byte, guess string) {
		if tokens, err := access.Parse(file); err == nil {
			if !json.Valid(file) {
				t.Fatal("a file that is not JSON was taken")
			}
			if p, err := tokens.Authenticate(guess, now); err == nil {
				t.Fatalf("%q is let in as %+v", guess, p)
			}
		}
		for _, wrong := range []string{guess, minted + guess, guess + minted, minted[:len(minted)-min(len(guess), len(minted))] + guess} {
			if _, err := known.Authenticate(wrong, now); (err == nil) != (wrong == minted) {
				t.Fatalf("%q: %v", wrong, err)
			}
		}
	})
}
