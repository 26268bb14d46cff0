package rootcause

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/otel-culprit/culprit/internal/fact"
)

// maxShared bounds what hosts can be said to share.
const maxShared = 256

// paging is what memory pressure cost a host or a control group, in bytes per
// second.
type paging struct {
	refaults, swapIn, swapOut series
	seen                      int64
}

// filesystem is how full a file system is.
type filesystem struct {
	mountpoint, device string
	size, free         float64 // bytes, as last told
	available          series  // bytes, of every tick
	seen               int64
	every              int64 // seconds between the last two times it was told
}

// locks is how sessions of a database waited for each other. The host or the
// service may be unknown.
type locks struct {
	host, service string
	waits         series // that began, per second
	time          series // seconds per second, summed over sessions
	waiting       series // sessions
	sessions      series // that work or wait; empty if not told
	seen          int64
}

func (h *host) pages(f fact.Paging) error {
	p := h.paging[f.Cgroup]
	if p == nil {
		if len(h.paging) >= maxDevices {
			return fmt.Errorf("control groups of %s: %w to %d", h.name, ErrBound, maxDevices)
		}
		p = new(paging)
		h.paging[f.Cgroup] = p
	}
	end, over := seconds(f.At), f.Over.Seconds()
	p.refaults.spread(end, over, f.Refaults)
	p.swapIn.spread(end, over, f.SwapIn)
	p.swapOut.spread(end, over, f.SwapOut)
	p.seen = max(p.seen, f.At.Unix())
	h.hear(f.At.Unix(), over)
	return nil
}

func (h *host) fills(f fact.Filesystem) error {
	if !isLevel(f.Size) || !isLevel(f.Available) {
		return nil
	}
	i := slices.IndexFunc(h.filesystems, func(s *filesystem) bool { return s.mountpoint == f.Mountpoint })
	if i < 0 {
		if len(h.filesystems) >= maxDevices {
			return fmt.Errorf("file systems of %s: %w to %d", h.name, ErrBound, maxDevices)
		}
		i = len(h.filesystems)
		h.filesystems = append(h.filesystems, &filesystem{mountpoint: f.Mountpoint})
	}
	s := h.filesystems[i]
	if f.At.Unix() < s.seen {
		return nil // overtaken on its way
	}
	if s.seen > 0 {
		s.every = min(f.At.Unix()-s.seen, window)
	}
	s.device, s.size, s.free, s.seen = f.Device, f.Size, f.Available, f.At.Unix()
	h.hear(s.seen, 0)
	return nil
}

func isLevel(x float64) bool { return x >= 0 && x < absurd }

func (e *Engine) locked(f fact.Locks) error {
	i := slices.IndexFunc(e.locks, func(l *locks) bool { return l.host == f.Host && l.service == f.Service })
	if i < 0 {
		if len(e.locks) >= e.p.MaxHosts {
			return fmt.Errorf("databases with locks: %w to %d", ErrBound, e.p.MaxHosts)
		}
		i = len(e.locks)
		e.locks = append(e.locks, &locks{host: f.Host, service: f.Service})
	}
	l := e.locks[i]
	end, over := seconds(f.At), f.Over.Seconds()
	l.waits.spread(end, over, f.Waits)
	l.time.spread(end, over, f.Time)
	last := f.At.Unix()
	first := last - int64(math.Ceil(min(max(over, 1), window))) + 1
	for second := first; second <= last; second++ {
		if isLevel(f.Waiting) {
			l.waiting.hold(second, f.Waiting)
		}
		if isLevel(f.Sessions) && f.Sessions > 0 {
			l.sessions.hold(second, f.Sessions)
		}
	}
	l.seen = max(l.seen, f.At.Unix())
	return nil
}

func (e *Engine) share(f fact.Shared) error {
	if f.Resource != "disk" && f.Resource != "network" {
		return nil
	}
	i := slices.IndexFunc(e.shared, func(s fact.Shared) bool { return s.Name == f.Name })
	if i < 0 {
		if len(e.shared) >= maxShared {
			return fmt.Errorf("things that hosts share: %w to %d", ErrBound, maxShared)
		}
		i = len(e.shared)
		e.shared = append(e.shared, f)
	}
	e.shared[i] = f
	return nil
}

// rememberLevels writes down how much room the file systems have; it is told
// more seldom than every second.
func (h *host) rememberLevels(second int64) {
	for _, s := range h.filesystems {
		s.available.hold(second, s.free)
	}
}

// forgetLevels drops what was not told since a time.
func (h *host) forgetLevels(since int64) {
	maps.DeleteFunc(h.paging, func(_ string, p *paging) bool { return p.seen < since })
	h.filesystems = slices.DeleteFunc(h.filesystems, func(s *filesystem) bool { return s.seen < since })
}
