package experiment

import "fmt"

// ToConfirm lists the arms of the rounds that confirm what was chosen; none if
// nothing was, or if it is confident already.
func (r Report) ToConfirm() []string {
	a, ok := r.Recommended()
	if !ok || a.OverBaseline.P95.Coverage >= Confident {
		return nil
	}
	return []string{Baseline, Without, a.ID}
}

// until are the blocks of the repeats by which the remedy is chosen, and those of
// the rounds that confirm it.
func until(blocks []Block, repeats int) (choosing, confirming []Block) {
	for _, b := range blocks {
		if b.Repeat < repeats {
			choosing = append(choosing, b)
		} else {
			confirming = append(confirming, b)
		}
	}
	return choosing, confirming
}

// confirm decides anew by the arms over all blocks, with the remedy that was
// chosen before. alone is that remedy over the confirming rounds.
func confirm(chosen string, arms []Arm, alone Arm) Decision {
	baseline, _ := find(arms, Baseline)
	plain, _ := find(arms, Without)
	remedy, _ := find(arms, chosen)
	d := decided(arms, baseline, plain)
	d.take(remedy)
	harm, again := plain.OverBaseline.P95, alone.OverBaseline.P95
	switch {
	case again.Value > Restores:
		d.Sure = false
		d.Why += fmt.Sprintf(". It did not hold in the confirming rounds: in these alone p95 was %s times the baseline, more than %g", again.Told(), Restores)
	default:
		d.Why += fmt.Sprintf(". It held in the confirming rounds: in these alone p95 was %s times the baseline", again.Told())
	}
	if harm.Low < harms {
		d.Sure = false
		d.Why += ". In some of the repeats the plain backup hardly slowed the site, so it is not sure that a remedy is needed"
	}
	return d
}
