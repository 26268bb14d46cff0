package experiment

import (
	"cmp"
	"fmt"
	"slices"
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
	// Sure is true if a complete experiment shows that a remedy is needed, and this
	// one restored the site in every confirming round, of which there were enough.
	Sure bool `json:"sure"`
	// Confirmed is p95 with the remedy, as a multiple of that without a backup, in
	// the confirming rounds alone; nil if none was complete.
	Confirmed *Interval `json:"confirmed,omitempty"`
	Why       string    `json:"why"` // about the remedy
}

// Restores is up to where, over the baseline's p95, a site counts as restored.
const Restores = 1.5

// Bounds of the decision, as ratios of p95.
const (
	harms = 1.2 // from here on, over the baseline, a backup slows the site

	telling = 3 // so many repeats it takes to say that a backup does no harm

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
	switch {
	case harm.High < Restores && harm.Value < harms && harm.Repeats < telling:
		return Decision{
			Hypothesis: Undecided, Why: "no need of a remedy was seen",
			Reasons: []string{slowed(plain) + fmt.Sprintf(", but it takes %d repeats to say that the backup does not slow the site, not %d", telling, harm.Repeats)},
		}
	case harm.High < Restores && harm.Value < harms:
		d := Decision{Hypothesis: None, Reasons: []string{slowed(plain) + ": the backup does not slow the site"}, Why: "no remedy is needed"}
		if doubt := harm.doubt(); doubt != "" {
			d.Reasons = append(d.Reasons, "it is not sure: that is "+doubt)
		}
		return d
	case harm.Low < harms:
		return Decision{
			Hypothesis: Undecided, Why: "it is not sure that a remedy is needed",
			Reasons: []string{unclear(plain)},
		}
	}
	d := decided(arms, baseline, plain)
	best, why := recommend(slices.DeleteFunc(remedies(arms), Arm.Stalled))
	if why != "" {
		d.Why = why
		return d
	}
	d.take(best)
	return d
}

// decided is the hypothesis with its reasons.
func decided(arms []Arm, baseline, plain Arm) Decision {
	d := Decision{Reasons: []string{slowed(plain)}}
	var because []string
	d.Hypothesis, because = explain(remedies(arms), baseline, plain)
	d.Reasons = append(d.Reasons, because...)
	return d
}

// remedies are the arms that were measured with one.
func remedies(arms []Arm) []Arm {
	return slices.DeleteFunc(slices.Clone(arms), func(a Arm) bool { return a.ID == Baseline || a.ID == Without || a.Blocks == 0 })
}

func slowed(plain Arm) string {
	return fmt.Sprintf("with the plain backup p95 is %s times the baseline", plain.OverBaseline.P95.Told())
}

func unclear(plain Arm) string {
	return slowed(plain) + ", so it is not sure whether the backup slows the site: more repeats, longer blocks, the load of a busy hour or files that are not in memory would tell"
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
// first. Those whose whole range restores the site go before others. why is set
// if there is none.
func recommend(remedies []Arm) (best Arm, why string) {
	var can, wholly []Arm
	for _, a := range remedies {
		over := a.OverBaseline.P95
		if over.Value <= Restores {
			can = append(can, a)
		}
		if a.Blocks > 1 && over.Value <= Restores && over.High <= Restores {
			wholly = append(wholly, a)
		}
	}
	if len(wholly) > 0 {
		can = wholly
	}
	if len(can) == 0 {
		why = fmt.Sprintf("no remedy that was tried brings p95 back to %g times the baseline", Restores)
		if len(remedies) > 0 {
			a := slices.MinFunc(remedies, byP95)
			why += fmt.Sprintf("; what comes closest is %q, with %s times the baseline", a.Label(), a.OverBaseline.P95.Told())
		}
		return Arm{}, why
	}
	least := slices.MinFunc(can, bySlowdown).Slowdown.Value
	can = slices.DeleteFunc(can, func(a Arm) bool { return a.Slowdown.Value > least*alike })
	return slices.MinFunc(can, byP95), ""
}

// take makes an arm the remedy. It is not sure yet: it was chosen for its figures.
func (d *Decision) take(a Arm) {
	d.Remedy = a.ID
	d.Why = fmt.Sprintf("with it p95 is %s times the baseline, and the backup takes %s times as long as the plain one (by %s)",
		a.OverBaseline.P95.Told(), a.Slowdown.Told(), a.SlowdownBy)
}

func byP95(a, b Arm) int { return cmp.Compare(a.OverBaseline.P95.Value, b.OverBaseline.P95.Value) }

func bySlowdown(a, b Arm) int { return cmp.Compare(a.Slowdown.Value, b.Slowdown.Value) }

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
