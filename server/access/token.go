package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"readout/server/problem"
	"readout/server/reading"
)

// Token is one entry of a tokens file. The secret is not in it: only who sees
// the token when it is made has that.
type Token struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`              // for people: who has it
	SHA256  string     `json:"sha256"`            // of the whole token text, in hex
	Scopes  []Action   `json:"scopes"`            // push, view, manage
	Topics  []string   `json:"topics"`            // selectors; "*" for every topic
	Expires *time.Time `json:"expires,omitempty"` // RFC 3339; absent for never
}

const (
	prefix    = "rdo_"
	idBytes   = 10 // 16 letters
	keyBytes  = 32 // 256 bits, so that a plain hash at rest is enough
	maxText   = 256
	maxName   = 100
	minID     = 8
	maxID     = 64
	maxTopics = 100
)

// Mint makes a token. text is the token itself, to be shown once and given to
// its user; entry is what a tokens file keeps of it. The zero expires is never.
func Mint(name string, scopes []Action, topics []string, expires time.Time) (text string, entry Token, err error) {
	letters := base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	random := make([]byte, idBytes+keyBytes)
	_, _ = rand.Read(random) // crypto/rand never fails; it ends the program instead
	id := letters.EncodeToString(random[:idBytes])
	text = prefix + id + "_" + letters.EncodeToString(random[idBytes:])
	sum := sha256.Sum256([]byte(text))
	entry = Token{ID: id, Name: name, SHA256: hex.EncodeToString(sum[:]), Scopes: scopes, Topics: topics}
	if !expires.IsZero() {
		at := expires.UTC().Truncate(time.Second)
		entry.Expires = &at
	}
	if _, err := entry.grant(); err != nil {
		return "", Token{}, err
	}
	return text, entry, nil
}

// grant is a Token in the form that requests are judged by.
type grant struct {
	principal Principal
	sum       [sha256.Size]byte
}

// grant checks every field of a token.
func (t Token) grant() (grant, error) {
	g := grant{principal: Principal{ID: t.ID, Name: t.Name, actions: t.Scopes}}
	if len(t.ID) < minID || len(t.ID) > maxID || strings.ContainsFunc(t.ID, func(r rune) bool { return !isIDLetter(r) }) {
		return g, fmt.Errorf("id %s: want %d to %d of a-z A-Z 0-9", reading.Quote(t.ID), minID, maxID)
	}
	if t.Name == "" || len(t.Name) > maxName || !utf8.ValidString(t.Name) || strings.ContainsFunc(t.Name, unicode.IsControl) {
		return g, fmt.Errorf("name %s: want 1 to %d bytes of text", reading.Quote(t.Name), maxName)
	}
	if n, err := hex.Decode(g.sum[:], []byte(t.SHA256[:min(len(t.SHA256), 2*len(g.sum))])); err != nil || n != len(g.sum) || len(t.SHA256) != 2*len(g.sum) {
		return g, fmt.Errorf("sha256: want %d hexadecimal digits", 2*len(g.sum))
	}
	if len(t.Scopes) == 0 {
		return g, fmt.Errorf("scopes: at least one of %v", Actions)
	}
	for i, scope := range t.Scopes {
		if !slices.Contains(Actions, scope) {
			return g, fmt.Errorf("scope %s: want one of %v", reading.Quote(string(scope)), Actions)
		}
		if slices.Contains(t.Scopes[:i], scope) {
			return g, fmt.Errorf("scope %q: given twice", scope)
		}
	}
	if len(t.Topics) == 0 || len(t.Topics) > maxTopics {
		return g, fmt.Errorf("topics: want 1 to %d selectors; \"*\" is every topic", maxTopics)
	}
	for _, text := range t.Topics {
		selector, err := reading.ParseSelector(text)
		if err != nil {
			return g, fmt.Errorf("topics: %w", err)
		}
		g.principal.topics = append(g.principal.topics, selector)
	}
	if t.Expires != nil {
		if t.Expires.IsZero() {
			return g, fmt.Errorf("expires: leave it out for a token that never expires")
		}
		g.principal.Expires = *t.Expires
	}
	return g, nil
}

func isIDLetter(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// Tokens are the tokens that a server knows. It does not change once made and
// may be used by any number of goroutines.
type Tokens struct {
	byID map[string]grant
}

// NewTokens checks tokens and makes them known.
func NewTokens(tokens []Token) (*Tokens, error) {
	known := &Tokens{byID: make(map[string]grant, len(tokens))}
	for i, t := range tokens {
		g, err := t.grant()
		if err == nil {
			if _, twice := known.byID[t.ID]; twice {
				err = fmt.Errorf("id %q: given twice", t.ID)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("token %d (%s): %w", i+1, reading.Quote(t.Name), err)
		}
		known.byID[t.ID] = g
	}
	return known, nil
}

// Len returns how many tokens there are.
func (t *Tokens) Len() int { return len(t.byID) }

// Authenticate returns whose token text is. The error is an unauthorized
// *problem.Error that reads the same whatever is wrong with the token, so that
// nobody learns which part of a guess was right.
func (t *Tokens) Authenticate(text string, now time.Time) (Principal, error) {
	refused := problem.New("unauthorized", "the token is unknown or no longer valid")
	if len(text) > maxText {
		return Principal{}, refused
	}
	// An unknown id is compared too, with a sum that nothing has.
	rest, isToken := strings.CutPrefix(text, prefix)
	id, _, _ := strings.Cut(rest, "_")
	g, known := t.byID[id]
	sum := sha256.Sum256([]byte(text))
	same := subtle.ConstantTimeCompare(sum[:], g.sum[:]) == 1
	if !isToken || !known || !same || g.principal.Expired(now) {
		return Principal{}, refused
	}
	return g.principal, nil
}

// Expired reports whether the principal's token has ended by now. A connection
// that outlives a request asks again.
func (p Principal) Expired(now time.Time) bool {
	return !p.Expires.IsZero() && !now.Before(p.Expires)
}
