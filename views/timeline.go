package views

import (
	"slices"
	"strconv"
	"strings"

	"readout/server/reading"
)

// lane is one state over time.
type lane struct {
	name      string
	stretches []stretch
	say       string // the exception, or what it is now
	class     string // of what say says
}

// stretch is a time in which a state stayed the same.
type stretch struct {
	x, width string // of 1000
	class    string // up, warn, critical, other1 to other4, none
	text     string
	lasted   int64 // ms
}

var (
	upWords       = []string{"true", "up", "ok", "healthy", "running", "open", "on", "1", "success"}
	criticalWords = []string{"down", "failed", "error", "critical", "false", "0"}
	warnWords     = []string{"warn", "warning", "slow", "degraded", "pending"}
)

// laneColours is how many hues the words have that are neither good nor bad.
const laneColours = 4

// wordClass says what a state is known to mean; "" for all other words.
func wordClass(word string) string {
	word = strings.ToLower(word)
	switch {
	case slices.Contains(upWords, word):
		return "up"
	case slices.Contains(criticalWords, word):
		return "critical"
	case slices.Contains(warnWords, word):
		return "warn"
	}
	return ""
}

// lanes are the states of a timeline: its words, or all its values as words when
// none of them is one.
func (p picture) lanes() []lane {
	lines := p.words
	if len(lines) == 0 {
		lines = p.lines
	}
	others := map[string]int{}
	var lanes []lane
	for i, l := range lines {
		if i == p.limit() {
			break
		}
		lanes = append(lanes, p.lane(l, others))
	}
	return lanes
}

// lanesMore is how many lanes the limit leaves out.
func (p picture) lanesMore() int {
	if len(p.words) > 0 {
		return max(0, len(p.words)-p.limit())
	}
	return max(0, len(p.lines)-p.limit())
}

func (p picture) lane(l line, others map[string]int) lane {
	from, far, step := p.now-p.span, joinable(l.series.Interval), l.series.Interval
	result := lane{name: l.name}
	add := func(begin, end int64, class, text string) {
		begin, end = max(begin, from), min(end, p.now)
		if end <= begin {
			return
		}
		f := frame{from: from, to: p.now}
		x := f.x(begin)
		if last := len(result.stretches) - 1; last >= 0 && result.stretches[last].text == text && result.stretches[last].class == class {
			s := &result.stretches[last]
			start, _ := strconv.Atoi(s.x)
			s.width, s.lasted = strconv.Itoa(f.x(end)-start), s.lasted+end-begin
			return
		}
		result.stretches = append(result.stretches, stretch{strconv.Itoa(x), strconv.Itoa(max(f.x(end)-x, 1)), class, text, end - begin})
	}
	began := false
	for i, row := range l.series.Rows {
		if l.index >= len(row.Values) || row.Values[l.index].Kind() == reading.None {
			continue
		}
		if !began && row.Time > from {
			add(from, row.Time, "none", "no reading")
		}
		began = true
		until := p.now
		for _, next := range l.series.Rows[i+1:] {
			if l.index < len(next.Values) && next.Values[l.index].Kind() != reading.None {
				until = next.Time
				break
			}
		}
		word := row.Values[l.index].String()
		class := wordClass(word)
		if class == "" {
			if _, known := others[word]; !known {
				others[word] = len(others)%laneColours + 1
			}
			class = "other" + strconv.Itoa(others[word])
		}
		if far > 0 && until-row.Time > far {
			add(row.Time, row.Time+step, class, word)
			add(row.Time+step, until, "none", "no reading")
			continue
		}
		add(row.Time, until, class, word)
	}
	if !began {
		add(from, p.now, "none", "no reading")
	}
	for _, s := range slices.Backward(result.stretches) {
		if s.class == "warn" || s.class == "critical" || s.class == "none" && began && s.x != "0" {
			result.say, result.class = s.text+" "+age(s.lasted), s.class
			return result
		}
	}
	if n := len(result.stretches); n > 0 {
		result.say, result.class = result.stretches[n-1].text, result.stretches[n-1].class
	}
	return result
}

// laneSentence says in words what a timeline shows.
func (p picture) laneSentence(lanes []lane) string {
	text := p.Title + ", last " + age(p.span)
	for _, l := range lanes {
		text += ", " + l.name + " " + l.say
	}
	return text
}
