package evaluate

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/otel-culprit/culprit/internal/rootcause"
)

// The kinds of pairs, and what may be said of them.
const (
	pairNeighbour = "neighbour"
	pairSurge     = "surge"
	pairNothing   = "nothing"
	saidUnknown   = "unknown"
)

// run is a part of a file in which the load and the neighbour stayed the same.
type run struct {
	from, to        int // rows, both included
	load, neighbour float64
	latency         float64
}

// pair is two runs that are played one after the other.
type pair struct {
	before, after run
	kind          string
}

// runs cuts a file into its runs, without those that are too short.
func (f *feed) runs() ([]run, error) {
	rules := f.m.Pairs
	load, err := f.tab.column(rules.Load)
	if err != nil {
		return nil, fmt.Errorf("pairs.load: %w", err)
	}
	neighbour, err := f.tab.column(rules.Neighbour)
	if err != nil {
		return nil, fmt.Errorf("pairs.neighbour: %w", err)
	}
	var list []run
	end := func(from, to int) {
		if to-from+1 < rules.MinRows {
			return
		}
		var latencies []float64
		for row := from; row <= to; row++ {
			latencies = append(latencies, f.tab.values[row][f.latency])
		}
		list = append(list, run{from, to, f.tab.values[from][load], f.tab.values[from][neighbour], meanOf(known(latencies))})
	}
	from := 0
	for row := 1; row < len(f.at); row++ {
		now, last := f.tab.values[row], f.tab.values[row-1]
		gap := f.tab.t[row] - f.tab.t[row-1]
		if gap > rules.Gap || gap <= 0 || now[load] != last[load] || now[neighbour] != last[neighbour] {
			end(from, row-1)
			from = row
		}
	}
	end(from, len(f.at)-1)
	return list, nil
}

// pairSeed makes the choice of pairs the same each time.
const pairSeed = 1

// pairs are those with a symptom; every second quiet run is for teaching and in
// none of them. If there are too many, some are drawn.
func (f *feed) pairs() (taught []run, list []pair, err error) {
	all, err := f.runs()
	if err != nil {
		return nil, nil, err
	}
	var quiet, loud []run
	quietSeen := 0
	for _, r := range all {
		switch {
		case r.neighbour != 0:
			loud = append(loud, r)
		case quietSeen%2 == 0:
			quietSeen++
			taught = append(taught, r)
		default:
			quietSeen++
			quiet = append(quiet, r)
		}
	}
	for _, before := range quiet {
		for _, after := range slices.Concat(loud, quiet) {
			p := pair{before, after, pairNothing}
			switch {
			case after.from == before.from, after.neighbour != 0 && after.load != before.load, after.load < before.load:
				continue
			case after.neighbour != 0:
				p.kind = pairNeighbour
			case after.load > before.load:
				p.kind = pairSurge
			}
			if after.latency > f.m.Pairs.Symptom*before.latency {
				list = append(list, p)
			}
		}
	}
	if len(taught) == 0 {
		return nil, nil, fmt.Errorf("%s: no run without a neighbour to learn from", f.tab.path)
	}
	limit := f.m.Pairs.Limit
	if len(list) > limit {
		draw := rand.New(rand.NewPCG(pairSeed, uint64(len(list)))) //nolint:gosec // a sample, and the same each time
		chosen := draw.Perm(len(list))[:limit]
		slices.Sort(chosen)
		drawn := make([]pair, 0, limit)
		for _, i := range chosen {
			drawn = append(drawn, list[i])
		}
		list = drawn
	}
	return taught, list, nil
}

// pairTrials play each pair to an engine that was taught with quiet runs.
func (s *Set) pairTrials(engine NewEngine) ([]trial, error) {
	var list []trial
	for _, c := range s.cases {
		f, err := s.feed(c)
		if err != nil {
			return nil, err
		}
		taught, pairs, err := f.pairs()
		if err != nil {
			return nil, err
		}
		teacher := sync.OnceValues(func() (lesson, error) { return teach(f, taught, engine) })
		group := strings.TrimSuffix(c.File, tableSuffix)
		for i, p := range pairs {
			list = append(list, trial{
				id: fmt.Sprintf("%s-%d", group, i),
				c:  c,
				judge: func() (outcome, error) {
					learned, err := teacher()
					if err != nil {
						return outcome{}, err
					}
					o, err := judgePair(f, p, learned, engine)
					for j := range o.judged {
						o.judged[j].Set, o.judged[j].ID = s.Name, fmt.Sprintf("%s-%d", group, i)
					}
					return o.in(group), err
				},
				compare: func() []observation { return outcome{seen: comparePair(f, p)}.in(group).seen },
			})
		}
	}
	return list, nil
}

// in puts an outcome into a group of its set.
func (o outcome) in(group string) outcome {
	for i := range o.seen {
		o.seen[i].group = group
	}
	for i := range o.answers {
		o.answers[i].group = group
	}
	return o
}

// teach plays quiet runs to an engine.
func teach(f *feed, taught []run, engine NewEngine) (lesson, error) {
	p := player{engine: engine()}
	if err := p.follow(f, taught...); err != nil {
		return lesson{}, err
	}
	return p.lesson()
}

func judgePair(f *feed, pr pair, l lesson, engine NewEngine) (outcome, error) {
	p, err := l.recalled(engine)
	if err != nil {
		return outcome{}, err
	}
	if err = p.follow(f, pr.before); err != nil {
		return outcome{}, err
	}
	onset := p.now
	if err = p.follow(f, pr.after); err != nil {
		return outcome{}, err
	}
	v, err := p.ask(f, onset, p.now)
	if err != nil {
		return outcome{}, err
	}
	said := saidOf(v)
	o := outcome{seen: pairSeen(product, pr.kind, said)}
	if said != saidUnknown || pr.kind != pairNothing {
		o.answers = append(o.answers, answer{"", "pairs", pr.kind, said, said == pr.kind})
	}
	if pr.kind != pairNothing {
		o.judged = append(o.judged, Judged{Verdict: v, Right: func(s rootcause.Suspect) bool { return partyOf(s) == pr.kind }})
	}
	return o, nil
}

// saidOf is what a verdict says: "unknown" unless it stands for its first suspect.
func saidOf(v rootcause.Verdict) string {
	if v.State == rootcause.StateUnknown {
		return saidUnknown
	}
	return partyOf(v.Top())
}

// partyOf is whom a suspect blames. The victim's own workloads are never suspects
// of contention.
func partyOf(s rootcause.Suspect) string {
	switch s.Cause {
	case rootcause.Contention:
		return pairNeighbour
	case rootcause.TrafficSurge:
		return pairSurge
	case rootcause.UnknownCause:
		return saidUnknown
	default:
		return string(s.Cause)
	}
}

func pairSeen(method, kind, said string) []observation {
	seen := []observation{{"", method, kind + "_pairs", count, 1}}
	add := func(measure string, value bool) {
		seen = append(seen, observation{"", method, measure, mean, share(value)})
	}
	if kind != pairNothing {
		add("top1", said == kind)
		if said != saidUnknown {
			add("top1_decided", said == kind)
		}
		add("unknown", said == saidUnknown)
	}
	if kind != pairNeighbour {
		add("false_blame", said == pairNeighbour)
	}
	return seen
}

func comparePair(f *feed, p pair) []observation {
	before, after := rowsOf(p.before), rowsOf(p.after)
	data := f.comparison(before, after, func(in input) string {
		if in.own {
			return pairSurge
		}
		return pairNeighbour
	})
	var seen []observation
	// The host is busier, so it must be the neighbour.
	busier := saidUnknown
	for _, c := range data.columns {
		if c.owner == pairNeighbour && meanOf(known(c.after)) > meanOf(known(c.before)) {
			busier = pairNeighbour
		}
	}
	seen = append(seen, pairSeen("host_busier", p.kind, busier)...)
	data.addRequests(f, before, after, pairSurge)
	for _, b := range columnBaselines {
		ranked := data.rank(b.score)
		seen = append(seen, pairSeen(b.name, p.kind, cmp.Or(append(ranked, saidUnknown)[0], saidUnknown))...)
	}
	return seen
}

func rowsOf(r run) []int {
	var rows []int
	for row := r.from; row <= r.to; row++ {
		rows = append(rows, row)
	}
	return rows
}
