package evaluate

import (
	"cmp"
	"math"
	"slices"
)

// columnBaseline ranks columns by a score; the same columns as the engine has,
// without the symptom.
type columnBaseline struct {
	name  string
	score func(c, latency compared) float64
}

// columnBaselines are the simpler methods. Each looks at a column before and after
// the onset, and some at the victim's latency.
var columnBaselines = []columnBaseline{
	{"nsigma", func(c, _ compared) float64 { return nSigma(c) }},
	{"baro", func(c, _ compared) float64 { return robustScore(c) }},
	{"pearson", func(c, latency compared) float64 { return pearson(c.all(), latency.all()) }},
	{"cpi2_like", badLatencyCorrelation},
}

// compared is a column before and after the onset; NaN stands for "missing".
type compared struct {
	owner         string // what it speaks of: an entity, a resource, a party
	what          string // is measured; empty if nobody asks
	before, after []float64
}

func (c compared) all() []float64 { return slices.Concat(c.before, c.after) }

// comparison is what the baselines see.
type comparison struct {
	columns []compared
	latency compared
}

// comparison takes the rows of the columns that the engine is told of.
func (f *feed) comparison(before, after []int, owner func(input) string) comparison {
	var data comparison
	for _, in := range f.inputs {
		if !f.usable(in) {
			continue
		}
		of := func(row int) float64 { return f.tab.values[row][in.column] * in.rule.Show }
		if in.rule.As == "counter" {
			of = func(row int) float64 {
				if row == 0 {
					return math.NaN()
				}
				return (f.tab.values[row][in.column] - f.tab.values[row-1][in.column]) * in.rule.Show
			}
		}
		data.columns = append(data.columns, pick(owner(in), of, before, after))
	}
	data.latency = pick("", func(row int) float64 { return f.tab.values[row][f.latency] }, before, after)
	return data
}

// addRequests shows the victim's requests as a column, too.
func (c *comparison) addRequests(f *feed, before, after []int, owner string) {
	if f.requests >= 0 {
		c.columns = append(c.columns, pick(owner, func(row int) float64 { return f.tab.values[row][f.requests] }, before, after))
	}
}

func pick(owner string, of func(row int) float64, before, after []int) compared {
	c := compared{owner: owner}
	for _, row := range before {
		c.before = append(c.before, of(row))
	}
	for _, row := range after {
		c.after = append(c.after, of(row))
	}
	return c
}

// rank lists the owners by their best column.
func (c comparison) rank(score func(c, latency compared) float64) []string {
	type scoredOwner struct {
		owner string
		score float64
	}
	list := make([]scoredOwner, 0, len(c.columns))
	for _, column := range c.columns {
		if x := score(column, c.latency); !math.IsNaN(x) {
			list = append(list, scoredOwner{column.owner, x})
		}
	}
	slices.SortStableFunc(list, func(a, b scoredOwner) int { return cmp.Compare(b.score, a.score) })
	names := make([]string, 0, len(list))
	for _, s := range list {
		names = append(names, s.owner)
	}
	return distinct(names)
}

// nSigma is how far the highest value after the onset is over the mean before, in
// standard deviations.
func nSigma(c compared) float64 {
	m, sd := meanAndDeviation(c.before)
	return highest(c.after, m, sd)
}

// robustScore is BARO's RobustScorer (Pham, Ha and Zhang, FSE 2024): how far the
// highest value after the onset is over the median before, in interquartile
// ranges. The published figures are those of the highest value; with the farthest,
// above or below, both methods are much weaker.
func robustScore(c compared) float64 {
	before := known(c.before)
	slices.Sort(before)
	return highest(c.after, quantile(before, 0.5), quantile(before, 0.75)-quantile(before, 0.25))
}

// highest is NaN if there are no values. A scale of zero is taken for one.
func highest(values []float64, center, scale float64) float64 {
	if scale == 0 {
		scale = 1
	}
	top := math.NaN()
	for _, x := range known(values) {
		if d := (x - center) / scale; !(d <= top) {
			top = d
		}
	}
	return top
}

// badLatencyCorrelation is like CPI2: how use goes with bad latency, one that is
// over the mean before by two standard deviations.
func badLatencyCorrelation(c, latency compared) float64 {
	m, sd := meanAndDeviation(latency.before)
	limit := m + 2*sd
	bad := latency.all()
	for i, x := range bad {
		if !math.IsNaN(x) {
			bad[i] = share(x > limit)
		}
	}
	return pearson(c.all(), bad)
}

// pearson is the correlation where both are known; NaN if one does not vary.
func pearson(a, b []float64) float64 {
	var n, sa, sb float64
	for i := range a {
		if !math.IsNaN(a[i] + b[i]) {
			n, sa, sb = n+1, sa+a[i], sb+b[i]
		}
	}
	ma, mb := sa/n, sb/n
	var ab, aa, bb float64
	for i := range a {
		if !math.IsNaN(a[i] + b[i]) {
			ab += (a[i] - ma) * (b[i] - mb)
			aa += (a[i] - ma) * (a[i] - ma)
			bb += (b[i] - mb) * (b[i] - mb)
		}
	}
	if aa == 0 || bb == 0 {
		return math.NaN()
	}
	return ab / math.Sqrt(aa*bb)
}

func known(values []float64) []float64 {
	var list []float64
	for _, x := range values {
		if !math.IsNaN(x) {
			list = append(list, x)
		}
	}
	return list
}

func meanAndDeviation(values []float64) (mean, deviation float64) {
	values = known(values)
	m := meanOf(values)
	var squares float64
	for _, x := range values {
		squares += (x - m) * (x - m)
	}
	return m, math.Sqrt(squares / float64(len(values)))
}

func meanOf(values []float64) float64 {
	var s float64
	for _, x := range values {
		s += x
	}
	return s / float64(len(values))
}

// quantile interpolates between sorted values; NaN if there are none.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	i := q * float64(len(sorted)-1)
	low := int(i)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (sorted[high]-sorted[low])*(i-float64(low))
}
