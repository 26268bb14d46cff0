package backup

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"
)

// Tracker keeps the windows of the backups that are active or ended a short
// while ago. Its zero value is not useful; see NewTracker.
type Tracker struct {
	grace, keep time.Duration
	active      []entry // in the order in which they were opened
	ended       []Window
	limit       int
}

type entry struct {
	Window
	seen  time.Time
	every time.Duration
}

// NewTracker closes a window when its backup was not seen for grace, or for two
// and a half intervals between readings if that is longer, and remembers it for
// keep. At most limit windows are active at a time, and the last limit are remembered.
func NewTracker(grace, keep time.Duration, limit int) *Tracker {
	return &Tracker{grace: grace, keep: keep, limit: limit}
}

// Sign is one sight of a backup that is alive.
type Sign struct {
	Workload Workload
	Tool     string
	At       time.Time
	Started  time.Time     // when its process began; zero if unknown
	Every    time.Duration // interval between readings
}

// Seen takes a sign of life. It returns the backup's window and whether this
// opened it; ok is false if there are too many windows.
func (t *Tracker) Seen(s Sign) (window Window, opened, ok bool) {
	for i := range t.active {
		if e := &t.active[i]; e.Workload == s.Workload && e.Tool == s.Tool {
			if s.At.After(e.seen) {
				e.seen = s.At
			}
			e.every = s.Every
			return e.Window, false, true
		}
	}
	if len(t.active) >= t.limit {
		return Window{}, false, false
	}
	start := s.At
	if !s.Started.IsZero() && s.Started.Before(s.At) {
		start = s.Started
	}
	w := Window{ID: windowID(s.Workload, s.Tool, start), Tool: s.Tool, Workload: s.Workload, Start: start}
	e := entry{Window: w, seen: s.At, every: s.Every}
	t.active = append(t.active, e)
	return e.Window, true, true
}

// Expire closes the windows whose backup was not seen for a while, by the time
// up to which each host is known. A window ends when its backup was seen last.
func (t *Tracker) Expire(known func(host string) time.Time) (closed []Window) {
	t.active = slices.DeleteFunc(t.active, func(e entry) bool {
		if known(e.Workload.Host).Sub(e.seen) <= max(t.grace, 5*e.every/2) {
			return false
		}
		e.End = e.seen
		closed = append(closed, e.Window)
		return true
	})
	t.ended = slices.DeleteFunc(append(t.ended, closed...), func(w Window) bool {
		return known(w.Workload.Host).Sub(w.End) > t.keep
	})
	t.ended = slices.Delete(t.ended, 0, max(0, len(t.ended)-t.limit))
	return closed
}

// Active lists the open windows, in the order in which they were opened.
func (t *Tracker) Active() []Window {
	windows := make([]Window, 0, len(t.active))
	for _, e := range t.active {
		windows = append(windows, e.Window)
	}
	return windows
}

// Since lists the windows of a host that were active at or after a time, ended
// ones first. An empty host stands for all.
func (t *Tracker) Since(host string, from time.Time) []Window {
	var windows []Window
	for _, w := range t.ended {
		if !w.End.Before(from) && (host == "" || w.Workload.Host == host) {
			windows = append(windows, w)
		}
	}
	for _, e := range t.active {
		if host == "" || e.Workload.Host == host {
			windows = append(windows, e.Window)
		}
	}
	return windows
}

func windowID(w Workload, tool string, start time.Time) string {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%q %q %d %d %q %d", w.Host, w.Name, w.PID, w.Start, tool, start.UnixNano())
	return fmt.Sprintf("%016x", h.Sum64())
}
