package dashboard

import (
	"fmt"

	"readout/server/problem"
)

// Error is why a document was refused. Its fields are those of the first place
// that is wrong. To the table of package problem it is a bad_dashboard.
type Error struct{ Problem }

func (e *Error) Error() string { return e.String() }

// Unwrap returns the same as an error of the table.
func (e *Error) Unwrap() error {
	where := ""
	if e.Line > 0 {
		where = fmt.Sprintf("line %d, column %d: ", e.Line, e.Column)
	}
	more := ""
	if n := len(e.Others); n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	return problem.New("bad_dashboard", "%s%s%s", where, e.Message, more)
}
