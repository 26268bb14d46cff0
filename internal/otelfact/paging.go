package otelfact

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otel-culprit/culprit/internal/fact"
)

// pagingCell makes a Paging.
type pagingCell struct {
	interval
	paging  fact.Paging
	inBytes bool // rootcause.paging.io tells of it
	touched time.Time
}

func (c *pagingCell) made() fact.Fact {
	f := c.paging
	f.At, f.Over = c.when(), c.over()
	return f
}

func (c *pagingCell) empty() { c.paging = fact.Paging{Host: c.paging.Host, Cgroup: c.paging.Cgroup} }

func (d *Decoder) pagingOf(h *host, cgroup string) *pagingCell {
	c := remember(d, h.pagings, cgroup)
	if c != nil {
		c.paging.Host, c.paging.Cgroup, c.touched = h.name, cgroup, d.now
	}
	return c
}

// paging reads rootcause.paging.io, of the host or of a cgroup.
func (d *Decoder) paging(h *host, m pmetric.Metric) {
	d.amounts(m, func(n number, attrs pcommon.Map) {
		kind := d.text(attrs, "rootcause.paging.type")
		cgroup := d.text(attrs, "process.linux.cgroup")
		c := d.pagingOf(h, cgroup)
		if c == nil {
			return
		}
		var sum *float64
		switch kind {
		case "refault":
			sum = &c.paging.Refaults
		case "swap_in":
			sum = &c.paging.SwapIn
		case "swap_out":
			sum = &c.paging.SwapOut
		default:
			d.skip(MissingAttribute)
			return
		}
		c.inBytes = true
		d.touch(c, n.at)
		if amount, from, ok := d.grow(h, counterKey{m.Name(), cgroup, kind}, n); ok {
			c.since(from)
			*sum += amount
		}
	})
}

// swapping reads system.paging.operations of the host metrics receiver, which
// counts bytes under this name; its minor operations are all that was read from
// disks, not swap. The standard form counts pages, whose size nobody knows here:
// the procfs receiver tells the same as rootcause.paging.io.
func (d *Decoder) swapping(h *host, m pmetric.Metric) {
	d.amounts(m, func(n number, attrs pcommon.Map) {
		if _, standard := attrs.Get("system.paging.direction"); standard {
			return
		}
		direction, kind := d.text(attrs, "direction"), d.text(attrs, "type")
		if direction != "page_in" && direction != "page_out" || kind == "" {
			d.skip(MissingAttribute)
			return
		}
		if kind != "major" {
			return
		}
		c := d.pagingOf(h, "")
		if c == nil || c.inBytes {
			return
		}
		sum := &c.paging.SwapIn
		if direction == "page_out" {
			sum = &c.paging.SwapOut
		}
		d.touch(c, n.at)
		if amount, from, ok := d.grow(h, counterKey{m.Name(), "", direction}, n); ok {
			c.since(from)
			*sum += amount
		}
	})
}
