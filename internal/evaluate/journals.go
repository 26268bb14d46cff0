package evaluate

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/otel-culprit/culprit/internal/backup"
	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/journal"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// nothingWrong is the cause of a night without an incident.
const nothingWrong = "none"

// nightCauses are the causes that a journal may be said to have.
var nightCauses = []string{
	nothingWrong, string(rootcause.Contention), string(rootcause.TrafficSurge), string(rootcause.OwnWork),
	string(rootcause.FaultyDisk), string(rootcause.Upstream), string(rootcause.UnknownCause),
}

// earlyBy is by how many seconds an episode may open before the told onset and be
// of it: whoever wrote the onset down looked at another clock.
const earlyBy = 10

// journalTrials replay recorded nights and look at what was told live.
func (s *Set) journalTrials(ctx context.Context, engine NewEngine) []trial {
	list := make([]trial, 0, len(s.cases))
	for _, c := range s.cases {
		n := &night{set: s.Name, c: c, path: filepath.Join(s.dir, c.Journal)}
		list = append(list, trial{
			id:      c.ID,
			c:       c,
			judge:   func() (outcome, error) { return n.judge(ctx, engine()) },
			compare: func() []observation { return n.compare() },
		})
	}
	return list
}

// night is a case that is a journal, with what a replay told.
type night struct {
	set  string
	c    caseLine
	path string

	windows  []backup.Window // of backups that ran when the trouble began
	alarms   []rootcause.Episode
	used     *usage // of workloads around the onset; for the baselines
	early    int    // episodes that were none of the incident's
	verdicts []rootcause.Verdict
}

func (n *night) judge(ctx context.Context, engine *rootcause.Engine) (outcome, error) {
	*n = night{set: n.set, c: n.c, path: n.path, used: newUsage(n.c.Truth)}
	facts := func(yield func(fact.Fact, error) bool) {
		for f, err := range journal.Open(n.path) {
			if err == nil {
				err = ctx.Err()
			}
			if err == nil {
				n.used.take(f)
			}
			if !yield(f, err) {
				return
			}
		}
	}
	for event, err := range rootcause.Replay(engine, facts) {
		if err != nil {
			return outcome{}, err
		}
		n.take(event)
	}
	return n.observe(), nil
}

// take notes an event.
func (n *night) take(event rootcause.Event) {
	onset := n.c.Truth.Onset
	switch ev := event.(type) {
	case rootcause.Window:
		began := float64(ev.Window.Start.Unix()) <= onset+earlyBy
		if n.c.Truth.Cause == nothingWrong || !began {
			return
		}
		n.windows = slices.DeleteFunc(n.windows, func(w backup.Window) bool { return w.ID == ev.Window.ID })
		if ev.Phase == rootcause.Opened || float64(ev.Window.End.Unix()) >= onset-earlyBy {
			n.windows = append(n.windows, ev.Window)
		}
	case rootcause.Episode:
		switch {
		case ev.Phase != rootcause.Opened:
		case !n.watched(ev.Victim.Service) || !n.ours(ev.At.Unix()):
			n.early++
		default:
			n.alarms = append(n.alarms, ev)
		}
	case rootcause.Verdict:
		if n.watched(ev.Victim.Service) && (len(n.alarms) > 0 && ev.ID == n.alarms[0].ID || n.c.Truth.Cause == nothingWrong) {
			n.verdicts = append(n.verdicts, ev)
		}
	}
}

// watched is whether the truth is of a service.
func (n *night) watched(service string) bool {
	return n.c.Truth.Service == "" || n.c.Truth.Service == service
}

// ours is whether an episode that opened at a time can be of the incident.
func (n *night) ours(at int64) bool {
	return n.c.Truth.Cause != nothingWrong && float64(at) >= n.c.Truth.Onset-earlyBy
}

func (n *night) observe() outcome {
	var o outcome
	add := func(measure string, stat stat, value float64) {
		o.seen = append(o.seen, observation{n.c.heading(), product, measure, stat, value})
	}
	add("cases", count, 1)
	add("false_alarms", sum, float64(n.early))
	if len(n.c.Truth.Innocent) > 0 {
		add("false_blame", mean, share(slices.ContainsFunc(n.verdicts, n.blames)))
	}
	if n.c.Truth.Cause == nothingWrong {
		return o
	}
	said, ok, sure := "no verdict", false, false
	if len(n.verdicts) > 0 {
		first, last := n.verdicts[0], n.verdicts[len(n.verdicts)-1]
		top := last.Top()
		ok, sure = n.allRight(last), last.State != rootcause.StateUnknown && top.Cause != rootcause.UnknownCause
		said = string(top.Cause)
		for _, s := range namedBy(last) {
			said = strings.TrimSpace(said + " " + s.Workload.Name)
		}
		delay := float64(first.At.UnixMilli())/1000 - n.c.Truth.Onset
		add("verdict_median_s", median, delay)
		add("verdict_p90_s", p90, delay)
		miss := last.Probability() - share(ok)
		add("brier", mean, miss*miss)
		o.judged = []Judged{{Set: n.set, ID: n.c.ID, Verdict: last, Right: n.right}}
	}
	add("top1", mean, share(ok && sure))
	add("unknown", mean, share(!sure))
	o.answers = []answer{{n.c.heading(), "top1", strings.TrimSpace(n.c.Truth.Cause + " " + n.c.Truth.Workload), said, ok && sure}}
	return o
}

// right is whether a suspect is the cause that was written down.
func (n *night) right(s rootcause.Suspect) bool {
	t := n.c.Truth
	return string(s.Cause) == t.Cause &&
		(t.Workload == "" || t.blames(func(name string) bool { return isNamed(s.Workload, s.Tool, name) })) &&
		(t.Resource == "" || s.Resource.String() == t.Resource)
}

// namedBy are the strongest suspect and those that are named together with it.
func namedBy(v rootcause.Verdict) []rootcause.Suspect {
	return append([]rootcause.Suspect{v.Top()}, v.Others()...)
}

// allRight is whether all that a verdict names are to blame.
func (n *night) allRight(v rootcause.Verdict) bool {
	return !slices.ContainsFunc(namedBy(v), func(s rootcause.Suspect) bool { return !n.right(s) })
}

// blames is whether one of the guilty goes by a name.
func (t Truth) blames(named func(string) bool) bool {
	return t.Workload != "" && named(t.Workload) || slices.ContainsFunc(t.Accomplices, named)
}

// blames is whether a verdict names or charges an innocent workload.
func (n *night) blames(v rootcause.Verdict) bool {
	innocent := func(w backup.Workload, tool string) bool {
		return slices.ContainsFunc(n.c.Truth.Innocent, func(name string) bool { return isNamed(w, tool, name) })
	}
	accused := func(s rootcause.Suspect) bool { return s.Cause == rootcause.Contention && innocent(s.Workload, s.Tool) }
	if v.State != rootcause.StateUnknown && slices.ContainsFunc(namedBy(v), accused) {
		return true
	}
	return slices.ContainsFunc(v.Backups, func(b rootcause.Backup) bool {
		return b.Finding == rootcause.Charged && innocent(b.Window.Workload, b.Window.Tool)
	})
}

// isNamed is whether a workload goes by a name: its own, its unit's or its tool's.
func isNamed(w backup.Workload, tool, name string) bool {
	return w.Name == name || w.Name == name+".service" || tool == name
}
