package procscan

import (
	"bytes"

	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/process"
)

// files reads the files of a process; e is what is known of its PID, or nil. It
// returns nil if the stat file cannot be used.
func (s *Scanner) files(pid int64, e *entry) (*entry, unix.Errno) {
	defer s.leave()
	b, errno := s.stat(pid, e)
	if errno != 0 {
		return nil, errno
	}
	st, err := parseStat(b)
	if err != nil {
		return nil, 0
	}
	if e != nil && (e.ended || e.startTicks != st.startTicks) {
		s.end(e)
		e = nil
	}
	if e == nil {
		e = s.newEntry(pid, &st)
	}
	s.changed = false
	executed := e.halfRead || (!e.Kernel && (!bytes.Equal(e.comm, st.comm) || e.fork != st.fork()))
	threads := e.Threads
	s.apply(e, &st)
	s.rest(e, &st, readFully{executed: executed, threadsChanged: threads != e.Threads})
	if s.changed {
		e.Described++
	}
	if e.halfRead = s.shortage != 0; !e.halfRead && !e.zombie {
		s.keep(e)
	}
	return e, 0
}

// stat reads the stat file, which tells who the process is: of the kept file, or
// of the directory that the PID leads to now.
func (s *Scanner) stat(pid int64, e *entry) ([]byte, unix.Errno) {
	if e != nil && !e.ended && e.kept[statFile] >= 0 {
		b, errno := dir{fd: int(e.kept[statFile])}.again(s.buf)
		if !gone(errno) {
			s.note(errno)
			return b, errno
		}
		s.end(e) // another may have its PID
	}
	var errno unix.Errno
	if s.proc, errno = s.open(pid); errno != 0 {
		s.proc = closed
		return nil, errno
	}
	return s.read(fileNames[statFile])
}

// readFully is why more than what changes all the time is read.
type readFully struct {
	executed       bool // also: is new
	threadsChanged bool
}

// rest reads the other files, over the buffer that st.comm points into.
func (s *Scanner) rest(e *entry, st *stat, why readFully) {
	// Those who start a program move it to its cgroup, set its priority and its
	// user just then, and an exec may be under way: look twice.
	describe := why.executed || (e.young && e.Ran) || s.due(e.PID)
	e.young = why.executed
	if e.zombie && !why.executed {
		describe = false // nothing is left of what it was
	}
	if e.Ran || (describe && e.late) {
		s.delays(e, st.userTicks+st.systemTicks, why.threadsChanged || (describe && e.late))
	}
	ran := e.news || why.executed
	if describe && s.directory(e) == 0 {
		s.describe(&e.Process, &e.argsSum, what{threads: st.threads, program: ran})
		e.news = false
	}
	// What was refused would be refused again, until it is described.
	if why.executed || (e.Ran && !e.refused) || (describe && !e.Known.Has(process.KnowsIO)) {
		s.io(e)
	}
	if (describe && (!s.sameCPUs(e) || ran)) || (e.Ran && s.opts.Switches) {
		s.switches(e)
	}
}

// apply takes over what the stat file says.
func (s *Scanner) apply(e *entry, st *stat) {
	if set(s, &e.Parent, st.parent); e.orphaned() || (e.parent != nil && e.parent.PID != e.Parent) {
		e.parent = nil // until the scan found it
	}
	set(s, &e.Group, st.group)
	set(s, &e.Session, st.session)
	set(s, &e.Kernel, st.kernel())
	set(s, &e.TTY, st.terminal != 0)
	set(s, &e.Nice, st.nice)
	if !bytes.Equal(e.comm, st.comm) {
		e.comm = append(e.comm[:0], st.comm...)
		setText(s, &e.Name, process.DisplayName(st.comm, e.Kernel))
	}
	e.zombie, e.fork = st.zombie(), st.fork()
	e.Threads = st.threads
	e.UserTime = max(e.UserTime, seconds(st.userTicks))
	e.SystemTime = max(e.SystemTime, seconds(st.systemTicks))
	e.ChildrenUser = max(e.ChildrenUser, seconds(st.childUser))
	e.ChildrenSystem = max(e.ChildrenSystem, seconds(st.childSystem))
	e.Known.Set(process.KnowsChildren, true)
	e.Virtual, e.Resident = st.virtual, max(0, st.residentPages)*s.pageSize
	e.MinorFaults, e.MajorFaults = max(e.MinorFaults, st.minorFaults), max(e.MajorFaults, st.majorFaults)

	// The delay is the main thread's, and other threads may be what waits.
	known := s.blockDelays && st.blockTicks >= 0 && st.threads == 1
	e.Known.Set(process.KnowsBlockDelay, known)
	if known {
		e.BlockDelay = max(e.BlockDelay, seconds(st.blockTicks))
	}
}

func seconds(ticks int64) float64 { return float64(ticks) / userHZ }

// io reads the bytes from and to storage.
func (s *Scanner) io(e *entry) {
	b, errno := s.file(e, ioFile)
	e.refused = refused(errno)
	read, written, err := parseIO(b)
	known := errno == 0 && err == nil
	if known || !e.zombie { // whose counters stand
		e.Known.Set(process.KnowsIO, known)
	}
	if known {
		e.ReadBytes, e.WriteBytes = max(e.ReadBytes, read), max(e.WriteBytes, written)
	}
}

// switches reads the status file.
func (s *Scanner) switches(e *entry) {
	b, errno := s.file(e, statusFile)
	voluntary, involuntary, ok := s.status(&e.Process, b, errno)
	if ok || !e.zombie {
		e.Known.Set(process.KnowsSwitches, ok && s.opts.Switches)
	}
	if !ok {
		e.affinity = 0
	} else {
		e.VoluntarySwitches = max(e.VoluntarySwitches, voluntary)
		e.InvoluntarySwitches = max(e.InvoluntarySwitches, involuntary)
	}
}
