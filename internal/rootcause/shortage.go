package rootcause

import (
	"fmt"
	"math"
	"slices"

	"github.com/otel-culprit/culprit/internal/fact"
)

// memoryWait is how much tasks stall for want of memory, or wait for what was
// swapped out.
func (sc *scene) memoryWait() wait {
	w := sc.pressure("memory", 0.1)
	w.own = w.own || sc.ownWait(fact.MajorFaults, 10).z >= 3
	swapped, known := sc.paging(func(p *paging) *series { return &p.swapIn })
	if strength := rise(swapped.shift, 256e3, 8e6); known && strength > w.strength {
		w.strength, w.own = strength, w.own || swapped.own
		w.sentence = fmt.Sprintf("%s was swapped in, usually %s", SharedDisk.amount(swapped.after), SharedDisk.amount(swapped.before))
	}
	return w
}

// cacheWait is how much of what the page cache had let go is read again.
func (sc *scene) cacheWait() wait {
	again, known := sc.paging(func(p *paging) *series { return &p.refaults })
	if !known {
		return wait{}
	}
	whose := "the host"
	if again.own {
		whose = sc.v.id.Service
	}
	return wait{
		strength: rise(again.shift, 1e6, 20e6), own: again.own,
		sentence: fmt.Sprintf("%s read %s again that the page cache had let go, usually %s", whose, SharedDisk.amount(again.after), SharedDisk.amount(again.before)),
	}
}

// readsFromMemory is how many bytes per second more from the disk make a service
// wait that had found nearly all in memory.
const readsFromMemory = 256e3

// readAgain gives the wait for the disk to the page cache if most of what the
// victim reads it had in memory before: it would not wait if it still had it. What
// is read again on the whole host is the victim's if the victim reads from the disk
// what it did not before.
func (sc *scene) readAgain() {
	disk, cache := &sc.waits[SharedDisk], &sc.waits[SharedCache]
	again, known := sc.paging(func(p *paging) *series { return &p.refaults })
	if !disk.own || !known {
		return
	}
	reads := sc.shift(func(second int64) float64 { return sc.own(second, fact.DiskRead) }, readsFromMemory)
	hadAll := reads.after > 2*reads.before+readsFromMemory
	switch more := again.after - again.before; {
	case cache.own && cache.strength > 0 && more >= reads.after/2:
	case hadAll && more >= (reads.after-reads.before)/2:
		cache.own = true
		cache.sentence = fmt.Sprintf("%s reads %s from the disk, usually %s, and the host read %s again that the page cache had let go, usually %s",
			sc.v.id.Service, SharedDisk.amount(reads.after), SharedDisk.amount(reads.before), SharedDisk.amount(again.after), SharedDisk.amount(again.before))
	default:
		return
	}
	cache.strength = max(cache.strength, disk.strength)
	disk.strength, disk.sentence = 0, sc.v.id.Service+" waits for the disk only to read again what the page cache had let go"
}

// paged is a kind of paging: of the victim's own control groups if they are told.
type paged struct {
	shift

	own bool
}

func (sc *scene) paging(of func(*paging) *series) (most paged, known bool) {
	look := func(p *paging, own bool) {
		s := sc.shift(of(p).at, 256e3)
		if !known || s.after-s.before > most.after-most.before {
			most, known = paged{s, own}, true
		}
	}
	for _, h := range sc.hosts {
		for _, w := range sc.owners {
			if w.host != h || w.key.unit == "" {
				continue
			}
			for path := range w.groups() {
				if p := h.paging[path]; p != nil {
					look(p, true)
					break
				}
			}
		}
	}
	if !known {
		for _, h := range sc.hosts {
			if p := h.paging[""]; p != nil {
				look(p, false)
			}
		}
	}
	return most, known
}

// full is the part of a file system that is left when writing begins to fail.
const full = 0.01

// filling is how a file system ran full: the seconds in which its room went.
type filling struct {
	*filesystem

	host         *host
	from, to     int64
	left, before float64 // bytes
}

// filled finds a file system that was full when the latency was bad, and was not
// before.
func (sc *scene) filled() (filling, bool) {
	for _, h := range sc.hosts {
		for _, f := range h.filesystems {
			room := sc.shift(f.available.at, 1)
			at := func(second int64) bool { return f.available.head >= second && f.available.at(second) < full*f.size }
			to := sc.from - int64(math.Ceil(sc.interval))
			for to < sc.to && !at(to) {
				to++
			}
			left := f.available.at(to)
			if f.size <= 0 || !at(to) || room.before-left <= full*f.size/10 {
				continue
			}
			from := to
			for from > to-window/2 && f.available.at(from) < room.before-(room.before-left)/10 {
				from--
			}
			return filling{f, h, from - f.every, to, left, room.before}, true
		}
	}
	return filling{}, false
}

// spaceWait tells of a file system that has run full.
func (sc *scene) spaceWait() wait {
	f, ok := sc.filled()
	if !ok {
		return wait{}
	}
	return wait{strength: 1, sentence: fmt.Sprintf("%s has %s left, %s before", f.mountpoint, bytes(f.left), bytes(f.before))}
}

// spaceTakers are the workloads that wrote while a file system ran full. They may
// have stopped when there was no room left: what they did before counts.
func (e *Engine) spaceTakers(sc *scene) []scored {
	f, ok := sc.filled()
	if !ok {
		return nil
	}
	span := float64(f.to - f.from + 1)
	var all float64
	for _, w := range f.host.workloads {
		all += w.used[fact.DiskWrite].mean(f.from, f.to) * span
	}
	var list []scored
	for _, w := range f.host.workloads {
		wrote := w.used[fact.DiskWrite].mean(f.from, f.to) * span
		if w.isNobody() || w.doesWorkOf(sc.v.id.Service) || wrote < (f.before-f.left)/10 {
			continue
		}
		c := e.suspect(Suspect{Cause: Contention, Resource: SharedSpace, Workload: w.id, Tool: w.tool()}, PriorContention)
		c.workload = w
		c.add(Evidence{
			Name: "share", Value: wrote / all, Unit: "1", Term: TermShare, Strength: clamp01(wrote / all),
			Sentence: fmt.Sprintf("%s wrote %s while %s ran full, %s of all that was written; to which file system is not told", w.id.Name, bytes(wrote), f.mountpoint, percent(wrote/all)),
		})
		lead := sc.onset - f.to
		c.add(Evidence{
			Name: "onset_order", Value: float64(lead), Unit: "s", Term: TermOnset, Strength: closeness(max(0, max(lead, -lead-f.every)-sc.slack)),
			Sentence: fmt.Sprintf("%s ran full %s", f.mountpoint, beside(lead)),
		})
		c.add(waited(sc, SharedSpace))
		e.heed(sc, &c)
		list = append(list, c)
	}
	return list
}

// sharing are the other hosts that share something with those of the scene.
func (sc *scene) sharing() []*host {
	var list []*host
	for _, h := range sc.all {
		if slices.Contains(sc.hosts, h) {
			continue
		}
		if sc.commonWith(h, SharedDisk) != "" || sc.commonWith(h, SharedNetwork) != "" {
			list = append(list, h)
		}
	}
	return list
}

// reach tells whether the use of a resource on a host can hurt the victim, and
// through what if it is another host.
func (sc *scene) reach(h *host, r Shared) (through string, ok bool) {
	if slices.Contains(sc.hosts, h) {
		return "", true
	}
	through = sc.commonWith(h, r)
	return through, through != ""
}

// commonWith names what a host has in common with the victim's.
func (sc *scene) commonWith(h *host, r Shared) string {
	for _, s := range sc.shared {
		if s.Resource != r.String() || !slices.Contains(s.Hosts, h.name) {
			continue
		}
		for _, mine := range sc.hosts {
			if slices.Contains(s.Hosts, mine.name) {
				return s.Name
			}
		}
	}
	return ""
}
