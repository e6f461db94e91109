package reading

import "unicode/utf8"

// FitName makes the name of a topic of what another system calls one: _ stands for each
// character that the grammar lacks, and before a first one that may only follow.
func FitName(name string) string {
	return fit(name, isNameByte, func(c byte) bool { return isNameByte(c) && !isInner(c) })
}

// FitLabel is FitName for the name of a label.
func FitLabel(name string) string {
	return fit(name, func(c byte) bool { return isLabelFirst(c) || isLabelInner(c) }, isLabelFirst)
}

// FitColumn is FitName for the name of a value.
func FitColumn(name string) string {
	if isReserved(name) {
		return "_" + name
	}
	return fit(name, isNameByte, isNameByte)
}

func fit(name string, fits, first func(byte) bool) string {
	for i := range len(name) {
		if c := name[i]; !fits(c) || i == 0 && !first(c) {
			return refit(name, fits, first)
		}
	}
	return name
}

func refit(name string, fits, first func(byte) bool) string {
	b := make([]byte, 0, 1+len(name))
	if fits(name[0]) && !first(name[0]) {
		b = append(b, '_')
	}
	for len(name) > 0 {
		_, size := utf8.DecodeRuneInString(name)
		if fits(name[0]) {
			b = append(b, name[0])
		} else {
			b = append(b, '_')
		}
		name = name[size:]
	}
	return string(b)
}
