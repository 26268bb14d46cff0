package bpfscan

import (
	"github.com/otel-culprit/culprit/internal/process"
)

// exits are the processes that ended and are still listed, as zombies, or ended
// while the list was made.
type exits struct {
	order   []*exit // in which they ended
	pending map[identity]*exit
	record  leaderRecord
	free    freeRecord
}

// exit is a process that ended.
type exit struct {
	identity
	record leaderRecord
	at     uint64 // ns since boot
	total  usage  // of all its threads
	freed  bool   // nobody lists it any more
}

// readRing takes up what the kernel told of processes that ended.
func (s *Scanner) readRing() {
	x := &s.exits
	for {
		message := s.programs.ring.next()
		if message == nil {
			break
		}
		k, ok := kindOf(message)
		h, _, _, err := cutRecord(message)
		switch {
		case !ok || err != nil:
		case k == kindExit:
			at := parseExit(message, &x.record)
			x.ended(h.id, at)
		case k == kindFree:
			parseFree(message, &x.free)
			x.freed(h.id)
		}
	}
	s.programs.ring.done()
}

// ended takes up that a process ended. It may be told twice, when its last two
// threads end at the same moment.
func (x *exits) ended(pid uint32, at uint64) {
	id := identity{pid: pid, start: x.record.thread.start}
	e := x.pending[id]
	if e == nil {
		e = &exit{identity: id, record: x.record, at: at}
		x.pending[id] = e
		x.order = append(x.order, e)
	}
	total := x.record.ended
	total.add(&x.record.thread.usage)
	e.total.raise(&total)
}

// freed takes up what a process used in all.
func (x *exits) freed(pid uint32) {
	e := x.pending[identity{pid: pid, start: x.free.start}]
	if e == nil {
		return
	}
	e.freed = true
	e.total.raise(&x.free.ended)
	e.record.childrenUser = max(e.record.childrenUser, x.free.childrenUser)
	e.record.childrenSystem = max(e.record.childrenSystem, x.free.childrenSystem)
}

// publishExits tells of the processes that ended and are not listed any more.
// Of a zombie more will be known once it is gone, and its parent has not been
// charged with it yet.
func (s *Scanner) publishExits() {
	if s.programs.ring == nil {
		return
	}
	waiting := s.exits.order[:0]
	for _, x := range s.exits.order {
		if s.waits(x) {
			waiting = append(waiting, x)
			continue
		}
		delete(s.exits.pending, x.identity)
		s.publishExit(x)
	}
	clear(s.exits.order[len(waiting):])
	s.exits.order = waiting
	for _, e := range s.left { // the news of their end was lost
		s.snap.Exited = append(s.snap.Exited, process.Exited{Process: e.Process})
	}
}

// waits tells that a process is listed, or that it may be the next time: it
// ended after the list began and has not been seen.
func (s *Scanner) waits(x *exit) bool {
	if e := s.entries[x.pid]; e != nil && e.record.thread.start == x.start {
		return true
	}
	return x.at > s.now && !x.freed && s.left[x.identity] == nil
}

func (s *Scanner) publishExit(x *exit) {
	e := s.lastOf(x)
	e.total.raise(&x.total)
	e.record = x.record
	s.publish(e)
	s.snap.Exited = append(s.snap.Exited, process.Exited{
		Process: e.Process, Discarded: x.record.thread.flags&flagDiscarded != 0,
	})
}

// lastOf is what was known of the process.
func (s *Scanner) lastOf(x *exit) *entry {
	if e := s.left[x.identity]; e != nil {
		delete(s.left, x.identity)
		e.wait(&e.task.record.delays, &x.record.thread.delays, x.at-min(e.task.since, x.at))
		return e
	}
	e := s.newEntry(x.pid, &x.record, x.at)
	e.Ran = true
	e.Cgroup = s.cgroups.path(x.record.cgroup)
	return e
}
