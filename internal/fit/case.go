package fit

import (
	"fmt"
	"math"
	"slices"

	"github.com/otel-culprit/culprit/internal/rootcause"
)

// Case is what an engine with the start's numbers made of an incident, and which
// of its suspects are the cause: none, if the engine did not think of it.
type Case struct {
	Set, ID  string
	Group    string // cases of a group are never on both sides of a fold
	Suspects []rootcause.Suspect
	Right    []bool // as long as Suspects
}

// maxStrength bounds strengths: they are shares, or grow with a logarithm.
const maxStrength = 1000

// tolerance is by how much a score may differ from the sum of its parts.
const tolerance = 1e-6

// check refuses a case of which nothing can be learned, or nothing true.
func (c Case) check(weights rootcause.Weights) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("case %s of set %s: "+format, append([]any{c.ID, c.Set}, args...)...)
	}
	if len(c.Right) != len(c.Suspects) {
		return refuse("%d suspects and %d answers: there must be as many", len(c.Suspects), len(c.Right))
	}
	if !slices.Contains(c.truth(), true) {
		return refuse("neither its cause nor unknown is among the suspects: list unknown, as the engine does")
	}
	for _, s := range c.Suspects {
		score := weights[s.Prior]
		for _, ev := range s.Evidence {
			if !(math.Abs(ev.Strength) <= maxStrength) {
				return refuse("the strength of %s is %v: it must be a number from %d to %d; leave the case out, or correct its recording", ev.Name, ev.Strength, -maxStrength, maxStrength)
			}
			score += weights[ev.Term] * ev.Strength
		}
		if !(math.Abs(score-s.Score) <= tolerance) {
			return refuse("the score of a suspect of kind %s is %v, and its evidence gives %v: ask an engine that has the start's weights", s.Prior, s.Score, score)
		}
	}
	return nil
}

// listed is whether the engine thought of the cause.
func (c Case) listed() bool { return slices.Contains(c.Right, true) }

// truth is which suspects are right. If none is the cause, the cause is unknown:
// if such cases were left out, the engine would learn to be sure of whom it sees.
func (c Case) truth() []bool {
	if c.listed() {
		return c.Right
	}
	unknown := make([]bool, len(c.Suspects))
	for i, s := range c.Suspects {
		unknown[i] = s.Prior == rootcause.PriorUnknown
	}
	return unknown
}

// parts calls f for each term that speaks of a suspect and how much of it there
// is.
func parts(s rootcause.Suspect, f func(term rootcause.Term, strength float64)) {
	f(s.Prior, 1)
	for _, ev := range s.Evidence {
		if ev.Term != "" && ev.Strength != 0 {
			f(ev.Term, ev.Strength)
		}
	}
}
