package report

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/otel-culprit/culprit/internal/backup"
	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// story is all that a page tells, gathered in one pass over the journal.
type story struct {
	first, last time.Time // of the ticks; of all facts if there are none
	ticked      bool
	facts       int
	refused     int
	refusal     error // the first
	broken      error // why the journal ended early

	victims   map[rootcause.Victim]*victimLines
	workloads map[backup.Workload]*workloadLines
	pressure  map[pressureOf]*line
	devices   map[deviceOf]*line
	present   map[backup.Workload]bool // in the snapshot before

	marks    []fact.Mark
	windows  []rootcause.Window  // the latest event of each, in order of opening
	episodes []rootcause.Episode // likewise
	verdicts []verdictStory
}

// victimLines are what was seen of one service.
type victimLines struct {
	victim                         rootcause.Victim
	latency, baseline, upper, rate line
	probed                         bool
	reported                       bool // the service tells of its requests itself
}

// uses are the shared resources in the order in which they are drawn.
var uses = [...]rootcause.Shared{rootcause.SharedCPU, rootcause.SharedDisk, rootcause.SharedNetwork, rootcause.SharedMemory}

// workloadLines are what one workload used, by index of uses.
type workloadLines struct {
	workload backup.Workload
	tool     string
	use      [len(uses)]line
}

// pressureOf names a line of pressure, in percent of the time.
type pressureOf struct{ host, resource string }

// deviceOf names a line of waiting at a disk, in seconds per operation.
type deviceOf struct{ host, device string }

// verdictStory is one verdict through its phases.
type verdictStory struct {
	phases []rootcause.Verdict // never empty
}

// final is what stood at the end.
func (v verdictStory) final() rootcause.Verdict { return v.phases[len(v.phases)-1] }

// decided is when the verdict first had its final state and cause.
func (v verdictStory) decided() time.Time {
	final := v.final()
	for _, p := range v.phases {
		if p.State == final.State && sameCause(p, final) {
			return p.At
		}
	}
	return final.At
}

func sameCause(a, b rootcause.Verdict) bool {
	if len(a.Suspects) == 0 || len(b.Suspects) == 0 {
		return len(a.Suspects) == len(b.Suspects)
	}
	s, t := a.Suspects[0], b.Suspects[0]
	return s.Cause == t.Cause && s.Resource == t.Resource && s.Workload == t.Workload
}

// gather drives the engine through the facts.
func gather(in Input) *story {
	s := &story{
		victims:   map[rootcause.Victim]*victimLines{},
		workloads: map[backup.Workload]*workloadLines{},
		pressure:  map[pressureOf]*line{},
		devices:   map[deviceOf]*line{},
		present:   map[backup.Workload]bool{},
	}
	if in.Facts == nil {
		return s
	}
	for f, err := range in.Facts {
		if err != nil {
			s.broken = err
			break
		}
		s.take(in.Engine, f)
	}
	return s
}

func (s *story) take(engine Stepper, f fact.Fact) {
	s.facts++
	tick, isTick := f.(fact.Tick)
	before := s.last
	s.stretch(f.When(), isTick)
	s.see(f)
	events, err := engine.Step(f)
	if err != nil {
		s.refused++
		if s.refusal == nil {
			s.refusal = err
		}
	}
	for _, ev := range events {
		s.hear(ev)
	}
	if isTick {
		s.look(tick.At, before, engine.Snapshot())
	}
}

// stretch makes the time axis long enough. Ticks decide it as soon as there is
// one: a single fact with a wrong clock must not flatten the night to a line.
func (s *story) stretch(at time.Time, isTick bool) {
	if at.IsZero() || (s.ticked && !isTick) {
		return
	}
	if isTick && !s.ticked {
		s.ticked, s.first, s.last = true, at, at
	}
	if s.first.IsZero() || at.Before(s.first) {
		s.first = at
	}
	if at.After(s.last) {
		s.last = at
	}
}

// see keeps what the engine does not give back.
func (s *story) see(f fact.Fact) {
	switch f := f.(type) {
	case fact.Mark:
		s.marks = append(s.marks, f)
	case fact.Pressure:
		if f.Cgroup == "" && f.Over > 0 {
			lineOf(s.pressure, pressureOf{f.Host, f.Resource}).add(f.At, math.Min(100, 100*f.Some/f.Over.Seconds()))
		}
	case fact.Disk:
		if ops := f.Reads + f.Writes; ops >= 1 {
			lineOf(s.devices, deviceOf{f.Host, f.Device}).add(f.At, f.OpTime/ops)
		}
	case fact.Latency:
		if len(s.victims) < maxLines {
			v := s.victim(rootcause.Victim{Service: f.Service, Host: f.Host})
			v.probed = v.probed || f.Signal == "probe"
			v.reported = v.reported || f.Signal != "probe"
		}
	default:
	}
}

// maxLines bounds how many lines of a kind are kept.
const maxLines = 200

func lineOf[K comparable](lines map[K]*line, key K) *line {
	l := lines[key]
	if l == nil {
		l = &line{}
		if len(lines) < maxLines {
			lines[key] = l
		}
	}
	return l
}

func (s *story) victim(id rootcause.Victim) *victimLines {
	v := s.victims[id]
	if v == nil {
		v = &victimLines{victim: id}
		s.victims[id] = v
	}
	return v
}

// hear keeps the latest of each event, and every phase of a verdict.
func (s *story) hear(ev rootcause.Event) {
	switch ev := ev.(type) {
	case rootcause.Window:
		i := slices.IndexFunc(s.windows, func(w rootcause.Window) bool { return w.Window.ID == ev.Window.ID })
		if i < 0 {
			s.windows = append(s.windows, ev)
		} else {
			s.windows[i] = ev
		}
	case rootcause.Episode:
		i := slices.IndexFunc(s.episodes, func(e rootcause.Episode) bool { return e.ID == ev.ID })
		if i < 0 {
			s.episodes = append(s.episodes, ev)
		} else {
			s.episodes[i] = ev
		}
	case rootcause.Verdict:
		i := slices.IndexFunc(s.verdicts, func(v verdictStory) bool { return v.final().ID == ev.ID })
		if i < 0 {
			s.verdicts = append(s.verdicts, verdictStory{})
			i = len(s.verdicts) - 1
		}
		s.verdicts[i].phases = append(s.verdicts[i].phases, ev)
	default:
	}
}

// look reads the engine's view after a tick.
func (s *story) look(at, before time.Time, snapshot rootcause.Snapshot) {
	for _, view := range snapshot.Victims {
		if s.victims[view.Victim] == nil && len(s.victims) >= maxLines {
			continue
		}
		v := s.victim(view.Victim)
		v.latency.add(at, positive(view.Latency))
		v.baseline.add(at, positive(view.Baseline))
		v.upper.add(at, positive(view.Upper))
		v.rate.add(at, view.Rate)
	}
	now := make(map[backup.Workload]bool, len(snapshot.Top))
	for _, view := range snapshot.Top {
		now[view.Workload] = true
		w := s.workloads[view.Workload]
		if w == nil {
			w = &workloadLines{workload: view.Workload}
			s.workloads[view.Workload] = w
		}
		if view.Tool != "" {
			w.tool = view.Tool
		}
		for i, v := range [...]float64{view.CPU, view.Disk, view.Network, view.Memory} {
			if !s.present[view.Workload] && uses[i] != rootcause.SharedMemory && !before.IsZero() {
				w.use[i].add(before, 0)
			}
			w.use[i].add(at, v)
		}
	}
	// A workload that left the list of the largest uses next to nothing, but
	// its memory is simply not known any more.
	for id := range s.present {
		if now[id] {
			continue
		}
		for i := range uses {
			v := 0.0
			if uses[i] == rootcause.SharedMemory {
				v = math.NaN()
			}
			s.workloads[id].use[i].add(at, v)
			if v == 0 {
				s.workloads[id].use[i].add(at, math.NaN())
			}
		}
	}
	s.present = now
}

// positive is what can stand on a logarithmic axis.
func positive(v float64) float64 {
	if v <= 0 {
		return math.NaN()
	}
	return v
}

// span is the shared time axis, never empty.
func (s *story) span() span {
	end := s.last
	if !end.After(s.first) {
		end = s.first.Add(time.Second)
	}
	return span{start: s.first.UTC(), end: end.UTC()}
}

// sortedVictims lists the services, those with a verdict first.
func (s *story) sortedVictims() []*victimLines {
	blamed := map[rootcause.Victim]int{}
	for _, e := range s.episodes {
		blamed[e.Victim] = max(blamed[e.Victim], 1)
	}
	for _, v := range s.verdicts {
		blamed[v.final().Victim] = 2
	}
	var list []*victimLines
	for _, v := range s.victims {
		if _, _, ok := v.latency.extremes(); ok {
			list = append(list, v)
		}
	}
	slices.SortFunc(list, func(a, b *victimLines) int {
		return cmp.Or(
			cmp.Compare(blamed[b.victim], blamed[a.victim]),
			cmp.Compare(a.victim.Service, b.victim.Service),
			cmp.Compare(a.victim.Host, b.victim.Host),
		)
	})
	return list
}

// hosts counts the hosts that facts or events named.
func (s *story) hosts() map[string]bool {
	hosts := map[string]bool{}
	for w := range s.workloads {
		hosts[w.Host] = true
	}
	for p := range s.pressure {
		hosts[p.host] = true
	}
	for v := range s.victims {
		hosts[v.Host] = true
	}
	delete(hosts, "")
	return hosts
}
