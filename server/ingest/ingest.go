// Package ingest turns bytes into readings, one file per format. It knows no HTTP
// and no store, and the same bytes at the same time give the same readings. Every
// refusal is a *reading.Error with a code of the table in server/problem.
package ingest

import (
	"math"
	"time"

	"readout/server/reading"
)

// MaxReadings is how many readings one request may hold.
const MaxReadings = 10_000

// Request is what one body asks for.
type Request struct {
	Items    []Item
	Describe []Description
}

// Item is one element of a request. Err is nil or the *reading.Error that says
// why this reading is refused; the others are stored all the same.
type Item struct {
	Index   int // its place in the request, from 0
	Reading reading.Reading
	Err     error
}

// Description says what the values of a topic mean.
type Description struct {
	Topic   reading.Topic
	Columns []reading.Column // in the order of the request
}

// Bounds are the times that a request is judged by.
type Bounds struct {
	Now    time.Time // also the time of a reading that names none
	Oldest time.Time // what is older is refused; the zero time is no bound
}

// notANumber stands for what JSON has and a reading cannot hold.
func notANumber() reading.Value { return reading.NumberOf(math.NaN()) }
