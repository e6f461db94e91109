package push

import (
	"net/http"
	"strconv"
	"strings"

	"readout/server/problem"
	"readout/server/reading"
)

// answerTopic says where the reading is to be seen: as JSON, or as one line for
// people who pushed from a terminal.
func (h *Handlers) answerTopic(w http.ResponseWriter, r *http.Request, one reading.Reading, ids []reading.StreamID) {
	if minimal(r) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	url := h.options.URL(r, one.Topic)
	if forPeople(r) {
		write(w, http.StatusOK, "text/plain; charset=utf-8", []byte(line(one)+" -> "+url+"\n"))
		return
	}
	b := append(make([]byte, 0, 256), `{"topic":`...)
	b = reading.AppendJSONString(b, string(one.Topic))
	b = appendLast(b, "id", ids)
	b = append(b, `,"stored":1,"url":`...)
	b = reading.AppendJSONString(b, url)
	write(w, http.StatusOK, "application/json", append(b, "}\n"...))
}

// minimal reports whether the sender does not want to hear more than that all went
// well, as in RFC 7240: Prefer: return=minimal. A body costs both sides up to a tenth of a small push.
func minimal(r *http.Request) bool {
	for _, value := range r.Header["Prefer"] {
		for preference := range strings.SplitSeq(value, ",") {
			preference, _, _ = strings.Cut(preference, ";") // its parameters
			name, wish, _ := strings.Cut(preference, "=")
			if strings.EqualFold(strings.TrimSpace(name), "return") {
				return strings.EqualFold(strings.Trim(wish, " \t\""), "minimal") // the first counts
			}
		}
	}
	return false
}

// forPeople reports whether a person at a terminal is to read the answer: a
// terminal tool that was not told what to accept.
func forPeople(r *http.Request) bool {
	if accept := strings.Join(r.Header.Values("Accept"), ","); accept != "" && accept != "*/*" {
		return false
	}
	agent := r.UserAgent()
	for _, tool := range []string{"curl/", "Wget/", "HTTPie/", "readout/"} {
		if strings.HasPrefix(agent, tool) {
			return true
		}
	}
	return false
}

// line prints a reading for a terminal: orders 42, or cpu user=0.3 system=0.1.
func line(one reading.Reading) string {
	b := []byte(one.Topic)
	for _, v := range one.Values {
		b = append(b, ' ')
		if v.Name != reading.DefaultValue || len(one.Values) > 1 {
			b = append(append(b, v.Name...), '=')
		}
		b = append(b, v.Value.String()...)
	}
	return string(b)
}

// answer answers 200, or 422 with every reading that was refused.
func (p pushed) answer(w http.ResponseWriter) {
	b := strconv.AppendInt([]byte(`{"stored":`), int64(len(p.ids)), 10)
	b = appendLast(b, "last_id", p.ids)
	if len(p.rejected) == 0 {
		write(w, http.StatusOK, "application/json", append(b, "}\n"...))
		return
	}
	b = append(b, `,"rejected":[`...)
	for i, r := range p.rejected {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, `{"index":`...), int64(r.index), 10)
		b = appendProblem(append(b, ','), r.problem)
	}
	some, row := problem.Of(problem.New("rejected", "%d of %d readings were refused; the others are stored", len(p.rejected), p.all))
	b = appendProblem(append(b, `],"error":{`...), some)
	write(w, row.Status, "application/json", append(b, "}\n"...))
}

// appendProblem appends a code and a message and ends their object.
func appendProblem(b []byte, p *problem.Error) []byte {
	b = reading.AppendJSONString(append(b, `"code":`...), p.Code)
	b = reading.AppendJSONString(append(b, `,"message":`...), p.Message)
	return append(b, '}')
}

// appendLast appends the ID of the entry that was stored last, if any was.
func appendLast(b []byte, name string, ids []reading.StreamID) []byte {
	if len(ids) == 0 {
		return b
	}
	last := ids[0]
	for _, id := range ids[1:] {
		if id.Compare(last) > 0 {
			last = id
		}
	}
	b = append(append(append(b, `,"`...), name...), `":"`...)
	return append(append(b, last.String()...), '"')
}

func write(w http.ResponseWriter, status int, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
