package live

import (
	"fmt"
	"time"
)

// The close codes of a socket, an event stream and a poll: one table for the
// server, docs/live.md and the browser. Below 4000 they are RFC 6455's; the browser stops at those that
// promise nothing better from another try.
const (
	codeNormal      = 1000 // the viewer asked for it: stop
	codeGoingAway   = 1001 // this replica has ended: reconnect
	codeProtocol    = 1002 // bad frame: stop, show a bug
	codeUnsupported = 1003 // binary message: stop, show a bug
	codeBadUTF8     = 1007 // bad text: stop, show a bug
	codePolicy      = 1008 // too many or too bad messages: stop
	codeTooBig      = 1009 // message over the read limit: stop, show a bug
	codeInternal    = 1011 // our mistake in this connection: reconnect with backoff
	codeRestart     = 1012 // drain: reconnect after retry_ms
	codeExpired     = 4001 // token expired: get a new one, reconnect
	codeCut         = 1006 // never sent: the connection went without a word
	codeSilent      = 4008 // no first message in 10 s, or no pong: reconnect
	codeSlow        = 4009 // too slow: reconnect with resume and a lower rate
)

const (
	pingUsually  = 20 * time.Second // below the 60 s after which proxies cut silent connections
	pongWait     = 10 * time.Second
	firstMessage = 10 * time.Second // for a first message, or for hello where it is needed
)

// codeError ends a socket with a close code.
type codeError struct {
	code   int
	reason string
}

func (e *codeError) Error() string { return fmt.Sprintf("close %d: %s", e.code, e.reason) }
