package experiment

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Hypothesis is what the site and the backup contend for.
type Hypothesis string

// The hypotheses. The first three are the classes of remedies.
const (
	ByCPU     = Hypothesis(CPU)
	ByDisk    = Hypothesis(Disk)
	ByNetwork = Hypothesis(Network)
	None      = Hypothesis("none")      // the backup does not slow the site
	Undecided = Hypothesis("undecided") // the figures do not tell
)

// Decision is what an experiment came to.
type Decision struct {
	Hypothesis Hypothesis `json:"hypothesis"`
	Reasons    []string   `json:"reasons"`
	// Remedy is the ID of the arm to take; empty if none restores the site, or
	// none is needed.
	Remedy string `json:"remedy,omitempty"`
	// Sure is true if the whole interval of the remedy restores the site.
	Sure bool   `json:"sure"`
	Why  string `json:"why"` // about the remedy
}

// Restores is up to where, over the baseline's p95, a site counts as restored.
const Restores = 1.5

// Bounds of the decision, as ratios of p95.
const (
	harms = 1.2 // from here on, over the baseline, a backup slows the site

	alike = 1.05 // up to here two slowdowns of the backup are the same
	still = 200  // from this slowdown on a backup hardly moves
	helps = 0.5  // of the rise, in logarithms, must go for a remedy to help
)

// Decide takes the arms of an experiment: the baseline, plain, and remedies.
func Decide(arms []Arm) Decision {
	baseline, ok := find(arms, Baseline)
	plain, measured := find(arms, Without)
	if !ok || !measured || plain.Blocks == 0 || baseline.Blocks == 0 {
		return Decision{Hypothesis: Undecided, Reasons: []string{"the baseline or the plain backup was not measured"}, Why: "nothing can be compared"}
	}
	harm := plain.OverBaseline.P95
	told := fmt.Sprintf("with the plain backup p95 is %s times the baseline", told(harm))
	switch {
	case harm.High < Restores && harm.Value < harms:
		return Decision{Hypothesis: None, Reasons: []string{told + ": the backup does not slow the site"}, Why: "no remedy is needed"}
	case harm.Low < harms:
		return Decision{
			Hypothesis: Undecided, Why: "it is not sure that a remedy is needed",
			Reasons: []string{told + ", so it is not sure whether the backup slows the site: more repeats, longer blocks, the load of a busy hour or files that are not in memory would tell"},
		}
	}
	var remedies []Arm
	for _, a := range arms {
		if a.ID != Baseline && a.ID != Without && a.Blocks > 0 {
			remedies = append(remedies, a)
		}
	}
	moving := slices.DeleteFunc(slices.Clone(remedies), Arm.Stalled)
	d := Decision{Reasons: []string{told}}
	var because []string
	d.Hypothesis, because = explain(remedies, baseline, plain)
	d.Reasons = append(d.Reasons, because...)
	d.Remedy, d.Sure, d.Why = recommend(moving)
	return d
}

func find(arms []Arm, id string) (Arm, bool) {
	i := slices.IndexFunc(arms, func(a Arm) bool { return a.ID == id })
	if i < 0 {
		return Arm{}, false
	}
	return arms[i], true
}

// Stalled reports whether the backup hardly moved.
func (a Arm) Stalled() bool { return a.Slowdown.Value > still }

// recommend takes, of the remedies that restore the site, the one with which the
// backup is slowed least; of those alike, the one with the lower p95, else the
// first. Those whose whole interval restores the site go before others.
func recommend(remedies []Arm) (id string, sure bool, why string) {
	var can []Arm
	for _, a := range remedies {
		over := a.OverBaseline.P95
		if a.Blocks > 1 && over.Value <= Restores && over.High <= Restores {
			can, sure = append(can, a), true
		}
	}
	if !sure {
		for _, a := range remedies {
			if a.OverBaseline.P95.Value <= Restores {
				can = append(can, a)
			}
		}
	}
	if len(can) == 0 {
		best := ""
		if len(remedies) > 0 {
			a := slices.MinFunc(remedies, func(a, b Arm) int { return cmp.Compare(a.OverBaseline.P95.Value, b.OverBaseline.P95.Value) })
			best = fmt.Sprintf("; what comes closest is %s, with %s times", a.ID, told(a.OverBaseline.P95))
		}
		return "", false, fmt.Sprintf("no remedy that was tried brings p95 back to %g times the baseline%s", Restores, best)
	}
	least := slices.MinFunc(can, bySlowdown).Slowdown.Value
	can = slices.DeleteFunc(can, func(a Arm) bool { return a.Slowdown.Value > least*alike })
	best := slices.MinFunc(can, func(a, b Arm) int {
		return cmp.Compare(a.OverBaseline.P95.Value, b.OverBaseline.P95.Value)
	})
	why = fmt.Sprintf("p95 is %s times the baseline with it, and the backup takes %s times as long as the plain one (by %s)",
		told(best.OverBaseline.P95), told(best.Slowdown), best.SlowdownBy)
	if !sure {
		why += fmt.Sprintf("; it is not sure that p95 stays below %g times the baseline, so more repeats should confirm it", Restores)
	}
	return best.ID, sure, why
}

func bySlowdown(a, b Arm) int { return cmp.Compare(a.Slowdown.Value, b.Slowdown.Value) }

// told is "2.1 (1.9 to 2.6)".
func told(i Interval) string {
	return fmt.Sprintf("%s (%s to %s)", Figure(i.Value), Figure(i.Low), Figure(i.High))
}

// Figure has about three digits.
func Figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

func join(ids []string) string { return strings.Join(ids, ", ") }
