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
	over  time.Time // when the tool said that it was done; zero until then
	told  bool      // only a message speaks for it: no process was seen
}

// toldFor bounds a window that only a message opened, if none ends it.
const toldFor = 12 * time.Hour

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
	if w, known := t.lingering(s); known {
		return w, false, true
	}
	for i := range t.active {
		if e := &t.active[i]; e.told && e.Workload.Host == s.Workload.Host && e.Tool == s.Tool {
			e.Workload, e.seen, e.every, e.told = s.Workload, s.At, s.Every, false
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

// lingering finds the window of a process that said it was done and did not exit
// at once.
func (t *Tracker) lingering(s Sign) (w Window, known bool) {
	began := s.Started
	if began.IsZero() {
		began = s.At.Add(-t.grace)
	}
	for _, w := range t.ended {
		if w.Workload == s.Workload && w.Tool == s.Tool && w.Outcome != "" && !began.After(w.End) {
			return w, true
		}
	}
	return Window{}, false
}

// Message is what a backup tool says of its progress.
type Message struct {
	Host, Tool string
	Unit       string // that wrote it; empty if not told
	At         time.Time
	Begins     bool // it starts
	Ends       bool // it is done
	Phase      string
	Outcome    Outcome
	// Sure is false if only the words speak for the tool: such a message opens no
	// window, and concerns only one of its unit.
	Sure bool
}

// Told takes a message. A window is opened by one that says that a backup begins,
// if no process of it was seen.
func (t *Tracker) Told(m Message) (window Window, opened bool) {
	e := t.speaker(m)
	if e == nil && m.Begins && m.Sure && m.Host != "" && len(t.active) < t.limit {
		name := m.Unit
		if name == "" {
			name = m.Tool
		}
		w := Window{Tool: m.Tool, Workload: Workload{Host: m.Host, Name: name}, Start: m.At}
		w.ID = windowID(w.Workload, w.Tool, w.Start)
		t.active = append(t.active, entry{Window: w, seen: m.At, told: true})
		e, opened = &t.active[len(t.active)-1], true
	}
	if e == nil {
		t.afterwards(m)
		return Window{}, false
	}
	if m.Phase != "" {
		e.Phase = m.Phase
	}
	e.Outcome = worse(e.Outcome, m.Outcome)
	if m.Ends {
		e.over = m.At
	}
	if e.told && m.At.After(e.seen) {
		e.seen = m.At
	}
	return e.Window, opened
}

// speaker finds the active window that a message is about: that of its unit, else
// the oldest of its tool. Nil if there is none.
func (t *Tracker) speaker(m Message) (found *entry) {
	for i := range t.active {
		e := &t.active[i]
		switch {
		case e.Tool != m.Tool || e.Workload.Host != m.Host || m.At.Before(e.Start.Add(-t.grace)):
		case m.Unit != "" && e.Workload.Name == m.Unit:
			return e
		case found == nil && m.Sure:
			found = e
		}
	}
	return found
}

// afterwards takes the outcome of a backup whose process was gone before its
// message came.
func (t *Tracker) afterwards(m Message) {
	for i := range slices.Backward(t.ended) {
		w := &t.ended[i]
		if m.Sure && w.Tool == m.Tool && w.Workload.Host == m.Host && m.At.Sub(w.End).Abs() <= t.grace {
			w.Outcome = worse(w.Outcome, m.Outcome)
			return
		}
	}
}

// Expire closes the windows whose backup was not seen for a while, by the time
// up to which each host is known, and those whose tool said that it was done. A
// window ends then, or when its backup was seen last.
func (t *Tracker) Expire(known func(host string) time.Time) (closed []Window) {
	t.active = slices.DeleteFunc(t.active, func(e entry) bool {
		grace := max(t.grace, 5*e.every/2)
		if e.told {
			grace = toldFor
		}
		switch {
		case !e.over.IsZero():
			e.End = e.over
		case known(e.Workload.Host).Sub(e.seen) <= grace:
			return false
		default:
			e.End = e.seen
		}
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
