package experiment

import (
	"fmt"
	"math"
)

// sureFrom is the number of confirming rounds from which on a remedy can be sure.
// Were the true median of its p95 above the bound, a round would stay within it
// with a chance of one half at most, and all of five in at most 1 of 32 cases (the
// one-sided sign test). The repeats by which it was chosen do not count: it was
// chosen for being good in them.
const sureFrom = 5

// split parts the blocks of the repeats by which the remedy is chosen from those
// of the rounds that confirm it.
func split(blocks []Block, repeats int) (choosing, confirming []Block) {
	for _, b := range blocks {
		if b.Repeat < repeats {
			choosing = append(choosing, b)
		} else {
			confirming = append(confirming, b)
		}
	}
	return choosing, confirming
}

// confirmed is the decision for the remedy that was chosen. The figures are those
// of all blocks; how sure it is, the rounds after the choice tell alone.
func (r Report) confirmed(chosen string, rounds []Block) Decision {
	baseline, _ := find(r.Arms, Baseline)
	plain, _ := find(r.Arms, Without)
	remedy, _ := find(r.Arms, chosen)
	harm := plain.OverBaseline.P95
	d := Decision{Hypothesis: Undecided, Reasons: []string{unclear(plain)}}
	if harm.Value >= harms {
		d = decided(r.Arms, baseline, plain)
	}
	d.take(remedy)
	needed := harm.Low >= harms
	d.confirm(rounds)
	d.Sure = d.Sure && needed && r.State == Done
	if d.Sure {
		d.Why += ": it is sure with at least " + percent(1-math.Pow(0.5, sureFrom))
	}
	if !needed {
		d.Why += ". In some of the repeats the plain backup hardly slowed the site, so it is not sure that a remedy is needed"
	}
	return d
}

// confirm tells in how many of the rounds the remedy kept the site within the
// bound, and whether these are enough.
func (d *Decision) confirm(rounds []Block) {
	over := ratios(of(rounds, d.Remedy), of(rounds, Baseline), func(b Block) float64 { return b.P95 })
	n, held := len(over), 0
	for _, v := range over {
		if v <= Restores {
			held++
		}
	}
	if n == 0 {
		d.Why += fmt.Sprintf(". It is not sure: it was chosen for being good in these repeats, and no round has confirmed it since; --confirm %d can", sureFrom)
		return
	}
	alone := interval(over)
	d.Confirmed, d.Sure = &alone, held == n && n >= sureFrom
	which := "the confirming round"
	if n > 1 {
		which = fmt.Sprintf("the %d confirming rounds", n)
	}
	d.Why += fmt.Sprintf(". In %s p95 was %s times the baseline", which, alone.Told())
	switch {
	case held < n:
		d.Why += fmt.Sprintf(". It is not sure: it held, with p95 within %g times the baseline, in %d of %d", Restores, held, n)
	case n < sureFrom:
		d.Why += fmt.Sprintf(", never above %g. It is not sure: that takes %d such rounds (--confirm)", Restores, sureFrom)
	default:
		d.Why += fmt.Sprintf(", never above %g", Restores)
	}
}

// broken is the decision if the backup failed with the chosen remedy in a
// confirming round: what comes next was not confirmed, so it is not recommended.
func (d Decision) broken() Decision {
	d.Why = fmt.Sprintf("%q was chosen, but the backup failed with it in a confirming round; to choose among the others, repeat it with --skip %s", Label(d.Remedy), d.Remedy)
	d.Remedy = ""
	return d
}
