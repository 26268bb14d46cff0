package procscan

import (
	"bytes"
	"hash/maphash"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/process"
)

// maxSums bounds what Describe remembers of command lines.
const maxSums = 1 << 16

// Names as the kernel takes them.
var (
	cgroupName  = []byte("cgroup\x00")
	cmdlineName = []byte("cmdline\x00")
	exeName     = []byte("exe\x00")
)

// argsSum is of a command line when it was last scrubbed: it tells that nothing
// changed without keeping the secrets in memory.
type argsSum struct {
	startTicks int64
	sum        uint64
}

// Describe reads afresh what seldom changes of p, which has its PID and, counted
// from Boot, its Start: User, Kernel, TTY, Executable, Args, Cgroup, CPUs and
// the priorities. If something changed it increases Described. What may not be
// read keeps its value, as all of a zombie does; names, relatives and counters
// are the caller's.
//
// It reports whether the process still lives and is the same one. Without
// descriptors or rights, which tells nothing of the process, that is true; of a
// process that hidepid hides it is false. It needs no Scan before.
func (s *Scanner) Describe(p *process.Process) bool {
	s.shortage = 0
	proc, errno := s.open(p.PID)
	if errno != 0 {
		return !gone(errno)
	}
	s.proc = proc
	defer s.leave()
	b, errno := s.read(fileNames[statFile])
	st, err := parseStat(b)
	if errno != 0 || err != nil {
		return !gone(errno)
	}
	if st.startTicks != s.ticks(p.Start) {
		return false
	}
	if st.zombie() {
		return true
	}
	s.changed = false
	set(s, &p.Nice, st.nice)
	set(s, &p.Kernel, st.kernel())
	set(s, &p.TTY, st.terminal != 0)
	a := s.sums[p.PID]
	if a.startTicks != st.startTicks {
		a = argsSum{startTicks: st.startTicks}
	}
	s.describe(p, &a.sum, what{threads: st.threads, program: true})
	b, errno = s.read(fileNames[statusFile])
	if _, _, ok := s.status(p, b, errno); !ok && p.Described == 0 {
		p.User = -1
	}
	if s.opts.CommandLine && !p.Kernel {
		s.remember(p.PID, a)
	}
	if s.changed {
		p.Described++
	}
	return true
}

// remember keeps the sum of a command line for the next Describe.
func (s *Scanner) remember(pid int64, a argsSum) {
	if len(s.sums) >= maxSums {
		clear(s.sums) // nobody tells that a process ended
	}
	s.sums[pid] = a
}

// what there is to describe.
type what struct {
	threads int64
	program bool // also what only an exec or the process itself can change
}

// describe reads what seldom changes, but not the status file. Nothing here is
// worth an error: a part that may not be read stays what it was.
func (s *Scanner) describe(p *process.Process, sum *uint64, w what) {
	if b, errno := s.read(cgroupName); errno == 0 {
		setText(s, &p.Cgroup, parseCgroup(b))
	}
	s.priorities(p, w.threads)
	if p.Kernel || !w.program {
		return
	}
	if b, errno := s.proc.readlink(exeName, s.buf); errno == 0 {
		// One that an upgrade replaced is deleted.
		setText(s, &p.Executable, bytes.TrimSuffix(b, []byte(" (deleted)")))
	}
	if s.opts.CommandLine {
		s.commandLine(p, sum)
	}
}

func (s *Scanner) commandLine(p *process.Process, sum *uint64) {
	b, errno := s.read(cmdlineName)
	if errno != 0 || (len(b) == 0 && len(p.Args) > 0) {
		return // at its end it has none for a moment
	}
	now := maphash.Bytes(s.seed, b)
	if now != *sum || p.Args == nil {
		*sum, p.Args, s.changed = now, Scrub(splitArgs(b)), true
	}
}

// status takes the user and the CPUs of a process out of its status file, and
// returns its context switches.
func (s *Scanner) status(p *process.Process, b []byte, errno unix.Errno) (voluntary, involuntary int64, ok bool) {
	st, err := parseStatus(b)
	if errno != 0 || err != nil {
		return 0, 0, false
	}
	setText(s, &p.CPUs, st.cpus)
	set(s, &p.User, st.user)
	return st.voluntary, st.involuntary, true
}

// set gives a field of the description a value.
func set[T comparable](s *Scanner, field *T, value T) {
	if *field != value {
		*field, s.changed = value, true
	}
}

// setText is set for bytes of somebody else.
func setText(s *Scanner, field *string, value []byte) {
	if *field == string(value) {
		return
	}
	set(s, field, validUTF8(value))
}

func validUTF8(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }
