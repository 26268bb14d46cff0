package rootcause

import (
	"fmt"
	"slices"

	"github.com/otel-culprit/culprit/internal/backup"
)

// Unseen is the name of a workload that stands for all that nobody tells one by
// one.
const Unseen = "unseen"

// unseen are the users of a shared resource that nobody tells one by one: a
// neighbour in another virtual machine or container, a process that may not be
// read. They are what the host's counters say less what is told.
func (e *Engine) unseen(sc *scene) []scored {
	var list []scored
	for _, h := range sc.hosts {
		for _, r := range []Shared{SharedCPU, SharedDisk, SharedNetwork} {
			if s, ok := e.unseenOn(sc, h, r); ok {
				list = append(list, s)
			}
		}
	}
	if w := sc.waits[SharedLock]; w.strength > 0 && len(sc.hosts) > 0 {
		s := e.suspect(Suspect{Cause: Contention, Resource: SharedLock, Workload: backup.Workload{Host: sc.hosts[0].name, Name: Unseen}}, PriorUnseen)
		s.add(waited(sc, SharedLock))
		e.heed(sc, &s)
		list = append(list, s)
	}
	return list
}

func (e *Engine) unseenOn(sc *scene, h *host, r Shared) (scored, bool) {
	rest, told := h.rest(r)
	if rest == nil {
		return scored{}, false
	}
	s := e.suspect(Suspect{Cause: Contention, Resource: r, Workload: backup.Workload{Host: h.name, Name: Unseen}}, PriorUnseen)
	if !told {
		// All of it is everybody's, the victim's own among it: only waiting tells.
		if sc.waits[r].strength == 0 {
			return scored{}, false
		}
		s.add(waited(sc, r))
		return s, true
	}
	moved := sc.shift(rest, smallest[r])
	if moved.after-moved.before < smallest[r] || moved.z < e.p.MinShift && sc.waits[r].strength == 0 {
		return scored{}, false
	}
	total := sc.mean(func(second int64) float64 { return h.total(r, second) })
	share := (moved.after - moved.before) / max(total, smallest[r])
	s.shift = moved
	s.add(Evidence{
		Name: "shift", Value: moved.after - moved.before, Unit: r.unit(), Term: TermShift, Strength: shiftStrength(moved.z),
		Sentence: fmt.Sprintf("%s more than before is used on %s by what is not told one by one", r.amount(moved.after-moved.before), h.name),
	})
	s.add(Evidence{
		Name: "share", Value: share, Unit: "1", Term: TermShare, Strength: clamp01(share),
		Sentence: fmt.Sprintf("that is %s of all %s use there", percent(share), r),
	})
	s.add(onsetOrder(sc, e.p.OnsetWithin, rest, moved))
	s.add(waited(sc, r))
	return s, true
}

// rest is the use of a resource that no workload was told to have; told is
// whether any was. It is nil if the host's counters are not known. With
// workloads, only what a counter of processes can be compared with counts: a
// host writes later than the processes do, and not all traffic has an owner.
func (h *host) rest(r Shared) (rest func(int64) float64, told bool) {
	total := func(second int64) float64 { return h.total(r, second) }
	switch {
	case r == SharedCPU && !h.metered, r == SharedDisk && len(h.disks) == 0, r == SharedNetwork && len(h.links) == 0:
		return nil, false
	case !h.tells(r):
		return total, false
	case r != SharedCPU:
		return nil, true
	}
	return func(second int64) float64 {
		left := total(second)
		for _, w := range h.workloads {
			if !w.others {
				left -= w.usedOf(r, second)
			}
		}
		return left
	}, true
}

// tells is whether any workload's use of a resource was told.
func (h *host) tells(r Shared) bool {
	return slices.ContainsFunc(h.workloads, func(w *workload) bool { return w.tells(r) })
}

// total is what the host's own counters say of a resource in a second.
func (h *host) total(r Shared, second int64) float64 {
	switch r {
	case SharedCPU:
		return h.busy.at(second)
	case SharedDisk:
		return h.diskMoved(second)
	case SharedNetwork:
		return h.linksMoved(second)
	default:
		return 0
	}
}
