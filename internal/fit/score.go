package fit

import (
	"math"

	"github.com/otel-culprit/culprit/internal/rootcause"
)

// Scores tell how good the probabilities of some cases were. All but Top1 are
// better if they are less, and take unknown for right where the cause is not
// among the suspects.
type Scores struct {
	Top1    float64 `json:"top1"`     // share of the cases whose first suspect is the cause
	LogLoss float64 `json:"log_loss"` // mean of -ln P(right)
	Brier   float64 `json:"brier"`    // mean of (1 - P(right))² and the squares of the others, from 0 to 2
	ECE     float64 `json:"ece"`      // mean distance of the first suspect's probability from how often it is right, in ten bins
}

// SetScores are those of a set as the engine answered it.
type SetScores struct {
	Name   string
	Cases  int
	Listed int // cases whose cause is among the suspects
	Scores Scores
}

// Judge scores what an engine said, set by set in the order of the cases.
func Judge(cases []Case) []SetScores {
	var list []SetScores
	for _, set := range bySet(cases) {
		var said []answer
		for _, i := range set.cases {
			a := answer{of: cases[i]}
			for _, s := range a.of.Suspects {
				a.p = append(a.p, s.Probability)
			}
			said = append(said, a)
		}
		list = append(list, SetScores{Name: set.name, Cases: len(said), Listed: set.listed, Scores: scores(said)})
	}
	return list
}

// answer is the probabilities of a case's suspects.
type answer struct {
	p  []float64
	of Case
}

// leastProbability keeps a single case from making a mean infinite.
const leastProbability = 1e-12

const bins = 10

func scores(said []answer) Scores {
	var (
		s                Scores
		claimed, correct [bins]float64
	)
	for _, a := range said {
		var right, brier float64
		top, truth := 0, a.of.truth()
		for i, p := range a.p {
			if p > a.p[top] {
				top = i
			}
			if truth[i] {
				right += p
			} else {
				brier += p * p
			}
		}
		s.Brier += brier + (1-right)*(1-right)
		s.LogLoss -= math.Log(max(right, leastProbability))
		bin := min(int(a.p[top]*bins), bins-1)
		claimed[bin] += a.p[top]
		if truth[top] {
			correct[bin]++
		}
		if a.of.Right[top] {
			s.Top1++
		}
	}
	n := float64(len(said))
	for bin := range bins {
		s.ECE += math.Abs(claimed[bin]-correct[bin]) / n
	}
	s.Top1 /= n
	s.Brier /= n
	s.LogLoss /= n
	return s
}

// set is which cases belong to it.
type set struct {
	name   string
	cases  []int
	listed int
	groups []string // in their order
}

// bySet sorts cases into their sets, in the order in which those come.
func bySet(cases []Case) []*set {
	var list []*set
	byName := map[string]*set{}
	groups := map[[2]string]bool{}
	for i, c := range cases {
		s := byName[c.Set]
		if s == nil {
			s = &set{name: c.Set}
			byName[c.Set] = s
			list = append(list, s)
		}
		s.cases = append(s.cases, i)
		if c.listed() {
			s.listed++
		}
		if key := [2]string{c.Set, c.Group}; !groups[key] {
			groups[key] = true
			s.groups = append(s.groups, c.Group)
		}
	}
	return list
}

func temperatureOf(p rootcause.Params) float64 {
	if p.Temperature == 0 {
		return 1
	}
	return p.Temperature
}
