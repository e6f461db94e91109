package embedded

import "strings"

// matches reports whether a name fits a pattern of Redis: * ? [abc] [^a] [a-z]
// and \ before a character that means itself.
func matches(pattern, name string) bool {
	for pattern != "" {
		switch pattern[0] {
		case '*':
			pattern = strings.TrimLeft(pattern, "*")
			if pattern == "" {
				return true
			}
			for i := range len(name) + 1 {
				if matches(pattern, name[i:]) {
					return true
				}
			}
			return false
		case '[':
			if name == "" {
				return false
			}
			fits, rest := inClass(pattern[1:], name[0])
			if !fits {
				return false
			}
			pattern, name = rest, name[1:]
			continue
		case '\\':
			if len(pattern) > 1 {
				pattern = pattern[1:]
			}
		}
		if name == "" || pattern[0] != name[0] && pattern[0] != '?' {
			return false
		}
		pattern, name = pattern[1:], name[1:]
	}
	return name == ""
}

// inClass judges a character by the class that a pattern goes on with, and
// returns what follows the class.
func inClass(pattern string, c byte) (fits bool, rest string) {
	not := strings.HasPrefix(pattern, "^")
	if not {
		pattern = pattern[1:]
	}
	for pattern != "" && pattern[0] != ']' {
		if pattern[0] == '\\' && len(pattern) > 1 {
			pattern = pattern[1:]
		}
		low, high := pattern[0], pattern[0]
		pattern = pattern[1:]
		if len(pattern) > 1 && pattern[0] == '-' && pattern[1] != ']' {
			high, pattern = pattern[1], pattern[2:]
		}
		if min(low, high) <= c && c <= max(low, high) {
			fits = true
		}
	}
	return fits != not, strings.TrimPrefix(pattern, "]")
}
