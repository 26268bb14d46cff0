package workload

import (
	"cmp"
	"slices"
	"time"
)

// rank finds the first few by each resource.
func (s *Selection) rank(at time.Time) {
	if s.limits.Top <= 0 {
		return
	}
	seconds := at.Sub(s.last).Seconds()
	if seconds <= 0 {
		seconds = 1 // The first scan tells of no time; that of a scan will do.
	}
	least := worthTelling(seconds)
	for r := range numRates {
		s.top = s.top[:0]
		for _, m := range s.now {
			if m.rate[r] > least[r] {
				s.enter(ranked{m.rate[r], m})
			}
		}
		for i, t := range s.top {
			t.until = at.Add(s.limits.Hold)
			if place := top + i; t.place == 0 || place < t.place {
				t.place = place
			}
		}
	}
}

// enter puts a member among the top if it belongs there.
func (s *Selection) enter(r ranked) {
	n := len(s.top)
	if n == s.limits.Top && r.value <= s.top[n-1].value {
		return
	}
	if n < s.limits.Top {
		s.top = append(s.top, r)
		n++
	}
	i := n - 1
	for ; i > 0 && s.top[i-1].value < r.value; i-- {
		s.top[i] = s.top[i-1]
	}
	s.top[i] = r
}

// The places of those that want a series: those to keep, of them first those that
// have one, the top, and the held, of them first those that mattered last.
const (
	kept = 1
	more = 2
	top  = 3
	held = 1 << 30
)

// choose gives the series away.
func (s *Selection) choose(candidates []Candidate, at time.Time) {
	s.chosen = s.chosen[:0]
	for i, m := range s.now {
		switch {
		case candidates[i].Keep && m.own:
			m.place = kept
		case candidates[i].Keep:
			m.place = more
		case m.place == 0 && m.until.After(at):
			m.place = held + int((s.limits.Hold-m.until.Sub(at))/time.Millisecond)
		}
		m.own = false
		if m.place > 0 {
			s.chosen = append(s.chosen, m)
		}
	}
	if room := s.limits.Series - 1; len(s.chosen) > room {
		slices.SortStableFunc(s.chosen, func(a, b *member) int { return cmp.Compare(a.place, b.place) })
		s.chosen = s.chosen[:room]
	}
	for _, m := range s.chosen {
		m.own = true
	}
}
