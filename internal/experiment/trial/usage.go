package trial

import (
	"github.com/prometheus/procfs"

	"github.com/otel-culprit/culprit/internal/experiment"
)

// userHZ is the unit of CPU times in /proc, the same on all of Linux' platforms
// that Go has.
const userHZ = 100

// inSession visits the processes of a session; those that end meanwhile are left
// out.
func inSession(session int, visit func(p procfs.Proc, s procfs.ProcStat)) {
	all, err := procfs.AllProcs()
	if err != nil {
		return // no /proc: New has refused that
	}
	for _, p := range all {
		if s, err := p.Stat(); err == nil && s.Session == session {
			visit(p, s)
		}
	}
}

// members lists the processes of a session that still run.
func members(session int) []int {
	var pids []int
	inSession(session, func(p procfs.Proc, s procfs.ProcStat) {
		if s.State != "Z" {
			pids = append(pids, p.PID)
		}
	})
	return pids
}

// work sums up what the processes of a session did, with their children that
// ended and were waited for: the kernel adds those to their parent.
func work(session int) experiment.Work {
	var w experiment.Work
	inSession(session, func(p procfs.Proc, s procfs.ProcStat) {
		w.CPU += float64(uint64(s.UTime)+uint64(s.STime))/userHZ + float64(s.CUTime+s.CSTime)/userHZ
		io, err := p.IO()
		if err != nil {
			return // another user's, after sudo: the CPU time is known at least
		}
		w.DiskRead += float64(io.ReadBytes)
		w.DiskWrite += float64(io.WriteBytes)
		// What is read through a mapping is no call.
		w.Bytes += float64(max(io.RChar, io.ReadBytes)) + float64(max(io.WChar, io.WriteBytes))
	})
	return w
}
