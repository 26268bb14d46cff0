package rootcause

import (
	"fmt"
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

// paged is a kind of paging: of the victim's own control groups if they are told.
type paged struct {
	shift

	own bool
}

func (sc *scene) paging(of func(*paging) *series) (most paged, known bool) {
	look := func(p *paging, own bool) {
		if p == nil {
			return
		}
		s := sc.shift(of(p).at, 256e3)
		if !known || s.after-s.before > most.after-most.before {
			most, known = paged{s, own}, true
		}
	}
	for _, h := range sc.hosts {
		for _, w := range sc.owners {
			if w.host == h && w.key.unit != "" {
				look(h.paging[w.cgroup], true)
			}
		}
	}
	if !known {
		for _, h := range sc.hosts {
			look(h.paging[""], false)
		}
	}
	return most, known
}

// full is the part of a file system that is left when writing begins to fail.
const full = 0.01

// spaceWait tells of a file system that has run full since the onset.
func (sc *scene) spaceWait() wait {
	for _, h := range sc.hosts {
		for _, f := range h.filesystems {
			left, before := f.available.at(sc.to), sc.shift(f.available.at, 1).before
			if f.size > 0 && f.available.head >= sc.to && left < full*f.size && before-left > full*f.size/10 {
				return wait{
					strength: 1,
					sentence: fmt.Sprintf("%s has %s left, %s before", f.mountpoint, bytes(left), bytes(before)),
				}
			}
		}
	}
	return wait{}
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
