package workload

import (
	"github.com/otel-culprit/culprit/internal/process"
)

// kernelName is the name of the workload of the kernel's threads.
const kernelName = "kernel"

// homes knows which workload each process belongs to.
type homes struct {
	options Options
	byPID   map[int64]*account
	byKey   map[Key]*Workload   // without names that may change
	byGroup map[int64]*Workload // of jobs and what they joined
	places  map[string]place
	all     []*Workload // in the order in which they appeared
	hidden  *Workload   // of what the filter leaves out
	lent    map[int64]int64
	passed  process.Traffic // of workloads that ended
}

// maxPlaces bounds the memory of cgroup paths, which containers keep making.
const maxPlaces = 8192

func (h *homes) placeOf(cgroup string) place {
	found, known := h.places[cgroup]
	if !known {
		if len(h.places) >= maxPlaces {
			clear(h.places)
		}
		found = placeOf(cgroup)
		h.places[cgroup] = found
	}
	return found
}

// parent is the process that a was started or adopted by; nil if it is not known.
// A process that started after its child is another one with the same PID.
func (h *homes) parent(a *account) *account {
	up := h.byPID[a.parent]
	if up == nil || up == a || up.start.After(a.start) {
		return nil
	}
	return up
}

// above is who waits for a if its parent cannot: in the end that is PID 1.
func (h *homes) above(a *account) *account {
	if up := h.parent(a); up != nil {
		return up
	}
	if init := h.byPID[1]; init != a {
		return init
	}
	return nil
}

// of is the workload of a process; it is found once, and again when what decides
// it has changed.
func (h *homes) of(a *account) *Workload {
	if a.home == nil && !a.placing {
		a.placing = true
		a.from = originOf(a.p)
		a.home = h.find(a)
		a.placing = false
	}
	return a.home
}

// stays reports whether a change of the description leaves the process where it
// is. What a cron job started stays with it even if nobody is left of those who
// started it.
func (h *homes) stays(a *account) bool {
	was, is := a.from, originOf(a.p)
	a.from = is
	if a.home.Type == Cron && was.cgroup == is.cgroup && was.user == is.user {
		return true
	}
	return was == is
}

func (h *homes) find(a *account) *Workload {
	where := h.placeOf(a.p.Cgroup)
	client := h.borrower(a)
	switch {
	case !h.options.Filter.passes(a.p, where.unit):
		return h.hidden
	case client != nil:
		return client
	case a.p.Kernel:
		return h.open(a, Key{Type: Kernel, Name: kernelName}, place{})
	case where.kind == Container:
		return h.open(a, Key{Type: Container, Name: where.name}, where)
	}
	if w := h.cron(a, where); w != nil {
		return w
	}
	if where.kind == Unit {
		return h.open(a, Key{Type: Unit, Name: where.name}, where)
	}
	return h.job(a)
}

// cron is the workload of what a cron daemon started: all below the child of the
// topmost daemon. What moved to another unit is no longer the daemon's.
func (h *homes) cron(a *account, where place) *Workload {
	if w := h.joined(a.p.Group); w != nil && w.Type == Cron && a.pid != a.p.Group && (where.kind != Unit || where.unit == w.Unit) {
		return w
	}
	var root, daemon *account
	below := a
	for steps, up := 0, h.parent(a); up != nil && steps < deepest; steps, up = steps+1, h.parent(up) {
		if up.p != nil && isCron(up.p.Name) {
			root, daemon = below, up
		}
		below = up
	}
	if root == nil || where.kind == Unit && where.unit != h.placeOf(daemon.p.Cgroup).unit {
		return nil
	}
	w := h.open(root, Key{Type: Cron, PID: root.pid, Start: root.start.UnixMilli()}, where)
	if a.p.Group != daemon.p.Group {
		h.lead(a.p.Group, w)
	}
	return w
}

// job is the workload of a process group.
func (h *homes) job(a *account) *Workload {
	group := a.p.Group
	if group <= 0 {
		group = a.pid
	}
	leader := h.byPID[group]
	if leader == nil || leader == a || leader.p == nil || leader.start.After(a.start) || h.placeOf(leader.p.Cgroup).kind != "" {
		return h.lead(group, h.led(a, group))
	}
	if w := h.of(leader); w != nil && w != h.hidden {
		return h.lead(group, w)
	}
	return h.lead(group, h.led(a, group))
}

// led is the workload of a group for its leader, or for the first that is seen of
// a group whose leader is gone.
func (h *homes) led(a *account, group int64) *Workload {
	if w := h.joined(group); w != nil && a.pid != group {
		return w
	}
	if up := h.parent(a); up != nil && up.p != nil && !isSpawner(up.p) && (isWrapper(a.p.Name) || isWrapper(up.p.Name)) {
		if w := h.of(up); w != nil && w != h.hidden && w.Type != Kernel {
			return w
		}
	}
	return h.open(a, Key{Type: Job, PID: group, Start: a.start.UnixMilli()}, place{cgroup: a.p.Cgroup})
}

// lead remembers where a process group belongs, for those who outlive its leader.
func (h *homes) lead(group int64, w *Workload) *Workload {
	h.byGroup[group] = w
	return w
}

// joined is the workload that a group was found to belong to.
func (h *homes) joined(group int64) *Workload {
	if w := h.byGroup[group]; w != nil && w.idle <= shown {
		return w
	}
	return nil
}

// open gives the workload with this key; it is made if there is none.
func (h *homes) open(a *account, id Key, where place) *Workload {
	if w := h.byKey[id]; w != nil {
		return w
	}
	w := &Workload{Key: id, id: id, Runtime: where.runtime, Unit: where.unit, Cgroup: where.cgroup, named: id.Name != "", dirty: true}
	switch {
	case id.Type == Container:
		w.Container = id.Name
	case id.Type == Unit && h.options.TimerOf != nil:
		w.Timer = h.options.TimerOf(id.Name)
	}
	if a.p != nil {
		h.describe(w, a)
		h.name(w, a.p)
	}
	h.byKey[id] = w
	h.all = append(h.all, w)
	return w
}

func (h *homes) describe(w *Workload, a *account) {
	w.first, w.Leader = a, Leader{PID: a.pid, Start: a.start}
}

// name keeps the name of a workload: a job is called as its leader is, also when
// that executes another program. One that is led by a wrapper or a cron daemon's
// child is called after the first that turns out to do the work.
func (h *homes) name(w *Workload, p *process.Process) {
	leads := w.PID > 0 && p.PID == w.PID && p.Start.UnixMilli() == w.Start
	if w.named && !leads {
		return
	}
	name, good := nameOf(p)
	// A shell's child says less of a job than the shell: the next one is another.
	good = good || leads && w.Type == Job && isInterpreter(p.Name)
	if good || w.Name == "" {
		w.Name, w.named = name, good
	}
}
