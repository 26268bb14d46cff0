package procfsreceiver

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otel-culprit/culprit/internal/process"
	"github.com/otel-culprit/culprit/internal/workload"
	"github.com/otel-culprit/culprit/receiver/procfsreceiver/internal/metadata"
)

// recorder writes what is known at one moment as data points.
type recorder struct {
	mb  *metadata.MetricsBuilder
	now time.Time // by the clock by which processes start
	ts  pcommon.Timestamp

	withArgs bool // the arguments of processes may leave the host
}

func newRecorder(mb *metadata.MetricsBuilder, at time.Time) recorder {
	return recorder{mb: mb, now: at, ts: pcommon.NewTimestampFromTime(at)}
}

// since says when the counters that follow began.
func (r recorder) since(start time.Time) {
	r.mb.Reset(metadata.WithStartTime(pcommon.NewTimestampFromTime(start)))
}

// describe says what a process is, and to which workload it belongs.
func (r recorder) describe(p *process.Process, key workload.Key) {
	r.mb.RecordProcessUptimeDataPoint(r.ts, max(0, r.now.Sub(p.Start).Seconds()), p.PID, p.Created, p.Name,
		p.Parent, p.Group, p.Session, p.Cgroup, p.CPUs, p.Nice, key.Name, typeOf(key), key.PID, r.descriptions(p)...)
}

// descriptions are the attributes of a process that are there only if known.
func (r recorder) descriptions(p *process.Process) []metadata.MetricAttributeOption {
	var options []metadata.MetricAttributeOption
	if p.User >= 0 {
		options = append(options, metadata.WithProcessUserIDMetricAttribute(p.User))
	}
	if p.IOPriority != "" {
		options = append(options, metadata.WithRootcauseProcessIoPriorityMetricAttribute(p.IOPriority))
	}
	if p.ThreadNice != "" {
		options = append(options, metadata.WithRootcauseProcessThreadNiceMetricAttribute(p.ThreadNice))
	}
	if p.ThreadIOPriority != "" {
		options = append(options, metadata.WithRootcauseProcessThreadIoPriorityMetricAttribute(p.ThreadIOPriority))
	}
	if p.Executable != "" {
		options = append(options, metadata.WithProcessExecutablePathMetricAttribute(p.Executable))
	}
	if r.withArgs && len(p.Args) > 0 {
		args := make([]any, len(p.Args))
		for i, a := range p.Args {
			args[i] = a
		}
		options = append(options, metadata.WithProcessCommandArgsMetricAttribute(args))
	}
	return options
}

// process records the counters of a process. Those of the disk may have begun
// later, because the kernel counts those of children again and the ledger, which
// does not, began with the receiver.
func (r recorder) process(p told) {
	mb, ts, t := r.mb, r.ts, &p.totals
	r.since(p.since)
	mb.RecordProcessCPUTimeDataPoint(ts, t.UserTime, p.PID, p.Created, p.Name, metadata.AttributeCPUModeUser)
	mb.RecordProcessCPUTimeDataPoint(ts, t.SystemTime, p.PID, p.Created, p.Name, metadata.AttributeCPUModeSystem)
	mb.RecordProcessMemoryUsageDataPoint(ts, p.Resident, p.PID, p.Created, p.Name)
	mb.RecordProcessMemoryVirtualDataPoint(ts, p.Virtual, p.PID, p.Created, p.Name)
	mb.RecordProcessThreadCountDataPoint(ts, p.Threads, p.PID, p.Created, p.Name)
	mb.RecordProcessPagingFaultsDataPoint(ts, t.MinorFaults, p.PID, p.Created, p.Name, metadata.AttributeSystemPagingFaultTypeMinor)
	mb.RecordProcessPagingFaultsDataPoint(ts, t.MajorFaults, p.PID, p.Created, p.Name, metadata.AttributeSystemPagingFaultTypeMajor)
	if p.Known.Has(process.KnowsSwitches) {
		mb.RecordProcessContextSwitchesDataPoint(ts, t.VoluntarySwitches, p.PID, p.Created, p.Name, metadata.AttributeProcessContextSwitchTypeVoluntary)
		mb.RecordProcessContextSwitchesDataPoint(ts, t.InvoluntarySwitches, p.PID, p.Created, p.Name, metadata.AttributeProcessContextSwitchTypeInvoluntary)
	}
	for _, w := range waitsOf(t) {
		if p.Known.Has(w.known) {
			mb.RecordRootcauseProcessWaitTimeDataPoint(ts, w.seconds, p.PID, p.Created, p.Name, w.kind)
		}
	}
	for _, n := range trafficOf(t) {
		if p.Known.Has(n.known) {
			mb.RecordProcessNetworkIoDataPoint(ts, n.bytes.Received, p.PID, p.Created, p.Name, metadata.AttributeNetworkIoDirectionReceive, n.transport)
			mb.RecordProcessNetworkIoDataPoint(ts, n.bytes.Transmitted, p.PID, p.Created, p.Name, metadata.AttributeNetworkIoDirectionTransmit, n.transport)
		}
	}
	if p.Known.Has(process.KnowsTCP) {
		mb.RecordRootcauseProcessTCPFlightDataPoint(ts, float64(t.Flight)/1000, p.PID, p.Created, p.Name)
	}
	if p.Known.Has(process.KnowsPaths) {
		mb.RecordRootcauseProcessTCPRetransmitsDataPoint(ts, t.Retransmits, p.PID, p.Created, p.Name)
	}
	if p.Known.Has(process.KnowsIO) {
		r.since(p.diskSince)
		mb.RecordProcessDiskIoDataPoint(ts, t.ReadBytes, p.PID, p.Created, p.Name, metadata.AttributeDiskIoDirectionRead)
		mb.RecordProcessDiskIoDataPoint(ts, t.WriteBytes, p.PID, p.Created, p.Name, metadata.AttributeDiskIoDirectionWrite)
	}
}

// rtt is that of a process that has connections, whatever the aggregation: it is
// a level, and tells of victims.
func (r recorder) rtt(p *process.Process) {
	if p.Known.Has(process.KnowsPaths) && p.Network.RTT > 0 {
		r.mb.RecordRootcauseProcessTCPRttDataPoint(r.ts, p.Network.RTT, p.PID, p.Created, p.Name)
	}
}

// workload records the counters of a workload.
func (r recorder) workload(w series) {
	mb, ts, t := r.mb, r.ts, &w.Totals
	name, kind, pid, cgroup := "other", metadata.AttributeRootcauseWorkloadTypeOther, int64(0), ""
	var options []metadata.MetricAttributeOption
	if w.of != nil {
		name, kind, pid, cgroup = w.of.Name, typeOf(w.of.Key), w.of.PID, w.of.Cgroup
		if w.of.Timer != "" {
			options = append(options, metadata.WithRootcauseWorkloadTimerMetricAttribute(w.of.Timer))
		}
		if w.of.Runtime != "" {
			options = append(options, metadata.WithRootcauseWorkloadRuntimeMetricAttribute(w.of.Runtime))
		}
	}
	r.since(w.Since)
	mb.RecordRootcauseWorkloadProcessCountDataPoint(ts, int64(w.Processes), name, kind, pid, cgroup, options...)
	mb.RecordRootcauseWorkloadCPUTimeDataPoint(ts, t.UserTime, name, kind, pid, metadata.AttributeCPUModeUser)
	mb.RecordRootcauseWorkloadCPUTimeDataPoint(ts, t.SystemTime, name, kind, pid, metadata.AttributeCPUModeSystem)
	mb.RecordRootcauseWorkloadMemoryResidentDataPoint(ts, w.Resident, name, kind, pid)
	mb.RecordRootcauseWorkloadPagingFaultsDataPoint(ts, t.MinorFaults, name, kind, pid, metadata.AttributeSystemPagingFaultTypeMinor)
	mb.RecordRootcauseWorkloadPagingFaultsDataPoint(ts, t.MajorFaults, name, kind, pid, metadata.AttributeSystemPagingFaultTypeMajor)
	if w.Known.Has(process.KnowsIO) {
		mb.RecordRootcauseWorkloadDiskIoDataPoint(ts, t.ReadBytes, name, kind, pid, metadata.AttributeDiskIoDirectionRead)
		mb.RecordRootcauseWorkloadDiskIoDataPoint(ts, t.WriteBytes, name, kind, pid, metadata.AttributeDiskIoDirectionWrite)
	}
	for _, wait := range waitsOf(t) {
		if w.Known.Has(wait.known) {
			mb.RecordRootcauseWorkloadWaitTimeDataPoint(ts, wait.seconds, name, kind, pid, wait.kind)
		}
	}
	for _, n := range trafficOf(t) {
		if w.Known.Has(n.known) {
			mb.RecordRootcauseWorkloadNetworkIoDataPoint(ts, n.bytes.Received, name, kind, pid, metadata.AttributeNetworkIoDirectionReceive, n.transport)
			mb.RecordRootcauseWorkloadNetworkIoDataPoint(ts, n.bytes.Transmitted, name, kind, pid, metadata.AttributeNetworkIoDirectionTransmit, n.transport)
		}
	}
	if w.Known.Has(process.KnowsTCP) {
		mb.RecordRootcauseWorkloadTCPFlightDataPoint(ts, float64(t.Flight)/1000, name, kind, pid)
	}
	if w.Known.Has(process.KnowsPaths) {
		mb.RecordRootcauseWorkloadTCPRetransmitsDataPoint(ts, t.Retransmits, name, kind, pid)
	}
}

// pressure records how long the tasks of a control group stalled.
func (r recorder) pressure(cgroup string, resource int, st stalled) {
	attr := [...]metadata.AttributeRootcausePressureResource{
		metadata.AttributeRootcausePressureResourceCPU,
		metadata.AttributeRootcausePressureResourceIo,
		metadata.AttributeRootcausePressureResourceMemory,
	}[resource]
	r.mb.RecordRootcausePressureStallTimeDataPoint(r.ts, float64(st.some)/1e6, attr, metadata.AttributeRootcausePressureLevelSome, cgroup)
	if st.hasFull {
		r.mb.RecordRootcausePressureStallTimeDataPoint(r.ts, float64(st.full)/1e6, attr, metadata.AttributeRootcausePressureLevelFull, cgroup)
	}
}

// paging records what a control group, or with an empty name the host, read again
// or swapped.
func (r recorder) paging(cgroup string, p paged) {
	if p.hasRefaults {
		r.mb.RecordRootcausePagingIoDataPoint(r.ts, p.refaults*pageSize, metadata.AttributeRootcausePagingTypeRefault, cgroup)
	}
	if p.hasSwap {
		r.mb.RecordRootcausePagingIoDataPoint(r.ts, p.swapIn*pageSize, metadata.AttributeRootcausePagingTypeSwapIn, cgroup)
		r.mb.RecordRootcausePagingIoDataPoint(r.ts, p.swapOut*pageSize, metadata.AttributeRootcausePagingTypeSwapOut, cgroup)
	}
}

// backend records that a server works for a client.
func (r recorder) backend(f relation) {
	r.mb.RecordRootcauseBackendDataPoint(r.ts, 1, f.server.PID, f.server.Created, f.server.Name,
		f.client.PID, f.client.Created, f.client.Name, f.shared)
}

// unattributed records what went over the links and belongs to nobody known.
func (r recorder) unattributed(rest traffic) {
	r.mb.RecordRootcauseNetworkUnattributedIoDataPoint(r.ts, rest.received, metadata.AttributeNetworkIoDirectionReceive)
	r.mb.RecordRootcauseNetworkUnattributedIoDataPoint(r.ts, rest.transmitted, metadata.AttributeNetworkIoDirectionTransmit)
}

// waited is a time of waiting and what has to be known for it.
type waited struct {
	kind    metadata.AttributeRootcauseWaitType
	known   process.Known
	seconds float64
}

func waitsOf(t *workload.Totals) [4]waited {
	return [...]waited{
		{metadata.AttributeRootcauseWaitTypeRunQueue, process.KnowsRunDelay, t.RunDelay},
		{metadata.AttributeRootcauseWaitTypeBlockIo, process.KnowsBlockDelay, t.BlockDelay},
		{metadata.AttributeRootcauseWaitTypeSwap, process.KnowsSwapDelay, t.SwapDelay},
		{metadata.AttributeRootcauseWaitTypeThrashing, process.KnowsThrashing, t.ThrashingDelay},
	}
}

// transported is the bytes of a transport and what has to be known for them.
type transported struct {
	transport metadata.AttributeNetworkTransport
	known     process.Known
	bytes     process.Traffic
}

func trafficOf(t *workload.Totals) [2]transported {
	return [...]transported{
		{metadata.AttributeNetworkTransportTCP, process.KnowsTCP, t.TCP},
		{metadata.AttributeNetworkTransportUDP, process.KnowsUDP, t.UDP},
	}
}

// typeOf is the kind of a workload as an attribute.
func typeOf(key workload.Key) metadata.AttributeRootcauseWorkloadType {
	if t, ok := metadata.MapAttributeRootcauseWorkloadType[string(key.Type)]; ok {
		return t
	}
	return metadata.AttributeRootcauseWorkloadTypeJob
}
