package otelfact

import (
	"math"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otel-culprit/culprit/internal/fact"
)

// processKey identifies a process on its host, or a workload, as the data does.
type processKey struct {
	pid      int64
	created  string
	workload fact.Workload
}

// use is a counter of a process.
type use uint8

const (
	userCPU use = iota
	systemCPU
	diskRead
	diskWrite
	networkReceive
	networkTransmit
	udpReceive
	udpTransmit
	runDelay
	blockDelay
	majorFaults
	swapDelay
	thrashingDelay
	retransmits
	flight
	numUses
)

// A command line is kept up to these bounds: what follows tells nothing new.
const (
	maxArgs     = 256
	maxArgBytes = 16 << 10
)

// resourceOf says what a counter counts.
var resourceOf = [numUses]fact.Resource{
	userCPU: fact.CPU, systemCPU: fact.CPU, diskRead: fact.DiskRead, diskWrite: fact.DiskWrite,
	networkReceive: fact.NetworkReceive, networkTransmit: fact.NetworkTransmit,
	udpReceive: fact.NetworkReceive, udpTransmit: fact.NetworkTransmit,
	runDelay: fact.RunDelay, blockDelay: fact.BlockDelay, majorFaults: fact.MajorFaults,
	swapDelay: fact.SwapDelay, thrashingDelay: fact.ThrashingDelay, retransmits: fact.Retransmits, flight: fact.Flight,
}

// process is what is remembered of a process or a workload, and the cell of its
// Use.
type process struct {
	interval
	identity  fact.Process
	workload  fact.Workload // zero for a process
	counters  [numUses]counter
	amounts   fact.Amounts
	described fact.Described
	told      repeated
	scrape    int // of the host, when it was last seen
}

func (p *process) made() fact.Fact {
	return fact.Use{At: p.when(), Over: p.over(), Process: p.identity, Workload: p.workload, Amounts: p.amounts}
}

func (p *process) empty() { p.amounts = fact.Unknown() }

// processPoint is what identifies a point of a process, and what it counts.
type processPoint struct {
	processKey
	kind      string // cpu.mode, direction, fault type or wait type
	transport string // of network bytes: tcp or udp; empty for all
}

// identify reads from the attributes of a point whose it is.
type identify func(d *Decoder, attrs pcommon.Map, kind string) (processPoint, bool)

// processPoint reads the attributes in one pass, because there are many points.
func (d *Decoder) processPoint(attrs pcommon.Map, kind string) (p processPoint, ok bool) {
	for name, v := range attrs.All() {
		switch name {
		case "process.pid":
			if v.Type() == pcommon.ValueTypeInt {
				p.pid = v.Int()
			}
		case "process.creation.time":
			if v.Type() == pcommon.ValueTypeStr {
				p.created = v.Str()
			}
		case "network.transport":
			p.transport = v.Str()
		case kind:
			p.kind = v.Str()
		}
	}
	if p.pid <= 0 || p.created == "" {
		d.skip(MissingAttribute)
		return p, false
	}
	return p, true
}

// workloadPoint reads the attributes of a point of a workload.
func (d *Decoder) workloadPoint(attrs pcommon.Map, kind string) (p processPoint, ok bool) {
	for name, v := range attrs.All() {
		switch name {
		case "network.transport":
			p.transport = v.Str()
		case kind:
			p.kind = v.Str()
		default:
			readWorkload(&p.workload, name, v)
		}
	}
	if p.workload.Type == "" || p.workload.Name == "" {
		d.skip(MissingAttribute)
		return p, false
	}
	return p, true
}

// readWorkload takes an attribute if it is one that identifies a workload.
func readWorkload(w *fact.Workload, name string, v pcommon.Value) {
	switch name {
	case "rootcause.workload":
		w.Name = legible(v.Str(), maxName)
	case "rootcause.workload.type":
		w.Type = legible(v.Str(), maxName)
	case "rootcause.workload.pid":
		w.PID = max(0, v.Int())
	}
}

// process finds the process of a point; nil if there is no room or its creation
// time cannot be read.
func (d *Decoder) process(h *host, key processKey, at pcommon.Timestamp) *process {
	p, known := h.processes[key]
	if !known {
		var start int64
		if key.workload == (fact.Workload{}) {
			var ok bool
			if start, ok = milliseconds(key.created); !ok {
				d.skip(WrongType)
				return nil
			}
		}
		if !d.room() {
			return nil
		}
		p = &process{
			identity: fact.Process{Host: h.name, PID: key.pid, Start: start}, workload: key.workload, amounts: fact.Unknown(),
		}
		h.processes[key] = p
	}
	h.scraped(d.batch, at)
	p.scrape = h.scrapes
	return p
}

// scraped notes that processes were read.
func (h *host) scraped(batch int, at pcommon.Timestamp) {
	if h.scrapeBatch != batch {
		h.scrapeBatch = batch
		h.scrapes++
	}
	if at != h.scrapeAt && !isLate(at, h.scrapeAt) {
		h.scrapeBefore, h.scrapeAt = h.scrapeAt, at
	}
}

// forgetProcesses drops the processes that have been gone for some scrapes.
func (d *Decoder) forgetProcesses(h *host) {
	if h.scrapeBatch != d.batch || h.scrapes%keepScrapes != 0 {
		return
	}
	for key, p := range h.processes {
		if h.scrapes-p.scrape >= keepScrapes {
			delete(h.processes, key)
			d.states--
		}
	}
}

// counted tells how to read a counter of processes or workloads.
type counted struct {
	whose identify
	kind  string // the attribute that tells apart what uses names
	uses  map[string]use
}

func (c counted) of(d *Decoder, h *host, m pmetric.Metric) {
	d.amounts(m, func(n number, attrs pcommon.Map) {
		point, ok := c.whose(d, attrs, c.kind)
		if !ok {
			return
		}
		which, wanted := c.uses[point.kind]
		if !wanted {
			return
		}
		if point.transport == "udp" { // a counter of its own
			which += udpReceive - networkReceive
		}
		p := d.process(h, point.processKey, n.at)
		if p == nil {
			return
		}
		d.touch(p, n.at)
		amount, from, ok := p.counters[which].increase(n, h.scrapeBefore)
		if !ok {
			return
		}
		p.since(from)
		sum := &p.amounts[resourceOf[which]]
		if math.IsNaN(*sum) { // not known yet
			*sum = 0
		}
		*sum += amount
	})
}

// resident reads the resident memory of processes or workloads.
func (d *Decoder) resident(h *host, m pmetric.Metric, whose identify) {
	d.levels(m, func(n number, attrs pcommon.Map) {
		point, ok := whose(d, attrs, "")
		if !ok {
			return
		}
		if p := d.process(h, point.processKey, n.at); p != nil {
			d.touch(p, n.at)
			p.amounts[fact.Memory] = n.value
		}
	})
}

// processDescriptions reads what the points of process.uptime say about
// processes.
func (d *Decoder) processDescriptions(h *host, m pmetric.Metric) {
	d.levels(m, func(n number, attrs pcommon.Map) {
		point, ok := d.processPoint(attrs, "")
		if !ok {
			return
		}
		p := d.process(h, point.processKey, n.at)
		if p == nil {
			return
		}
		d.touch(p, n.at) // a sign of life, if nothing else is told of it
		p.since(h.scrapeBefore)
		told := describe(p.identity, attrs)
		changed := !sameDescription(told, p.described)
		if !p.told.due(n.at, changed) {
			return
		}
		told.At = n.at.AsTime()
		p.described = told
		d.out = append(d.out, told)
	})
}

// backend reads which servers work for which clients. A backend that works for
// one client only is in the workload of that client already.
func (d *Decoder) backend(h *host, m pmetric.Metric) {
	d.levels(m, func(n number, attrs pcommon.Map) {
		point, ok := d.processPoint(attrs, "")
		if !ok {
			return
		}
		if shared, ok := attrs.Get("rootcause.backend.shared"); !ok || !shared.Bool() {
			return
		}
		client := fact.Process{Host: h.name}
		if pid, ok := attrs.Get("rootcause.backend.client.pid"); ok {
			client.PID = pid.Int()
		}
		server := fact.Process{Host: h.name, PID: point.pid}
		var known, clientKnown bool
		server.Start, known = milliseconds(point.created)
		client.Start, clientKnown = milliseconds(d.text(attrs, "rootcause.backend.client.creation.time"))
		if client.PID <= 0 || !known || !clientKnown {
			d.skip(MissingAttribute)
			return
		}
		d.out = append(d.out, fact.WorksFor{At: n.at.AsTime(), Server: server, Client: client})
	})
}

// describe gives a description without its time.
func describe(identity fact.Process, attrs pcommon.Map) fact.Described {
	told := fact.Described{Process: identity}
	for name, v := range attrs.All() {
		switch name {
		case "process.parent_pid":
			told.Parent = v.Int()
		case "process.group_leader.pid":
			told.Group = v.Int()
		case "process.session_leader.pid":
			told.Session = v.Int()
		case "process.executable.name":
			told.Command = legible(v.Str(), maxName)
		case "process.executable.path":
			told.Executable = legible(v.Str(), maxName)
		case "process.linux.cgroup":
			told.Cgroup = legible(v.Str(), maxName)
		case "rootcause.process.cpus_allowed":
			told.CPUs = legible(v.Str(), maxName)
		case "rootcause.process.nice":
			told.Nice = int(v.Int())
		case "process.command_args":
			if v.Type() == pcommon.ValueTypeSlice {
				told.Args = arguments(v.Slice())
			}
		default:
			readWorkload(&told.Workload, name, v)
		}
	}
	return told
}

// arguments gives the first arguments of a command line.
func arguments(all pcommon.Slice) []string {
	args := make([]string, 0, min(all.Len(), maxArgs))
	room := maxArgBytes
	for _, v := range all.All() {
		if len(args) == maxArgs || room == 0 {
			break
		}
		arg := legible(v.Str(), room)
		room -= len(arg)
		args = append(args, arg)
	}
	return args
}

// sameDescription compares all but the time.
func sameDescription(a, b fact.Described) bool {
	return a.Process == b.Process && a.Parent == b.Parent && a.Group == b.Group && a.Session == b.Session &&
		a.Command == b.Command && a.Executable == b.Executable && a.Cgroup == b.Cgroup && a.CPUs == b.CPUs && a.Nice == b.Nice &&
		a.Workload == b.Workload && slices.Equal(a.Args, b.Args)
}
