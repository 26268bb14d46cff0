package workload_test

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/otel-culprit/culprit/internal/process"
)

// kernel is a small model of what a kernel does with processes and what it shows
// of them. It works on whole milliseconds of CPU and on bytes.
type kernel struct {
	rand   *rand.Rand
	now    time.Time
	tasks  map[int64]*task // zombies among them
	next   int64
	events []process.Exited
	shown  map[int64]*process.Process
	real   map[int64]*amounts // by process group: in the model each is a job
	lost   amounts            // what nobody could have seen: discarded before it was sampled
	ignore bool               // whether some processes ignore the ends of their children
	tidy   bool               // whether all wait for their children before they end
}

// amounts are user and system CPU in milliseconds, bytes read and written.
type amounts [4]int64

func (a *amounts) add(more amounts) {
	for i := range a {
		a[i] += more[i]
	}
}

type task struct {
	pid, group, session int64
	parent              *task
	start               time.Time
	own                 amounts // bytes with those of reaped children
	children            amounts // CPU only
	unseen              amounts // since the last sample, inherited ones included
	ignores, zombie     bool
	waits               bool // it waits for its children at once
	described           int
}

func newKernel(seed uint64) *kernel {
	k := &kernel{
		rand: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1_800_000_000, 0).UTC(),
		tasks: map[int64]*task{}, shown: map[int64]*process.Process{}, real: map[int64]*amounts{},
	}
	init := k.fork(nil)
	init.waits = true
	return k
}

func (k *kernel) fork(parent *task) *task {
	k.next++
	t := &task{pid: k.next, group: k.next, session: k.next, parent: parent, start: k.now}
	if parent != nil && parent.pid != 1 {
		t.group, t.session = parent.group, parent.session
	}
	t.waits = k.rand.IntN(3) > 0
	t.ignores = k.ignore && k.rand.IntN(6) == 0
	k.tasks[t.pid] = t
	return t
}

func (k *kernel) setsid(t *task) {
	if t.group != t.pid {
		t.group, t.session = t.pid, t.pid
		t.described++
	}
}

// run uses some CPU at least: no process does anything without.
func (k *kernel) run(t *task) {
	var a amounts
	for i := range a {
		if k.rand.IntN(2) == 0 {
			a[i] = k.rand.Int64N(1000)
		}
	}
	a[0]++
	t.own.add(a)
	t.unseen.add(a)
	k.job(t.group).add(a)
}

func (k *kernel) job(group int64) *amounts {
	if k.real[group] == nil {
		k.real[group] = &amounts{}
	}
	return k.real[group]
}

// exit makes a zombie of t and leaves its children to init.
func (k *kernel) exit(t *task) {
	t.zombie = true
	for _, child := range k.sorted() {
		if child.parent == t {
			if child.zombie && k.tidy {
				k.reap(child)
				continue
			}
			child.parent = k.tasks[1]
			child.described++
			if child.zombie {
				k.reap(child)
			}
		}
	}
	told := process.Exited{Process: k.process(t), Discarded: t.parent.ignores}
	k.events = append(k.events, told)
	switch {
	case t.parent.ignores:
		delete(k.tasks, t.pid)
		k.lost.add(t.unseen)
	case t.parent.waits:
		k.reap(t)
	}
}

// reap gives the parent what the kernel gives it.
func (k *kernel) reap(t *task) {
	p := t.parent
	for i := range 2 {
		p.children[i] += t.own[i] + t.children[i]
		p.own[2+i] += t.own[2+i]
	}
	p.unseen.add(t.unseen)
	delete(k.tasks, t.pid)
}

func (k *kernel) sorted() []*task {
	return slices.SortedFunc(maps.Values(k.tasks), func(a, b *task) int { return cmp.Compare(a.pid, b.pid) })
}

// step is one thing that happens to a random process.
func (k *kernel) step() {
	k.now = k.now.Add(time.Millisecond)
	all := k.sorted()
	t := all[k.rand.IntN(len(all))]
	what := k.rand.IntN(10)
	switch {
	case t.zombie:
		k.reap(t)
	case what < 3 && len(all) < 40:
		k.fork(t)
	case what == 3 && t.pid != 1 && t.own == (amounts{}):
		k.setsid(t)
	case what < 7:
		if t.pid != 1 {
			k.run(t)
		}
	case t.pid != 1:
		k.exit(t)
	}
}

func (k *kernel) process(t *task) process.Process {
	p := process.Process{
		PID: t.pid, Start: t.start, Group: t.group, Session: t.session, Name: "work", Threads: 1,
		UserTime: float64(t.own[0]) / 1e3, SystemTime: float64(t.own[1]) / 1e3,
		ChildrenUser: float64(t.children[0]) / 1e3, ChildrenSystem: float64(t.children[1]) / 1e3,
		ReadBytes: t.own[2], WriteBytes: t.own[3], Known: process.KnowsIO | process.KnowsChildren,
		Ran: true, Described: t.described,
	}
	if t.parent != nil {
		p.Parent = t.parent.pid
	}
	if !t.zombie {
		p.Resident = 4096
	}
	return p
}

// scan reads all processes in the order of their PIDs. While it does so, things
// go on happening if between says so.
func (k *kernel) scan(between func()) process.Snapshot {
	var snap process.Snapshot
	seen := map[int64]bool{}
	for _, pid := range slices.Sorted(maps.Keys(k.tasks)) {
		t := k.tasks[pid]
		if t == nil {
			continue
		}
		p := k.shown[pid]
		if p == nil {
			p = new(process.Process)
			k.shown[pid] = p
		}
		was := *p
		*p = k.process(t)
		p.Ran = p.Ran && (was.PID == 0 || p.UserTime != was.UserTime || p.SystemTime != was.SystemTime ||
			p.ChildrenUser != was.ChildrenUser || p.ChildrenSystem != was.ChildrenSystem ||
			p.ReadBytes != was.ReadBytes || p.WriteBytes != was.WriteBytes || p.Resident != was.Resident)
		t.unseen = amounts{}
		seen[pid] = true
		snap.Processes = append(snap.Processes, p)
		between()
	}
	for pid := range k.shown {
		if !seen[pid] {
			delete(k.shown, pid)
		}
	}
	return snap
}
