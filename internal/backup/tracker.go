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
	seen time.Time
}

// NewTracker closes a window when its backup was not seen for grace, and
// remembers it for keep. At most limit windows are active at a time.
func NewTracker(grace, keep time.Duration, limit int) *Tracker {
	return &Tracker{grace: grace, keep: keep, limit: limit}
}

// Seen says that a workload's backup by a tool was alive at a time; started is
// when its process began, zero if unknown. It returns the window and whether
// this opened it; ok is false if there are too many windows.
func (t *Tracker) Seen(w Workload, tool string, at, started time.Time) (window Window, opened, ok bool) {
	for i := range t.active {
		if e := &t.active[i]; e.Workload == w && e.Tool == tool {
			if at.After(e.seen) {
				e.seen = at
			}
			return e.Window, false, true
		}
	}
	if len(t.active) >= t.limit {
		return Window{}, false, false
	}
	start := at
	if !started.IsZero() && started.Before(at) {
		start = started
	}
	e := entry{Window: Window{ID: windowID(w, tool, start), Tool: tool, Workload: w, Start: start}, seen: at}
	t.active = append(t.active, e)
	return e.Window, true, true
}

// Expire closes the windows whose backup was not seen for a while. A window
// ends when its backup was seen last.
func (t *Tracker) Expire(now time.Time) (closed []Window) {
	t.active = slices.DeleteFunc(t.active, func(e entry) bool {
		if now.Sub(e.seen) <= t.grace {
			return false
		}
		e.End = e.seen
		closed = append(closed, e.Window)
		return true
	})
	t.ended = slices.DeleteFunc(append(t.ended, closed...), func(w Window) bool {
		return now.Sub(w.End) > t.keep
	})
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
