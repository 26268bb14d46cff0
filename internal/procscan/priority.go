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

// priorities reads the priorities of a process's threads that the stat file
// does not have.
func (s *Scanner) priorities(p *process.Process, threads int64) {
	if s.own {
		if value, errno := ioPriority(p.PID); errno == 0 {
			set(s, &p.IOPriority, process.IOPriorityName(uint32(value))) //nolint:gosec // 16 bits
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
			s.text = append(append(s.text, process.IOPriorityName(uint32(v))...), ',') //nolint:gosec // 16 bits
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
	return int64(process.NormalIOPriority(uint32(value))), errno                        //nolint:gosec // 16 bits
}
