package access

// Parse is Load without the disk, so that a fuzz test can ask often.
func Parse(data []byte) (*Tokens, error) {
	tokens, err := parseFile(data)
	if err != nil {
		return nil, err
	}
	return NewTokens(tokens)
}
