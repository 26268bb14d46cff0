package procscan

import (
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/process"
)

// maxPriorities bounds the threads whose priorities are read of one process.
const maxPriorities = 256

// ioWhoProcess is IOPRIO_WHO_PROCESS: one thread, named by its ID.
const ioWhoProcess = 1

// Classes of I/O priority, in the bits above ioClassShift.
const (
	ioClassShift = 13
	ioNone       = 0
	ioRealtime   = 1
	ioBestEffort = 2
	ioIdle       = 3
)

// priorities reads the priorities of a process's threads that the stat file
// does not have.
func (s *Scanner) priorities(p *process.Process, threads int64) {
	if s.own {
		if value, errno := ioPriority(p.PID); errno == 0 {
			set(s, &p.IOPriority, ioPriorityName(value))
		}
	}
	if threads <= 1 {
		set(s, &p.ThreadNice, "")
		set(s, &p.ThreadIOPriority, "")
		return
	}
	s.threadPriorities(p)
}

// threadPriorities sets the fields of a process with several threads.
func (s *Scanner) threadPriorities(p *process.Process) {
	task, errno := s.proc.openDirAt(taskName)
	if errno != 0 {
		s.note(errno)
		return
	}
	defer func() { _ = task.close() }() // nothing was written
	var err error
	if s.tids, err = task.numbers(s.tids[:0], s.dirents, maxPriorities); err != nil {
		return
	}
	s.nices, s.ioPriorities = s.nices[:0], s.ioPriorities[:0]
	for _, tid := range s.tids {
		if nice, errno := s.threadNice(task, tid); errno == 0 {
			s.nices = insert(s.nices, nice)
		}
		if !s.own {
			continue
		}
		if value, errno := ioPriority(tid); errno == 0 {
			s.ioPriorities = insert(s.ioPriorities, value)
		}
	}
	s.text = s.text[:0]
	if len(s.nices) > 1 {
		for _, n := range s.nices {
			s.text = append(strconv.AppendInt(s.text, n, 10), ',')
		}
	}
	setText(s, &p.ThreadNice, withoutComma(s.text))
	s.text = s.text[:0]
	if len(s.ioPriorities) > 1 {
		for _, v := range s.ioPriorities {
			s.text = append(append(s.text, ioPriorityName(v)...), ',')
		}
	}
	setText(s, &p.ThreadIOPriority, withoutComma(s.text))
}

func withoutComma(b []byte) []byte { return b[:max(0, len(b)-1)] }

// insert adds a value to an ordered list unless it is there.
func insert(list []int64, value int64) []int64 {
	i, found := slices.BinarySearch(list, value)
	if found {
		return list
	}
	return slices.Insert(list, i, value)
}

// threadNice asks the kernel, or where it counts threads differently reads the
// thread's stat file, which takes ten times as long.
func (s *Scanner) threadNice(task dir, tid int64) (int64, unix.Errno) {
	if s.own {
		value, _, errno := unix.Syscall(unix.SYS_GETPRIORITY, unix.PRIO_PROCESS, uintptr(tid), 0) //nolint:gosec // thread IDs are positive
		return 20 - int64(value), errno                                                           //nolint:gosec // the call itself returns 1 to 40
	}
	s.path = appendPath(s.path, tid, "stat")
	b, errno := task.read(s.path, s.buf)
	s.note(errno)
	if errno != 0 {
		return 0, errno
	}
	st, err := parseStat(b)
	if err != nil {
		return 0, unix.EIO
	}
	return st.nice, 0
}

// ioPriority is the I/O priority of a thread; what the kernel ignores is zero.
func ioPriority(tid int64) (int64, unix.Errno) {
	value, _, errno := unix.Syscall(unix.SYS_IOPRIO_GET, ioWhoProcess, uintptr(tid), 0) //nolint:gosec // thread IDs are positive
	return normalIOPriority(int64(value)), errno                                        //nolint:gosec // 16 bits
}

// normalIOPriority keeps the class and, where it has levels, the level. Newer
// kernels put hints between them.
func normalIOPriority(value int64) int64 {
	class := value >> ioClassShift
	if class == ioRealtime || class == ioBestEffort {
		return class<<ioClassShift | value&7
	}
	return class << ioClassShift
}

// ioPriorityName is such as "idle" or "best-effort:4"; empty for a class that
// there is not.
func ioPriorityName(value int64) string {
	level := value & 7
	switch value >> ioClassShift {
	case ioNone:
		return "none"
	case ioRealtime:
		return [...]string{
			"realtime:0", "realtime:1", "realtime:2", "realtime:3",
			"realtime:4", "realtime:5", "realtime:6", "realtime:7",
		}[level]
	case ioBestEffort:
		return [...]string{
			"best-effort:0", "best-effort:1", "best-effort:2", "best-effort:3",
			"best-effort:4", "best-effort:5", "best-effort:6", "best-effort:7",
		}[level]
	case ioIdle:
		return "idle"
	default:
		return ""
	}
}
