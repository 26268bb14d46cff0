package rootcause_test

import (
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/params"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// ucum is the units that evidence may have.
var ucum = regexp.MustCompile(`^(1|%|m?s|By|(By|\{[a-z]+\})(/s)?|\{[a-z]+\}/\{[a-z]+\})$`)

// Every verdict on every kind of generated night, and on moments of which nobody
// was told, can be explained to the last number.
func TestEveryEvidenceCanBeExplained(t *testing.T) {
	for _, change := range []func(*rootcause.Params){
		nil,
		func(p *rootcause.Params) {
			p.Temperature = 2.5
			for term, weight := range p.Weights {
				p.Weights[term] = 1.7 * weight
			}
		},
	} {
		p := params.Default()
		if change != nil {
			change(&p)
		}
		seen := 0
		for _, k := range kinds {
			for _, every := range []int{1, 10} {
				w := k.make(uint64(50 + every))
				w.every = every
				e := newEngine(t, change)
				for _, f := range w.facts(generated) {
					events, err := e.Step(f)
					require.NoError(t, err)
					for _, v := range verdicts(events) {
						requireExplained(t, p, v)
						seen++
					}
				}
				end := e.Snapshot().At
				v, err := e.Explain(rootcause.Victim{Service: "shop"}, end.Add(-200*time.Second), end)
				require.NoError(t, err)
				requireExplained(t, p, v)
			}
		}
		require.Greater(t, seen, 10)
	}
}

func requireExplained(t *testing.T, p rootcause.Params, v rootcause.Verdict) {
	t.Helper()
	require.NotEmpty(t, v.Suspects)
	temperature := p.Temperature
	if temperature == 0 {
		temperature = 1
	}
	var sum, probability float64
	for _, s := range v.Suspects {
		sum += math.Exp(s.Score / temperature)
	}
	priors := map[rootcause.Term]float64{}
	for term, weight := range p.Weights {
		if strings.HasPrefix(string(term), "prior.") {
			priors[term] = weight
		}
	}
	for _, s := range v.Suspects {
		require.NotEmpty(t, s.Evidence, "%s: a suspect without evidence cannot be judged", s.Cause)
		probability += s.Probability
		require.InDelta(t, math.Exp(s.Score/temperature)/sum, s.Probability, 1e-9, "%s: the probabilities are a softmax of the scores", s.Cause)
		prior := s.Score
		names := map[string]bool{}
		for _, ev := range s.Evidence {
			requireWhole(t, p, ev)
			require.False(t, names[ev.Name], "%s: %s stands there twice", s.Cause, ev.Name)
			names[ev.Name] = true
			prior -= ev.Weight
		}
		among := false
		for _, weight := range priors {
			among = among || math.Abs(weight-prior) < 1e-9
		}
		require.True(t, among, "%s: the score is a prior and the weights of the evidence; %v is left and no prior", s.Cause, prior)
	}
	require.InDelta(t, 1, probability, 1e-9)
	for _, b := range v.Backups {
		require.NotEmpty(t, b.Sentence, "why a backup is %s", b.Finding)
	}
	for _, m := range v.Missing {
		require.NotEmpty(t, m)
	}
	for _, r := range v.Remedies {
		require.NotEmpty(t, r.Title)
		require.NotEmpty(t, r.Why, r.Title)
	}
}

func requireWhole(t *testing.T, p rootcause.Params, ev rootcause.Evidence) {
	t.Helper()
	require.Regexp(t, "^[a-z][a-z_0-9]*$", ev.Name)
	require.Regexp(t, ucum, ev.Unit, ev.Name)
	require.NotEmpty(t, ev.Sentence, ev.Name)
	require.Equal(t, strings.TrimSpace(ev.Sentence), ev.Sentence)
	require.NotContains(t, ev.Sentence, "%!", "%s: a verb without its value", ev.Name)
	require.NotContains(t, ev.Sentence, "NaN", ev.Name)
	require.NotContains(t, ev.Sentence, "Inf", ev.Name)
	for _, x := range []float64{ev.Value, ev.Strength, ev.Weight} {
		require.False(t, math.IsNaN(x) || math.IsInf(x, 0), "%+v", ev)
	}
	require.GreaterOrEqual(t, ev.Strength, 0.0, "%+v: the sign is the weight's", ev)
	if ev.Term == "" {
		require.Zero(t, ev.Strength, "%+v: nothing weighs it", ev)
		require.Zero(t, ev.Weight, "%+v", ev)
		return
	}
	require.Contains(t, p.Weights, ev.Term)
	require.InDelta(t, p.Weights[ev.Term]*ev.Strength, ev.Weight, 0, "%+v: Weight is the term's times Strength", ev)
}
