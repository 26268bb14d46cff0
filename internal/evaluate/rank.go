package evaluate

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/otel-culprit/culprit/internal/rootcause"
)

// rankTrials ask for the guilty workload with the onset told.
func (s *Set) rankTrials(engine NewEngine) []trial {
	list := make([]trial, 0, len(s.cases))
	for _, c := range s.cases {
		list = append(list, trial{
			id:      c.ID,
			c:       c,
			judge:   func() (outcome, error) { return s.judgeRank(c, engine) },
			compare: func() []observation { return s.compareRank(c) },
		})
	}
	return list
}

// span is what is looked at of a file: rows before and after the onset.
type span struct {
	f            *feed
	first        int // row
	onset, until float64
	before       []int
	after        []int
}

// span finds the rows of a case, with the onset told late by some seconds.
func (s *Set) span(c caseLine, late float64) (span, error) {
	f, err := s.feed(c)
	if err != nil {
		return span{}, err
	}
	rules := s.mapping.Rank
	sp := span{f: f}
	switch {
	case c.OnsetRow != nil && *c.OnsetRow >= 0 && *c.OnsetRow < len(f.at):
		sp.onset = f.at[*c.OnsetRow] - f.period
	case c.OnsetUnix > 0:
		sp.onset = c.OnsetUnix
	default:
		return span{}, fmt.Errorf("%s: the onset is unknown: set onset_row within the file, or onset_unix", f.tab.path)
	}
	sp.onset += late
	sp.until = sp.onset + rules.After
	if rules.After == 0 {
		sp.until = sp.onset - late + c.Fault
	}
	for row, at := range f.at {
		switch {
		case at <= sp.onset-rules.Before || at > sp.until:
		case at <= sp.onset:
			sp.before = append(sp.before, row)
		default:
			sp.after = append(sp.after, row)
		}
	}
	if len(sp.before) == 0 || len(sp.after) == 0 {
		return span{}, fmt.Errorf("%s: no rows before or after the onset of case %s: check its onset", f.tab.path, c.ID)
	}
	sp.until = min(sp.until, f.at[sp.after[len(sp.after)-1]]+f.period)
	history := max(rules.History, rules.Before)
	sp.first = sort.Search(sp.before[0], func(row int) bool { return f.at[row] > sp.onset-history })
	if rules.DropConstant {
		f.dropped = map[int]bool{}
		for _, in := range f.inputs {
			f.dropped[in.column] = f.constant(in.column, sp.before) || f.constant(in.column, sp.after)
		}
	}
	return sp, nil
}

// constant reports whether a column has one value in some rows.
func (f *feed) constant(column int, rows []int) bool {
	first := math.NaN()
	for _, row := range rows {
		x := f.tab.values[row][column]
		if math.IsNaN(x) {
			continue
		}
		if math.IsNaN(first) {
			first = x
		}
		if x != first {
			return false
		}
	}
	return true
}

// verdict plays the rows to a fresh engine and asks.
func (sp span) verdict(engine NewEngine) (rootcause.Verdict, error) {
	p := player{engine: engine()}
	if err := p.play(sp.f, sp.first, sp.after[len(sp.after)-1], 0); err != nil {
		return rootcause.Verdict{}, err
	}
	p.tick(sp.until)
	return p.ask(sp.f, sp.onset, sp.until)
}

func (s *Set) judgeRank(c caseLine, engine NewEngine) (outcome, error) {
	var o outcome
	for _, late := range s.rankDelays() {
		sp, err := s.span(c, late)
		if err != nil {
			return o, err
		}
		v, err := sp.verdict(engine)
		if err != nil {
			return o, err
		}
		right := func(suspect rootcause.Suspect) bool {
			return suspect.Cause == rootcause.Contention && s.mapping.entity(suspect.Workload.Name) == c.Truth.Entity
		}
		var ranked []string
		for _, suspect := range v.Suspects {
			if suspect.Cause == rootcause.Contention {
				ranked = append(ranked, s.mapping.entity(suspect.Workload.Name))
			}
		}
		o.seen = append(o.seen, s.observeRank(c, product, late, ranked)...)
		if len(s.mapping.Rank.ByFault) == 0 && late == 0 {
			o.seen = append(o.seen, observation{"", product, "top1_among_all", mean, share(right(v.Top()))})
		}
		said := "nobody"
		if len(ranked) > 0 {
			said = ranked[0]
		}
		question := "top1"
		if late > 0 {
			question = fmt.Sprintf("top1_late%.0f", late)
		}
		o.answers = append(o.answers, answer{"", question, c.Truth.Entity + " " + c.Truth.Metric + c.Truth.Fault, said, said == c.Truth.Entity})
		if late == 0 {
			o.judged = append(o.judged, Judged{Set: s.Name, ID: c.ID, Verdict: v, Right: right})
		}
	}
	return o, nil
}

// rankDelays are by how much the onset is told too late, in seconds.
func (s *Set) rankDelays() []float64 {
	if s.mapping.Rank.Late > 0 {
		return []float64{0, s.mapping.Rank.Late}
	}
	return []float64{0}
}

// observeRank counts a ranking of entities. An entity that is there twice counts
// at its better place.
func (s *Set) observeRank(c caseLine, method string, late float64, ranked []string) []observation {
	ranked = distinct(ranked)
	place := slices.Index(ranked, c.Truth.Entity)
	top := share(place == 0)
	if len(s.mapping.Rank.ByFault) > 0 {
		return []observation{{"", method, s.mapping.faultGroup(c.Truth.Fault) + "_top1", mean, top}}
	}
	suffix := ""
	if late > 0 {
		suffix = fmt.Sprintf("_late%.0f", late)
	}
	// The mean over k from 1 to 5 of whether it is among the first k.
	average := 0.0
	if place >= 0 {
		average = max(0, float64(5-place)) / 5
	}
	return []observation{{"", method, "top1" + suffix, mean, top}, {"", method, "avg5" + suffix, mean, average}}
}

func distinct(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// faultGroup is what a fault is judged with.
func (m *Mapping) faultGroup(fault string) string {
	for group, faults := range m.Rank.ByFault {
		if slices.Contains(faults, fault) {
			return group
		}
	}
	return fault
}

func (s *Set) compareRank(c caseLine) []observation {
	var seen []observation
	for _, late := range s.rankDelays() {
		sp, err := s.span(c, late)
		if err != nil {
			continue // the engine's trial told it
		}
		data := sp.f.comparison(sp.before, sp.after, func(in input) string {
			return s.mapping.entity(sp.f.targets[in.target].name)
		})
		for _, b := range columnBaselines {
			seen = append(seen, s.observeRank(c, b.name, late, data.rank(b.score))...)
		}
	}
	return seen
}
