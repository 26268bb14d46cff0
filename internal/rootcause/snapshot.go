package rootcause

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/otel-culprit/culprit/internal/backup"
)

// Snapshot is the engine's present view, for gauges. Its lists are sorted and
// bounded.
type Snapshot struct {
	At      time.Time
	Victims []VictimView
	Backups []backup.Window // active
	Top     []WorkloadView  // the largest users; the last may be the rest, named "other"
}

// VictimView is the present view of one victim.
type VictimView struct {
	Victim    Victim
	Latency   float64 // seconds, the indicator now; NaN if nothing was seen
	Baseline  float64 // seconds; NaN until learned
	Upper     float64 // seconds, where the usual band ends; NaN until learned
	Rate      float64 // requests per second
	ErrorRate float64 // errors per second
	InEpisode bool
	VerdictID string // of the open verdict, if any
	State     State
	Top       Suspect // of the open verdict
	// Probability of what it says.
	Probability float64
	LastSample  time.Time
}

// WorkloadView is the present use of one workload, per second.
type WorkloadView struct {
	Workload backup.Workload
	Tool     string  // backup tool, if it is one
	CPU      float64 // cores
	Disk     float64 // bytes per second, both directions
	Network  float64 // bytes per second, both directions
	Memory   float64 // bytes
}

// Snapshot is the engine's present view.
func (e *Engine) Snapshot() Snapshot {
	snapshot := Snapshot{At: e.now, Backups: e.windows.Active(), Top: e.top()}
	for _, v := range e.victims {
		s := e.shown(v)
		if s == nil {
			continue
		}
		now := s.View()
		requests := v.signals[0].View()
		view := VictimView{
			Victim: v.id, Latency: now.Latency, Baseline: now.Baseline, Upper: now.Upper,
			Rate: requests.Rate, ErrorRate: requests.Errors, LastSample: moment(now.Second),
		}
		if ep := v.episode; ep != nil {
			view.InEpisode = true
			if ep.verdict != nil {
				view.VerdictID, view.State, view.Top, view.Probability = ep.id, ep.verdict.State, ep.verdict.Top(), ep.verdict.Probability()
			}
		}
		snapshot.Victims = append(snapshot.Victims, view)
	}
	slices.SortStableFunc(snapshot.Victims, func(a, b VictimView) int {
		return cmp.Or(cmp.Compare(a.Victim.Service, b.Victim.Service), cmp.Compare(a.Victim.Host, b.Victim.Host))
	})
	return snapshot
}

// top lists the largest users of each host in the last seconds, by the share of
// what is used there, and the sum of the others.
func (e *Engine) top() []WorkloadView {
	var views []WorkloadView
	for _, h := range e.hosts {
		views = append(views, h.top(e.now.Unix(), e.p.TopWorkloads)...)
	}
	return views
}

func (h *host) top(now int64, limit int) []WorkloadView {
	span := int64(math.Ceil(max(5, 2*h.interval)))
	to := now - int64(math.Ceil(h.interval))
	from := to - span + 1
	type ranked struct {
		WorkloadView
		share float64
	}
	var (
		list []ranked
		sum  WorkloadView
	)
	for _, w := range h.workloads {
		view := WorkloadView{Workload: w.id, Tool: w.tool()}
		for second := from; second <= to; second++ {
			view.CPU += w.usedOf(SharedCPU, second) / float64(span)
			view.Disk += w.usedOf(SharedDisk, second) / float64(span)
			view.Network += w.usedOf(SharedNetwork, second) / float64(span)
		}
		view.Memory = w.usedOf(SharedMemory, to)
		sum.CPU, sum.Disk, sum.Network, sum.Memory = sum.CPU+view.CPU, sum.Disk+view.Disk, sum.Network+view.Network, sum.Memory+view.Memory
		list = append(list, ranked{WorkloadView: view})
	}
	part := func(x, of float64) float64 {
		if of <= 0 {
			return 0
		}
		return x / of
	}
	for i := range list {
		v := list[i].WorkloadView
		list[i].share = max(part(v.CPU, sum.CPU), part(v.Disk, sum.Disk), part(v.Network, sum.Network), part(v.Memory, sum.Memory))
		if v.Tool != "" {
			list[i].share++ // backups are always told apart
		}
	}
	slices.SortStableFunc(list, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.share, a.share), cmp.Compare(a.Workload.Name, b.Workload.Name), cmp.Compare(a.Workload.PID, b.Workload.PID))
	})
	var views []WorkloadView
	var rest WorkloadView
	for i, r := range list {
		v := r.WorkloadView
		if i < limit {
			views = append(views, v)
			continue
		}
		rest.CPU, rest.Disk, rest.Network, rest.Memory = rest.CPU+v.CPU, rest.Disk+v.Disk, rest.Network+v.Network, rest.Memory+v.Memory
	}
	if len(list) > limit {
		rest.Workload.Host, rest.Workload.Name = h.name, "other"
		views = append(views, rest)
	}
	return views
}
