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
	waitTypes      = map[string]use{"run_queue": runDelay, "block_io": blockDelay}
	faultTypes     = map[string]use{"major": majorFaults}
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
		read, known := hostMetrics[name]
		if !known {
			return
		}
		if h := d.host(res.host); h != nil {
			read(d, h, m)
		}
	}
}

// hostMetrics has a reader for each metric of hosts and their processes. Older
// attribute names of the host metrics receiver are understood; its process
// metrics are not, because their process.disk.io is not what reached the disk.
var hostMetrics = map[string]func(*Decoder, *host, pmetric.Metric){
	"process.uptime":       (*Decoder).processDescriptions,
	"process.memory.usage": (*Decoder).processMemory,
	"process.cpu.time": func(d *Decoder, h *host, m pmetric.Metric) {
		d.processAmounts(h, m, "cpu.mode", cpuModes)
	},
	"process.disk.io": func(d *Decoder, h *host, m pmetric.Metric) {
		d.processAmounts(h, m, "disk.io.direction", diskDirections)
	},
	"process.network.io": func(d *Decoder, h *host, m pmetric.Metric) {
		d.processAmounts(h, m, "network.io.direction", netDirections)
	},
	"process.paging.faults": func(d *Decoder, h *host, m pmetric.Metric) {
		d.processAmounts(h, m, "system.paging.fault.type", faultTypes)
	},
	"rootcause.process.wait.time": func(d *Decoder, h *host, m pmetric.Metric) {
		d.processAmounts(h, m, "rootcause.wait.type", waitTypes)
	},

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
	"rootcause.host.capability":     (*Decoder).capabilities,
}

func linkDrops(d *Decoder, h *host, m pmetric.Metric) {
	d.linkAmounts(h, m, func(link *fact.Link, _ string) *float64 { return &link.Drops })
}
