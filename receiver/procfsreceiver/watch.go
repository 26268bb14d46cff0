package procfsreceiver

import (
	"slices"
	"strings"
	"time"

	"github.com/otel-culprit/culprit/internal/catalog"
	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/process"
)

// watch knows the processes that matter whatever they use: backups, servers, and
// those that the configuration keeps.
type watch struct {
	catalog *catalog.Catalog
	keep    selection
	seen    map[int64]*watched // by PID
	scan    int

	important []*process.Process // that live and matter, by PID
}

// watched is what a process was found to be when its description last changed.
type watched struct {
	process   *process.Process
	described int
	scan      int
	told      int // the last scan in which it was described
	kept      bool
	tool      *catalog.Tool // backup tool; nil if it is none
}

func newWatch(c *catalog.Catalog, keep selection) *watch {
	return &watch{catalog: c, keep: keep, seen: map[int64]*watched{}}
}

// look takes a scan.
func (w *watch) look(processes []*process.Process) {
	w.scan++
	clear(w.important)
	w.important = w.important[:0]
	for _, p := range processes {
		known := w.seen[p.PID]
		if known == nil || known.process != p || known.described != p.Described {
			known = w.recognise(p)
			w.seen[p.PID] = known
		}
		known.scan = w.scan
		if known.matters() {
			w.important = append(w.important, p)
		}
	}
	if len(w.seen) > len(processes) {
		for pid, known := range w.seen {
			if known.scan != w.scan {
				delete(w.seen, pid)
			}
		}
	}
}

func (w *watch) recognise(p *process.Process) *watched {
	found := &watched{process: p, described: p.Described, kept: w.keep.has(p)}
	if r, ok := w.catalog.Recognise(fact.Described{Command: p.Name, Args: p.Args}); ok {
		found.tool = r.Tool
	}
	return found
}

// matters reports whether a process is told one by one whatever it uses. Who
// waits for connections is a server, and may be the one that is hurt.
func (k *watched) matters() bool { return k.kept || k.tool != nil || k.process.Network.Listening }

func (w *watch) matters(p *process.Process) bool {
	known := w.seen[p.PID]
	return known != nil && known.matters()
}

// isBackup reports whether a process makes a backup.
func (w *watch) isBackup(p *process.Process) bool { return w.seen[p.PID].tool != nil }

// isKept reports whether the configuration keeps a process.
func (w *watch) isKept(p *process.Process) bool { return w.seen[p.PID].kept }

// tell notes that a living process is described in this scan, and reports whether
// it was not yet.
func (w *watch) tell(p *process.Process) bool {
	known := w.seen[p.PID]
	first := known.told != w.scan
	known.told = w.scan
	return first
}

// alive finds a living process.
func (w *watch) alive(pid int64, start time.Time) *process.Process {
	if known := w.seen[pid]; known != nil && known.process.Start.Equal(start) {
		return known.process
	}
	return nil
}

// dumps lists the backups that a database server reads for, and the servers that
// may, by PID.
func (w *watch) dumps(processes []*process.Process) (clients, servers []*process.Process) {
	var names []string
	for _, p := range w.important {
		if known := w.seen[p.PID]; known.tool != nil && len(known.tool.Backend) > 0 {
			clients = append(clients, p)
			names = append(names, known.tool.Backend...)
		}
	}
	if len(clients) == 0 {
		return nil, nil
	}
	for _, p := range processes {
		if slices.Contains(names, p.Name) {
			servers = append(servers, p)
		}
	}
	return clients, servers
}

// selection is a Match that is ready for use.
type selection struct {
	names, units, cgroups fits
	users                 map[int64]bool
}

func newSelection(m Match, root hostRoot) selection {
	s := selection{names: anyOf(m.Names), units: anyOf(m.Units), cgroups: anyOf(m.Cgroups)}
	if len(m.Users) > 0 {
		s.users = root.users(m.Users)
	}
	return s
}

// has reports whether any of the patterns fits.
func (s selection) has(p *process.Process) bool {
	if (s.names != nil && s.names(p.Name)) || (s.cgroups != nil && s.cgroups(p.Cgroup)) || s.users[p.User] {
		return true
	}
	return s.units != nil && slices.ContainsFunc(strings.Split(p.Cgroup, "/"), s.units)
}

// relation is a server that does the I/O of a client.
type relation struct {
	server, client *process.Process
	shared         bool // it has other clients at the same time
}

// relations finds out now and then which servers work for which dumps.
type relations struct {
	peers func(clients, servers []*process.Process) []relation
	last  time.Time
	found []relation
}

// askEvery is how often the sockets of dumps are looked at again: a dump may have
// begun without its connection, and opens more of them as it goes on.
const askEvery = 5 * time.Second

// of lists the relations among the processes of a scan.
func (r *relations) of(at time.Time, w *watch, processes []*process.Process) []relation {
	alive := func(p *process.Process) bool {
		known := w.seen[p.PID]
		return known != nil && known.process == p
	}
	r.found = slices.DeleteFunc(r.found, func(f relation) bool { return !alive(f.server) || !alive(f.client) })
	clients, servers := w.dumps(processes)
	due := at.Sub(r.last) >= askEvery || at.Before(r.last)
	if len(clients) == 0 || !due {
		return r.found
	}
	r.last, r.found = at, r.peers(clients, servers)
	return r.found
}
