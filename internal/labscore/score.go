package labscore

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
)

// Figure is a number that JSON shows as null if it is NaN, with four decimals.
type Figure float64

// MarshalJSON writes null for what is not known.
func (f Figure) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(f)) {
		return []byte("null"), nil
	}
	return json.Marshal(math.Round(float64(f)*1e4) / 1e4)
}

// Known is whether there is a number.
func (f Figure) Known() bool { return !math.IsNaN(float64(f)) }

// Share is how many of some runs, with its 95 % interval (Wilson's, which holds
// for few runs and for none or all of them).
type Share struct {
	Value Figure `json:"value"`
	Low   Figure `json:"low"`
	High  Figure `json:"high"`
}

// Row is the figures of one scenario.
type Row struct {
	Scenario   string `json:"scenario"`
	Runs       int    `json:"runs"`        // that count
	Void       int    `json:"void"`        // besides
	Top1       Share  `json:"top1"`        // the verdict was right
	FalseBlame Share  `json:"false_blame"` // of a backup that did no harm, where there was one
	Abstained  int    `json:"abstained"`   // no cause was named, and there was one
	Brier      Figure `json:"brier"`       // mean square of (confidence in the strongest suspect - whether it is the cause)
	VerdictP50 Figure `json:"symptom_to_verdict_p50_s"`
	VerdictP90 Figure `json:"symptom_to_verdict_p90_s"`
	Before     Figure `json:"p95_before_ms"` // median over the runs
	During     Figure `json:"p95_during_ms"`
}

// Report is the figures of all scenarios.
type Report struct {
	Guilty      []Row `json:"guilty"` // by name
	Innocent    []Row `json:"innocent"`
	AllGuilty   *Row  `json:"all_guilty,omitzero"` // nil without scenarios
	AllInnocent *Row  `json:"all_innocent,omitzero"`
}

// Score counts.
func Score(runs []Run) Report {
	var r Report
	r.Guilty, r.AllGuilty = rows(runs, guilty)
	r.Innocent, r.AllInnocent = rows(runs, innocent)
	return r
}

func rows(runs []Run, kind string) (list []Row, all *Row) {
	byName := map[string][]Run{}
	var together []Run
	for _, run := range runs {
		if run.Truth.Kind == kind {
			byName[run.Scenario] = append(byName[run.Scenario], run)
			together = append(together, run)
		}
	}
	for name, some := range byName {
		list = append(list, row(name, some))
	}
	slices.SortFunc(list, func(a, b Row) int { return strings.Compare(a.Scenario, b.Scenario) })
	if len(together) > 0 {
		total := row("all "+kind, together)
		all = &total
	}
	return list, all
}

func row(name string, runs []Run) Row {
	r := Row{Scenario: name}
	var right, blamed, innocents int
	var briers, delays, before, during []float64
	for _, run := range runs {
		if run.Void {
			r.Void++
			continue
		}
		r.Runs++
		right += one(run.Correct)
		if len(run.Truth.Innocent) > 0 {
			innocents++
			blamed += one(run.BlamedBackup)
		}
		r.Abstained += one(run.abstained())
		if square, ok := run.brier(); ok {
			briers = append(briers, square)
		}
		delays = known(delays, run.SymptomToVerdict)
		before, during = known(before, run.P95.Before), known(during, run.P95.During)
	}
	r.Top1, r.FalseBlame = share(right, r.Runs), share(blamed, innocents)
	r.Brier = mean(briers)
	r.VerdictP50, r.VerdictP90 = quantile(delays, 0.5), quantile(delays, 0.9)
	r.Before, r.During = quantile(before, 0.5), quantile(during, 0.5)
	return r
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func known(list []float64, x *float64) []float64 {
	if x == nil || math.IsNaN(*x) {
		return list
	}
	return append(list, *x)
}

// share is k of n with Wilson's interval.
func share(k, n int) Share {
	if n == 0 {
		nan := Figure(math.NaN())
		return Share{nan, nan, nan}
	}
	const z = 1.959963984540054 // of 95 %
	p, count := float64(k)/float64(n), float64(n)
	center := (p + z*z/(2*count)) / (1 + z*z/count)
	half := z / (1 + z*z/count) * math.Sqrt(p*(1-p)/count+z*z/(4*count*count))
	return Share{Figure(p), Figure(max(0, center-half)), Figure(min(1, center+half))}
}

func mean(values []float64) Figure {
	var sum float64
	for _, x := range values {
		sum += x
	}
	return Figure(sum / float64(len(values))) // NaN without values
}

// quantile is the smallest value that at least the fraction q of them do not
// exceed; NaN if there are none.
func quantile(values []float64, q float64) Figure {
	if len(values) == 0 {
		return Figure(math.NaN())
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(q * float64(len(sorted))))
	return Figure(sorted[max(rank, 1)-1])
}
