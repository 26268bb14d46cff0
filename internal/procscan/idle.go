package procscan

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// idle tells that a process did not run since it was last asked. What did not
// use a nanosecond of CPU did no I/O either, switched no context, executed
// nothing and touched no memory, so that none of its files must be read.
//
// Per process, of the ways to know (Linux 6.18, 2,000 idle processes):
//
//	clock_gettime of its CPU clock    0.4 us   all threads, no descriptor
//	schedstat, kept open              0.6 us   main thread, 4 KiB of kernel memory
//	stat, kept open                   2.0 us   to 10 ms
//	schedstat, opened                 2.1 us   main thread
//	stat, opened                      5.6 us   to 10 ms
//
// The clock takes only PIDs of this process's own namespace. Elsewhere it is
// schedstat, which says nothing of other threads: a process that has some may
// have run. So may all if the kernel has no such file.
func (s *Scanner) idle(e *entry) bool {
	if s.clock {
		now, ok := cpuClock(e.PID)
		idle := ok && now == e.clock
		e.clock = now
		return idle
	}
	if e.Threads > 1 {
		return false
	}
	b, errno := s.schedstat(e)
	if errno != 0 {
		return false
	}
	leader, err := parseSchedstat(b)
	// It stays in e for the run delay, which is read with the rest.
	return err == nil && leader.running == e.running
}

// schedstat reads the file for idle, with the least work.
func (s *Scanner) schedstat(e *entry) ([]byte, unix.Errno) {
	if fd := e.kept[schedstatFile]; fd >= 0 {
		return dir{fd: int(fd)}.again(s.buf)
	}
	s.path = appendPath(s.path, e.PID, "schedstat")
	return s.root.read(s.path, s.buf)
}

// cpuClock is the ns of CPU that all threads of a process used, those that ended
// included; it needs no right. The kernel brings that of a thread that is on a
// CPU up to date with each of its ticks: what it did since then shows the next
// time. Of another process with the same PID it is another number, except by a
// chance of one in millions.
func cpuClock(pid int64) (ns int64, ok bool) {
	var t unix.Timespec
	// See clock_getcpuclockid(3): two of the low bits ask for the scheduler's sum.
	const schedulerSum = 2
	id := ^pid<<3 | schedulerSum
	// The call never waits, thus Go's scheduler need not hear of it.
	_, _, errno := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, uintptr(id), //nolint:gosec // a clockid_t is signed
		uintptr(unsafe.Pointer(&t)), 0) //nolint:gosec // the only way to hand memory to the kernel
	if errno != 0 {
		return -1, false
	}
	return t.Nano(), true
}
