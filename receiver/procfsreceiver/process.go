package procfsreceiver

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otel-culprit/culprit/internal/process"
	"github.com/otel-culprit/culprit/receiver/procfsreceiver/internal/metadata"
)

// recordProcess records all data points of a process.
func (s *procfsScraper) recordProcess(at time.Time, p *process.Process) {
	mb, ts := s.mb, pcommon.NewTimestampFromTime(at)
	// Counters of a process began with it.
	mb.Reset(metadata.WithStartTime(pcommon.NewTimestampFromTime(p.Start)))

	mb.RecordProcessUptimeDataPoint(ts, max(0, at.Sub(p.Start).Seconds()), p.PID, p.Created, p.Name,
		p.Parent, p.Group, p.Session, p.Cgroup, p.CPUs, p.Nice, processOptions(p)...)
	mb.RecordProcessCPUTimeDataPoint(ts, p.UserTime, p.PID, p.Created, p.Name, metadata.AttributeCPUModeUser)
	mb.RecordProcessCPUTimeDataPoint(ts, p.SystemTime, p.PID, p.Created, p.Name, metadata.AttributeCPUModeSystem)
	mb.RecordProcessMemoryUsageDataPoint(ts, p.Resident, p.PID, p.Created, p.Name)
	mb.RecordProcessMemoryVirtualDataPoint(ts, p.Virtual, p.PID, p.Created, p.Name)
	mb.RecordProcessThreadCountDataPoint(ts, p.Threads, p.PID, p.Created, p.Name)
	mb.RecordProcessPagingFaultsDataPoint(ts, p.MinorFaults, p.PID, p.Created, p.Name, metadata.AttributeSystemPagingFaultTypeMinor)
	mb.RecordProcessPagingFaultsDataPoint(ts, p.MajorFaults, p.PID, p.Created, p.Name, metadata.AttributeSystemPagingFaultTypeMajor)
	if p.Known.Has(process.KnowsIO) {
		mb.RecordProcessDiskIoDataPoint(ts, p.ReadBytes, p.PID, p.Created, p.Name, metadata.AttributeDiskIoDirectionRead)
		mb.RecordProcessDiskIoDataPoint(ts, p.WriteBytes, p.PID, p.Created, p.Name, metadata.AttributeDiskIoDirectionWrite)
	}
	if p.Known.Has(process.KnowsRunDelay) {
		mb.RecordRootcauseProcessWaitTimeDataPoint(ts, p.RunDelay, p.PID, p.Created, p.Name, metadata.AttributeRootcauseWaitTypeRunQueue)
	}
	if p.Known.Has(process.KnowsBlockDelay) {
		mb.RecordRootcauseProcessWaitTimeDataPoint(ts, p.BlockDelay, p.PID, p.Created, p.Name, metadata.AttributeRootcauseWaitTypeBlockIo)
	}
	if p.Known.Has(process.KnowsSwitches) {
		mb.RecordProcessContextSwitchesDataPoint(ts, p.VoluntarySwitches, p.PID, p.Created, p.Name, metadata.AttributeProcessContextSwitchTypeVoluntary)
		mb.RecordProcessContextSwitchesDataPoint(ts, p.InvoluntarySwitches, p.PID, p.Created, p.Name, metadata.AttributeProcessContextSwitchTypeInvoluntary)
	}
}

// processOptions are the attributes of a process that are there only if known.
func processOptions(p *process.Process) []metadata.MetricAttributeOption {
	var options []metadata.MetricAttributeOption
	if p.Executable != "" {
		options = append(options, metadata.WithProcessExecutablePathMetricAttribute(p.Executable))
	}
	if len(p.Args) > 0 {
		args := make([]any, len(p.Args))
		for i, a := range p.Args {
			args[i] = a
		}
		options = append(options, metadata.WithProcessCommandArgsMetricAttribute(args))
	}
	return options
}

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
