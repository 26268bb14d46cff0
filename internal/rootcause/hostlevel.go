package rootcause

import (
	"fmt"
	"math"
	"slices"
)

// Where nobody tells how long the victim waits, the host's own counters still
// tell how busy it is. Busy alone means nothing, for the victim's own work makes
// it busy as well; busy beyond what the victim's completions explain does.

// levels are what the hosts of a scene did together, per second.
type levels struct {
	cores                            float64
	busy, iowait, disk, moved, links shift
}

// Changes under these are of no matter, per second: CPUs as a part of all, time
// as a part of a second, bytes.
const (
	idleCPU  = 0.02
	idleWait = 0.05
	idleBusy = 0.1
)

func (sc *scene) levels() (l levels, known bool) {
	for _, h := range sc.hosts {
		if h.metered {
			known = true
			l.cores += float64(max(h.cores, 1))
		}
	}
	if !known {
		return l, false
	}
	l.busy = sc.shift(sc.onHosts(func(h *host, s int64) float64 { return h.busy.at(s) }), idleCPU*l.cores)
	l.iowait = sc.shift(sc.onHosts(func(h *host, s int64) float64 { return h.iowait.at(s) }), idleWait)
	l.disk = sc.shift(sc.onHosts((*host).diskBusy), idleBusy)
	l.moved = sc.shift(sc.onHosts((*host).diskMoved), smallest[SharedDisk])
	l.links = sc.shift(sc.onHosts((*host).linksMoved), smallest[SharedNetwork])
	return l, true
}

// onHosts is the sum of a quantity over the hosts of the scene.
func (sc *scene) onHosts(of func(*host, int64) float64) func(second int64) float64 {
	return func(second int64) (sum float64) {
		for _, h := range sc.hosts {
			sum += of(h, second)
		}
		return sum
	}
}

func (h *host) diskBusy(second int64) (sum float64) {
	for _, name := range h.diskNames {
		sum += h.disks[name].busy.at(second)
	}
	return sum
}

func (h *host) diskMoved(second int64) (sum float64) {
	for _, name := range h.diskNames {
		sum += h.disks[name].bytes.at(second)
	}
	return sum
}

func (h *host) linksMoved(second int64) (sum float64) {
	for _, name := range h.linkNames {
		sum += h.links[name].bytes.at(second)
	}
	return sum
}

// beyond is by how much a quantity exceeds what the victim's completions
// explain, as a part of what is usual.
func (sc *scene) beyond(s shift, floor float64) float64 {
	return (s.after - s.before*sc.served) / (s.before + floor)
}

// fromHosts fills in, from the hosts' counters, the waits that nothing tells
// directly.
func (sc *scene) fromHosts() {
	l, known := sc.levels()
	if !known {
		return
	}
	if sc.served < 0.5 {
		sc.starved = clamp01(1 - l.left())
	}
	if w := &sc.waits[SharedCPU]; w.sentence == "" {
		*w = wait{
			indirect: true, strength: l.saturated(),
			sentence: fmt.Sprintf("the CPUs were busy for %s of the time, usually %s", percent(l.busy.after/l.cores), percent(l.busy.before/l.cores)),
		}
	}
	if w := &sc.waits[SharedDisk]; w.sentence == "" && l.disk.before+l.disk.after > 0 {
		*w = wait{
			indirect: true,
			strength: clamp01(min(sc.beyond(l.moved, smallest[SharedDisk]), sc.beyond(l.disk, idleBusy), sc.beyond(l.iowait, idleWait*l.cores))),
			sentence: fmt.Sprintf("CPUs waited for a disk for %s of the time, usually %s, and %s was moved, usually %s, with %s of the usual requests done",
				percent(l.iowait.after/l.cores), percent(l.iowait.before/l.cores), SharedDisk.amount(l.moved.after), SharedDisk.amount(l.moved.before), percent(sc.served)),
		}
	}
	if w := &sc.waits[SharedNetwork]; w.sentence == "" && l.links.before+l.links.after > 0 {
		const floor = 1e6 // bytes per second: less fills no link
		more := math.Log2((l.links.after + floor) / (l.links.before*sc.served + floor))
		*w = wait{
			indirect: true,
			strength: clamp01(more/3) * (1 - clamp01(sc.follows(SharedNetwork, sc.onHosts((*host).linksMoved)))),
			sentence: fmt.Sprintf("the interfaces moved %s, usually %s, with %s of the usual requests done",
				SharedNetwork.amount(l.links.after), SharedNetwork.amount(l.links.before), percent(sc.served)),
		}
	}
}

// left is how busy the hosts still are, as a part of what is usual. What was idle
// before tells nothing.
func (l levels) left() float64 {
	var disk mean
	for _, of := range []struct {
		shift

		idle float64
	}{{l.disk, idleBusy}, {l.moved, smallest[SharedDisk]}} {
		if of.before > of.idle {
			disk.add(of.ratio(of.idle))
		}
	}
	most := disk.value()
	if l.busy.before > idleCPU*l.cores {
		most = max(most, l.busy.ratio(idleCPU*l.cores))
	}
	if l.links.before > smallest[SharedNetwork] {
		most = max(most, l.links.ratio(smallest[SharedNetwork]))
	}
	if most == 0 {
		return 1
	}
	return most
}

// saturated is how close to all CPUs are busy that were not before: from three
// quarters queues begin, near the end they are long.
func (l levels) saturated() float64 {
	if l.busy.after-l.busy.before < 0.1*l.cores {
		return 0
	}
	return ramp(l.busy.after/l.cores, 0.75, 0.95)
}

// follows tells, from 0 to 1, whether a use moves from second to second with
// the victim's own completions: then it is the victim's own work. It is asked
// only where nobody tells whose a use is.
func (sc *scene) follows(r Shared, at func(int64) float64) float64 {
	if sc.to-sc.from < 5 || slices.ContainsFunc(sc.owners, func(w *workload) bool { return w.tells(r) }) {
		return 0
	}
	var use, done []float64
	for second := sc.from + 1; second <= sc.to; second++ {
		use = append(use, at(second)-at(second-1))
		done = append(done, sc.v.rate.at(second)-sc.v.rate.at(second-1))
	}
	return max(0, rankCorrelation(use, done))
}
