// Package problem holds the one table of everything Readout answers when it
// cannot do what was asked. The table makes HTTP statuses, error frames and
// docs/errors.md. It knows no HTTP, so that every package may use it.
package problem

import (
	"errors"
	"fmt"
	"time"

	"readout/server/reading"
)

// Row is one code of the table.
type Row struct {
	Code       string
	Status     int           // HTTP status
	RetryAfter time.Duration // what Retry-After says; 0 for never
	Means      string        // what is wrong
	Do         string        // what the sender or viewer does about it
}

// Table is every code that Readout answers, over HTTP and in error frames.
var Table = []Row{
	{"bad_request", 400, 0, "The request is not what this address takes.", "Mend the part that the message names."},
	{"empty_body", 400, 0, "The body is empty.", "Send a reading: curl -d 42 .../t/TOPIC."},
	{"bad_json", 400, 0, "The body is not one well-formed JSON document (or, for NDJSON, one in each line).", "Mend the byte that the message names."},
	{"duplicate_key", 400, 0, "A JSON object holds the same key twice.", "Send each key once."},
	{"unknown_field", 400, 0, "A JSON object holds a key that nobody reads.", "Check the spelling; keys are case sensitive."},
	{"bad_encoding", 400, 0, "The body is not what Content-Encoding says.", "Send plain, or compress the body once."},
	{"bad_body", 400, 0, "The body is not a value, not name=value pairs and not a JSON object of values.", "Send 42, or user=0.3 system=0.1, or {\"user\":0.3}."},
	{"bad_line", 400, 0, "A line is not InfluxDB line protocol; nothing of the request is stored.", "Mend the line that the message names."},
	{"bad_time", 422, 0, "A time lies before 1970, too far ahead, or further back than is kept.", "Send milliseconds since 1970 or RFC 3339."},
	{"bad_topic", 422, 0, "A topic or selector does not follow the grammar.", "See the topic grammar in docs/push.md."},
	{"bad_utf8", 422, 0, "A text is not valid UTF-8.", "Send UTF-8."},
	{"bad_text", 422, 0, "A text value is empty, too long or holds control characters.", "Send states of 1 to 128 bytes."},
	{"bad_value_name", 422, 0, "The name of a value does not follow the grammar.", "Use A-Z a-z 0-9 _ . : / - and neither t nor p."},
	{"not_a_number", 422, 0, "A value is not a finite number.", "Send decimal numbers, true, false or a text."},
	{"no_values", 422, 0, "A reading holds no value.", "Send value or values."},
	{"too_many_values", 422, 0, "A reading holds more than 256 values.", "Split it into several topics."},
	{"duplicate_value", 422, 0, "A reading holds the same value name twice.", "Send each value once."},
	{"bad_dashboard", 422, 0, "A dashboard document does not follow the format.", "Mend the line that the message names; see docs/dashboards.md."},
	{"bad_describe", 422, 0, "A description names an unknown kind or too long a unit.", "kind is gauge, counter or state; unit has at most 32 bytes."},
	{"bad_target", 422, 0, "The target of a collector is not an address that may be asked.", "Give http:// or https:// and a public host, or have the operator allow it with --allow-targets."},
	{"wrong_type", 409, 0, "The key of this topic holds another Redis type.", "Delete that key in Redis (readout key TOPIC prints it), or use another topic."},
	{"rejected", 422, 0, "Some readings were refused; the others are stored.", "Mend those that rejected names; do not send the others again."},
	{"idempotency_conflict", 422, 0, "This Idempotency-Key was used for another body within 10 minutes.", "Use a new key for each new body."},
	{"unauthorized", 401, 0, "A token is needed, and none or no valid one came.", "Send Authorization: Bearer rdo_..."},
	{"forbidden", 403, 0, "The token may not do this, or not with this topic.", "Ask for a token with this scope and selector."},
	{"bad_origin", 403, 0, "A page of another site tried this.", "Set --public-url to the address that browsers use."},
	{"not_found", 404, 0, "Nothing is here.", "Check the address."},
	{"method_not_allowed", 405, 0, "This address does not take this method.", "See the Allow header."},
	{"not_acceptable", 406, 0, "This address has no such format.", "Leave out format, or use one that the message names."},
	{"body_timeout", 408, 0, "The body did not arrive in time.", "Send it faster or in smaller parts."},
	{"too_large", 413, 0, "The body is too large, as sent or after decompression.", "Split it: at most 1 MiB as sent and 8 MiB inflated."},
	{"too_many", 413, 0, "The request holds more than 10,000 readings.", "Split it."},
	{"unsupported_encoding", 415, 0, "This Content-Encoding is not supported.", "Use gzip or zstd, once, or none."},
	{"unsupported_type", 415, 0, "This Content-Type is not supported here.", "Use application/json or application/x-ndjson."},
	{"wrong_host", 421, 0, "This server is not asked by a name that it serves.", "Use localhost, or start it with --public-url."},
	{"upgrade_required", 426, 0, "This address speaks WebSocket.", "Open it with a WebSocket client, or use ?format=sse on the topic."},
	{"limit", 429, time.Second, "A limit is reached.", "The message says which; send less or ask for more."},
	{"internal", 500, 0, "Readout made a mistake.", "Report it with the request id."},
	{"store_unavailable", 503, 2 * time.Second, "The store does not answer. With outcome unknown the readings may still be stored.", "Send again after Retry-After, with an Idempotency-Key so that nothing doubles."},
	{"not_confirmed", 503, 2 * time.Second, "The store has not confirmed in time what Readout-Ack asks for. With outcome stored the readings are stored, and seen, all the same.", "Send again after Retry-After, with the same Idempotency-Key: they are stored once, and waited for again."},
	{"overloaded", 503, time.Second, "This replica has more requests in hand than it can serve in time.", "Send again after Retry-After, in fewer and larger requests."},
	{"storage_full", 503, 10 * time.Second, "The store has no room.", "Send again after Retry-After; give the store more memory."},
	{"draining", 503, time.Second, "This replica is stopping.", "Send again; another replica answers."},
	{"not_ready", 503, time.Second, "This replica cannot serve yet or any more.", "See the checks in the body."},
	{"bad_message", 400, 0, "A socket message is not JSON, has no known type or lacks a field.", "See docs/live.md."},
	{"bad_id", 400, 0, "A cursor is not one of this server's.", "Send the id of the last message, as it was, or none."},
	{"stale", 503, 0, "The store does not answer; what is shown is old.", "Nothing: readings come by themselves when it answers again."},
}

var rows = func() map[string]Row {
	m := make(map[string]Row, len(Table))
	for _, row := range Table {
		m[row.Code] = row
	}
	return m
}()

// Error is a refusal with a code of the Table. Message is shown to the sender,
// Cause only to the operator.
type Error struct {
	Code    string
	Message string
	Outcome string        // "unknown" when a write may have happened all the same, "stored" when it has
	Allow   string        // what the Allow header says, for method_not_allowed
	Retry   time.Duration // what Retry-After says, when it is not what the row says
	Cause   error
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Cause)
	}
	return e.Code + ": " + e.Message
}

func (e *Error) Unwrap() error { return e.Cause }

// New makes an Error; code is a row of the Table.
func New(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Of returns what to say about any error and its row. An error that is neither
// an *Error nor a *reading.Error is a mistake of ours: its text stays inside.
func Of(err error) (*Error, Row) {
	var refusal *reading.Error
	var problem *Error
	switch {
	case errors.As(err, &problem):
	case errors.As(err, &refusal):
		problem = New(refusal.Code, "%s", refusal.Message)
	default:
		problem = &Error{Code: "internal", Message: "something went wrong here", Cause: err}
	}
	row, ok := rows[problem.Code]
	if !ok {
		row = rows["internal"]
	}
	return problem, row
}
