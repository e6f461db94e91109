package embedded

import "strconv"

// Replies are written in RESP2, which every client of Redis understands.

const (
	replyOK       = "+OK\r\n"
	replyQueued   = "+QUEUED\r\n"
	replyNil      = "$-1\r\n"
	replyNilArray = "*-1\r\n"
)

func appendInt(out []byte, n int64) []byte {
	return append(strconv.AppendInt(append(out, ':'), n, 10), "\r\n"...)
}

func appendArray(out []byte, items int) []byte {
	return append(strconv.AppendInt(append(out, '*'), int64(items), 10), "\r\n"...)
}

func appendBulk[T string | []byte](out []byte, text T) []byte {
	out = append(strconv.AppendInt(append(out, '$'), int64(len(text)), 10), "\r\n"...)
	return append(append(out, text...), "\r\n"...)
}

func appendID(out []byte, at id) []byte {
	var text [41]byte
	return appendBulk(out, at.append(text[:0]))
}

// appendError appends an error; text begins with its code.
func appendError(out []byte, text string) []byte {
	out = append(out, '-')
	for i := range len(text) { // an error is one line, whatever the client sent
		c := text[i]
		if c == '\r' || c == '\n' {
			c = ' '
		}
		out = append(out, c)
	}
	return append(out, "\r\n"...)
}

// appendCommand appends a command as a client sends it.
func appendCommand[T string | []byte](out []byte, words ...T) []byte {
	out = appendArray(out, len(words))
	for _, w := range words {
		out = appendBulk(out, w)
	}
	return out
}
