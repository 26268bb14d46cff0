package procscan

import (
	"golang.org/x/sys/unix"
)

// file is one of the files of a process that may be kept open.
type file uint8

const (
	statFile file = iota
	schedstatFile
	ioFile
	statusFile
	files
)

var fileNames = [files][]byte{
	statFile:      []byte("stat\x00"),
	schedstatFile: []byte("schedstat\x00"),
	ioFile:        []byte("io\x00"),
	statusFile:    []byte("status\x00"),
}

// keptFiles are the descriptors of files that are kept open; -1 for the others.
// They are of one process for ever: once it is gone they fail with ESRCH, even
// if another has its PID. To read one again saves the kernel opening it, which
// takes longer than to make its content: the stat file costs 2.0 instead of 5.6
// us, io 1.0 instead of 3.0. But each holds 4 KiB of kernel memory, counted as
// that of this process's cgroup. So only processes that run often have theirs
// kept, and, where nothing cheaper tells which ones run, the schedstat of all
// with one thread.
type keptFiles [files]int32

var nothingKept = keptFiles{-1, -1, -1, -1}

// Bounds of the files that are kept if the user says nothing.
const (
	keptReserve = 128  // descriptors left to the rest of this process
	keptDefault = 8192 // 32 MiB of kernel memory
)

// maxKept is how many files may be kept open; option is Options.MaxOpen.
func maxKept(option int) int {
	if option != 0 {
		return max(0, option)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	half := int(min(limit.Cur/2, keptDefault+keptReserve)) //nolint:gosec // it is small now
	return max(0, half-keptReserve)
}

// keep keeps the files of a process open that are worth it.
func (s *Scanner) keep(e *entry) {
	switch {
	case e.active >= busy:
		s.keepFile(e, statFile)
		s.keepFile(e, schedstatFile)
		if !e.refused {
			s.keepFile(e, ioFile)
		}
		if s.opts.Switches {
			s.keepFile(e, statusFile)
		}
		e.hot = true
	case !s.clock && e.Threads <= 1:
		s.keepFile(e, schedstatFile)
	}
}

func (s *Scanner) keepFile(e *entry, f file) {
	if e.kept[f] >= 0 || s.kept >= s.maxKept || s.directory(e) != 0 {
		return
	}
	fd, errno := openat(s.proc.fd, fileNames[f], unix.O_RDONLY|unix.O_CLOEXEC)
	if short(errno) {
		s.maxKept = s.kept // it works without
	}
	if errno == 0 {
		e.kept[f] = int32(fd) //nolint:gosec // descriptors are small
		s.kept++
	}
}

// cool closes the files of a process that ran often and does not any more.
func (s *Scanner) cool(e *entry) {
	e.hot = false
	for f := range files {
		if s.clock || f != schedstatFile {
			s.closeFile(e, f)
		}
	}
}

// release closes all kept files of a process.
func (s *Scanner) release(e *entry) {
	e.hot = false
	for f := range files {
		s.closeFile(e, f)
	}
}

func (s *Scanner) closeFile(e *entry, f file) {
	if fd := e.kept[f]; fd >= 0 {
		_ = unix.Close(int(fd)) // nothing was written
		e.kept[f] = -1
		s.kept--
	}
}

// shrink gives half of the kept files back, for good: this process or its host
// needs the descriptors or the memory elsewhere. It reports whether there were
// any.
func (s *Scanner) shrink() bool {
	if s.kept == 0 {
		return false
	}
	s.maxKept = s.kept / 2
	for _, list := range [...][]*entry{s.entries, s.next} {
		for _, e := range list {
			if s.kept <= s.maxKept {
				return true
			}
			s.release(e)
		}
	}
	return true
}

// file reads a file of the process that is being read.
func (s *Scanner) file(e *entry, f file) ([]byte, unix.Errno) {
	if fd := e.kept[f]; fd >= 0 {
		b, errno := dir{fd: int(fd)}.again(s.buf)
		if gone(errno) {
			s.closeFile(e, f)
		}
		s.note(errno)
		return b, errno
	}
	if errno := s.directory(e); errno != 0 {
		return nil, errno
	}
	return s.read(fileNames[f])
}

// directory opens the directory of the process that is being read, unless it
// is. All files are opened relative to it: once the process is gone they fail,
// even if another has its PID.
func (s *Scanner) directory(e *entry) unix.Errno {
	if s.proc != closed {
		return 0
	}
	proc, errno := s.open(e.PID)
	if errno != 0 {
		return errno
	}
	s.proc = proc
	// The process was known by a kept file. If that can still be read, nobody
	// else has got its PID, and the directory is its own.
	if _, errno = (dir{fd: int(e.kept[statFile])}).again(s.buf); errno != 0 {
		s.leave()
	}
	return errno
}
