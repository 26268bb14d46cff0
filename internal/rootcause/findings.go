package rootcause

import (
	"fmt"
	"slices"
	"time"

	"github.com/otel-culprit/culprit/internal/backup"
	"github.com/otel-culprit/culprit/internal/fact"
)

// clearedUnder is the probability under which a backup that ran is cleared,
// once another cause is at least probable.
const clearedUnder = 0.1

// doubtful is how many seconds an onset may be wrong when nothing explains it: a
// backup that began within them is not cleared by the order alone.
const doubtful = 10

// findings says of each backup that ran around the onset whether it is charged,
// cleared or undecided, and why.
func (e *Engine) findings(sc *scene, state State, ranked []scored) []Backup {
	var list []Backup
	since := time.Unix(sc.onset-e.p.OnsetWithin, 0)
	running := e.windows.Since(sc.v.id.Host, since)
	if sc.v.id.Host != "" {
		for _, h := range sc.sharing() {
			running = append(running, e.windows.Since(h.name, since)...)
		}
	}
	for _, w := range running {
		list = append(list, e.finding(sc, state, ranked, w))
	}
	return list
}

func (e *Engine) finding(sc *scene, state State, ranked []scored, w backup.Window) Backup {
	b := Backup{Window: w}
	var mine *scored
	for i := range ranked {
		if s := &ranked[i]; s.Cause == Contention && s.Workload == w.Workload {
			b.Probability += s.Probability // it may be listed for several resources
			if mine == nil {
				mine = s
			}
		}
	}
	top := ranked[0]
	late := w.Start.Unix() - sc.onset
	over := sc.onset - w.End.Unix()
	switch {
	case !w.End.IsZero() && over > sc.slack:
		b.Finding = Cleared
		b.Sentence = fmt.Sprintf("it had ended %d s before the latency rose", over)
	case mine != nil && (top.Workload == w.Workload || mine.Together) && state != StateUnknown:
		b.Finding = Charged
		b.Sentence = strongest(mine.Evidence, true)
	case late > sc.slack && (state != StateUnknown || late > doubtful):
		b.Finding = Cleared
		b.Sentence = fmt.Sprintf("it started %d s after the latency rose", late)
	case state != StateUnknown && e.mayHold(sc, top.Suspect, w):
		b.Sentence = "it may hold a lock that the requests wait for: how sessions wait for each other is not measured"
	case state == StateProbable && mine == nil && e.blindTo(w):
		b.Sentence = "its disk use could not be read"
	case state != StateUnknown && b.Probability < clearedUnder:
		b.Finding = Cleared
		b.Sentence = e.whyCleared(sc, mine, w)
	case len(sc.usual) < sc.fewest():
		b.Sentence = "what it used before the latency rose was not seen"
	case mine == nil:
		b.Sentence = "its use did not change, and nothing else explains the latency"
	default:
		b.Sentence = strongest(mine.Evidence, true) + ", which is not enough to tell it from the other suspects"
	}
	return b
}

func (e *Engine) whyCleared(sc *scene, mine *scored, w backup.Window) string {
	if mine != nil {
		return strongest(mine.Evidence, false)
	}
	for _, h := range slices.Concat(sc.hosts, sc.sharing()) {
		for _, o := range h.workloads {
			if o.id != w.Workload {
				continue
			}
			if o.cpus.apart(sc.ownCPUs()) {
				return fmt.Sprintf("it runs on other CPUs than %s, and takes too little of what they share", sc.v.id.Service)
			}
			cpu, disk := e.newUse(sc), e.newUse(sc)
			sc.used(cpu, o, SharedCPU)
			sc.used(disk, o, SharedDisk)
			return fmt.Sprintf("it used only %s and %s of disk", SharedCPU.amount(cpu.after), SharedDisk.amount(disk.after))
		}
	}
	return "it used nothing that the victim needs"
}

// blindTo is whether the disk use of a backup could not be read.
func (e *Engine) blindTo(w backup.Window) bool {
	h := e.byHost[w.Workload.Host]
	if h == nil {
		return true
	}
	o := h.find(w.Workload)
	return o == nil || o.blind
}

// strongest is the sentence of the evidence that speaks most for a suspect, or
// most against it.
func strongest(list []Evidence, speaksFor bool) string {
	best := list[0]
	for _, ev := range list[1:] {
		if speaksFor && ev.Weight > best.Weight || !speaksFor && ev.Weight < best.Weight {
			best = ev
		}
	}
	return best.Sentence
}

// missing tells what could not be seen, so that nobody trusts a verdict more
// than it deserves.
func (e *Engine) missing(sc *scene) []string {
	var list []string
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	service := sc.v.id.Service
	view := sc.ep.signal.View()
	if sc.ep.asked && view.Band.Learned && sc.mean(sc.ep.signal.excess.at) < lnWorse {
		say("nothing may be wrong: the latency was less than 1.3 times the usual at its request rate")
	}
	if len(sc.owners) == 0 {
		say("which processes serve %s is not known: name them under services, or let its telemetry carry process.pid", service)
	}
	if len(sc.v.signals) == 1 && sc.v.signals[0].Name == "probe" {
		say("only a probe measures %s: its request rate, and so a traffic surge, cannot be seen", service)
	}
	if len(sc.usual) < 60 {
		say("only %d s before the onset were seen", len(sc.usual))
	}
	list = append(list, sc.onlyRoute()...)
	if view.Band.Weight < 600 {
		say("the baseline is %.0f s old", view.Band.Weight)
	}
	if view.Band.Beyond > 1.1 {
		say("%s never had as many requests while it was watched", service)
	}
	if worst := max(sc.interval, view.Coarse); worst > 5 {
		say("readings come every %.0f s: what happened within them cannot be put in order", worst)
	}
	blind, all, networked := 0, 0, false
	for _, h := range sc.hosts {
		networked = networked || h.networked
		for _, w := range h.workloads {
			if w.used[fact.CPU] == nil {
				continue // it did nothing
			}
			all++
			if w.blind {
				blind++
			}
		}
	}
	if 20*blind > all {
		say("the disk use of %d of %d workloads could not be read: grant CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH", blind, all)
	}
	if !networked {
		say("the network use of processes is not measured")
	}
	if !sc.waitsKnown {
		say("what %s waits for is not measured: without it no workload is named", service)
	}
	if !slices.ContainsFunc(sc.hosts, func(h *host) bool { return h.can["kernel_log"] }) {
		say("no kernel messages are delivered: a failing disk shows only by being slow")
	}
	for _, h := range sc.hosts {
		if stolen := sc.mean(h.steal.at); stolen > 0.05*float64(max(h.cores, 1)) {
			say("the hypervisor took %.2f CPUs away from %s", stolen, h.name)
		}
	}
	for _, w := range e.windows.Since(sc.v.id.Host, time.Unix(sc.onset-e.p.OnsetWithin, 0)) {
		if t, ok := e.catalog.Tool(w.Tool); ok && len(t.Backend) > 0 && !e.served(sc, w) {
			say("%s reads through its database server, and which that is is not known: its use is not added", w.Tool)
		}
		if !e.recognisedByArgs(w) {
			say("%s was recognised by its name only: its command line is not delivered", NameOf(w.Workload))
		}
	}
	return list
}

// served is whether it is known which servers work for a backup.
func (e *Engine) served(sc *scene, w backup.Window) bool {
	h := e.byHost[w.Workload.Host]
	if h == nil {
		return false
	}
	o := h.find(w.Workload)
	return o != nil && len(sc.servers(h, o)) > 0
}

// recognisedByArgs is false if only the name spoke for a window's backup.
func (e *Engine) recognisedByArgs(w backup.Window) bool {
	h := e.byHost[w.Workload.Host]
	if h == nil {
		return true
	}
	known := true
	for _, o := range h.workloads {
		if o.id != w.Workload {
			continue
		}
		for m := range o.members {
			if p := h.byPID[m.PID]; p != nil && p.tool == w.Tool {
				if p.byArgs {
					return true
				}
				known = false
			}
		}
	}
	return known
}
