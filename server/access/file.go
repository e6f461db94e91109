package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"readout/server/reading"
)

// maxFile bounds a tokens file, in bytes.
const maxFile = 4 << 20

// Load reads a tokens file:
//
//	{"tokens": [{"id": "...", "name": "shop-pos", "sha256": "...", "scopes": ["push"],
//	             "topics": ["orders{*}"], "expires": "2027-01-01T00:00:00Z"}]}
//
// It is strict, because a misspelt key would silently give other rights: keys
// are known, in their exact case, and given once. Errors name the line or the token.
func Load(path string) (*Tokens, error) {
	tokens, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("tokens file: %w", err)
	}
	known, err := NewTokens(tokens)
	if err != nil {
		return nil, fmt.Errorf("tokens file %s: %w", path, err)
	}
	return known, nil
}

func readFile(path string) ([]Token, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: more than %d bytes", path, maxFile)
	}
	tokens, err := parseFile(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return tokens, nil
}

// parseFile decodes a tokens file and checks its form, not yet its tokens.
func parseFile(data []byte) ([]Token, error) {
	// encoding/json takes keys in any case, unknown and doubled ones; a first
	// pass over the tokens of its own scanner refuses them.
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := checkKeys(dec, 0); err != nil {
		return nil, atLine(data, dec.InputOffset(), err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, atLine(data, dec.InputOffset(), errors.New("something follows the closing }"))
	}
	var file struct {
		Tokens *[]json.RawMessage `json:"tokens"`
	}
	if err := json.Unmarshal(data, &file); err != nil || file.Tokens == nil {
		return nil, errNoTokens
	}
	tokens := make([]Token, len(*file.Tokens))
	for i, raw := range *file.Tokens {
		err := json.Unmarshal(raw, &tokens[i])
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field != "" {
			err = fmt.Errorf("%s cannot be a %s", wrong.Field, wrong.Value)
		}
		if err != nil {
			return nil, fmt.Errorf("token %d (%s): %w", i+1, reading.Quote(tokens[i].Name), err)
		}
	}
	return tokens, nil
}

var errNoTokens = errors.New(`want {"tokens": [...]}`)

// checkKeys reads one value. Objects stand at depth 0, the file, and 2, a token.
func checkKeys(dec *json.Decoder, depth int) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	if depth > 4 {
		return errors.New("nested too deep")
	}
	if depth == 0 && token != json.Delim('{') {
		return errNoTokens
	}
	switch token {
	case json.Delim('['):
		for dec.More() {
			if err := checkKeys(dec, depth+1); err != nil {
				return err
			}
		}
		_, err = dec.Token()
	case json.Delim('{'):
		allowed := []string{"id", "name", "sha256", "scopes", "topics", "expires"}
		if depth == 0 {
			allowed = []string{"tokens"}
		}
		var seen []string
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return err
			}
			name, _ := key.(string)
			switch {
			case !slices.Contains(allowed, name):
				return fmt.Errorf("unknown key %q; known are %q", name, allowed)
			case slices.Contains(seen, name):
				return fmt.Errorf("the key %q is given twice", name)
			}
			seen = append(seen, name)
			if err := checkKeys(dec, depth+1); err != nil {
				return err
			}
		}
		_, err = dec.Token()
	}
	return err
}

func atLine(data []byte, offset int64, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		offset = syntax.Offset
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	offset = min(max(offset, 0), int64(len(data)))
	return fmt.Errorf("line %d: %w", 1+bytes.Count(data[:offset], []byte{'\n'}), err)
}

// AppendFile adds a token to a tokens file, which it makes if there is none.
// Readers see the old file or the new one, never a part, and only the file's
// owner may read it. Two that append at once do not lose a token: the second
// is refused.
func AppendFile(path string, token Token) error {
	// The new file is also the lock, so it has one name and must not exist yet.
	next := path + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("tokens file: %s exists: another readout is writing it; if none is, remove it", next)
	}
	if err != nil {
		return fmt.Errorf("tokens file: %w", err)
	}
	err = errors.Join(appendTo(f, path, token), f.Close())
	if err == nil {
		err = os.Rename(next, path)
	}
	if err != nil {
		return fmt.Errorf("tokens file: %w", errors.Join(err, os.Remove(next)))
	}
	return nil
}

// appendTo writes the tokens of the file at path, and one more, to f.
func appendTo(f *os.File, path string, token Token) error {
	tokens, err := readFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	tokens = append(tokens, token)
	if _, err := NewTokens(tokens); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	enc := json.NewEncoder(f)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string][]Token{"tokens": tokens}); err != nil {
		return err
	}
	return f.Sync()
}
