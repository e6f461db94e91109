package push

import (
	"mime"
	"net/http"

	"readout/server/body"
	"readout/server/ingest"
	"readout/server/problem"
	"readout/server/reading"
)

// Readings handles POST /api/v1/readings: many readings in JSON or NDJSON. What
// is wrong with one of them does not keep the others from being stored.
func (h *Handlers) Readings(w http.ResponseWriter, r *http.Request) error {
	// A parameter after the type, such as charset, changes nothing in JSON.
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	decode := ingest.JSON
	switch {
	case err == nil && kind == "application/json":
	case err == nil && kind == "application/x-ndjson":
		decode = ingest.NDJSON
	default:
		return problem.New("unsupported_type", "send Content-Type application/json or application/x-ndjson")
	}
	ack, err := ack(r)
	if err != nil {
		return err
	}
	if len(r.Header.Values("Readout-Time")) > 0 {
		return problem.New("bad_request", "Readout-Time is for one reading; here each reading has its own t")
	}
	sent, err := body.Read(w, r, MaxBody)
	if err != nil {
		return err
	}
	slots, err := h.begin(r.Context(), ack)
	if err != nil {
		return err
	}
	defer func() { <-slots }()

	body, err := inflate(r, sent)
	if err != nil {
		return err
	}
	once, err := h.once(r, kind, string(body))
	if err != nil {
		return err
	}
	request, err := decode(body, h.bounds())
	if err != nil {
		return err
	}
	readings, rejected, err := h.permit(r, request)
	if err != nil {
		return err
	}
	for _, d := range request.Describe {
		if err := h.options.Describe(r.Context(), d.Topic, d.Columns); err != nil {
			return err
		}
	}
	var ids []reading.StreamID
	if len(readings) > 0 {
		if ids, err = h.options.Append(r.Context(), readings, once, ack); err != nil {
			return err
		}
	}
	answerReadings(w, r, ids, len(readings), rejected, len(request.Items))
	return nil
}

// rejection is one refused reading of a request.
type rejection struct {
	index   int
	problem *problem.Error
}

// permit parts the readings that are sound and allowed from the others. A topic
// that may not be described refuses the request: nothing is stored yet, and a
// description has no place in the list of rejected readings.
func (h *Handlers) permit(r *http.Request, request ingest.Request) ([]reading.Reading, []rejection, error) {
	allowed := make(map[reading.Topic]error)
	can := func(topic reading.Topic) error {
		err, known := allowed[topic]
		if !known {
			err = h.options.Can(r, topic)
			allowed[topic] = err
		}
		return err
	}
	for _, d := range request.Describe {
		if err := can(d.Topic); err != nil {
			return nil, nil, err
		}
	}
	readings := make([]reading.Reading, 0, len(request.Items))
	var rejected []rejection
	for _, item := range request.Items {
		err := item.Err
		if err == nil {
			err = can(item.Reading.Topic)
		}
		if err == nil {
			readings = append(readings, item.Reading)
			continue
		}
		p, row := problem.Of(err)
		if row.Status == http.StatusUnauthorized || row.Status >= http.StatusInternalServerError {
			return nil, nil, err // not a matter of this reading
		}
		rejected = append(rejected, rejection{item.Index, p})
	}
	return readings, rejected, nil
}
