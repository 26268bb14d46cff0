package procfsreceiver

import "github.com/otel-culprit/culprit/internal/process"

// missing is something that cannot be seen of some processes.
type missing struct {
	metrics   []string
	processes int
	cure      string
}

// missingOfProcesses looks at a scan for what is unknown of processes, and why.
func missingOfProcesses(snap process.Snapshot, blockDelays bool) []missing {
	var io, delays int
	for _, p := range snap.Processes {
		if p.Known.Has(process.KnowsIO) {
			io++
		}
		if p.Known.Has(process.KnowsRunDelay) {
			delays++
		}
	}
	var out []missing
	all := len(snap.Processes)
	switch {
	case snap.Unreadable > 0:
		out = append(out, missing{
			metrics: []string{"process.disk.io"}, processes: snap.Unreadable,
			cure: "grant the collector CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or run it as root",
		})
	case io == 0 && all > 0:
		out = append(out, missing{
			metrics: []string{"process.disk.io"}, processes: all,
			cure: "run a kernel with CONFIG_TASK_IO_ACCOUNTING",
		})
	}
	if delays == 0 && all > 0 {
		out = append(out, missing{
			metrics: []string{"rootcause.process.wait.time (run_queue)"}, processes: all,
			cure: "run a kernel with CONFIG_SCHED_INFO",
		})
	}
	if !blockDelays {
		out = append(out, missing{
			metrics: []string{"rootcause.process.wait.time (block_io)"}, processes: all,
			cure: "set the sysctl kernel.task_delayacct=1 or boot with delayacct, then restart the services of interest and the collector",
		})
	}
	return out
}
