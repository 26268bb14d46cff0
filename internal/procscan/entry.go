package procscan

import "github.com/otel-culprit/culprit/internal/process"

// Activity of a process. One that ran in most of the last scans has its files
// kept open until it was idle for a while.
const (
	ranAdds   = 2
	maxActive = 12
	busy      = 4
)

// entry is what is kept of a process from scan to scan.
type entry struct {
	process.Process
	startTicks int64 // with the PID, the identity of the process
	clock      int64 // ns of CPU of all its threads; -1 if unknown
	running    int64 // ns of CPU of the main thread; -1 if unknown
	parent     *entry
	ended      bool
	zombie     bool
	halfRead   bool // the last scan that saw it ended before it was read
	refused    bool // its I/O may not be read
	fork       bool // it executed nothing yet
	young      bool // it is new or executed at the last reading
	news       bool // it ran since it was described
	late       bool // so did some of its threads since their delays were read
	active     int8
	hot        bool // its files are kept
	kept       keptFiles
	comm       []byte // as the kernel has it
	ticks      int64  // CPU time when its threads were read
	threads    []thread
	delay      int64 // ns, summed over threads, those that ended included
	argsSum    uint64
	affinity   uint64 // of the main thread when its status was read; zero if unknown
}

// newEntry starts to keep a process.
func (s *Scanner) newEntry(pid int64, st *stat) *entry {
	e := &entry{startTicks: st.startTicks, clock: s.firstClock, running: -1, ticks: -1, kept: nothingKept, halfRead: true}
	e.PID = pid
	e.User = -1
	e.Start = s.start(st.startTicks)
	e.Created = e.Start.Format("2006-01-02T15:04:05.000Z07:00")
	e.Ran = true
	e.active = ranAdds
	return e
}

// activity notes whether the process ran since the scan before.
func (e *entry) activity(idle bool) {
	if idle {
		e.active = max(0, e.active-1)
	} else {
		e.active, e.news = min(maxActive, e.active+ranAdds), true
	}
}

// orphaned tells that its parent ended, so that it has another one.
func (e *entry) orphaned() bool { return e.parent != nil && (e.parent.ended || e.parent.zombie) }
