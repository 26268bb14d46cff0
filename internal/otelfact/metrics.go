package otelfact

import (
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otel-culprit/culprit/internal/fact"
)

// The values of attributes that say what a counter of processes counts.
var (
	cpuModes       = map[string]use{"user": userCPU, "system": systemCPU}
	diskDirections = map[string]use{"read": diskRead, "write": diskWrite}
	netDirections  = map[string]use{"receive": networkReceive, "transmit": networkTransmit}
	waitTypes      = map[string]use{"run_queue": runDelay, "block_io": blockDelay, "swap": swapDelay, "thrashing": thrashingDelay}
	faultTypes     = map[string]use{"major": majorFaults}
	resent         = map[string]use{"": retransmits}
	underWay       = map[string]use{"": flight}
)

// metric reads one metric, if it is one that tells something.
func (d *Decoder) metric(res *resource, scope string, m pmetric.Metric) {
	switch name := m.Name(); name {
	case "http.server.request.duration", "http.client.request.duration", "rootcause.probe.unfinished.age":
		d.latency(res, scope, m)
	default:
		if d.latencyMetrics[name] {
			d.latency(res, scope, m)
			return
		}
		if read, known := hostMetrics[name]; known {
			if h := d.host(res.host); h != nil {
				read(d, h, m)
			}
		} else if read, known := lockMetrics[name]; known {
			if h := d.host(res.host); h != nil {
				read(d, h, d.database(res), m)
			}
		}
	}
}

// hostMetrics has a reader for each metric of hosts and their processes. Older
// attribute names of the host metrics receiver are understood; its process
// metrics are not, because their process.disk.io is not what reached the disk.
var hostMetrics = map[string]func(*Decoder, *host, pmetric.Metric){
	"process.uptime": (*Decoder).processDescriptions,
	"process.memory.usage": func(d *Decoder, h *host, m pmetric.Metric) {
		d.resident(h, m, (*Decoder).processPoint)
	},
	"process.cpu.time":            counted{(*Decoder).processPoint, "cpu.mode", cpuModes}.of,
	"process.disk.io":             counted{(*Decoder).processPoint, "disk.io.direction", diskDirections}.of,
	"process.network.io":          counted{(*Decoder).processPoint, "network.io.direction", netDirections}.of,
	"process.paging.faults":       counted{(*Decoder).processPoint, "system.paging.fault.type", faultTypes}.of,
	"rootcause.process.wait.time": counted{(*Decoder).processPoint, "rootcause.wait.type", waitTypes}.of,

	"rootcause.process.tcp.retransmits": counted{(*Decoder).processPoint, "", resent}.of,
	"rootcause.process.tcp.flight":      counted{(*Decoder).processPoint, "", underWay}.of,

	"rootcause.backend": (*Decoder).backend,

	"rootcause.workload.memory.resident": func(d *Decoder, h *host, m pmetric.Metric) {
		d.resident(h, m, (*Decoder).workloadPoint)
	},
	"rootcause.workload.cpu.time":      counted{(*Decoder).workloadPoint, "cpu.mode", cpuModes}.of,
	"rootcause.workload.disk.io":       counted{(*Decoder).workloadPoint, "disk.io.direction", diskDirections}.of,
	"rootcause.workload.network.io":    counted{(*Decoder).workloadPoint, "network.io.direction", netDirections}.of,
	"rootcause.workload.paging.faults": counted{(*Decoder).workloadPoint, "system.paging.fault.type", faultTypes}.of,
	"rootcause.workload.wait.time":     counted{(*Decoder).workloadPoint, "rootcause.wait.type", waitTypes}.of,

	"rootcause.workload.tcp.retransmits": counted{(*Decoder).workloadPoint, "", resent}.of,
	"rootcause.workload.tcp.flight":      counted{(*Decoder).workloadPoint, "", underWay}.of,

	"system.cpu.time":          (*Decoder).cpuTime,
	"system.cpu.logical.count": (*Decoder).cpuCount,
	"system.disk.io": func(d *Decoder, h *host, m pmetric.Metric) {
		d.diskAmounts(h, m, func(disk *fact.Disk, direction string) *float64 {
			return byDirection(direction, &disk.ReadBytes, &disk.WriteBytes)
		})
	},
	"system.disk.operations": func(d *Decoder, h *host, m pmetric.Metric) {
		d.diskAmounts(h, m, func(disk *fact.Disk, direction string) *float64 {
			return byDirection(direction, &disk.Reads, &disk.Writes)
		})
	},
	"system.disk.operation_time": func(d *Decoder, h *host, m pmetric.Metric) {
		d.diskAmounts(h, m, func(disk *fact.Disk, direction string) *float64 {
			return byDirection(direction, &disk.OpTime, &disk.OpTime)
		})
	},
	"system.disk.io_time": func(d *Decoder, h *host, m pmetric.Metric) {
		d.diskAmounts(h, m, func(disk *fact.Disk, _ string) *float64 { return &disk.BusyTime })
	},
	"system.disk.pending_operations": (*Decoder).diskPending,
	"system.network.io": func(d *Decoder, h *host, m pmetric.Metric) {
		d.linkAmounts(h, m, func(link *fact.Link, direction string) *float64 {
			return byDirection(direction, &link.Received, &link.Transmitted)
		})
	},
	"system.network.errors": func(d *Decoder, h *host, m pmetric.Metric) {
		d.linkAmounts(h, m, func(link *fact.Link, _ string) *float64 { return &link.Errors })
	},
	"system.network.packet.dropped": linkDrops,
	"system.network.dropped":        linkDrops,
	"hw.network.bandwidth.limit":    (*Decoder).linkSpeed,
	"rootcause.pressure.stall.time": (*Decoder).pressure,
	"rootcause.paging.io":           (*Decoder).paging,
	"system.paging.operations":      (*Decoder).swapping,
	"system.filesystem.usage":       (*Decoder).filesystem,
	"rootcause.host.capability":     (*Decoder).capabilities,
	"rootcause.disk.info":           (*Decoder).diskInfo,
}

// lockMetrics has a reader for each metric of databases that tells how their
// sessions wait for each other.
var lockMetrics = map[string]func(*Decoder, *host, string, pmetric.Metric){
	// MySQL receiver: locks of InnoDB rows, their time in milliseconds, and locks
	// of tables.
	"mysql.row_locks": lockCounter{"kind", map[string]lockSlot{
		"waits": {func(f *fact.Locks) *float64 { return &f.Waits }, 1},
		"time":  {func(f *fact.Locks) *float64 { return &f.Time }, 1e-3},
	}}.of,
	"mysql.locks": lockCounter{"kind", map[string]lockSlot{
		"waited": {func(f *fact.Locks) *float64 { return &f.Waits }, 1},
	}}.of,
	"mysql.threads": sessions{{working, "kind", "running"}}.read,
	// SQL Server receiver.
	"sqlserver.processes.blocked": sessions{{of: waiting}}.read,
	// postgres_exporter, scraped by the Prometheus receiver.
	"pg_stat_activity_count": sessions{{waiting, "wait_event_type", "Lock"}, {working, "state", "active"}}.read,
	// What the SQL query receiver is told to count.
	"rootcause.database.lock.waiting": sessions{{of: waiting}}.read,
}

func linkDrops(d *Decoder, h *host, m pmetric.Metric) {
	d.linkAmounts(h, m, func(link *fact.Link, _ string) *float64 { return &link.Drops })
}
