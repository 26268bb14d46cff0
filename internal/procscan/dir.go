package procscan

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dir is an open directory of a proc file system. Its files are opened relative
// to it, which spares the kernel the walk from "/" for each of them.
type dir struct {
	fd int
}

// closed stands for no directory.
var closed = dir{fd: -1}

func openDir(path string) (dir, error) {
	for {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if !errors.Is(err, unix.EINTR) {
			return dir{fd: fd}, err
		}
	}
}

// openDirAt opens a directory below d; path ends with a zero byte.
func (d dir) openDirAt(path []byte) (dir, unix.Errno) {
	fd, errno := openat(d.fd, path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC)
	return dir{fd: fd}, errno
}

// pathAt is openDirAt for less: files can be opened relative to the directory,
// but it cannot be listed.
func (d dir) pathAt(path []byte) (dir, unix.Errno) {
	fd, errno := openat(d.fd, path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC)
	return dir{fd: fd}, errno
}

func (d dir) close() error { return unix.Close(d.fd) }

// read reads a file by one read into buf. The kernel makes the whole of a proc
// file for one read that is large enough, so its parts belong together. path is
// relative and ends with a zero byte.
func (d dir) read(path, buf []byte) ([]byte, unix.Errno) {
	fd, errno := openat(d.fd, path, unix.O_RDONLY|unix.O_CLOEXEC)
	if errno != 0 {
		return nil, errno
	}
	for {
		n, err := unix.Read(fd, buf)
		if err == unix.EINTR {
			continue
		}
		_ = unix.Close(fd) // nothing was written
		return buf[:max(0, n)], errnoOf(err)
	}
}

// again reads a file that is open from its beginning: the kernel makes it anew.
func (d dir) again(buf []byte) ([]byte, unix.Errno) {
	for {
		n, err := unix.Pread(d.fd, buf, 0)
		if err == unix.EINTR {
			continue
		}
		return buf[:max(0, n)], errnoOf(err)
	}
}

// errnoOf is the number of an error of a system call; zero if there is none.
func errnoOf(err error) unix.Errno {
	if err == nil {
		return 0
	}
	errno, ok := err.(unix.Errno) //nolint:errorlint // the unix package returns bare errnos
	if !ok {
		return unix.EIO
	}
	return errno
}

// readlink reads where a symbolic link leads; path ends with a zero byte.
func (d dir) readlink(path, buf []byte) ([]byte, unix.Errno) {
	n, _, errno := unix.Syscall6(unix.SYS_READLINKAT, uintptr(d.fd),
		uintptr(unsafe.Pointer(&path[0])), //nolint:gosec // see openat
		uintptr(unsafe.Pointer(&buf[0])),  //nolint:gosec // see openat
		uintptr(len(buf)), 0, 0)
	if errno != 0 {
		return nil, errno
	}
	return buf[:n], 0
}

// openat is the system call. unix.Openat takes a string and copies it into a
// new byte slice with a zero byte: two allocations a file.
func openat(fd int, path []byte, flags int) (int, unix.Errno) {
	for {
		r, _, errno := unix.Syscall6(unix.SYS_OPENAT, uintptr(fd),
			uintptr(unsafe.Pointer(&path[0])), //nolint:gosec // the only way to hand bytes to the kernel
			uintptr(flags|unix.O_LARGEFILE), 0, 0, 0)
		if errno != unix.EINTR {
			return int(r), errno
		}
	}
}

// Offsets within a struct linux_dirent64: inode (8 bytes), offset (8), length of
// the record (2), type (1), name with a zero byte.
const (
	direntLength = 16
	direntName   = 19
)

// numbers appends the names in the directory that are decimal numbers, which
// are PIDs or thread IDs, to list, and stops at the limit. buf is scratch.
func (d dir) numbers(list []int64, buf []byte, limit int) ([]int64, error) {
	if _, err := unix.Seek(d.fd, 0, 0); err != nil {
		return list, fmt.Errorf("rewind: %w", err)
	}
	for {
		n, err := unix.Getdents(d.fd, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return list, err
		}
		if n == 0 {
			return list, nil
		}
		if list = appendNumbers(list, buf[:n]); len(list) >= limit {
			return list[:limit], nil
		}
	}
}

func appendNumbers(list []int64, entries []byte) []int64 {
	for len(entries) > direntName {
		length := int(binary.NativeEndian.Uint16(entries[direntLength:]))
		if length <= direntName || length > len(entries) {
			return list
		}
		name, _ := cutByte(entries[direntName:length], 0)
		if n, ok := parseInt(name); ok && n > 0 {
			list = append(list, n)
		}
		entries = entries[length:]
	}
	return list
}

// appendPath writes "pid/name" and a zero byte over path.
func appendPath(path []byte, pid int64, name string) []byte {
	path = strconv.AppendInt(path[:0], pid, 10)
	path = append(path, '/')
	path = append(path, name...)
	return append(path, 0)
}
