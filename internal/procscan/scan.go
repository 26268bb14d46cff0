package procscan

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/process"
)

// describeEvery is after how many scans a process is read in full though it did
// not run: somebody may have moved it to another cgroup or other CPUs, set its
// priority or taken its memory. Processes take turns.
const describeEvery = 30

// Scan reads all processes. An error means that the list of processes could not
// be had, or that there were no file descriptors or memory to read them with.
// Counters go on from where they were at the next scan.
func (s *Scanner) Scan() (process.Snapshot, error) {
	err := s.scan()
	// What an error kept from the caller counts as news the next time.
	if s.failed = err != nil; s.failed {
		return process.Snapshot{}, err
	}
	return s.snap, nil
}

func (s *Scanner) scan() error {
	s.scans++
	s.snap = process.Snapshot{Processes: s.snap.Processes[:0]}
	var err error
	if s.pids, err = s.list(); err != nil {
		return fmt.Errorf("list the processes in %s: %w", s.opts.Root, withCure(err))
	}
	s.forget()
	s.next = s.next[:0]
	rest := s.entries
	for _, pid := range s.pids {
		var e *entry
		if len(rest) > 0 && rest[0].PID == pid {
			e, rest = rest[0], rest[1:]
		}
		if e = s.visit(pid, e); e != nil {
			s.next = append(s.next, e)
		}
		if s.shortage != 0 {
			// Most of the others would fail as well, and all would be kept.
			err = fmt.Errorf("read process %d in %s: %w", pid, s.opts.Root, withCure(s.shortage))
			break
		}
	}
	s.next = append(s.next, rest...)
	s.entries, s.next = s.next, s.entries
	clear(s.next) // so that what ended is freed
	s.adopt()
	return err
}

// list lists the PIDs, in order.
func (s *Scanner) list() ([]int64, error) {
	pids, err := s.root.numbers(s.pids[:0], s.dirents, math.MaxInt)
	// The kernel lists PIDs in order, a directory that only looks like a proc
	// file system need not.
	if !slices.IsSorted(pids) {
		slices.Sort(pids)
	}
	return slices.Compact(pids), err
}

// forget drops the entries whose PID is not listed any more.
func (s *Scanner) forget() {
	pids, living := s.pids, s.entries[:0]
	for _, e := range s.entries {
		for len(pids) > 0 && pids[0] < e.PID {
			pids = pids[1:]
		}
		if len(pids) > 0 && pids[0] == e.PID {
			living = append(living, e)
		} else {
			s.end(e)
		}
	}
	clear(s.entries[len(living):])
	s.entries = living
}

// end marks an entry whose process is gone.
func (s *Scanner) end(e *entry) {
	e.ended = true
	s.release(e)
}

// visit reads one process, whose entry is nil if its PID is new, and returns its
// entry; nil if it is gone.
func (s *Scanner) visit(pid int64, e *entry) *entry {
	s.shortage = 0
	if e != nil {
		idle := s.idle(e)
		e.Ran = !idle || e.halfRead || s.failed
		e.activity(idle)
		if e.hot && e.active == 0 {
			s.cool(e)
		}
		if idle && !e.halfRead && !s.due(pid) && !e.orphaned() {
			s.add(e)
			return e
		}
	}
	if s.firstClock = -1; e == nil && s.clock {
		// Read before the files: what comes after is not lost.
		s.firstClock, _ = cpuClock(pid)
	}
	for {
		now, errno := s.files(pid, e)
		if e != nil && e.ended {
			e = nil
		}
		switch {
		case s.shortage != 0 && s.shrink():
			s.shortage = 0
			continue
		case now != nil:
			s.add(now)
			return now
		case gone(errno):
			if s.snap.Vanished++; e != nil {
				s.end(e)
			}
			return nil
		}
		// What is known of it is kept: its counters go on once it can be read
		// again.
		if s.shortage == 0 {
			s.snap.Unreadable++
		}
		if e != nil {
			e.halfRead = true
		}
		return e
	}
}

// due tells that it is the turn of a process to be read in full.
func (s *Scanner) due(pid int64) bool { return (int64(s.scans)+pid)%describeEvery == 0 }

// add takes an entry into the snapshot.
func (s *Scanner) add(e *entry) {
	if e.halfRead {
		return
	}
	if e.refused {
		s.snap.Unreadable++
	}
	s.snap.Processes = append(s.snap.Processes, &e.Process)
}

// adopt finds the parents of those that got one. A process gets another parent
// when its own ends, and does not have to run for it.
func (s *Scanner) adopt() {
	for _, e := range s.entries {
		if e.parent != nil || e.Parent == 0 {
			continue
		}
		i, found := slices.BinarySearchFunc(s.entries, e.Parent, func(e *entry, pid int64) int { return int(e.PID - pid) })
		if found {
			e.parent = s.entries[i]
		}
	}
}

// open opens the directory of a process.
func (s *Scanner) open(pid int64) (dir, unix.Errno) {
	s.path = append(strconv.AppendInt(s.path[:0], pid, 10), 0)
	proc, errno := s.root.pathAt(s.path)
	s.note(errno)
	return proc, errno
}

// leave closes the directory of the process that was read.
func (s *Scanner) leave() {
	if s.proc != closed {
		_ = s.proc.close() // nothing was written
		s.proc = closed
	}
}

// read reads a file of the process that proc is the directory of.
func (s *Scanner) read(name []byte) ([]byte, unix.Errno) {
	b, errno := s.proc.read(name, s.buf)
	s.note(errno)
	return b, errno
}

// note remembers that an error is a shortage.
func (s *Scanner) note(errno unix.Errno) {
	if short(errno) {
		s.shortage = errno
	}
}
