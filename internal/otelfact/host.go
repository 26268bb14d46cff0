package otelfact

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otel-culprit/culprit/internal/fact"
)

// host is what is remembered of a host.
type host struct {
	name    string
	touched time.Time

	processes              map[processKey]*process
	scrapes                int // of processes
	scrapeBatch            int
	scrapeAt, scrapeBefore pcommon.Timestamp

	cpu       cpuCell
	disks     map[string]*diskCell
	links     map[string]*linkCell
	pressures map[stalled]*pressureCell
	pagings   map[string]*pagingCell // by cgroup
	databases map[string]*locksCell

	filesystems  map[string]*filesystemCell // by mount point
	counters     map[counterKey]*hostCounter
	capabilities map[string]*capability
}

// counterKey identifies a counter of a host.
type counterKey struct {
	metric string
	thing  string // device, interface, CPU or cgroup
	kind   string // mode, direction or level
}

// host finds the host of a resource; nil if there is no room.
func (d *Decoder) host(name string) *host {
	h, known := d.hosts[name]
	if !known {
		if !d.room() {
			return nil
		}
		h = &host{
			name:         name,
			processes:    map[processKey]*process{},
			cpu:          cpuCell{host: name, cpus: map[string]bool{}},
			disks:        map[string]*diskCell{},
			links:        map[string]*linkCell{},
			pressures:    map[stalled]*pressureCell{},
			pagings:      map[string]*pagingCell{},
			databases:    map[string]*locksCell{},
			filesystems:  map[string]*filesystemCell{},
			counters:     map[counterKey]*hostCounter{},
			capabilities: map[string]*capability{},
		}
		d.hosts[name] = h
	}
	h.touched = d.now
	return h
}

// hostCounter is a counter of a host.
type hostCounter struct {
	counter
	touched time.Time
}

// grow gives what a counter of a host counted since its last reading.
func (d *Decoder) grow(h *host, key counterKey, n number) (amount float64, from pcommon.Timestamp, ok bool) {
	c := remember(d, h.counters, key)
	if c == nil {
		return 0, 0, false
	}
	c.touched = d.now
	return c.increase(n, 0)
}

// cpuCell makes a CPUTime.
type cpuCell struct {
	interval
	host                string
	busy, iowait, steal float64
	cores               int             // as told
	cpus                map[string]bool // as seen in this scrape
}

func (c *cpuCell) made() fact.Fact {
	cores := c.cores
	if cores == 0 {
		cores = len(c.cpus)
	}
	return fact.CPUTime{At: c.when(), Over: c.over(), Host: c.host, Busy: c.busy, IOWait: c.iowait, Steal: c.steal, Cores: cores}
}

func (c *cpuCell) empty() {
	c.busy, c.iowait, c.steal = 0, 0, 0
	clear(c.cpus)
}

// cpuTime reads system.cpu.time, of each CPU or of all.
func (d *Decoder) cpuTime(h *host, m pmetric.Metric) {
	d.amounts(m, func(n number, attrs pcommon.Map) {
		mode := d.either(attrs, "cpu.mode", "state")
		var sum *float64
		switch mode {
		case "user", "nice", "system", "interrupt", "softirq", "kernel":
			sum = &h.cpu.busy
		case "iowait", "wait":
			sum = &h.cpu.iowait
		case "steal":
			sum = &h.cpu.steal
		case "":
			d.skip(MissingAttribute)
			return
		default:
			return
		}
		cpu := d.cpuName(attrs)
		d.touch(&h.cpu, n.at)
		if cpu != "" && len(h.cpu.cpus) < maxCPUs {
			h.cpu.cpus[cpu] = true
		}
		if amount, from, ok := d.grow(h, counterKey{m.Name(), cpu, mode}, n); ok {
			h.cpu.since(from)
			*sum += amount
		}
	})
}

// maxCPUs is more than any kernel has.
const maxCPUs = 8192

// cpuName tells CPUs apart; it is empty for a sum over all.
func (d *Decoder) cpuName(attrs pcommon.Map) string {
	for _, name := range []string{"cpu.logical_number", "cpu"} {
		if v, found := attrs.Get(name); found {
			return legible(v.AsString(), maxName)
		}
	}
	return ""
}

// cpuCount reads system.cpu.logical.count.
func (d *Decoder) cpuCount(h *host, m pmetric.Metric) {
	d.levels(m, func(n number, _ pcommon.Map) {
		if n.value <= maxCPUs {
			h.cpu.cores = int(n.value)
		}
	})
}

// diskCell makes a Disk.
type diskCell struct {
	interval
	disk    fact.Disk
	touched time.Time
}

func (c *diskCell) made() fact.Fact {
	f := c.disk
	f.At, f.Over = c.when(), c.over()
	return f
}

func (c *diskCell) empty() {
	c.disk = fact.Disk{Host: c.disk.Host, Device: c.disk.Device, Number: c.disk.Number, Scheduler: c.disk.Scheduler}
}

func (d *Decoder) disk(h *host, attrs pcommon.Map) *diskCell {
	device := d.either(attrs, "system.device", "device")
	if device == "" {
		d.skip(MissingAttribute)
		return nil
	}
	c := remember(d, h.disks, device)
	if c != nil {
		c.disk.Host, c.disk.Device, c.touched = h.name, device, d.now
	}
	return c
}

// diskAmounts reads a counter of disks; slot says where it goes, nil if nowhere.
func (d *Decoder) diskAmounts(h *host, m pmetric.Metric, slot func(disk *fact.Disk, direction string) *float64) {
	d.amounts(m, func(n number, attrs pcommon.Map) {
		c := d.disk(h, attrs)
		if c == nil {
			return
		}
		direction := d.either(attrs, "disk.io.direction", "direction")
		sum := slot(&c.disk, direction)
		if sum == nil {
			d.skip(MissingAttribute)
			return
		}
		d.touch(c, n.at)
		if amount, from, ok := d.grow(h, counterKey{m.Name(), c.disk.Device, direction}, n); ok {
			c.since(from)
			*sum += amount
		}
	})
}

// byDirection chooses between what is read and what is written.
func byDirection(direction string, read, write *float64) *float64 {
	switch direction {
	case "read", "receive":
		return read
	case "write", "transmit":
		return write
	default:
		return nil
	}
}

// diskPending reads system.disk.pending_operations.
func (d *Decoder) diskPending(h *host, m pmetric.Metric) {
	d.levels(m, func(n number, attrs pcommon.Map) {
		if c := d.disk(h, attrs); c != nil {
			d.touch(c, n.at)
			c.disk.InFlight = n.value
		}
	})
}

// diskInfo reads rootcause.disk.info; it is kept until the next reading.
func (d *Decoder) diskInfo(h *host, m pmetric.Metric) {
	d.levels(m, func(_ number, attrs pcommon.Map) {
		if c := d.disk(h, attrs); c != nil {
			c.disk.Number, c.disk.Scheduler = d.text(attrs, "rootcause.disk.number"), d.text(attrs, "rootcause.disk.scheduler")
		}
	})
}

// linkCell makes a Link.
type linkCell struct {
	interval
	link    fact.Link
	touched time.Time
}

func (c *linkCell) made() fact.Fact {
	f := c.link
	f.At, f.Over = c.when(), c.over()
	return f
}

func (c *linkCell) empty() {
	c.link = fact.Link{Host: c.link.Host, Interface: c.link.Interface, Speed: c.link.Speed}
}

func (d *Decoder) link(h *host, attrs pcommon.Map) *linkCell {
	name := d.either(attrs, "network.interface.name", "device")
	if name == "" {
		d.skip(MissingAttribute)
		return nil
	}
	c := remember(d, h.links, name)
	if c != nil {
		c.link.Host, c.link.Interface, c.touched = h.name, name, d.now
	}
	return c
}

// linkAmounts reads a counter of network interfaces.
func (d *Decoder) linkAmounts(h *host, m pmetric.Metric, slot func(link *fact.Link, direction string) *float64) {
	d.amounts(m, func(n number, attrs pcommon.Map) {
		c := d.link(h, attrs)
		if c == nil {
			return
		}
		direction := d.either(attrs, "network.io.direction", "direction")
		sum := slot(&c.link, direction)
		if sum == nil {
			d.skip(MissingAttribute)
			return
		}
		d.touch(c, n.at)
		if amount, from, ok := d.grow(h, counterKey{m.Name(), c.link.Interface, direction}, n); ok {
			c.since(from)
			*sum += amount
		}
	})
}

// linkSpeed reads hw.network.bandwidth.limit; it is kept until the next reading.
func (d *Decoder) linkSpeed(h *host, m pmetric.Metric) {
	d.levels(m, func(n number, attrs pcommon.Map) {
		if c := d.link(h, attrs); c != nil {
			c.link.Speed = n.value
		}
	})
}

// stalled is what a pressure is of.
type stalled struct {
	cgroup, resource string
}

// pressureCell makes a Pressure.
type pressureCell struct {
	interval
	pressure fact.Pressure
	touched  time.Time
}

func (c *pressureCell) made() fact.Fact {
	f := c.pressure
	f.At, f.Over = c.when(), c.over()
	return f
}

func (c *pressureCell) empty() { c.pressure.Some, c.pressure.Full = 0, 0 }

// pressure reads rootcause.pressure.stall.time, of the host or of a cgroup.
func (d *Decoder) pressure(h *host, m pmetric.Metric) {
	d.amounts(m, func(n number, attrs pcommon.Map) {
		what := stalled{d.text(attrs, "process.linux.cgroup"), d.text(attrs, "rootcause.pressure.resource")}
		level := d.text(attrs, "rootcause.pressure.level")
		if what.resource == "" || (level != "some" && level != "full") {
			d.skip(MissingAttribute)
			return
		}
		c := remember(d, h.pressures, what)
		if c == nil {
			return
		}
		c.pressure.Host, c.pressure.Cgroup, c.pressure.Resource, c.touched = h.name, what.cgroup, what.resource, d.now
		d.touch(c, n.at)
		amount, from, ok := d.grow(h, counterKey{m.Name(), what.cgroup + "\x00" + what.resource, level}, n)
		if !ok {
			return
		}
		c.since(from)
		if level == "some" {
			c.pressure.Some += amount
		} else {
			c.pressure.Full += amount
		}
	})
}

// capability is what was last said of a capability.
type capability struct {
	repeated
	present bool
}

// capabilities reads rootcause.host.capability.
func (d *Decoder) capabilities(h *host, m pmetric.Metric) {
	d.levels(m, func(n number, attrs pcommon.Map) {
		name := d.text(attrs, "rootcause.capability")
		if name == "" {
			d.skip(MissingAttribute)
			return
		}
		c := remember(d, h.capabilities, name)
		if c == nil {
			return
		}
		c.touched = d.now
		present := n.value > 0
		if c.due(n.at, present != c.present) {
			c.present = present
			d.out = append(d.out, fact.Capability{At: n.at.AsTime(), Host: h.name, Name: name, Present: present})
		}
	})
}
