package evaluate

import (
	"math"
	"slices"
	"strconv"

	"github.com/otel-culprit/culprit/internal/rootcause"
)

// theSite is the owner of the service's own use and requests: to name it is right
// where its traffic or its work is the cause.
const theSite = "site"

// nobody is who names no owner.
const nobody = ""

// compare asks the simpler methods whom they would blame.
func (n *night) compare() []observation {
	if n.c.Truth.Cause == nothingWrong {
		return nil // nobody asks
	}
	seen := n.compareBackup()
	data := n.used.comparison()
	seen = append(seen, n.suspected("host_busier", data.busiest())...)
	for _, b := range columnBaselines {
		seen = append(seen, n.suspected(b.name, append(data.rank(b.score), nobody)[0])...)
	}
	n.used = nil // a folder may hold many nights
	return seen
}

// compareBackup blames the backup that was running.
func (n *night) compareBackup() []observation {
	t := n.c.Truth
	ok, blamed := false, false
	for i, w := range n.windows {
		named := func(name string) bool { return isNamed(w.Workload, w.Tool, name) }
		ok = ok || i == 0 && t.Cause == string(rootcause.Contention) && t.blames(named)
		blamed = blamed || slices.ContainsFunc(t.Innocent, named)
	}
	return n.answered("running_backup", len(n.windows) > 0, ok, blamed)
}

// suspected judges the name of an owner as an answer.
func (n *night) suspected(method, name string) []observation {
	t := n.c.Truth
	switch name {
	case nobody:
		return n.answered(method, false, false, false)
	case theSite:
		ok := t.Cause == string(rootcause.TrafficSurge) || t.Cause == string(rootcause.OwnWork)
		return n.answered(method, true, ok, false)
	default:
		i, _ := strconv.Atoi(name) // comparison wrote it
		named := n.used.owners[i].named
		ok := t.Cause == string(rootcause.Contention) && (t.Workload == "" || t.blames(named))
		return n.answered(method, true, ok, slices.ContainsFunc(t.Innocent, named))
	}
}

func (n *night) answered(method string, answer, ok, blamed bool) []observation {
	group := n.c.heading()
	seen := []observation{
		{group, method, "cases", count, 1},
		{group, method, "top1", mean, share(ok)},
		{group, method, "unknown", mean, share(!answer)},
	}
	if len(n.c.Truth.Innocent) > 0 {
		seen = append(seen, observation{group, method, "false_blame", mean, share(blamed)})
	}
	return seen
}

// comparison has a column for each workload and resource. What did not exist yet,
// or was not worth telling, used nothing.
func (u *usage) comparison() comparison {
	var data comparison
	onset := int64(math.Floor(u.truth.Onset))
	split := func(owner string, at func(second int64) float64) compared {
		c := compared{owner: owner}
		for second := u.first; second < onset; second++ {
			c.before = append(c.before, at(second))
		}
		for second := onset; second <= u.last; second++ {
			c.after = append(c.after, at(second))
		}
		return c
	}
	for i, o := range u.owners {
		name := strconv.Itoa(i)
		if u.own(o) {
			name = theSite
		}
		for _, r := range usedResources {
			if series := o.series[r]; len(series) > 0 {
				column := split(name, func(second int64) float64 {
					if !u.read[second] {
						return math.NaN()
					}
					return series[second]
				})
				column.what = r.String()
				data.columns = append(data.columns, column)
			}
		}
	}
	told := func(values map[int64]float64) func(int64) float64 {
		return func(second int64) float64 {
			if x, ok := values[second]; ok {
				return x
			}
			return math.NaN()
		}
	}
	data.latency = split("", told(u.latency))
	if len(u.requests) > 0 {
		data.columns = append(data.columns, split(theSite, told(u.requests)))
	}
	return data
}

// busiest names who takes most, after the onset, of the resource whose use by all
// together rose most: the host is busier, so it must be a neighbour. It is nobody
// if nothing rose.
func (c comparison) busiest() string {
	type total struct{ before, after, top float64 }
	totals, tops := map[string]total{}, map[string]string{}
	var names []string // of resources, in their order
	for _, column := range c.columns {
		if column.what == "" {
			continue
		}
		t, there := totals[column.what]
		if !there {
			names = append(names, column.what)
		}
		before, after := known(column.before), known(column.after)
		if len(before) == 0 || len(after) == 0 {
			continue
		}
		t.before += meanOf(before)
		t.after += meanOf(after)
		if column.owner != theSite && meanOf(after) > t.top {
			t.top, tops[column.what] = meanOf(after), column.owner
		}
		totals[column.what] = t
	}
	blamed, most := nobody, 0.0
	for _, what := range names {
		t := totals[what]
		if rise := (t.after - t.before) / max(t.after, t.before); tops[what] != nobody && rise > most {
			blamed, most = tops[what], rise
		}
	}
	return blamed
}
