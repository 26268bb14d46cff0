package workload

import (
	"slices"
	"time"

	"github.com/otel-culprit/culprit/internal/process"
)

// Options say what to count. The zero value counts everything.
type Options struct {
	// TimerOf gives the timer that starts a unit, or nothing. It is called once
	// for each unit; nil knows none.
	TimerOf func(unit string) string
	Filter  Filter
}

// Book keeps the processes of a host and what they used by workload. It is not
// safe for use by several goroutines at once.
type Book struct {
	homes
	ledger

	scan   int
	living []slot // by PID
	next   []slot
	busy   []*account // that ran or changed
	born   []*account
	moved  []*account // to another workload
	gone   []*account
	exits  []exit
	last   time.Time
}

// shown is for how many scans a workload without processes is still listed, so
// that its last totals are seen.
const shown = 3

// late is how long before the last scan a process may have started that it did
// not see. What is older was there and could not be read, so nothing is known of
// when it used what its counters say.
const late = 2 * time.Second

// New makes an empty book.
func New(options Options) *Book {
	b := &Book{homes: homes{
		options: options, byPID: map[int64]*account{}, byKey: map[Key]*Workload{},
		byGroup: map[int64]*Workload{}, places: map[string]place{}, hidden: &Workload{},
	}}
	b.ledger.above = b.homes.above
	return b
}

// Post enters a scan that was made at a time. The first one only sets the base
// that later ones are counted from; it makes nothing of what ended before it. The
// processes of a snapshot must be in the order of their PIDs.
func (b *Book) Post(snap process.Snapshot, at time.Time) {
	b.scan++
	b.match(snap.Processes)
	if b.scan > 1 {
		b.meet(snap.Exited)
	}
	b.place()
	b.count()
	b.settle()
	b.bequeath()
	b.grow()
	b.forget()
	b.show(at)
	b.last = at
}

// slot is a line of the list of the living. It has what is needed to see that
// nothing happened, so that neither the account nor most of the process is touched.
type slot struct {
	*account
	p         *process.Process
	pid       int64
	described int
	level     level
}

// level is what may change of a process that does not run: its memory may be
// taken, and bytes may arrive for it.
type level struct {
	resident, passed int64
	known            process.Known
}

func levelOf(p *process.Process) level {
	n := &p.Network
	return level{p.Resident, n.TCP.Received + n.TCP.Transmitted + n.UDP.Received + n.UDP.Transmitted, p.Known}
}

// match goes through the old and the new list side by side.
func (b *Book) match(listed []*process.Process) {
	old := b.living
	b.next = b.next[:0]
	for _, p := range listed {
		if len(old) > 0 && old[0].p == p && !p.Ran && p.Described == old[0].described && old[0].level == levelOf(p) {
			b.next = append(b.next, old[0])
			old = old[1:]
			continue
		}
		for len(old) > 0 && old[0].pid < p.PID {
			b.gone = append(b.gone, old[0].account)
			old = old[1:]
		}
		var a *account
		if len(old) > 0 && old[0].pid == p.PID {
			a, old = old[0].account, old[1:]
			if !a.start.Equal(p.Start) {
				b.gone = append(b.gone, a)
				a = nil
			}
		}
		if a == nil {
			a = b.welcome(p)
		} else {
			b.busy = append(b.busy, a)
		}
		a.p = p
		b.next = append(b.next, slot{a, p, p.PID, p.Described, levelOf(p)})
	}
	for _, s := range old {
		b.gone = append(b.gone, s.account)
	}
	clear(b.living)
	b.living, b.next = b.next, b.living
	for _, a := range b.gone {
		a.p, a.listed = nil, false
	}
	for _, a := range b.born {
		a.listed = true
		b.byPID[a.pid] = a
	}
}

// welcome opens an account. One that was missing from a scan or two, because it
// could not be read, goes on where it was.
func (b *Book) welcome(p *process.Process) *account {
	a := b.recall(p)
	if a == nil {
		a = newAccount(p, b.isFresh(p))
	}
	b.born = append(b.born, a)
	return a
}

func (b *Book) isFresh(p *process.Process) bool {
	return b.scan > 1 && !p.Start.Before(b.last.Add(-late))
}

// recall takes the entry of a process out of the ledger that lives after all.
func (b *Book) recall(p *process.Process) *account {
	a := b.owed(p)
	if a == nil || a.ended {
		return nil
	}
	b.owing = slices.DeleteFunc(b.owing, func(other *account) bool { return other == a })
	a.debt.giveBack()
	a.debt = debt{}
	a.home.owed--
	a.home, a.described, a.parent = nil, p.Described, p.Parent
	return a
}

// place finds the workloads of all that are new or changed. Who has to move leaves
// before anybody enters, as homes are found by those of others.
func (b *Book) place() {
	b.moved = b.moved[:0]
	for _, a := range b.busy {
		if a.described == a.p.Described {
			continue
		}
		a.described, a.parent = a.p.Described, a.p.Parent
		if a.home.first == a {
			b.describe(a.home, a)
		}
		if b.stays(a) {
			b.name(a.home, a.p)
			continue
		}
		a.leave()
		a.home = nil
		b.moved = append(b.moved, a)
	}
	for _, e := range b.exits {
		if e.hasMoved() {
			e.leave()
			e.home = nil
		}
	}
	for _, list := range [2][]*account{b.moved, b.born} {
		for _, a := range list {
			b.of(a)
			b.name(a.home, a.p)
			a.enter()
		}
	}
	for _, e := range b.exits {
		if e.home == nil {
			b.placeBrief(e.account)
		}
	}
}

// count reads the counters and notes who ended.
func (b *Book) count() {
	for i := range b.exits {
		b.bury(&b.exits[i])
	}
	for _, a := range b.gone {
		if !a.ended {
			b.record(a, false)
		}
	}
	for _, list := range [2][]*account{b.busy, b.born} {
		for _, a := range list {
			a.take(a.p)
			a.weigh()
			if a.ended {
				b.raise(a)
			}
			b.expect(a)
		}
	}
}

// forget closes the accounts of what is no longer listed.
func (b *Book) forget() {
	for _, a := range b.gone {
		a.leave()
		b.unlist(a)
	}
	for _, e := range b.exits {
		if !e.listed {
			e.p = nil
			b.unlist(e.account)
		}
	}
	clear(b.gone)
	clear(b.born)
	clear(b.exits)
	clear(b.moved)
	b.gone, b.born, b.exits, b.busy = b.gone[:0], b.born[:0], b.exits[:0], b.busy[:0]
}

func (b *Book) unlist(a *account) {
	if b.byPID[a.pid] == a {
		delete(b.byPID, a.pid)
	}
}
