package fit

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/otel-culprit/culprit/internal/rootcause"
)

// Options are those of Fit.
type Options struct {
	Folds int      // of the cross-validation
	Ridge float64  // what it costs to move a weight by 1 is half of it; a set's mean loss costs as it is, divided by the number of sets
	Hold  []string // terms that keep their start; "prior" is all that begin with "prior."
}

// Check refuses options that make no sense.
func (o Options) Check() error {
	if o.Folds < 2 {
		return fmt.Errorf("folds is %d: it must be at least 2, so that something is held out", o.Folds)
	}
	if !(o.Ridge > 0) || math.IsInf(o.Ridge, 0) {
		return fmt.Errorf("ridge is %v: it must be above 0, such as 0.02; less lets the cases move the weights further", o.Ridge)
	}
	return nil
}

// Result is what was fitted, and how good it is.
type Result struct {
	Weights     rootcause.Weights
	Temperature float64
	Free        []rootcause.Term // those that the cases could move, sorted
	Sets        []SetResult
}

// SetResult are the scores of a set. Those of Fitted and Calibrated are of cases
// that were held out: their weights come from the other folds, and so does their
// temperature, though the weights that made the answers there knew these cases.
type SetResult struct {
	Name       string
	Cases      int
	Listed     int // cases whose cause is among the suspects
	Groups     int
	Start      Scores
	Fitted     Scores
	Calibrated Scores
}

// decimals of the fitted numbers: more would only differ between machines.
const decimals = 1e4

// Fit finds the weights that are best on all cases, and the temperature that is
// best on those that were held out; the scores are those of the held out.
func Fit(start rootcause.Params, cases []Case, o Options) (Result, error) {
	if err := o.Check(); err != nil {
		return Result{}, err
	}
	for _, name := range o.Hold {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(start.Weights)), func(term rootcause.Term) bool { return within(term, name) }) {
			return Result{}, fmt.Errorf("hold names %q: there is no such weight; name one of the file of parameters, or prior for all priors", name)
		}
	}
	known := false
	for _, c := range cases {
		if err := c.check(start.Weights); err != nil {
			return Result{}, err
		}
		known = known || c.listed()
	}
	if !known {
		return Result{}, errors.New("the engine lists the cause of no case: there is nothing to fit")
	}
	sets := bySet(cases)
	v, err := validate(start, cases, foldsOf(cases, sets, o.Folds), o)
	if err != nil {
		return Result{}, err
	}
	r := Result{Weights: maps.Clone(start.Weights), Temperature: round(v.bestTemperature(func(int) bool { return true }))}
	whole := newProblem(start, cases, o)
	weights, err := whole.descend()
	if err != nil {
		return Result{}, err
	}
	for i, term := range whole.terms {
		if whole.free[i] {
			r.Free = append(r.Free, term)
			r.Weights[term] = round(weights[i])
		}
	}
	calibrated := v.calibrated()
	for _, s := range sets {
		one := SetResult{Name: s.name, Cases: len(s.cases), Listed: s.listed, Groups: len(s.groups)}
		var before, after, best []answer
		for _, i := range s.cases {
			before = append(before, answer{softmax(v.start[i], nil).p, cases[i]})
			after = append(after, answer{softmax(v.scores[i], nil).p, cases[i]})
			best = append(best, answer{calibrated[i], cases[i]})
		}
		one.Start, one.Fitted, one.Calibrated = scores(before), scores(after), scores(best)
		r.Sets = append(r.Sets, one)
	}
	return r, nil
}

func round(x float64) float64 { return math.Round(x*decimals) / decimals }

// foldsOf gives each case a fold: the groups of each set are dealt out in their
// order. A set of one group is held out as a whole.
func foldsOf(cases []Case, sets []*set, folds int) []int {
	list := make([]int, len(cases))
	for _, s := range sets {
		for _, i := range s.cases {
			list[i] = slices.Index(s.groups, cases[i].Group) % folds
		}
	}
	return list
}

// validation is the scores of each case's suspects, from weights that were fitted
// on the other folds.
type validation struct {
	cases         []Case
	fold          []int
	folds         int
	start, scores [][]float64 // divided by the start's temperature
	temperature   float64     // that one
	share         []float64   // of each case in the whole loss
}

func validate(start rootcause.Params, cases []Case, fold []int, o Options) (*validation, error) {
	v := &validation{cases: cases, fold: fold, folds: o.Folds, temperature: temperatureOf(start), share: sharesOf(cases)}
	v.start, v.scores = make([][]float64, len(cases)), make([][]float64, len(cases))
	for f := range o.Folds {
		var others []Case
		for i, c := range cases {
			if fold[i] != f {
				others = append(others, c)
			}
		}
		p := newProblem(start, others, o)
		weights, err := p.descend()
		if err != nil {
			return nil, err
		}
		fitted := rootcause.Weights{}
		for i, term := range p.terms {
			fitted[term] = weights[i]
		}
		for i, c := range cases {
			if fold[i] == f {
				v.start[i], v.scores[i] = weigh(c, start.Weights, v.temperature), weigh(c, fitted, v.temperature)
			}
		}
	}
	return v, nil
}

// weigh scores the suspects of a case.
func weigh(c Case, weights rootcause.Weights, temperature float64) []float64 {
	list := make([]float64, len(c.Suspects))
	for i, s := range c.Suspects {
		parts(s, func(term rootcause.Term, strength float64) { list[i] += weights[term] * strength })
		list[i] /= temperature
	}
	return list
}

// calibrated are the probabilities of each case at the temperature that suits the
// other folds.
func (v *validation) calibrated() [][]float64 {
	list := make([][]float64, len(v.cases))
	for f := range v.folds {
		t := v.bestTemperature(func(fold int) bool { return fold != f })
		for i, scores := range v.scores {
			if v.fold[i] == f {
				list[i] = softmax(v.tempered(scores, t), nil).p
			}
		}
	}
	return list
}

func (v *validation) tempered(scores []float64, temperature float64) []float64 {
	list := make([]float64, len(scores))
	for i, score := range scores {
		list[i] = score * v.temperature / temperature
	}
	return list
}

// bestTemperature is that of the least loss over some folds: golden section between a
// tenth and ten; the start's if no case is there.
func (v *validation) bestTemperature(among func(fold int) bool) float64 {
	some := false
	loss := func(logarithm float64) (sum float64) {
		for i, c := range v.cases {
			if v.share[i] == 0 || !among(v.fold[i]) {
				continue
			}
			some = true
			scores := v.tempered(v.scores[i], math.Exp(logarithm))
			sum += v.share[i] * (softmax(scores, nil).logSum - softmax(scores, c.truth()).logSum)
		}
		return sum
	}
	golden := (math.Sqrt(5) - 1) / 2
	low, high := math.Log(0.1), math.Log(10)
	for high-low > 1e-7 {
		left, right := high-golden*(high-low), low+golden*(high-low)
		if loss(left) <= loss(right) {
			high = right
		} else {
			low = left
		}
	}
	if !some {
		return v.temperature
	}
	return math.Exp((low + high) / 2)
}
