package labscore

import "slices"

// Promise is a bound that a figure over the runs of a kind, or of one scenario, must
// keep.
type Promise struct {
	What  string `json:"what"`
	Value Figure `json:"value"`
	Least Figure `json:"least,omitzero"` // either this
	Most  Figure `json:"most,omitzero"`  // or this is set
	Kept  bool   `json:"kept"`
}

// What is promised of the lab's scenarios.
const (
	leastTop1      = 0.95
	mostFalseBlame = 0.01
	mostToVerdict  = 60 // seconds, nine runs of ten
	mostBrier      = 0.05
)

// Promises says which are kept over all runs; those of which nothing is known are
// left out.
func (r Report) Promises() []Promise {
	var list []Promise
	if r.AllGuilty != nil {
		list = r.AllGuilty.ofGuilty("over the guilty")
	}
	if r.AllInnocent != nil {
		list = append(list, r.AllInnocent.ofInnocent("over the innocent")...)
	}
	return list
}

// Missed are the promises that single scenarios do not keep.
func (r Report) Missed() []Promise {
	var list []Promise
	for _, row := range r.Guilty {
		list = append(list, row.ofGuilty("of "+row.Scenario)...)
	}
	for _, row := range r.Innocent {
		list = append(list, row.ofInnocent("of "+row.Scenario)...)
	}
	return slices.DeleteFunc(list, func(p Promise) bool { return p.Kept })
}

func (r Row) ofGuilty(whose string) []Promise {
	var list []Promise
	if r.Top1.Value.Known() {
		list = append(list, Promise{What: "top-1 " + whose, Value: r.Top1.Value, Least: leastTop1, Kept: r.Top1.Value >= leastTop1})
	}
	list = atMost(list, "symptom to verdict p90 "+whose+", s", r.VerdictP90, mostToVerdict)
	return atMost(list, "Brier score "+whose, r.Brier, mostBrier)
}

func (r Row) ofInnocent(whose string) []Promise {
	list := atMost(nil, "false blame of a backup "+whose, r.FalseBlame.Value, mostFalseBlame)
	return atMost(list, "Brier score "+whose, r.Brier, mostBrier)
}

func atMost(list []Promise, what string, value, limit Figure) []Promise {
	if !value.Known() {
		return list
	}
	return append(list, Promise{What: what, Value: value, Most: limit, Kept: value <= limit})
}
