package procfsreceiver

import (
	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/process"
	"github.com/otel-culprit/culprit/receiver/procfsreceiver/internal/metadata"
)

// missing is something that cannot be seen of some processes.
type missing struct {
	metrics   []string
	processes int // zero if they were not counted
	cure      string
}

// privileges are what the collector may do to processes of others.
type privileges struct {
	ptrace bool // CAP_SYS_PTRACE
	search bool // CAP_DAC_READ_SEARCH
}

func ownPrivileges() privileges {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return privileges{}
	}
	return privileges{
		ptrace: data[0].Effective&(1<<unix.CAP_SYS_PTRACE) != 0,
		search: data[0].Effective&(1<<unix.CAP_DAC_READ_SEARCH) != 0 || data[0].Effective&(1<<unix.CAP_DAC_OVERRIDE) != 0,
	}
}

// cure is what opens the files of others.
func (p privileges) cure() string {
	if p.ptrace && p.search {
		return "none: a sandbox or a security module hides them even from who has the capabilities"
	}
	return "grant the collector CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or run it as root; or CAP_BPF and CAP_PERFMON for the source ebpf"
}

// view is what was seen at first, of which the gaps are to be told.
type view struct {
	snap        process.Snapshot
	source      metadata.AttributeSource
	blockDelays bool
	hidden      bool // the proc file system hides processes of others
	sockets     int  // processes whose sockets may not be read
	may         privileges
}

// gaps lists what is unknown of processes, and why.
func (v view) gaps() []missing {
	return append(v.refused(), v.unaccounted()...)
}

// refused is what these privileges do not show.
func (v view) refused() []missing {
	var out []missing
	if v.hidden {
		out = append(out, missing{
			metrics: []string{"all of processes of other users"},
			cure:    "the proc file system is mounted with hidepid: give the collector the group of its gid= option, or CAP_SYS_PTRACE",
		})
	}
	if v.snap.Unreadable > 0 {
		out = append(out, missing{
			metrics: []string{"process.disk.io", "rootcause.workload.disk.io"}, processes: v.snap.Unreadable, cure: v.may.cure(),
		})
	}
	if v.sockets > 0 {
		out = append(out, missing{
			metrics: []string{"process.network.io", "rootcause.workload.network.io"}, processes: v.sockets, cure: v.may.cure(),
		})
	}
	if v.source == metadata.AttributeSourceEbpf && (!v.may.ptrace || !v.may.search) {
		out = append(out, missing{
			metrics: []string{"process.executable.path", "rootcause.backend"},
			cure:    "grant the collector CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH as well",
		})
	}
	return out
}

// unaccounted is what the kernel does not count.
func (v view) unaccounted() []missing {
	var io, delays int
	for _, p := range v.snap.Processes {
		if p.Known.Has(process.KnowsIO) {
			io++
		}
		if p.Known.Has(process.KnowsRunDelay) {
			delays++
		}
	}
	var out []missing
	all := len(v.snap.Processes)
	if io == 0 && all > 0 && v.snap.Unreadable == 0 {
		out = append(out, missing{
			metrics: []string{"process.disk.io", "rootcause.workload.disk.io"}, processes: all, cure: "run a kernel with CONFIG_TASK_IO_ACCOUNTING",
		})
	}
	if delays == 0 && all > 0 {
		out = append(out, missing{
			metrics: []string{"rootcause.process.wait.time (run_queue)", "rootcause.workload.wait.time (run_queue)"}, processes: all, cure: "run a kernel with CONFIG_SCHED_INFO",
		})
	}
	if !v.blockDelays {
		types := "(block_io)"
		if v.source == metadata.AttributeSourceEbpf {
			types = "(block_io, swap, thrashing)"
		}
		out = append(out, missing{
			metrics: []string{"rootcause.process.wait.time " + types, "rootcause.workload.wait.time " + types}, processes: all,
			cure: "set the sysctl kernel.task_delayacct=1 or boot with delayacct, then restart the services of interest and the collector",
		})
	}
	return out
}
