package fit

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/otel-culprit/culprit/internal/rootcause"
)

// problem is what descend solves: the cases that count, as numbers.
type problem struct {
	terms       []rootcause.Term // sorted
	start       []float64        // by term
	free        []bool           // by term: whether it may move
	cases       []row
	ridge       float64
	temperature float64
}

// row is a case.
type row struct {
	share    float64 // of the whole loss; the shares of all cases add up to 1
	suspects [][]entry
	right    []bool
}

type entry struct {
	term     int
	strength float64
}

func newProblem(start rootcause.Params, cases []Case, o Options) *problem {
	p := &problem{terms: slices.Sorted(maps.Keys(start.Weights)), ridge: o.Ridge, temperature: temperatureOf(start)}
	p.start, p.free = make([]float64, len(p.terms)), make([]bool, len(p.terms))
	for i, term := range p.terms {
		p.start[i] = start.Weights[term]
	}
	shares := sharesOf(cases)
	kinds := map[rootcause.Term]bool{} // of causes, by their priors
	for i, c := range cases {
		for j, s := range c.Suspects {
			kinds[s.Prior] = kinds[s.Prior] || shares[i] > 0 && c.Right[j]
		}
	}
	for i, c := range cases {
		if shares[i] == 0 {
			continue
		}
		r := row{share: shares[i], right: c.truth()}
		for _, s := range c.Suspects {
			var entries []entry
			parts(s, func(term rootcause.Term, strength float64) {
				i, known := slices.BinarySearch(p.terms, term)
				if !known {
					return // it weighs nothing
				}
				entries = append(entries, entry{i, strength})
				p.free[i] = p.free[i] || kinds[s.Prior] && term != anchor && !o.holds(term)
			})
			r.suspects = append(r.suspects, entries)
		}
		p.cases = append(p.cases, r)
	}
	return p
}

// anchor keeps its start: only the differences between priors matter, and those
// of kinds that no case was caused by are to keep theirs to unknown.
const anchor = rootcause.PriorUnknown

// sharesOf is how much each case counts: all sets the same, but those none of
// whose causes the engine lists.
func sharesOf(cases []Case) []float64 {
	shares := make([]float64, len(cases))
	sets := slices.DeleteFunc(bySet(cases), func(s *set) bool { return s.listed == 0 })
	for _, s := range sets {
		for _, i := range s.cases {
			shares[i] = 1 / float64(len(sets)*len(s.cases))
		}
	}
	return shares
}

// holds is whether a term is to keep its start.
func (o Options) holds(term rootcause.Term) bool {
	return slices.ContainsFunc(o.Hold, func(name string) bool { return within(term, name) })
}

// within is whether a name is a term's, or that of all terms that begin with it.
func within(term rootcause.Term, name string) bool {
	return string(term) == name || strings.HasPrefix(string(term), name+".")
}

// loss is what is made small, and its slope in each direction that is free.
func (p *problem) loss(w []float64) (value float64, slope []float64) {
	slope = make([]float64, len(w))
	for _, c := range p.cases {
		scores := c.scores(w, p.temperature)
		all, right := softmax(scores, nil), softmax(scores, c.right)
		value += c.share * (all.logSum - right.logSum)
		for i, s := range c.suspects {
			pull := c.share * (all.p[i] - right.p[i]) / p.temperature
			for _, e := range s {
				slope[e.term] += pull * e.strength
			}
		}
	}
	for i := range w {
		moved := w[i] - p.start[i]
		value += p.ridge / 2 * moved * moved
		slope[i] += p.ridge * moved
		if !p.free[i] {
			slope[i] = 0
		}
	}
	return value, slope
}

// project puts weights back to where they may be: on the side of zero on which
// they started. One that started at zero may go anywhere.
func (p *problem) project(w []float64) {
	for i, start := range p.start {
		switch {
		case start > 0:
			w[i] = max(w[i], 0)
		case start < 0:
			w[i] = min(w[i], 0)
		}
	}
}

func (c row) scores(w []float64, temperature float64) []float64 {
	scores := make([]float64, len(c.suspects))
	for i, s := range c.suspects {
		for _, e := range s {
			scores[i] += w[e.term] * e.strength
		}
		scores[i] /= temperature
	}
	return scores
}

type softened struct {
	p      []float64
	logSum float64 // the logarithm of the sum of e^score
}

// softmax is that of the scores which are among them; nil for all.
func softmax(scores []float64, among []bool) softened {
	top := math.Inf(-1)
	for i, score := range scores {
		if among == nil || among[i] {
			top = max(top, score)
		}
	}
	s := softened{p: make([]float64, len(scores))}
	var sum float64
	for i, score := range scores {
		if among == nil || among[i] {
			s.p[i] = math.Exp(score - top)
			sum += s.p[i]
		}
	}
	for i := range s.p {
		s.p[i] /= sum
	}
	s.logSum = top + math.Log(sum)
	return s
}
