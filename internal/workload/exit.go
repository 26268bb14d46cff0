package workload

import (
	"slices"

	"github.com/otel-culprit/culprit/internal/process"
)

// exit is a process that is told to have ended.
type exit struct {
	*account
	told  *process.Exited
	again bool // its end was noticed before it was told
}

// meet finds or opens the accounts of processes that are told to have ended.
func (b *Book) meet(exited []process.Exited) {
	for i := range exited {
		told := &exited[i]
		a := b.byPID[told.PID]
		again := false
		if a == nil || !a.is(&told.Process) {
			if a = b.owed(&told.Process); a != nil {
				again = true
			} else {
				a = newAccount(&told.Process, b.isFresh(&told.Process))
				if held := b.byPID[a.pid]; held == nil || !held.listed {
					b.byPID[a.pid] = a
				}
			}
		}
		if a.p == nil {
			a.p = &told.Process
		}
		if told.Parent > 0 {
			a.parent = told.Parent
		}
		b.exits = append(b.exits, exit{account: a, told: told, again: again})
	}
}

// owed finds an ended process in the ledger.
func (b *Book) owed(p *process.Process) *account {
	if !p.Start.Before(b.last) {
		return nil
	}
	if i := slices.IndexFunc(b.owing, func(a *account) bool { return a.is(p) }); i >= 0 {
		return b.owing[i]
	}
	return nil
}

// hasMoved reports whether a process joined another group between its last scan
// and its end.
func (e *exit) hasMoved() bool {
	return e.home != nil && !e.again && !e.listed && e.home.Type == Job &&
		e.told.Group > 0 && e.told.Group != e.from.group && (e.told.Cgroup != "" || e.from.cgroup == "")
}

// placeBrief finds the workload of a process that was never listed: what is not
// told of it is taken to be as its parent's.
func (b *Book) placeBrief(a *account) {
	up := b.parent(a)
	if up != nil && up.p != nil && up.pid != 1 {
		w := b.of(up)
		same := a.p.Group == 0 || a.p.Group == up.p.Group
		if w != nil && same && (a.p.Cgroup == "" || a.p.Cgroup == up.p.Cgroup) && !isCron(up.p.Name) {
			a.home = w
		}
	}
	b.of(a)
	b.name(a.home, a.p)
}

// bury counts the final totals of a process and what it owes.
func (b *Book) bury(e *exit) {
	a := e.account
	if a.ended || e.again && (a.debt.paid[cpuHalf] || a.debt.paid[ioHalf]) {
		return
	}
	a.ended = true
	copy(a.before[:], a.total[:])
	a.take(&e.told.Process)
	b.expect(a)
	switch {
	case e.again && e.told.Discarded:
		a.debt.due = legacy{}
	case e.again:
		b.raise(a)
		a.debt.final = true
	case !e.told.Discarded:
		b.record(a, true)
	}
}

// bequeath adds what an ended process used since it was last shown to the
// process that it worked for, for want of a series of its own.
func (b *Book) bequeath() {
	for _, e := range b.exits {
		up := b.parent(e.account)
		if e.again || up == nil || up.home != e.home {
			continue
		}
		var rest legacy
		for i := range rest {
			rest[i] = e.total[i] - e.before[i]
		}
		up.total.inherit(rest)
		copy(e.before[:], e.total[:])
	}
}
