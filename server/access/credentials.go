package access

import (
	"encoding/base64"
	"net/http"
	"strings"

	"readout/server/problem"
)

// Subprotocol is what stands before a token in Sec-WebSocket-Protocol, the one
// header of a handshake that a page's script can choose.
const Subprotocol = "readout.bearer."

// Credentials returns the token that a request carries, if it carries one: as
// Authorization: Bearer or Token, as the password of Authorization: Basic (which a
// browser asks for by itself), or as a WebSocket subprotocol. An address never
// carries one, because addresses end up in logs. The error is an unauthorized
// *problem.Error for credentials that cannot be read.
func Credentials(r *http.Request) (text string, found bool, err error) {
	switch headers := r.Header.Values("Authorization"); len(headers) {
	case 0:
		text, found = fromSubprotocol(r.Header.Values("Sec-WebSocket-Protocol"))
		return text, found, nil
	case 1:
		text, err := fromAuthorization(headers[0])
		return text, err == nil, err
	default:
		return "", false, problem.New("unauthorized", "the request has more than one Authorization header")
	}
}

func fromAuthorization(header string) (string, error) {
	scheme, rest, _ := strings.Cut(header, " ")
	rest = strings.Trim(rest, " ")
	switch strings.ToLower(scheme) {
	case "token": // as InfluxDB 2 calls it, and user:token as 1.8 does
		rest = rest[strings.LastIndexByte(rest, ':')+1:]
		fallthrough
	case "bearer":
		if rest != "" {
			return rest, nil
		}
	case "basic":
		if pair, err := base64.StdEncoding.DecodeString(rest); err == nil {
			if _, password, ok := strings.Cut(string(pair), ":"); ok && password != "" {
				return password, nil
			}
		}
	}
	return "", problem.New("unauthorized", "the Authorization header holds no token; send Authorization: Bearer rdo_..., or the token as the password")
}

func fromSubprotocol(headers []string) (string, bool) {
	for _, header := range headers {
		for protocol := range strings.SplitSeq(header, ",") {
			if text, ok := strings.CutPrefix(strings.TrimSpace(protocol), Subprotocol); ok && text != "" {
				return text, true
			}
		}
	}
	return "", false
}
