package procscan

import (
	"cmp"
	"slices"

	"github.com/otel-culprit/culprit/internal/process"
)

// maxThreads bounds the threads that are read of one process. Above it the run
// delay of the process is unknown.
const maxThreads = 4096

var taskName = []byte("task\x00")

// thread is the run delay of a thread, in ns, when it was last read.
type thread struct {
	tid   int64
	delay int64
}

// delays reads the run delay of a process that ran; of all its threads if that
// is wanted.
func (s *Scanner) delays(e *entry, ticks int64, all bool) {
	b, errno := s.file(e, schedstatFile)
	leader, err := parseSchedstat(b)
	if errno != 0 || err != nil {
		// A kernel without this file cannot tell.
		e.Known.Set(process.KnowsRunDelay, false)
		e.running = -1
		return
	}
	leaderRan := leader.running != e.running
	e.running = leader.running
	if e.Threads <= 1 {
		if leaderRan || all {
			s.threads = append(s.threads[:0], thread{tid: e.PID, delay: leader.waiting})
			e.addDelays(s.threads)
		}
		e.Known.Set(process.KnowsRunDelay, true)
		return
	}
	// The file of the process is that of its main thread alone. Reading all
	// threads is dear, and a thread's delay is only added when it gets a CPU: no
	// change without CPU time. Less of it than a tick waits until the process is
	// described.
	e.late = !leaderRan && !all && ticks == e.ticks
	if !e.late {
		e.Known.Set(process.KnowsRunDelay, s.readThreads(e))
		e.ticks = -1 // to try again
		if e.Known.Has(process.KnowsRunDelay) {
			e.ticks = ticks
			e.addDelays(s.threads)
		}
	}
}

// readThreads reads the delays of the process's threads, by thread ID, and
// reports whether it got them all.
func (s *Scanner) readThreads(e *entry) bool {
	if s.directory(e) != 0 {
		return false
	}
	task, errno := s.proc.openDirAt(taskName)
	if errno != 0 {
		s.note(errno)
		return false
	}
	defer func() { _ = task.close() }() // nothing was written
	var err error
	s.tids, err = task.numbers(s.tids[:0], s.dirents, maxThreads+1)
	if err != nil || len(s.tids) > maxThreads {
		return false
	}
	s.threads = s.threads[:0]
	for _, tid := range s.tids {
		s.path = appendPath(s.path, tid, "schedstat")
		b, errno := task.read(s.path, s.buf)
		if gone(errno) {
			continue // the thread ended
		}
		s.note(errno)
		sched, err := parseSchedstat(b)
		if errno != 0 || err != nil {
			// Left out, it would count from nothing the next time.
			return false
		}
		s.threads = append(s.threads, thread{tid: tid, delay: sched.waiting})
	}
	slices.SortFunc(s.threads, func(a, b thread) int { return cmp.Compare(a.tid, b.tid) })
	return len(s.threads) > 0
}

// addDelays adds what the threads, ordered by ID, waited since the last time. A
// thread that ends takes no delay away. A thread ID that was reused shows by its
// smaller delay.
func (e *entry) addDelays(now []thread) {
	old := e.threads
	for _, t := range now {
		for len(old) > 0 && old[0].tid < t.tid {
			old = old[1:]
		}
		before := int64(0)
		if len(old) > 0 && old[0].tid == t.tid && old[0].delay <= t.delay {
			before = old[0].delay
		}
		e.delay += t.delay - before
	}
	e.threads = append(e.threads[:0], now...)
	e.RunDelay = float64(e.delay) / 1e9
}
