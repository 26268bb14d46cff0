package otelfact

import (
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otel-culprit/culprit/internal/fact"
)

// filesystemCell makes a Filesystem of the points of its states.
type filesystemCell struct {
	interval
	now     fact.Filesystem
	states  [len(filesystemStates)]float64 // bytes
	known   [len(filesystemStates)]bool    // told by this scrape
	told    repeated
	said    fact.Filesystem
	touched time.Time
}

// filesystemStates together are the size of a file system; the first is what
// users without privilege may still write.
var filesystemStates = [...]string{"free", "used", "reserved"}

// made gives the fact if it is news, or was not said for long.
func (c *filesystemCell) made() fact.Fact {
	c.now.At, c.now.Size, c.now.Available = c.when(), 0, c.states[0]
	for _, size := range c.states {
		c.now.Size += size
	}
	news := c.now.Size != c.said.Size || c.now.Available != c.said.Available || c.now.Device != c.said.Device
	if !c.known[0] || !c.known[1] || !c.told.due(c.at, news) {
		return nil
	}
	c.said = c.now
	return c.now
}

func (c *filesystemCell) empty() {
	c.now = fact.Filesystem{}
	clear(c.states[:])
	clear(c.known[:])
}

// filesystem reads system.filesystem.usage. What cannot be written to cannot fill
// up either.
func (d *Decoder) filesystem(h *host, m pmetric.Metric) {
	d.levels(m, func(n number, attrs pcommon.Map) {
		mountpoint := d.either(attrs, "system.filesystem.mountpoint", "mountpoint")
		state := slices.Index(filesystemStates[:], d.either(attrs, "system.filesystem.state", "state"))
		if mountpoint == "" || state < 0 {
			d.skip(MissingAttribute)
			return
		}
		if d.either(attrs, "system.filesystem.mode", "mode") == "ro" {
			return
		}
		c := remember(d, h.filesystems, mountpoint)
		if c == nil {
			return
		}
		c.touched = d.now
		d.touch(c, n.at)
		c.since(n.at - 1) // a level has no interval
		c.now.Host, c.now.Mountpoint, c.now.Device = h.name, mountpoint, d.either(attrs, "system.device", "device")
		c.states[state], c.known[state] = n.value, true
	})
}
