package push

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"readout/server/body"
	"readout/server/ingest"
	"readout/server/problem"
	"readout/server/reading"
)

// influxUnits are the units of time that InfluxDB 1 and 2 name in precision.
var influxUnits = map[string]time.Duration{
	"": time.Nanosecond, "n": time.Nanosecond, "ns": time.Nanosecond,
	"u": time.Microsecond, "µ": time.Microsecond, "us": time.Microsecond,
	"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
}

// Write handles POST /write and /api/v2/write: line protocol, from those who write to
// InfluxDB 1 and 2. Which database, organisation and bucket they name is all the same.
func (h *Handlers) Write(w http.ResponseWriter, r *http.Request) error {
	precision, err := influxPrecision(r.URL)
	if err != nil {
		return err
	}
	unit := influxUnits[precision]
	decode := func(body []byte, bounds ingest.Bounds) (ingest.Request, error) {
		return h.lines.Decode(body, unit, bounds)
	}
	pushed, err := h.many(w, r, "lines"+precision, decode)
	if err != nil {
		return err
	}
	if len(pushed.rejected) > 0 {
		return pushed.refusal()
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// refusal names one of the readings that were refused, since clients of InfluxDB read no
// list. They give up what is answered 422, and keep what they may not write yet.
func (p pushed) refusal() error {
	first := p.rejected[0].problem
	if len(p.ids) > 0 {
		return problem.New("rejected", "%s; %d of %d readings were refused, all others are stored", first.Message, len(p.rejected), p.all)
	}
	if !slices.ContainsFunc(p.rejected, func(r rejection) bool { return r.problem.Code != "forbidden" }) {
		return first
	}
	return problem.New("rejected", "%s; nothing is stored", first.Message)
}

// influxPrecision reads the only parameter of a write that matters: a name of influxUnits.
func influxPrecision(u *url.URL) (string, error) {
	if u.RawQuery == "" {
		return "", nil
	}
	query, err := influxQuery(u.RawQuery)
	if err != nil {
		return "", err
	}
	precision := query.Get("precision")
	if _, known := influxUnits[precision]; !known {
		return "", problem.New("bad_request", "precision is ns, us, ms, s, m or h, not %s", reading.Quote(precision))
	}
	return precision, nil
}

// influxQuery parses parameters. InfluxDB 1 lets a password stand among them; ours is a token.
func influxQuery(text string) (url.Values, error) {
	query, err := url.ParseQuery(text)
	if err != nil {
		return nil, problem.New("bad_request", "the parameters are not well escaped")
	}
	if strings.HasPrefix(query.Get("p"), "rdo_") {
		return nil, problem.New("bad_request", "a token does not belong in an address; send it as the password of Authorization: Basic, or as Authorization: Token rdo_...")
	}
	return query, nil
}

// maxStatement is how many bytes a form with a statement may have.
const maxStatement = 64 << 10

// Query handles GET and POST /query: the statements that those who write to InfluxDB 1
// begin with. There are no databases to make, so that each of them has worked.
func (h *Handlers) Query(w http.ResponseWriter, r *http.Request) error {
	given := []string{r.URL.RawQuery}
	if r.Method == http.MethodPost {
		form, err := body.Read(w, r, maxStatement)
		if err != nil {
			return err
		}
		given = append(given, string(form))
	}
	var statement string
	for _, parameters := range given {
		query, err := influxQuery(parameters)
		if err != nil {
			return err
		}
		statement = cmp.Or(statement, query.Get("q"))
	}
	answer, known := influxAnswer(statement)
	if !known {
		return problem.New("bad_request", "InfluxQL is not spoken here, but for CREATE DATABASE and SHOW DATABASES; readings are read with GET /api/v1/readings")
	}
	write(w, http.StatusOK, "application/json", []byte(answer))
	return nil
}

func influxAnswer(statement string) (answer string, known bool) {
	words := strings.Fields(strings.ToUpper(statement))
	if len(words) < 2 {
		return "", false
	}
	switch strings.TrimSuffix(words[0]+" "+words[1], ";") {
	case "CREATE DATABASE", "CREATE RETENTION", "ALTER RETENTION":
		return `{"results":[{"statement_id":0}]}` + "\n", true
	case "SHOW DATABASES":
		return `{"results":[{"statement_id":0,"series":[{"name":"databases","columns":["name"],"values":[["readout"]]}]}]}` + "\n", true
	}
	return "", false
}

// Ping handles GET /ping, by which those who write to InfluxDB find out whether it is there.
func (h *Handlers) Ping(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("X-Influxdb-Version", "Readout")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return nil
}
