package bpfscan

import "fmt"

// ref is a thread in the list of all of them. The list is kept in the order of
// IDs, which is the kernel's, so that a scan is one walk along two lists.
type ref struct {
	id   uint32
	task *task
	// main is the process if this is its main thread. For most of them nothing
	// else is looked at in a scan.
	main *entry
}

// task is a thread.
type task struct {
	id     uint32
	record threadRecord
	owner  *entry
	since  uint64 // it last ran after this, in ns since boot
	gone   bool
}

// identity tells processes apart that had the same PID.
type identity struct {
	pid   uint32
	start uint64 // ns since boot
}

// next finds a thread of the scan before. Those that are passed on the way are
// gone.
func (s *Scanner) next(id uint32) (ref, bool) {
	s.dropBefore(id)
	if len(s.old) == 0 || s.old[0].id != id {
		return ref{}, false
	}
	r := s.old[0]
	s.old = s.old[1:]
	return r, true
}

// dropBefore drops the threads with smaller IDs.
func (s *Scanner) dropBefore(id uint32) {
	for len(s.old) > 0 && s.old[0].id < id {
		s.drop(s.old[0])
		s.old = s.old[1:]
	}
}

// drop forgets a thread that is gone, and its process if it was the main one.
func (s *Scanner) drop(r ref) {
	t := r.task
	t.gone = true
	if t.owner != nil {
		t.owner.live.subtract(&t.record.usage)
		t.owner.count--
		s.touch(t.owner)
	}
	if r.main != nil {
		r.main.gone = true
		s.left[r.main.identity()] = r.main
		if s.entries[r.id] == r.main {
			delete(s.entries, r.id)
		}
	}
}

// touch remembers that a process is not what it was.
func (s *Scanner) touch(e *entry) {
	if e.touched != s.scans {
		e.touched = s.scans
		s.changed = append(s.changed, e)
	}
}

// keep lists a thread.
func (s *Scanner) keep(r ref) {
	s.refs = append(s.refs, r)
	if r.main != nil {
		s.snap.Processes = append(s.snap.Processes, &r.main.Process)
	}
}

// takeSame takes up a thread that is what it was.
func (s *Scanner) takeSame(id uint32) error {
	r, ok := s.next(id)
	if !ok {
		return fmt.Errorf("%w: thread %d was not told of before", errMalformed, id)
	}
	s.keep(r)
	return nil
}

func (s *Scanner) takeThread(id uint32, record []byte) {
	var now threadRecord
	parseThread(record, &now)
	r, known := s.next(id)
	if known && (r.main != nil || r.task.record.start != now.start || r.task.record.process != now.process) {
		s.drop(r)
		known = false
	}
	if !known {
		r = ref{id: id, task: &task{id: id, record: now, since: now.start}}
		s.orphans = append(s.orphans, r.task)
	} else if r.task.record != now {
		s.update(r.task, &now)
	}
	s.keep(r)
}

func (s *Scanner) takeLeader(id uint32, record []byte) {
	parseLeader(record, &s.leader)
	r, known := s.next(id)
	if known && (r.main == nil || r.main.record.thread.start != s.leader.thread.start) {
		s.drop(r)
		known = false
	}
	if !known {
		e := s.enter(id, &s.leader)
		r = ref{id: id, task: &e.task, main: e}
	} else if r.main.record != s.leader {
		s.update(r.task, &s.leader.thread)
		r.main.rebase(&s.leader.traffic)
		r.main.record = s.leader
		s.touch(r.main)
	}
	s.keep(r)
}

// update takes over what a thread did since it was last told of.
func (s *Scanner) update(t *task, now *threadRecord) {
	if e := t.owner; e != nil {
		e.live.subtract(&t.record.usage)
		e.live.add(&now.usage)
		e.wait(&t.record.delays, &now.delays, s.now-min(t.since, s.now))
		if now.nice != t.record.nice || now.ioPriority != t.record.ioPriority {
			e.reordered = true
		}
		s.touch(e)
	}
	if now.usage.run != t.record.usage.run {
		t.since = s.before
	}
	t.record = *now
}

// adopt gives new threads to their processes, which may come later in the list
// than they do.
func (s *Scanner) adopt() {
	still := s.orphans[:0]
	for _, t := range s.orphans {
		e := s.entries[t.record.process]
		switch {
		case t.gone:
		case e == nil:
			still = append(still, t)
		default:
			e.adopt(t, s.now)
			s.touch(e)
		}
	}
	clear(s.orphans[len(still):])
	s.orphans = still
}
