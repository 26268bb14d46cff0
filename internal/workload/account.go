package workload

import (
	"time"

	"github.com/otel-culprit/culprit/internal/process"
)

// account is what the book holds of a process.
type account struct {
	p      *process.Process // nil after the scan in which it ended
	pid    int64
	start  time.Time
	parent int64 // PID, as last known

	home      *Workload
	inside    bool // it is among the living of its workload
	described int
	from      origin
	placing   bool // guards against parents that go in circles

	fresh    bool          // it started between two scans: it counts from zero
	ever     process.Known // groups that were known once
	seen     reading       // what was read last
	known    process.Known
	threads  int64
	resident int64

	total  use    // its own and what it inherited that was not counted before
	totals Totals // the same, for Book.Process
	listed bool   // the last scan has it
	ended  bool   // it was told that it ended
	before legacy // total when that was told

	jump legacy  // what it may have inherited in this scan; bytes with its own
	leap [2]bool // whether there was any, by half
	heir [2]int64
	debt debt
}

// origin is what decides to which workload a process belongs.
type origin struct {
	name, cgroup   string
	group, session int64
	user           int64
}

func originOf(p *process.Process) origin {
	return origin{
		name: p.Name, cgroup: p.Cgroup, group: p.Group, session: p.Session, user: p.User,
	}
}

func newAccount(p *process.Process, fresh bool) *account {
	return &account{p: p, pid: p.PID, start: p.Start, parent: p.Parent, described: p.Described, fresh: fresh}
}

func (a *account) is(p *process.Process) bool { return a.pid == p.PID && a.start.Equal(p.Start) }

// read takes what the counters say now and gives by how much they went up since
// the last look. Where a counter went back, or is first known of a process that
// is older than the book, there is only a new base.
func (a *account) read(p *process.Process) (gain reading) {
	now, known := readingOf(p), p.Known|always
	for i, n := range now {
		g := groups[i]
		if known&g == 0 {
			continue
		}
		if n > a.seen[i] && (a.fresh || a.ever&g != 0) {
			gain[i] = n - a.seen[i]
		}
		a.seen[i] = n
	}
	a.ever |= known
	return gain
}

// take reads the counters and credits what is the process's own for certain.
// The rest is left as its jump, for the ledger.
func (a *account) take(p *process.Process) {
	gain := a.read(p)
	own := use(gain[:numTotals])
	own[readBytes], own[writeBytes] = 0, 0
	a.total.add(&own)
	a.home.credit(&own)
	jump := legacy{gain[childrenUser], gain[childrenSystem], gain[readBytes], gain[writeBytes]}
	for i, n := range jump {
		a.jump[i] += n
		a.leap[i/2] = a.leap[i/2] || n > 0
	}
}

// estate is all that passes to whoever waits for the process, as last read.
func (a *account) estate() legacy {
	return legacy{
		a.seen[userTime] + a.seen[childrenUser], a.seen[systemTime] + a.seen[childrenSystem],
		a.seen[readBytes], a.seen[writeBytes],
	}
}

// leave takes the process out of what its workload has living.
func (a *account) leave() {
	if !a.inside {
		return
	}
	a.inside = false
	a.home.count(a.known, -1)
	a.home.Threads -= a.threads
	a.home.Resident -= a.resident
	if a.home.first == a {
		a.home.first = nil
	}
	a.threads, a.resident, a.known = 0, 0, 0
}

func (a *account) enter() {
	a.inside = true
	a.known = a.p.Known
	a.home.count(a.known, 1)
	a.weigh()
}

// weigh brings the levels of its workload up to date.
func (a *account) weigh() {
	if a.known != a.p.Known {
		a.home.count(a.known, -1)
		a.known = a.p.Known
		a.home.count(a.known, 1)
	}
	threads, resident := max(a.p.Threads, 0), max(a.p.Resident, 0)
	a.home.Threads += threads - a.threads
	a.home.Resident += resident - a.resident
	a.threads, a.resident = threads, resident
}

// isZombie reports whether it is listed but has ended: then nothing is resident.
func (a *account) isZombie() bool {
	return a.ended || a.p == nil || a.p.Resident == 0 && !a.p.Kernel
}
