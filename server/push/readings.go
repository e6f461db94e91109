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
	pushed, err := h.many(w, r, kind, decode)
	if err != nil {
		return err
	}
	if len(pushed.rejected) == 0 && minimal(r) {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	pushed.answer(w)
	return nil
}

// pushed is what became of the readings of one request.
type pushed struct {
	ids      []reading.StreamID // of the entries of those that are stored
	rejected []rejection
	all      int
}

// many stores the readings of a request whose body is of a kind that decode reads.
func (h *Handlers) many(w http.ResponseWriter, r *http.Request, kind string, decode func([]byte, ingest.Bounds) (ingest.Request, error)) (pushed, error) {
	ack, err := ack(r)
	if err != nil {
		return pushed{}, err
	}
	if len(r.Header["Readout-Time"]) > 0 {
		return pushed{}, problem.New("bad_request", "Readout-Time is for one reading; here each reading has its own")
	}
	sent, err := body.Read(w, r, MaxBody)
	if err != nil {
		return pushed{}, err
	}
	slots, err := h.begin(r.Context(), ack)
	if err != nil {
		return pushed{}, err
	}
	defer func() { <-slots }()

	body, err := inflate(r, sent)
	if err != nil {
		return pushed{}, err
	}
	once, err := h.once(r, body, kind)
	if err != nil {
		return pushed{}, err
	}
	request, err := decode(body, h.bounds())
	if err != nil {
		return pushed{}, err
	}
	readings, rejected, err := h.permit(r, request)
	if err != nil {
		return pushed{}, err
	}
	for _, d := range request.Describe {
		if err := h.options.Describe(r.Context(), d.Topic, d.Columns); err != nil {
			return pushed{}, err
		}
	}
	var ids []reading.StreamID
	if len(readings) > 0 {
		if ids, err = h.options.Append(r.Context(), readings, once, ack); err != nil {
			return pushed{}, err
		}
	}
	return pushed{ids, rejected, len(request.Items)}, nil
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
