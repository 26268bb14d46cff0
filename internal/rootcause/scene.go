package rootcause

import (
	"fmt"
	"math"
	"slices"

	"github.com/otel-culprit/culprit/internal/fact"
)

// scene is what an assessment looks at: a victim, the seconds before the onset
// that are usual, and the seconds after it.
type scene struct {
	v        *victim
	ep       *episode
	over     bool // the latency recovered
	hosts    []*host
	owners   []*workload   // that do the victim's work
	locks    []*locks      // of databases that it needs
	all      []*host       // that were heard of
	shared   []fact.Shared // what hosts have in common
	onset    int64
	usual    []int64 // seconds
	from, to int64   // after, both ends included
	slack    int64   // seconds by which the order of onsets is uncertain
	interval float64 // seconds between readings of the hosts

	rate       shift // requests per second
	ownCPU     shift // CPUs that the victim uses
	loadShare  float64
	loadKnown  bool    // the rate was learned
	served     float64 // completions, as a part of the usual ones, at most 1
	starved    float64 // how much the whole host fell idle with the requests
	trips      trips
	slowDisk   slowDisk
	calls      []Evidence // whether the time is spent in calls
	waits      [numShared]wait
	waitsKnown bool
	totals     map[totalOf]total
	usualOf    map[lentUse]float64
}

// wait is how much the victim, or its host, waits for a resource.
type wait struct {
	strength float64 // 0 to 1
	sentence string  // empty if nothing was measured
	own      bool    // the victim itself waits, or is known to use the resource
	direct   bool    // what the victim itself does was timed: that it does not wait is sure
	indirect bool    // told by how busy the host is: that it is not exonerates nobody
}

// enough seconds before the onset to tell what is usual.
const enoughBefore = 10

// fewest seconds before the onset without which nothing can be compared: a
// reading of its own at least.
func (sc *scene) fewest() int { return max(enoughBefore/2, int(math.Ceil(sc.interval))) }

func (e *Engine) newScene(v *victim, ep *episode) *scene {
	sc := &scene{v: v, ep: ep, over: ep.over, onset: ep.bout, from: ep.bout, to: min(ep.lastBad, ep.bout+e.p.After), totals: map[totalOf]total{}, usualOf: map[lentUse]float64{}}
	sc.hosts = e.hostsOf(v, ep.bout)
	first := int64(0)
	for _, h := range sc.hosts {
		first = max(first, h.first+1)
		sc.interval = max(sc.interval, h.interval)
		sc.to = min(sc.to, h.last-1) // the last second is not whole yet
		for _, w := range h.workloads {
			if w.doesWorkOf(v.id.Service) {
				sc.owners = append(sc.owners, w)
			}
		}
	}
	if skip := int64(math.Ceil(sc.interval)); skip > 1 && sc.to-sc.from+1 >= 2*skip {
		sc.from += skip // the reading in which it began is of before as well
	}
	sc.slack = e.p.OnsetSlack + int64(math.Ceil(sc.interval+ep.signal.View().Coarse)) // either may be told an interval late
	from, to := max(ep.bout-e.p.Before, first), ep.bout-e.p.BeforeGap
	sc.usual = v.seconds(from, to, !ep.asked) // who asks knows when it was good
	if len(sc.usual) < enoughBefore {
		sc.usual = v.seconds(from, to, false)
	}
	sc.locks, sc.all, sc.shared = e.locksOf(sc), e.hosts, e.shared
	sc.rate = sc.shift(v.rate.at, 0.5)
	sc.ownCPU = sc.shift(func(second int64) float64 { return sc.own(second, fact.CPU) }, 0.02)
	sc.loadShare, sc.loadKnown = sc.explainedByRate(ep)
	sc.served = min(1, sc.rate.ratio(0.5))
	sc.measureWaits()
	sc.slowDisk, sc.calls = sc.findSlowDisk(), sc.slowCalls()
	return sc
}

// hostsOf lists the hosts on which a victim may be hurt: its own, or, if that is
// not known, those that do its work, else all; only those heard of at a time.
func (e *Engine) hostsOf(v *victim, at int64) []*host {
	var heard, serving []*host
	for _, h := range e.hosts {
		if v.id.Host != "" && h.name != v.id.Host || h.last < at-int64(3*h.interval) || h.last == 0 {
			continue
		}
		heard = append(heard, h)
		if h.doesWorkOf(v.id.Service) {
			serving = append(serving, h)
		}
	}
	if len(serving) > 0 {
		return serving
	}
	if len(heard) > mostHosts {
		return nil
	}
	return heard
}

// mostHosts is among how many hosts a cause is sought if nothing tells which is
// the victim's: of more, one always has something that rose, and to look at all of
// them takes seconds.
const mostHosts = 16

// seconds lists those from one to another, without earlier episodes if asked.
func (v *victim) seconds(from, to int64, calm bool) []int64 {
	var list []int64
	for second := from; second <= to; second++ {
		if !calm || !v.inPast(second) {
			list = append(list, second)
		}
	}
	return list
}

func (v *victim) inPast(second int64) bool {
	for _, p := range v.past {
		if p.has(second) {
			return true
		}
	}
	return false
}

// shift compares a quantity after the onset with what is usual.
func (sc *scene) shift(at func(int64) float64, unit float64) shift {
	before := make([]float64, len(sc.usual))
	for i, second := range sc.usual {
		before[i] = at(second)
	}
	return newShift(before, sc.mean(at), unit)
}

func (sc *scene) mean(at func(int64) float64) float64 {
	if sc.to < sc.from {
		return 0
	}
	var sum float64
	for second := sc.from; second <= sc.to; second++ {
		sum += at(second)
	}
	return sum / float64(sc.to-sc.from+1)
}

// own is what the victim's own workloads used of a resource in a second.
func (sc *scene) own(second int64, r fact.Resource) float64 {
	var sum float64
	for _, w := range sc.owners {
		sum += w.used[r].at(second)
	}
	return sum
}

// ownWait compares how the victim's own workloads wait. It is not known from
// before they were known to serve; if that leaves too little, it is not at all.
func (sc *scene) ownWait(r fact.Resource, unit float64) shift {
	own := func(second int64) float64 { return sc.own(second, r) }
	var before []float64
	for _, second := range sc.usual {
		if !slices.ContainsFunc(sc.owners, func(w *workload) bool { return w.unheard.has(second) }) {
			before = append(before, own(second))
		}
	}
	if len(before) < min(enoughBefore, len(sc.usual)) {
		return shift{}
	}
	return newShift(before, sc.mean(own), unit)
}

// ownCPUs is where the victim may run; nil if not known.
func (sc *scene) ownCPUs() cpuSet {
	if len(sc.owners) == 0 {
		return nil
	}
	return sc.owners[0].cpus
}

// explainedByRate is the part of the rise that traffic explains.
func (sc *scene) explainedByRate(ep *episode) (share float64, known bool) {
	ratio := sc.rate.ratio(0.5)
	if ratio < surgeRatio {
		return 0, false
	}
	if share, known := ep.signal.LoadShare(sc.rate.before); known {
		return share, true
	}
	return clamp01(math.Log2(ratio)), false // beyond what was learned: a doubling explains it
}

// surgeRatio is the rise of the request rate under which it explains nothing.
const surgeRatio = 1.15

// measureWaits reads how much more the victim waits, resource by resource. Its
// own run-queue delay tells for the CPU; for the rest, the host's pressure.
func (sc *scene) measureWaits() {
	service := sc.v.id.Service
	if len(sc.owners) > 0 {
		s := sc.ownWait(fact.RunDelay, 0.02)
		if s.after > 0 || s.before > 0 {
			sc.waits[SharedCPU] = wait{
				strength: rise(s, 0.03, 0.1),
				sentence: fmt.Sprintf("%s waited for a CPU %s per second, usually %s", service, duration(s.after), duration(s.before)),
				own:      true,
			}
		}
	}
	if sc.waits[SharedCPU].sentence == "" {
		sc.waits[SharedCPU] = sc.pressure("cpu", 0.2)
	}
	sc.waits[SharedDisk] = sc.diskWait()
	sc.waits[SharedMemory] = sc.memoryWait()
	sc.waits[SharedCache] = sc.cacheWait()
	sc.readAgain()
	sc.waits[SharedSpace] = sc.spaceWait()
	sc.trips = sc.measureTrips()
	sc.waits[SharedNetwork] = sc.networkWait()
	sc.fromHosts()
	sc.waits[SharedLock] = sc.lockWait("", sc.starved)
	for _, w := range sc.waits {
		sc.waitsKnown = sc.waitsKnown || w.sentence != ""
	}
}

// usesDisk is how many bytes per second a service reads and writes that a
// stalled disk can slow.
const usesDisk = 32e3

// diskWait is the host's pressure on io, if the victim uses the disk: a backup
// stalls on its own reads, too, and that alone slows nobody.
func (sc *scene) diskWait() wait {
	w := sc.pressure("io", 0.2)
	if len(sc.owners) == 0 || w.sentence == "" {
		return w
	}
	bytesOf := func(second int64) float64 { return sc.own(second, fact.DiskRead) + sc.own(second, fact.DiskWrite) }
	moved := sc.shift(bytesOf, usesDisk)
	delay := sc.ownWait(fact.BlockDelay, 0.02)
	w.own = w.own || max(moved.before, moved.after) >= usesDisk || delay.z >= 3
	if !w.own && !sc.blindOwners() {
		return wait{sentence: sc.v.id.Service + " itself hardly uses the disk"}
	}
	return w
}

// blindOwners is whether the victim's own disk use could not be read.
func (sc *scene) blindOwners() bool {
	return slices.ContainsFunc(sc.owners, func(w *workload) bool { return w.blind })
}

// rise turns a change of a wait into a strength: nothing under floor, one when
// it grew by as much as it was, or by scale where it was less.
func rise(s shift, floor, scale float64) float64 {
	d := s.after - s.before
	if d < floor {
		return 0
	}
	return clamp01(d / max(scale, s.before))
}

// pressure is how long tasks stalled on a resource: those of the victim's own
// control group if that is told, since a whole host's is everybody's.
func (sc *scene) pressure(resource string, scale float64) wait {
	if s, known := sc.stalls(func(h *host) []stalled { return sc.ownGroups(h, resource) }); known {
		return wait{
			strength: rise(s, 0.05, scale), own: true,
			sentence: fmt.Sprintf("tasks of %s stalled on %s for %s of the time, usually %s", sc.v.id.Service, resource, percent(s.after), percent(s.before)),
		}
	}
	s, known := sc.stalls(func(*host) []stalled { return []stalled{{resource: resource}} })
	if !known {
		return wait{}
	}
	return wait{
		strength: rise(s, 0.05, scale),
		sentence: fmt.Sprintf("tasks of the host stalled on %s for %s of the time, usually %s", resource, percent(s.after), percent(s.before)),
	}
}

// ownGroups are the control groups of the victim's workloads on a host, where
// they have one to themselves.
func (sc *scene) ownGroups(h *host, resource string) []stalled {
	var groups []stalled
	for _, w := range sc.owners {
		if w.host != h || w.key.unit == "" {
			continue
		}
		for path := range w.groups() {
			if what := (stalled{path, resource}); h.pressure[what] != nil {
				groups = append(groups, what)
				break
			}
		}
	}
	return groups
}

// stalls is the pressure that rose most among those of the hosts.
func (sc *scene) stalls(of func(*host) []stalled) (most shift, known bool) {
	for _, h := range sc.hosts {
		for _, what := range of(h) {
			p := h.pressure[what]
			if p == nil {
				continue
			}
			if s := sc.shift(p.at, 0.01); !known || s.after-s.before > most.after-most.before {
				most, known = s, true
			}
		}
	}
	return most, known
}

// usesNetwork is how many bytes per second a service sends and receives that a
// full link can slow.
const usesNetwork = 16e3

// links tells how full the fullest interface of known speed is.
func (sc *scene) links() wait {
	var (
		fullest float64
		name    string
	)
	for _, h := range sc.hosts {
		for _, n := range h.linkNames {
			l := h.links[n]
			if l.speed <= 0 {
				continue
			}
			if full := sc.mean(l.bytes.at) / l.speed; name == "" || full > fullest {
				fullest, name = full, n
			}
		}
	}
	if name == "" {
		return wait{}
	}
	moved := sc.shift(func(second int64) float64 {
		return sc.own(second, fact.NetworkReceive) + sc.own(second, fact.NetworkTransmit)
	}, usesNetwork)
	return wait{
		own:      max(moved.before, moved.after) >= usesNetwork,
		strength: ramp(fullest, 0.75, 0.95),
		sentence: fmt.Sprintf("interface %s ran at %s of its speed", name, percent(fullest)),
	}
}
