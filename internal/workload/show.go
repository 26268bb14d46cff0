package workload

import (
	"maps"
	"time"
)

// Workloads are those with processes, and for three scans those without, in the
// order in which they appeared. The slice is valid until the next scan.
func (b *Book) Workloads() []*Workload { return b.all }

// Of is the workload of a living process; nil if there is none with this PID or
// if the filter leaves it out.
func (b *Book) Of(pid int64) *Workload {
	a := b.byPID[pid]
	if a == nil || a.home == b.hidden {
		return nil
	}
	return a.home
}

// Process is what a living process used: its own counters and what it inherited
// from children of its workload and was not counted while they lived. It stays
// the same pointer while the process lives.
func (b *Book) Process(pid int64) (*Totals, bool) {
	a := b.byPID[pid]
	if a == nil || a.home == b.hidden {
		return nil, false
	}
	a.totals = a.total.totals()
	return &a.totals, true
}

// Dropped is how many ended processes the ledger had to forget before it was
// known who waited for them: what they used may then be counted twice.
func (b *Book) Dropped() int64 { return b.dropped }

// show brings the workloads up to date and takes those away that ended.
func (b *Book) show(at time.Time) {
	if b.scan == 1 {
		b.last = at
	}
	leaderless, ended := false, 0
	for _, w := range b.all {
		if w.dirty {
			w.show(b.last)
		}
		if w.Processes > 0 || w.owed > 0 {
			w.idle = 0
			leaderless = leaderless || w.first == nil && w.PID == 0 && w.Processes > 0
			continue
		}
		if w.idle++; w.idle > shown {
			ended++
		}
	}
	if leaderless {
		b.enthrone()
	}
	if ended > 0 {
		b.retire()
	}
	if len(b.byGroup) > 2*len(b.living)+maxGroups {
		b.sweep()
	}
}

// maxGroups is how many process groups may be remembered beyond two for each
// process before those without processes are forgotten.
const maxGroups = 1024

func (b *Book) sweep() {
	used := make(map[int64]bool, len(b.living))
	for _, s := range b.living {
		used[s.p.Group] = true
	}
	maps.DeleteFunc(b.byGroup, func(group int64, _ *Workload) bool { return !used[group] })
}

// enthrone describes units by another process when the first one has ended.
func (b *Book) enthrone() {
	for _, s := range b.living {
		if w := s.home; w.first == nil && w.PID == 0 {
			b.describe(w, s.account)
		}
	}
}

func (b *Book) retire() {
	kept := b.all[:0]
	for _, w := range b.all {
		if w.idle <= shown {
			kept = append(kept, w)
			continue
		}
		delete(b.byKey, w.id)
		b.passed.Received += w.used[tcpReceived] + w.used[udpReceived]
		b.passed.Transmitted += w.used[tcpTransmitted] + w.used[udpTransmitted]
	}
	clear(b.all[len(kept):])
	b.all = kept
}
