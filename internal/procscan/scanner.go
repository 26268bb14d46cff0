package procscan

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/process"
)

// userHZ is the length of the kernel's clock tick as user space sees it: 1/100
// of a second. The honest way to learn it is sysconf(_SC_CLK_TCK), which needs
// libc, or the AT_CLKTCK entry of this process's own auxiliary vector. But the
// kernel has fixed USER_HZ at 100 for every architecture that Go runs on,
// whatever HZ it was built with, because programs relied on the number;
// prometheus/procfs, cAdvisor and the runtimes of containers count on it too.
const userHZ = 100

// describeEvery is after how many scans a process is described afresh: somebody
// may have moved it to another cgroup or other CPUs. Processes take turns.
const describeEvery = 30

// maxThreads bounds the threads that are read of one process. Above it the run
// delay of the process is unknown.
const maxThreads = 4096

// Names as the kernel takes them.
var (
	taskName = []byte("task\x00")
	exeName  = []byte("exe\x00")
)

// Options choose what is read.
type Options struct {
	// Root is where the proc file system is mounted, such as /proc.
	Root string
	// Switches asks for the context switches: one more file of each process
	// that ran since the last scan.
	Switches bool
	// CommandLine asks for the arguments, without their secrets.
	CommandLine bool
}

// Scanner scans a proc file system. It is not safe for concurrent use.
type Scanner struct {
	opts        Options
	root        dir
	boot        time.Time
	blockDelays bool // the kernel accounts the delays
	pageSize    int64
	seed        maphash.Seed

	scans   int
	entries map[int64]*entry // by PID
	snap    process.Snapshot

	// Of the process that is being read.
	proc     dir        // its directory
	shortage unix.Errno // of the scan: what this process or host ran out of

	// Reused by each scan.
	buf     []byte
	dirents []byte
	path    []byte
	pids    []int64
	tids    []int64
	threads []thread
}

// entry is what is kept of a process from scan to scan.
type entry struct {
	process.Process
	startTicks int64  // with the PID, the identity of the process
	scan       int    // the last one that saw it
	halfRead   bool   // the last scan that saw it ended before it was read
	comm       []byte // as the kernel has it
	ticks      int64  // CPU time when its threads were read
	running    int64  // ns of CPU of the main thread; -1 if unknown
	threads    []thread
	delay      int64 // ns, summed over threads, those that ended included
	argsSum    uint64
	unreadable bool
}

// thread is the run delay of a thread, in ns, when it was last read.
type thread struct {
	tid   int64
	delay int64
}

// Open prepares to scan the proc file system at o.Root.
func Open(o Options) (*Scanner, error) {
	root, err := openDir(o.Root)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", o.Root, err)
	}
	s := &Scanner{
		opts:     o,
		root:     root,
		pageSize: int64(os.Getpagesize()),
		seed:     maphash.MakeSeed(),
		entries:  map[int64]*entry{},
		buf:      make([]byte, 64<<10),
		dirents:  make([]byte, 32<<10),
		path:     make([]byte, 0, 64),
	}
	if s.boot, err = s.bootTime(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is not a proc file system: %w", o.Root, err), root.close())
	}
	b, errno := root.read([]byte("sys/kernel/task_delayacct\x00"), s.buf)
	// Before Linux 5.14 there was no such switch and delays were accounted.
	s.blockDelays = errno == unix.ENOENT || string(bytes.TrimSpace(b)) == "1"
	return s, nil
}

// Boot is when the host started, read once. The kernel computes it anew from the
// present clock for each reader: it jumps when the clock does, and all starts
// of processes would jump with it.
func (s *Scanner) Boot() time.Time { return s.boot }

// BlockDelays reports whether the kernel accounts how long processes wait for
// block I/O (sysctl kernel.task_delayacct).
func (s *Scanner) BlockDelays() bool { return s.blockDelays }

// Close gives the proc file system back.
func (s *Scanner) Close() error { return s.root.close() }

func (s *Scanner) bootTime() (time.Time, error) {
	b, errno := s.root.read([]byte("stat\x00"), s.buf)
	if errno != 0 {
		return time.Time{}, fmt.Errorf("read stat: %w", errno)
	}
	for len(b) > 0 {
		var line []byte
		line, b, _ = cutLine(b)
		if v, ok := bytes.CutPrefix(line, []byte("btime ")); ok {
			if seconds, ok := parseInt(v); ok {
				return time.Unix(seconds, 0).UTC(), nil
			}
		}
	}
	return time.Time{}, errors.New("its stat file has no btime")
}

// Scan reads all processes. An error means that the list of processes could not
// be had, or that there were no file descriptors or memory to read them with.
// Counters go on from where they were at the next scan.
func (s *Scanner) Scan() (process.Snapshot, error) {
	s.scans++
	s.snap = process.Snapshot{Processes: s.snap.Processes[:0]}
	var err error
	if s.pids, err = s.root.numbers(s.pids[:0], s.dirents); err != nil {
		return process.Snapshot{}, fmt.Errorf("list the processes in %s: %w", s.opts.Root, withCure(err))
	}
	// The kernel lists PIDs in order, a directory that only looks like a proc
	// file system need not.
	if !slices.IsSorted(s.pids) {
		slices.Sort(s.pids)
	}
	s.shortage = 0
	for _, pid := range s.pids {
		s.visit(pid)
		if s.shortage != 0 {
			// Most of the others would fail as well, and all would be kept.
			return process.Snapshot{}, fmt.Errorf("read process %d in %s: %w", pid, s.opts.Root, withCure(s.shortage))
		}
	}
	for pid, e := range s.entries {
		if e.scan != s.scans {
			delete(s.entries, pid)
		}
	}
	return s.snap, nil
}

// read reads a file of the process that proc is the directory of.
func (s *Scanner) read(name string) ([]byte, unix.Errno) {
	s.path = append(append(s.path[:0], name...), 0)
	b, errno := s.proc.read(s.path, s.buf)
	s.note(errno)
	return b, errno
}

// note remembers that an error is a shortage.
func (s *Scanner) note(errno unix.Errno) {
	if short(errno) {
		s.shortage = errno
	}
}

// visit reads one process. All its files are opened relative to its
// directory: once the process is gone they fail, even if another has its PID.
func (s *Scanner) visit(pid int64) {
	var errno unix.Errno
	s.path = append(strconv.AppendInt(s.path[:0], pid, 10), 0)
	if s.proc, errno = s.root.pathAt(s.path); errno != 0 {
		s.note(errno)
		s.lost(pid, errno)
		return
	}
	s.files(pid)
	_ = s.proc.close() // nothing was written
}

// lost counts a process without a stat file. What is known of it is kept unless
// it ended: its counters go on once it can be read again.
func (s *Scanner) lost(pid int64, errno unix.Errno) {
	if gone(errno) {
		s.snap.Vanished++
		return
	}
	s.snap.Unreadable++
	if e := s.entries[pid]; e != nil {
		e.scan = s.scans
	}
}

// files reads the files of one process.
func (s *Scanner) files(pid int64) {
	b, errno := s.read("stat")
	st, err := parseStat(b)
	if errno != 0 || err != nil {
		s.lost(pid, errno)
		return
	}
	e := s.entries[pid]
	known := e != nil && e.startTicks == st.startTicks
	if !known {
		e = s.enter(pid, st.startTicks)
	}
	e.scan = s.scans
	executed := !known || e.halfRead || (!e.Kernel && !bytes.Equal(e.comm, st.comm))
	threads := e.Threads
	s.apply(e, st)

	// What follows reuses the buffer that st.comm points into.
	ran := s.schedule(e, st.userTicks+st.systemTicks, threads != e.Threads)
	describe := executed || (int64(s.scans)+pid)%describeEvery == 0
	if describe {
		s.describe(e)
	}
	if describe || ran {
		e.unreadable = false
		s.io(e)
	}
	if describe || (ran && s.opts.Switches) {
		s.status(e)
	}
	if e.halfRead = s.shortage != 0; e.halfRead {
		return
	}
	if e.unreadable {
		s.snap.Unreadable++
	}
	s.snap.Processes = append(s.snap.Processes, &e.Process)
}

// enter starts to keep a process.
func (s *Scanner) enter(pid, startTicks int64) *entry {
	start := s.boot.Add(time.Duration(startTicks) * (time.Second / userHZ))
	e := &entry{startTicks: startTicks, running: -1, ticks: -1}
	e.PID = pid
	e.Start = start
	e.Created = start.Format("2006-01-02T15:04:05.000Z07:00")
	s.entries[pid] = e
	return e
}

// apply takes over what the stat file says.
func (s *Scanner) apply(e *entry, st stat) {
	e.Parent, e.Group, e.Session = st.parent, st.group, st.session
	e.Kernel = st.flags&kernelThread != 0
	if !bytes.Equal(e.comm, st.comm) {
		e.comm = append(e.comm[:0], st.comm...)
		if name := displayName(st.comm, e.Kernel); e.Name != string(name) {
			e.Name = validUTF8(name)
		}
	}
	e.Nice, e.Threads = st.nice, st.threads
	e.UserTime = max(e.UserTime, float64(st.userTicks)/userHZ)
	e.SystemTime = max(e.SystemTime, float64(st.systemTicks)/userHZ)
	e.Virtual, e.Resident = st.virtual, max(0, st.residentPages)*s.pageSize
	e.MinorFaults, e.MajorFaults = st.minorFaults, st.majorFault

	// The delay is the main thread's, and other threads may be what waits.
	known := s.blockDelays && st.blockTicks >= 0 && st.threads == 1
	e.Known.Set(process.KnowsBlockDelay, known)
	if known {
		e.BlockDelay = max(e.BlockDelay, float64(st.blockTicks)/userHZ)
	}
}

// displayName is what of comm stays the same. A kernel worker appends what it is
// working on ("kworker/u8:3-events_unbound"), which changes by the second and
// would make it a new series each time.
func displayName(comm []byte, kernel bool) []byte {
	if kernel && bytes.HasPrefix(comm, []byte("kworker/")) {
		if i := bytes.IndexAny(comm, "+-"); i >= 0 {
			return comm[:i]
		}
	}
	return comm
}

func validUTF8(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

// schedule reads the run delay and reports whether the process may have run
// since the last scan. If it has only one thread and used no nanosecond of CPU
// it did not, and its I/O and context switches are what they were: most
// processes of a host cost two files a scan.
func (s *Scanner) schedule(e *entry, ticks int64, threadsChanged bool) (ran bool) {
	b, errno := s.read("schedstat")
	leader, err := parseSchedstat(b)
	if errno != 0 || err != nil {
		// A kernel without this file cannot tell.
		e.Known.Set(process.KnowsRunDelay, false)
		e.running = -1
		return true
	}
	leaderRan := leader.running != e.running
	e.running = leader.running
	if e.Threads <= 1 {
		if leaderRan || threadsChanged {
			s.threads = append(s.threads[:0], thread{tid: e.PID, delay: leader.waiting})
			e.addDelays(s.threads)
			e.Known.Set(process.KnowsRunDelay, true)
		}
		return leaderRan || threadsChanged
	}
	// The file of the process is that of its main thread alone. Reading all
	// threads is dear, and a thread's delay is only added when it gets a CPU: no
	// change without CPU time, to a tick.
	if leaderRan || threadsChanged || ticks != e.ticks {
		e.Known.Set(process.KnowsRunDelay, s.readThreads())
		e.ticks = -1 // to try again
		if e.Known.Has(process.KnowsRunDelay) {
			e.ticks = ticks
			e.addDelays(s.threads)
		}
	}
	return true
}

// readThreads reads the delays of the process's threads, by thread ID, and
// reports whether it got them all.
func (s *Scanner) readThreads() bool {
	task, errno := s.proc.openDirAt(taskName)
	if errno != 0 {
		s.note(errno)
		return false
	}
	defer func() { _ = task.close() }() // nothing was written
	var err error
	s.tids, err = task.numbers(s.tids[:0], s.dirents)
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

// io reads the bytes from and to storage.
func (s *Scanner) io(e *entry) {
	b, errno := s.read("io")
	e.unreadable = e.unreadable || refused(errno)
	read, written, err := parseIO(b)
	known := errno == 0 && err == nil
	e.Known.Set(process.KnowsIO, known)
	if known {
		e.ReadBytes, e.WriteBytes = max(e.ReadBytes, read), max(e.WriteBytes, written)
	}
}

// status reads the CPUs of the process and its context switches.
func (s *Scanner) status(e *entry) {
	b, errno := s.read("status")
	st, err := parseStatus(b)
	known := errno == 0 && err == nil
	e.Known.Set(process.KnowsSwitches, known && s.opts.Switches)
	if !known {
		return
	}
	e.VoluntarySwitches, e.InvoluntarySwitches = st.voluntary, st.involuntary
	if e.CPUs != string(st.cpus) {
		e.CPUs = validUTF8(st.cpus)
	}
}

// describe reads what seldom changes. Nothing here is worth an error: a part
// that may not be read stays empty.
func (s *Scanner) describe(e *entry) {
	if b, errno := s.read("cgroup"); errno == 0 {
		if path := parseCgroup(b); e.Cgroup != string(path) {
			e.Cgroup = validUTF8(path)
		}
	}
	if e.Kernel {
		return
	}
	if b, errno := s.proc.readlink(exeName, s.buf); errno == 0 {
		b = bytes.TrimSuffix(b, []byte(" (deleted)")) // replaced by an upgrade
		if e.Executable != string(b) {
			e.Executable = validUTF8(b)
		}
	}
	if s.opts.CommandLine {
		s.commandLine(e)
	}
}

func (s *Scanner) commandLine(e *entry) {
	b, errno := s.read("cmdline")
	if errno != 0 {
		return
	}
	// The sum tells that nothing changed without keeping the secrets in memory.
	sum := maphash.Bytes(s.seed, b)
	if sum != e.argsSum || e.Args == nil {
		e.argsSum, e.Args = sum, Scrub(splitArgs(b))
	}
}

// gone tells that the process ended.
func gone(errno unix.Errno) bool { return errno == unix.ENOENT || errno == unix.ESRCH }

// refused tells that this user may not read a file.
func refused(errno unix.Errno) bool { return errno == unix.EACCES || errno == unix.EPERM }

// short tells that a file could not be read for want of something, which says
// nothing about the process.
func short(errno unix.Errno) bool {
	return errno == unix.EMFILE || errno == unix.ENFILE || errno == unix.ENOMEM
}

// withCure adds to a shortage what can be done about it.
func withCure(err error) error {
	switch {
	case errors.Is(err, unix.EMFILE):
		return fmt.Errorf("%w: raise LimitNOFILE of the service, or ulimit -n", err)
	case errors.Is(err, unix.ENFILE):
		return fmt.Errorf("%w: the whole host has no more; raise sysctl fs.file-max", err)
	case errors.Is(err, unix.ENOMEM):
		return fmt.Errorf("%w: give the host or MemoryMax of the service more memory", err)
	default:
		return err
	}
}
