package bpfscan

import (
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/otel-culprit/culprit/internal/process"
	"github.com/otel-culprit/culprit/internal/procscan"
)

// tick is what starts of processes are told in by the proc file system, in ns.
const tick = uint64(10 * time.Millisecond)

// After how many scans the sockets of all processes are looked at. The list of
// tasks has those of processes that used one, unless the traffic is missing.
const (
	pathsEvery     = 60
	onlyPathsEvery = 5
)

// Scanner reads the kernel's list of threads. It is not safe for concurrent use.
type Scanner struct {
	root     string
	procs    *procscan.Scanner
	programs *programs
	pageSize int64

	scans  int
	now    uint64 // when the scan began, in ns since boot
	before uint64 // when the last one before it did that came to its end
	lost   uint64 // messages, since the ring was made
	snap   process.Snapshot

	refs    []ref // all threads, by ID
	spare   []ref // the memory of the refs before
	old     []ref // those of the scan before that have not come up yet
	orphans []*task
	entries map[uint32]*entry // by PID
	changed []*entry
	ran     []*entry            // those whose Ran is set
	skipped []*entry            // those that the next scan settles
	left    map[identity]*entry // that are not listed any more
	leader  leaderRecord

	exits   exits
	cgroups cgroupNames
	sent    map[uint64]retransmitted
}

// Boot is when the host started, read once.
func (s *Scanner) Boot() time.Time { return s.procs.Boot() }

// BlockDelays reports whether the kernel accounts how long processes wait for
// block I/O (sysctl kernel.task_delayacct).
func (s *Scanner) BlockDelays() bool { return s.procs.BlockDelays() }

// Missing are the parts that were asked for and cannot be had on this host.
func (s *Scanner) Missing() []Missing { return s.programs.missing }

// Close takes the programs out of the kernel.
func (s *Scanner) Close() error { return errors.Join(s.programs.close(), s.procs.Close()) }

// Scan reads all processes. An error means that the list could not be had, or
// not all of it. Counters go on from where they were at the next scan.
func (s *Scanner) Scan() (process.Snapshot, error) {
	s.begin()
	if err := s.readTasks(); err != nil {
		s.keepOld()
		s.skipped = append(s.skipped, s.changed...) // their records are taken up, and count in the next list
		return process.Snapshot{}, errors.Join(err, s.askForAll())
	}
	s.finish()
	return s.snap, nil
}

func (s *Scanner) begin() {
	s.scans++
	s.snap = process.Snapshot{Processes: s.snap.Processes[:0], Exited: s.snap.Exited[:0]}
	s.old, s.refs, s.spare = s.refs, s.spare[:0], s.refs
	for _, e := range s.ran {
		e.Ran = false
	}
	clear(s.ran)
	clear(s.changed)
	s.ran, s.changed = s.ran[:0], s.changed[:0]
	for _, e := range s.skipped {
		s.touch(e)
	}
	clear(s.skipped)
	s.skipped = s.skipped[:0]
}

// keepOld keeps the threads that an aborted list did not come to.
func (s *Scanner) keepOld() {
	s.refs = append(s.refs, s.old...)
	s.old = nil
}

// finish turns what was listed into processes.
func (s *Scanner) finish() {
	s.adopt()
	if s.programs.ring != nil {
		s.readRing()
	}
	if s.programs.paths != nil && s.pathsAreDue() {
		s.readPaths()
	}
	for _, e := range s.changed {
		if !e.gone {
			s.settle(e)
		}
	}
	s.listPriorities()
	s.publishExits()
	clear(s.left)
	s.before = s.now
}

// readTasks reads the kernel's list.
func (s *Scanner) readTasks() error {
	l := s.programs.tasks
	if err := l.start(); err != nil {
		return err
	}
	defer l.stop()
	for {
		h, record, err := l.next()
		if errors.Is(err, io.EOF) {
			return errTruncated
		}
		if err != nil {
			return err
		}
		if err := s.take(h, record); err != nil {
			return err
		}
		if h.kind == kindEnd {
			// To read on would list the threads that were born in the meantime.
			s.dropBefore(math.MaxUint32)
			return nil
		}
	}
}

// take takes up a record of the list.
func (s *Scanner) take(h head, record []byte) error {
	if h.kind == kindSame || h.kind == kindThread || h.kind == kindLeader {
		if n := len(s.refs); n > 0 && s.refs[n-1].id >= h.id {
			return fmt.Errorf("%w: thread %d comes after %d", errMalformed, h.id, s.refs[n-1].id)
		}
	}
	switch h.kind {
	case kindBegin:
		s.now, _ = parseBegin(record)
	case kindSame:
		return s.takeSame(h.id)
	case kindThread:
		s.takeThread(h.id, record)
	case kindLeader:
		s.takeLeader(h.id, record)
	case kindEnd:
		lost := parseEnd(record)
		s.snap.Lost = int64(lost - s.lost) //nolint:gosec // it counts up
		s.lost = lost
	case kindPaths, kindRetransmits:
		s.takePaths(h, record)
	default:
		return fmt.Errorf("%w: kind %d", errMalformed, h.kind)
	}
	return nil
}
