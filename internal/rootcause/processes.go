package rootcause

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/otel-culprit/culprit/internal/backup"
	"github.com/otel-culprit/culprit/internal/fact"
)

// described puts a process into its workload.
func (e *Engine) described(d fact.Described) error {
	h, err := e.host(d.Process.Host)
	if err != nil {
		return err
	}
	p := h.byPID[d.Process.PID]
	if p == nil && e.procs >= e.p.MaxProcesses {
		return fmt.Errorf("processes: %w to %d", ErrBound, e.p.MaxProcesses)
	}
	m := member{seen: d.At.Unix()}
	if p != nil {
		if p.described.Process == d.Process {
			m.memory = p.workload.members[d.Process].memory
		} else if key := (pidOf{h.name, d.Process.PID}); e.serving[key].at <= p.seen {
			delete(e.serving, key) // the PID was reused: it was said of the one before
		}
		delete(p.workload.members, p.described.Process)
	}
	w, err := e.workload(h, d)
	if err != nil {
		return err
	}
	if p == nil {
		e.procs++
	}
	w.members[d.Process] = m
	p = &process{described: d, workload: w, seen: d.At.Unix()}
	h.byPID[d.Process.PID] = p
	if r, ok := e.catalog.Recognise(d); ok {
		p.tool, p.byArgs = r.Tool.Name, r.ByArgs
		if !w.named && w.key.unit == "" {
			w.named, w.id.Name = true, d.Command // "tar" says more than "sh"
		}
	}
	if s, ok := e.serving[pidOf{h.name, d.Process.PID}]; ok {
		w.serve(s.service)
	}
	for service, names := range e.p.Services {
		if slices.Contains(names, d.Command) && !w.borrows(d) || slices.Contains(names, w.key.unit) && w.key.unit != "" {
			w.serve(service)
		}
	}
	e.seen(p, d.At)
	return nil
}

// nameOf is what a job is called before a backup is found in it.
func nameOf(d fact.Described) string {
	if d.Workload.Name != "" {
		return d.Workload.Name
	}
	return d.Command
}

// borrows is whether a process works for a job that it is no part of, as a
// database's backend does for a dump: it is of another session.
func (w *workload) borrows(d fact.Described) bool {
	return d.Workload.PID != 0 && d.Workload.PID != d.Process.PID && w.session != 0 && w.session != d.Session
}

// serve notes a service whose work a workload does; a workload that does that of
// very many, such as a proxy, is known for the first ones.
func (w *workload) serve(service string) {
	if len(w.serves) < maxServes {
		w.serves = insert(w.serves, service)
	}
}

const maxServes = 64

func (e *Engine) workload(h *host, d fact.Described) (*workload, error) {
	key := keyOf(d)
	w := h.byKey[key]
	leader := d.Process.PID == key.group
	if w != nil && leader && w.id.Start != 0 && w.id.Start != d.Process.Start && w.id.PID == d.Process.PID && len(w.members) == 0 {
		h.workloads = slices.DeleteFunc(h.workloads, func(o *workload) bool { return o == w })
		e.jobs--
		w = nil // the group's number was reused by another job
	}
	if w == nil {
		if len(h.workloads) >= e.p.MaxWorkloads {
			return nil, fmt.Errorf("workloads: %w to %d", ErrBound, e.p.MaxWorkloads)
		}
		if e.jobs >= e.p.MaxJobs {
			return nil, fmt.Errorf("workloads of all hosts: %w to %d", ErrBound, e.p.MaxJobs)
		}
		e.jobs++
		w = &workload{key: key, host: h, members: map[fact.Process]member{}, others: d.Workload.Type == fact.OtherWorkloads, kernel: d.Workload.Type == fact.KernelThreads}
		w.id = backup.Workload{Host: h.name, Name: nameOf(d), PID: key.group, Start: d.Process.Start}
		if key.unit != "" {
			w.id = backup.Workload{Host: h.name, Name: key.unit}
		}
		h.byKey[key] = w
		h.workloads = append(h.workloads, w)
	}
	if key.unit == "" && leader {
		if w.id.Start == 0 {
			w.id.Start = d.Process.Start
		}
		if !w.named {
			w.id.Name = nameOf(d) // a shell that became something else by exec
		}
	}
	if !w.borrows(d) {
		w.cgroup, w.session = d.Cgroup, d.Session
	}
	if cpus := parseCPUs(d.CPUs); cpus != nil {
		w.cpus = cpus
	}
	w.seen = max(w.seen, d.At.Unix())
	return w, nil
}

func (e *Engine) serves(f fact.Serves) error {
	h, err := e.host(f.Process.Host)
	if err != nil {
		return err
	}
	if p := h.byPID[f.Process.PID]; p != nil && (f.Process.Start == 0 || p.described.Process.Start == f.Process.Start) {
		p.workload.serve(f.Service)
	}
	key := pidOf{h.name, f.Process.PID}
	if _, known := e.serving[key]; !known && len(e.serving) >= e.p.MaxProcesses {
		return fmt.Errorf("serving processes: %w to %d", ErrBound, e.p.MaxProcesses)
	}
	e.serving[key] = served{f.Service, f.At.Unix()}
	return nil
}

func (e *Engine) use(f fact.Use) error {
	h, err := e.host(f.Process.Host)
	if err != nil {
		return err
	}
	h.touch(f.At.Unix(), f.Over.Seconds())
	if f.Workload != (fact.Workload{}) {
		return e.useOfAll(h, f)
	}
	p := h.byPID[f.Process.PID]
	if p == nil || p.described.Process != f.Process {
		d := fact.Described{At: f.At, Process: f.Process, Command: "?"}
		if err := e.described(d); err != nil {
			return err
		}
		p = h.byPID[f.Process.PID]
	}
	p.seen = max(p.seen, f.At.Unix())
	w := p.workload
	w.use(f)
	w.members[f.Process] = w.members[f.Process].read(f)
	e.seen(p, f.At)
	return nil
}

// useOfAll takes what all processes of a workload used together.
func (e *Engine) useOfAll(h *host, f fact.Use) error {
	w := h.byKey[keyTold(f.Workload)]
	if w == nil {
		var err error
		// Its leader is described by a fact of its own, if it lives.
		if w, err = e.workload(h, fact.Described{At: f.At, Process: fact.Process{Host: h.name}, Workload: f.Workload}); err != nil {
			return err
		}
	}
	w.use(f)
	w.all = w.all.read(f)
	return nil
}

// use adds what was used to the series of a workload.
func (w *workload) use(f fact.Use) {
	if !math.IsNaN(f.Amounts[fact.CPU]) { // more than a sign of life
		w.blind = math.IsNaN(f.Amounts[fact.DiskRead])
	}
	w.host.networked = w.host.networked || !math.IsNaN(f.Amounts[fact.NetworkReceive])
	w.seen = max(w.seen, f.At.Unix())
	end, over := seconds(f.At), f.Over.Seconds()
	for r, amount := range f.Amounts {
		r := fact.Resource(r)
		switch {
		case r == fact.Memory || !(amount > 0) || math.IsInf(amount, 0):
		case ofVictims(r) && len(w.serves) == 0:
			w.unheard.to = f.At.Unix()
			w.unheard.from = cmp.Or(w.unheard.from, int64(math.Floor(end-over)))
		default:
			w.series(r).spread(end, over, amount)
		}
	}
}

// ofVictims is whether a resource is asked only of those who do a service's work:
// how they wait. Of all others it would be half of the memory.
func ofVictims(r fact.Resource) bool { return r >= fact.RunDelay && r != fact.Memory }

// read notes a reading.
func (m member) read(f fact.Use) member {
	m.seen = max(m.seen, f.At.Unix())
	if memory := f.Amounts[fact.Memory]; memory >= 0 {
		m.memory = memory
	}
	return m
}

// seen tells the tracker of windows that a backup is alive.
func (e *Engine) seen(p *process, at time.Time) {
	if p.tool == "" {
		return
	}
	var started time.Time
	if p.described.Process.Start > 0 {
		started = time.UnixMilli(p.described.Process.Start)
	}
	sign := backup.Sign{
		Workload: p.workload.id, Tool: p.tool, At: at, Started: started,
		Every: time.Duration(p.workload.host.interval * float64(time.Second)),
	}
	if w, opened, ok := e.windows.Seen(sign); ok && opened {
		e.opened = append(e.opened, w)
	}
}
