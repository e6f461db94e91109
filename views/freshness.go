package views

import "strconv"

// freshness is how a panel says how alive it is: a shape and a word.
type freshness struct {
	state string // live, stale, quiet (sends on change), empty, again, stopped, warn, critical, thinned, error
	word  string
}

// joinable is how far apart two readings may be and still be joined by a line:
// a topic is silent from three of its intervals on, at least 2 s.
func joinable(interval int64) int64 {
	if interval <= 0 {
		return 0
	}
	return max(3*interval, 2000)
}

func (s *Series) freshness(now int64) freshness {
	last, ok := s.last()
	if !ok {
		return freshness{"empty", "no reading yet"}
	}
	silence := max(now-last.Time, 0)
	word := age(silence) + " ago"
	switch {
	case s.Interval > 0 && silence > joinable(s.Interval):
		return freshness{"stale", word}
	case s.Interval <= 0 && silence > 10_000:
		return freshness{"quiet", word}
	}
	return freshness{"live", word}
}

func (s *Series) last() (Row, bool) {
	if len(s.Rows) == 0 {
		return Row{}, false
	}
	return s.Rows[len(s.Rows)-1], true
}

// judge decides the state of a panel and what its chip says. Worse wins: an
// error, then silence, then thinned readings, then a threshold.
func (p *picture) judge() {
	if p.Problem != nil {
		p.state = p.Problem.State
		p.chip = freshness{p.Problem.State, ""}
		if p.Problem.State == "error" {
			p.chip.word = "error"
		}
		return
	}
	var stale, quiet, live, rhythm int64
	youngest := freshness{"empty", "no reading yet"}
	newest := int64(-1)
	for _, s := range p.Series {
		f := s.freshness(p.now)
		if f.state == "empty" {
			continue
		}
		switch f.state {
		case "stale":
			stale++
		case "quiet":
			quiet++
		default:
			live++
		}
		if s.Interval > 0 && (rhythm == 0 || s.Interval < rhythm) {
			rhythm = s.Interval
		}
		if last, _ := s.last(); last.Time > newest {
			newest, youngest = last.Time, f
		}
	}
	p.youngest = youngest
	heard := stale + quiet + live
	switch {
	case p.State == "again":
		p.state, p.chip = "again", freshness{"again", "reconnecting"}
		return
	case p.State == "stopped":
		p.state, p.chip = "stopped", freshness{"stopped", "stopped"}
		return
	case heard == 0:
		p.state, p.chip = "empty", freshness{"empty", ""}
		return
	case stale == heard:
		p.state, p.chip = "stale", youngest
		return
	case live > 0:
		p.state = "live"
	default:
		p.state = "quiet"
	}
	switch level, name := p.worst(); {
	case stale > 0 && p.Kind != "table": // a table lets stale topics leave
		p.chip = freshness{"stale", strconv.FormatInt(stale, 10) + " of " + strconv.FormatInt(heard, 10) + " stale"}
	case p.Thinned > 1:
		p.chip = freshness{"thinned", "1 in " + strconv.Itoa(p.Thinned)}
	case level != "":
		p.level = level
		p.chip = freshness{level, name}
	default:
		p.chip = freshness{p.state, interval(rhythm)}
	}
}

// worst is the worst level that any line of the panel has reached.
func (p *picture) worst() (level, name string) {
	for _, l := range p.lines {
		if l.level == "critical" && level != "critical" || l.level == "warn" && level == "" {
			level, name = l.level, l.reached
		}
	}
	return level, name
}

// ageOnly is the freshness in a column that is headed Age.
func (p picture) ageOnly() freshness {
	f := p.youngest
	if f.state == "empty" {
		f.word = noValue
		return f
	}
	f.word = f.word[:len(f.word)-len(" ago")]
	return f
}

// onCard is the freshness of a card: that it is live needs no rhythm there.
func (p picture) onCard() freshness {
	if p.chip.state == "live" || p.chip.state == "quiet" {
		return freshness{p.chip.state, "live"}
	}
	return p.chip
}
