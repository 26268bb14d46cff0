package procscan

import (
	"hash/maphash"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sameCPUs tells that a process that did not run since its status file was read
// may use the same CPUs as then. Nothing else of that file can have changed, and
// the call takes a small part of the time that the file takes, which would be a
// fifth of a scan of idle processes.
func (s *Scanner) sameCPUs(e *entry) bool {
	before := e.affinity
	e.affinity = 0
	if s.own {
		e.affinity = s.affinity(e.PID)
	}
	return before != 0 && before == e.affinity
}

// affinity is a sum of the set of CPUs that a thread may run on; zero if unknown.
func (s *Scanner) affinity(tid int64) uint64 {
	n, _, errno := unix.RawSyscall(unix.SYS_SCHED_GETAFFINITY, uintptr(tid), //nolint:gosec // thread IDs are positive
		uintptr(len(s.buf)), uintptr(unsafe.Pointer(&s.buf[0]))) //nolint:gosec // the only way to hand memory to the kernel
	if errno != 0 || int(n) > len(s.buf) {
		return 0
	}
	return maphash.Bytes(s.seed, s.buf[:n])
}
