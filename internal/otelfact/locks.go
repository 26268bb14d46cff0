package otelfact

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otel-culprit/culprit/internal/fact"
)

// locksCell makes a Locks.
type locksCell struct {
	interval
	locks   fact.Locks
	touched time.Time

	last, before pcommon.Timestamp // readings of how many wait
	batch        int               // of the last one
}

func (c *locksCell) made() fact.Fact {
	f := c.locks
	f.At, f.Over = c.when(), c.over()
	return f
}

func (c *locksCell) empty() { c.locks = fact.Locks{Host: c.locks.Host, Service: c.locks.Service} }

// database names whose sessions they are: the service, or else the instance.
func (d *Decoder) database(res *resource) string {
	if res.service != "" {
		return res.service
	}
	for _, name := range []string{"mysql.instance.endpoint", "sqlserver.instance.name", "service.instance.id", "server.address"} {
		if instance := d.text(res.attrs, name); instance != "" {
			return instance
		}
	}
	return ""
}

func (d *Decoder) locks(h *host, database string) *locksCell {
	c := remember(d, h.databases, database)
	if c != nil {
		c.locks.Host, c.locks.Service, c.touched = h.name, database, d.now
	}
	return c
}

// lockSlot is where a counter goes, and what one of its units is.
type lockSlot struct {
	of   func(*fact.Locks) *float64
	unit float64
}

// lockCounter tells how to read a counter of lock waits.
type lockCounter struct {
	kind  string // the attribute that tells slots apart
	slots map[string]lockSlot
}

func (l lockCounter) of(d *Decoder, h *host, database string, m pmetric.Metric) {
	d.amounts(m, func(n number, attrs pcommon.Map) {
		kind := d.text(attrs, l.kind)
		if kind == "" {
			d.skip(MissingAttribute)
			return
		}
		slot, wanted := l.slots[kind]
		if !wanted {
			return
		}
		c := d.locks(h, database)
		if c == nil {
			return
		}
		d.touch(c, n.at)
		if amount, from, ok := d.grow(h, counterKey{m.Name(), database, kind}, n); ok {
			c.since(from)
			*slot.of(&c.locks) += amount * slot.unit
		}
	})
}

// sessions tells which points of a metric count which sessions: those with an
// attribute of a value, or all.
type sessions []struct {
	of          func(*fact.Locks) *float64
	name, value string
}

func waiting(f *fact.Locks) *float64 { return &f.Waiting }

func working(f *fact.Locks) *float64 { return &f.Sessions }

func (s sessions) read(d *Decoder, h *host, database string, m pmetric.Metric) {
	d.levels(m, func(n number, attrs pcommon.Map) {
		c := d.locks(h, database)
		if c == nil || !c.reads(n.at, d.batch) {
			return
		}
		d.touch(c, n.at)
		if c.before > 0 && c.before < n.at && n.at-c.before <= pcommon.Timestamp(maxInterval) {
			c.since(c.before)
		}
		for _, which := range s {
			if which.name == "" || d.text(attrs, which.name) == which.value {
				*which.of(&c.locks) += n.value
			}
		}
	})
}

// reads notes a reading of how many wait; it is false for one that was counted or
// overtaken. The points of one reading are in one batch.
func (c *locksCell) reads(at pcommon.Timestamp, batch int) bool {
	switch {
	case isLate(at, c.last):
		return false
	case at != c.last:
		c.before, c.last, c.batch = c.last, at, batch
		return true
	default:
		return c.batch == batch
	}
}
