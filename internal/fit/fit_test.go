package fit

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/rootcause"
)

// true weights, and a start that knows their signs.
var (
	truth = rootcause.Weights{
		rootcause.PriorContention: -3, rootcause.PriorSurge: -2, rootcause.PriorUnknown: 0, rootcause.PriorFaultyDisk: -3.5,
		rootcause.TermShift: 3, rootcause.TermWait: 2, rootcause.TermNoWait: -1.5, rootcause.TermRate: 4, rootcause.TermSlowDisk: 4, rootcause.TermOOMKill: 2.5,
	}
	guess = rootcause.Weights{
		rootcause.PriorContention: -2, rootcause.PriorSurge: -2.5, rootcause.PriorUnknown: 0, rootcause.PriorFaultyDisk: -3.5,
		rootcause.TermShift: 1, rootcause.TermWait: 1, rootcause.TermNoWait: -0.5, rootcause.TermRate: 1, rootcause.TermSlowDisk: 4, rootcause.TermOOMKill: 2.5,
	}
	options = Options{Folds: 4, Ridge: 1e-4}
)

func start() rootcause.Params { return rootcause.Params{Weights: guess} }

type piece struct {
	term     rootcause.Term
	strength float64
}

// suspected is a suspect as an engine with the guessed weights tells it.
func suspected(prior rootcause.Term, pieces ...piece) rootcause.Suspect {
	s := rootcause.Suspect{Prior: prior, Score: guess[prior]}
	for _, p := range pieces {
		s.Evidence = append(s.Evidence, rootcause.Evidence{Name: string(p.term), Term: p.term, Strength: p.strength})
		s.Score += guess[p.term] * p.strength
	}
	return s
}

// incidents draws cases whose causes are as likely as the weights say. The disk
// is a suspect and never the cause.
func incidents(set string, n int, weights rootcause.Weights) []Case {
	draw := rand.New(rand.NewPCG(7, uint64(n)))
	var list []Case
	for len(list) < n {
		c := Case{Set: set, ID: strconv.Itoa(len(list)), Group: strconv.Itoa(len(list) / 5)}
		for range 3 {
			wait := piece{rootcause.TermWait, draw.Float64()}
			if draw.IntN(2) == 0 {
				wait = piece{rootcause.TermNoWait, 1}
			}
			c.Suspects = append(c.Suspects, suspected(rootcause.PriorContention, piece{rootcause.TermShift, 2 * draw.Float64()}, wait))
		}
		c.Suspects = append(c.Suspects,
			suspected(rootcause.PriorSurge, piece{rootcause.TermRate, draw.Float64()}),
			suspected(rootcause.PriorFaultyDisk, piece{rootcause.TermSlowDisk, draw.Float64() / 2}),
			suspected(rootcause.PriorUnknown))
		c.Right = make([]bool, len(c.Suspects))
		chance := draw.Float64()
		cause := 0
		for p := softmax(weigh(c, weights, 1), nil).p; cause < len(p)-1 && chance > p[cause]; cause++ {
			chance -= p[cause]
		}
		switch c.Suspects[cause].Prior {
		case rootcause.PriorFaultyDisk:
			continue
		case rootcause.PriorUnknown:
		default:
			c.Right[cause] = true
		}
		list = append(list, c)
	}
	return list
}

func TestFindsTheWeightsThatMadeTheCases(t *testing.T) {
	r, err := Fit(start(), incidents("lab", 6000, truth), options)
	require.NoError(t, err)
	for _, term := range []rootcause.Term{rootcause.PriorContention, rootcause.PriorSurge, rootcause.TermShift, rootcause.TermWait, rootcause.TermNoWait, rootcause.TermRate} {
		require.InDelta(t, truth[term], r.Weights[term], 0.25, term)
		require.Contains(t, r.Free, term)
	}
	require.InDelta(t, 1, r.Temperature, 0.05, "the weights are as sure as they should be")
	s := r.Sets[0]
	require.Less(t, s.Fitted.LogLoss, s.Start.LogLoss)
	require.Less(t, s.Fitted.Brier, s.Start.Brier)
	require.Greater(t, s.Fitted.Top1, s.Start.Top1)
	require.Less(t, s.Calibrated.ECE, 0.03)
	require.Equal(t, 6000, s.Cases)
	require.Equal(t, 1200, s.Groups)
}

func TestWeightsThatCasesCannotTeachStay(t *testing.T) {
	o := options
	o.Hold = []string{"shift", "prior"}
	r, err := Fit(start(), incidents("lab", 400, truth), o)
	require.NoError(t, err)
	for term, why := range map[rootcause.Term]string{
		rootcause.TermOOMKill: "it is nowhere", rootcause.TermSlowDisk: "no disk is a cause", rootcause.PriorFaultyDisk: "no disk is a cause",
		rootcause.TermShift: "held", rootcause.PriorContention: "held", rootcause.PriorUnknown: "the others are measured from it",
	} {
		require.InDelta(t, guess[term], r.Weights[term], 0, "%s: %s", term, why)
	}
	require.Equal(t, []rootcause.Term{rootcause.TermNoWait, rootcause.TermRate, rootcause.TermWait}, r.Free)
	require.InDelta(t, 1.0, guess[rootcause.TermWait], 0, "the start is nobody's to change")
}

func TestSignsStay(t *testing.T) {
	contrary := rootcause.Weights{
		rootcause.PriorContention: 2, rootcause.PriorSurge: -2, rootcause.PriorFaultyDisk: -3.5,
		rootcause.TermShift: 3, rootcause.TermWait: -2, rootcause.TermNoWait: 1, rootcause.TermRate: 4,
	}
	r, err := Fit(start(), incidents("lab", 1000, contrary), options)
	require.NoError(t, err)
	for _, term := range []rootcause.Term{rootcause.PriorContention, rootcause.TermWait, rootcause.TermNoWait} {
		require.Zero(t, r.Weights[term], term)
	}
	require.Greater(t, r.Weights[rootcause.TermRate], guess[rootcause.TermRate])
}

func TestRidgeHoldsTheWeightsBack(t *testing.T) {
	far := math.Inf(1)
	for _, ridge := range []float64{1e-4, 0.01, 1, 1e4} {
		o := options
		o.Ridge = ridge
		r, err := Fit(start(), incidents("lab", 300, truth), o)
		require.NoError(t, err)
		var moved float64
		for term, w := range r.Weights {
			moved += (w - guess[term]) * (w - guess[term])
		}
		require.Less(t, moved, far)
		far = moved
	}
	require.InDelta(t, 0, far, 1e-6)
}

func TestSetsCountTheSame(t *testing.T) {
	small, other := incidents("small", 100, truth), incidents("other", 150, truth)
	want, err := Fit(start(), append(small, other...), options)
	require.NoError(t, err)
	again, err := Fit(start(), append(small, other...), options)
	require.NoError(t, err)
	require.Equal(t, want, again, "the same cases give the same numbers")

	var many []Case
	for range 7 {
		many = append(many, small...)
	}
	got, err := Fit(start(), append(many, other...), options)
	require.NoError(t, err)
	for term, w := range want.Weights {
		require.InDelta(t, w, got.Weights[term], 2e-4, term)
	}
	require.InDelta(t, want.Temperature, got.Temperature, 2e-4)
}

func TestSetOfWhichNothingIsListed(t *testing.T) {
	seen, unseen := incidents("seen", 200, truth), incidents("unseen", 100, truth)
	for _, c := range unseen {
		clear(c.Right)
	}
	want, err := Fit(start(), seen, options)
	require.NoError(t, err)
	got, err := Fit(start(), append(seen, unseen...), options)
	require.NoError(t, err)
	require.Equal(t, want.Weights, got.Weights, "it does not count")
	require.Equal(t, "unseen", got.Sets[1].Name)
	require.Zero(t, got.Sets[1].Listed)
	require.Zero(t, got.Sets[1].Fitted.Top1)

	_, err = Fit(start(), unseen, options)
	require.EqualError(t, err, "the engine lists the cause of no case: there is nothing to fit")
}

func TestFoldsKeepGroupsTogether(t *testing.T) {
	cases := []Case{{Set: "a", Group: "x"}, {Set: "a", Group: "y"}, {Set: "b", Group: "y"}, {Set: "a", Group: "x"}, {Set: "a", Group: "z"}, {Set: "b", Group: "x"}}
	require.Equal(t, []int{0, 1, 0, 0, 0, 1}, foldsOf(cases, bySet(cases), 2))
	require.Equal(t, []int{0, 1, 0, 0, 2, 1}, foldsOf(cases, bySet(cases), 5))
}

// What is held out must be unknown to the weights that score it: with a single
// group, nothing is left to learn from, and the start's weights score it.
func TestHeldOutCasesTeachNothing(t *testing.T) {
	cases := incidents("lab", 60, truth)
	for i := range cases {
		cases[i].Group = "one"
	}
	r, err := Fit(start(), cases, options)
	require.NoError(t, err)
	require.Equal(t, r.Sets[0].Start, r.Sets[0].Fitted)
	require.Equal(t, r.Sets[0].Start, r.Sets[0].Calibrated)
	require.NotEqual(t, guess, r.Weights)
}

func TestFitRefuses(t *testing.T) {
	tests := map[string]struct {
		change func(*Case, *Options)
		want   string
	}{
		"no number":    {func(c *Case, _ *Options) { c.Suspects[0].Evidence[0].Strength = math.NaN() }, "case 3 of set lab: the strength of shift is NaN: it must be a number from -1000 to 1000"},
		"infinite":     {func(c *Case, _ *Options) { c.Suspects[0].Evidence[0].Strength = math.Inf(-1) }, "case 3 of set lab: the strength of shift is -Inf"},
		"absurd":       {func(c *Case, _ *Options) { c.Suspects[0].Evidence[0].Strength = 1e9 }, "case 3 of set lab: the strength of shift is 1e+09"},
		"other engine": {func(c *Case, _ *Options) { c.Suspects[3].Score++ }, "case 3 of set lab: the score of a suspect of kind prior.traffic_surge is"},
		"answers":      {func(c *Case, _ *Options) { c.Right = nil }, "case 3 of set lab: 6 suspects and 0 answers"},
		"no unknown": {func(c *Case, _ *Options) {
			c.Suspects, c.Right = c.Suspects[:5], make([]bool, 5)
		}, "case 3 of set lab: neither its cause nor unknown"},
		"one fold":      {func(_ *Case, o *Options) { o.Folds = 1 }, "folds is 1: it must be at least 2"},
		"no ridge":      {func(_ *Case, o *Options) { o.Ridge = 0 }, "ridge is 0: it must be above 0"},
		"ridge is NaN":  {func(_ *Case, o *Options) { o.Ridge = math.NaN() }, "ridge is NaN"},
		"unknown terms": {func(_ *Case, o *Options) { o.Hold = []string{"shft"} }, `hold names "shft": there is no such weight`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cases, o := incidents("lab", 10, truth), options
			tt.change(&cases[3], &o)
			_, err := Fit(start(), cases, o)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestScores(t *testing.T) {
	said := func(right int, p ...float64) Case {
		c := Case{Set: "lab", Right: make([]bool, len(p))}
		for i, one := range p {
			prior := rootcause.PriorContention
			if i == len(p)-1 {
				prior = rootcause.PriorUnknown
			}
			c.Suspects = append(c.Suspects, rootcause.Suspect{Prior: prior, Probability: one})
			c.Right[i] = i == right
		}
		return c
	}
	tests := map[string]struct {
		cases []Case
		want  Scores
	}{
		"right":                                  {[]Case{said(0, 1, 0)}, Scores{Top1: 1}},
		"half sure":                              {[]Case{said(0, 0.5, 0.25, 0.25)}, Scores{1, math.Ln2, 0.25 + 2.0/16, 0.5}},
		"wrong and sure":                         {[]Case{said(1, 1, 0, 0)}, Scores{0, -math.Log(leastProbability), 2, 1}},
		"unknown, as it should be, is no answer": {[]Case{said(-1, 0.25, 0.75)}, Scores{0, -math.Log(0.75), 2.0 / 16, 0.25}},
		"sure of half, and right in half":        {[]Case{said(0, 0.5, 0.5), said(-1, 0.5, 0.5)}, Scores{0.5, math.Ln2, 0.5, 0}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := Judge(tt.cases)
			require.Len(t, got, 1)
			require.Equal(t, len(tt.cases), got[0].Cases)
			require.InDelta(t, tt.want.Top1, got[0].Scores.Top1, 1e-12)
			require.InDelta(t, tt.want.LogLoss, got[0].Scores.LogLoss, 1e-12)
			require.InDelta(t, tt.want.Brier, got[0].Scores.Brier, 1e-12)
			require.InDelta(t, tt.want.ECE, got[0].Scores.ECE, 1e-12)
		})
	}
}

func TestSlopeIsThatOfTheLoss(t *testing.T) {
	cases := incidents("lab", 20, truth)
	cases[0].Right[0], cases[0].Right[1], cases[0].Right[3] = true, true, true // any of several
	warm := start()
	warm.Temperature = 2
	p := newProblem(warm, cases, options)
	w := make([]float64, len(p.start))
	for i := range w {
		w[i] = p.start[i] + float64(i)/7
	}
	_, slope := p.loss(w)
	for i, term := range p.terms {
		if !p.free[i] {
			require.Zero(t, slope[i], term)
			continue
		}
		const step = 1e-5
		at := w[i]
		w[i] = at + step
		above, _ := p.loss(w)
		w[i] = at - step
		below, _ := p.loss(w)
		w[i] = at
		require.InDelta(t, (above-below)/(2*step), slope[i], 1e-8, term)
	}
}
