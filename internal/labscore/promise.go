package labscore

// Promise is a bound that a figure over all runs of a kind must keep.
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

// Promises says which are kept; those of which nothing is known are left out.
func (r Report) Promises() []Promise {
	var list []Promise
	most := func(what string, value, limit Figure) {
		if value.Known() {
			list = append(list, Promise{What: what, Value: value, Most: limit, Kept: value <= limit})
		}
	}
	if g := r.AllGuilty; g != nil {
		if g.Top1.Value.Known() {
			list = append(list, Promise{What: "top-1 over the guilty", Value: g.Top1.Value, Least: leastTop1, Kept: g.Top1.Value >= leastTop1})
		}
		most("symptom to verdict p90 over the guilty, s", g.VerdictP90, mostToVerdict)
		most("Brier score over the guilty", g.Brier, mostBrier)
	}
	if i := r.AllInnocent; i != nil {
		most("false blame of a backup over the innocent", i.FalseBlame.Value, mostFalseBlame)
		most("Brier score over the innocent", i.Brier, mostBrier)
	}
	return list
}
