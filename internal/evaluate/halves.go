package evaluate

import (
	"fmt"
	"hash/fnv"
	"slices"
)

// The halves of recordings: one may be learned from, the other never is.
const (
	HalfFit  = "fit"
	HalfHeld = "held"
)

// HalfOf is the half of a run of a scenario: a matter of its name and seed alone,
// so that nobody chooses.
func HalfOf(scenario string, seed uint64) string {
	sum := fnv.New64a()
	_, _ = fmt.Fprintf(sum, "%s/%d", scenario, seed) // a hash takes all
	// The low bits of FNV-1a follow those of the last byte; all of them together do not.
	bits := sum.Sum64()
	bits ^= bits >> 32
	bits ^= bits >> 16
	bits *= 0x9e3779b97f4a7c15
	if bits>>63 == 0 {
		return HalfFit
	}
	return HalfHeld
}

// checkHalves refuses cases that were moved to the other half, and sets halves
// that were left out.
func checkHalves(cases []caseLine) error {
	for i, c := range cases {
		switch {
		case c.Half != "" && c.Half != HalfFit && c.Half != HalfHeld:
			return fmt.Errorf("half of case %s is %q: it must be %s or %s", c.ID, c.Half, HalfFit, HalfHeld)
		case c.Scenario == "" || c.Seed == 0:
		case c.Half == "":
			cases[i].Half = HalfOf(c.Scenario, c.Seed)
		case c.Half != HalfOf(c.Scenario, c.Seed):
			return fmt.Errorf("half of case %s is %s, but its scenario and seed belong to the other: leave half out, or correct it", c.ID, c.Half)
		}
	}
	return nil
}

// heading is under which a case is counted: its half and its scenario, where it
// has them.
func (c caseLine) heading() string {
	if c.Half == "" || c.Scenario == "" {
		return c.Half + c.Scenario
	}
	return c.Half + " / " + c.Scenario
}

// ofScenarios is whether the cases are told apart by scenarios or halves.
func (s *Set) ofScenarios() bool {
	return slices.ContainsFunc(s.cases, func(c caseLine) bool { return c.Journal != "" && c.heading() != "" })
}
