package workload

// When a process ends and its parent waits for it, the kernel adds all that it
// used to the parent's counters: the CPU to those of "children", the bytes to
// the parent's own. Most of that was counted while the process lived.
//
//	               scan 1        scan 2        scan 3
//	child   used     3             5           ended with 6, was reaped
//	        counted +3            +2           owes 5: that was counted
//	parent  jump     0             0             6  -  5  =  1 is credited
//
//	never sampled: born and reaped between two scans
//	parent  jump     0             0             6           6 is credited
//
//	orphan: the parent ended first, so somebody above reaps
//	init    jump     0             0             6  -  5  =  1 to the child's workload
//
//	nobody waits (SIGCHLD ignored)
//	parent  jump     0             0             0           the 5 lapse
//
//	told:   the end is an event with final totals
//	child   counted +3            +2            +1, owes 6
//	parent  jump     0             0             6  -  6  =  0
//
// A jump is matched with debts in rounds: first those that fit into the jump of
// the parent, then, where that parent has ended as well, into the jump of an
// ancestor, then in parts. So as much as possible is taken off, and nothing is
// counted twice as long as the reaper can be read.
type ledger struct {
	owing   []*account // that ended, oldest first
	reapers []*account // whose counters jumped in this scan
	above   func(*account) *account
	dropped int64
}

// maxOwing bounds what is remembered of ended processes.
const maxOwing = 16384

// patience is in how many scans a debt may be claimed: a parent may have been
// read just before it reaped, its child just after.
const patience = 2

// deepest bounds every walk to an ancestor: what is told of parents may go in
// circles.
const deepest = 64

// record notes the end of a process, with all that was read of it.
func (l *ledger) record(a *account, final bool) {
	estate := a.estate()
	a.debt = debt{reaper: l.above(a), counted: estate, due: estate, final: final}
	a.home.owed++
	l.owing = append(l.owing, a)
}

// raise notes that more was read of an ended process, which was counted too.
func (l *ledger) raise(a *account) {
	estate := a.estate()
	for i, n := range estate {
		if !a.debt.paid[i/2] {
			a.debt.due[i] += n - a.debt.counted[i]
		}
	}
	a.debt.counted = estate
}

// expect notes that the counters of a process may have jumped.
func (l *ledger) expect(a *account) {
	if a.leap[cpuHalf] || a.leap[ioHalf] {
		l.reapers = append(l.reapers, a)
	}
}

// settle takes what was counted off the jumps and credits the rest.
func (l *ledger) settle() {
	for _, how := range [...]fit{both, one, part} {
		for _, a := range l.owing {
			l.claim(a, how, false)
		}
		for _, a := range l.owing {
			l.claim(a, how, true)
		}
	}
	l.share()
	for _, r := range l.reapers {
		r.home.inherit(r.jump)
		r.total.inherit(r.jump)
		r.jump, r.leap, r.heir = legacy{}, [2]bool{}, [2]int64{}
	}
	clear(l.reapers)
	l.reapers = l.reapers[:0]
}

// claim has a debt paid by its reaper or, if that has ended, by somebody above. A
// zombie that is still listed was not reaped.
func (l *ledger) claim(a *account, how fit, above bool) {
	d := &a.debt
	if a.listed {
		return
	}
	if !above {
		d.pay(d.reaper, how)
		return
	}
	r := d.reaper
	if r == nil || !r.isZombie() {
		return
	}
	for steps := 0; r != nil && !d.isPaid() && steps < deepest; steps++ {
		r = l.above(r)
		d.pay(r, how)
	}
}

// share divides what is left of a jump among the workloads of those who ended, in
// proportion to what was counted of them.
func (l *ledger) share() {
	for _, a := range l.owing {
		for h := range numHalves {
			if a.debt.inherits(h) {
				r := a.debt.payer[h]
				r.heir[h] = plus(r.heir[h], a.debt.weight(h))
			}
		}
	}
	for _, a := range l.owing {
		for h := range numHalves {
			if a.debt.inherits(h) {
				a.debt.payer[h].divide(a, h)
			}
			a.debt.now[h] = false
		}
	}
}

// divide gives the workload of a its part of what is left of r's jump.
func (r *account) divide(a *account, h int) {
	weight := a.debt.weight(h)
	var part legacy
	for i := 2 * h; i < 2*h+2; i++ {
		part[i] = r.jump[i]
		if weight < r.heir[h] {
			part[i] = min(r.jump[i], int64(float64(r.jump[i])*float64(weight)/float64(r.heir[h])))
		}
		r.jump[i] -= part[i]
	}
	r.heir[h] -= weight
	a.home.inherit(part)
	if a.home == r.home {
		r.total.inherit(part)
	}
}

// grow lets time pass: what was not claimed lapses.
func (l *ledger) grow() {
	kept := l.owing[:0]
	surplus := len(l.owing) - maxOwing
	for i, a := range l.owing {
		switch {
		case i < surplus:
			l.dropped++
			a.home.owed--
		case l.lapses(a):
			a.debt.giveBack()
			a.home.owed--
			a.debt = debt{}
		default:
			kept = append(kept, a)
		}
	}
	clear(l.owing[len(kept):])
	l.owing = kept
}

func (l *ledger) lapses(a *account) bool {
	d := &a.debt
	for steps := 0; d.reaper != nil && !d.reaper.listed && steps < deepest; steps++ {
		d.reaper = l.above(d.reaper)
		d.age = 0
	}
	if d.final && !d.isPaid() && (a.listed || d.reaper != nil && d.reaper.pid == a.parent) {
		return false // A zombie, for as long as its parent likes.
	}
	d.age++
	return d.age >= patience
}
