package sockets

import (
	"encoding/binary"
	"errors"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dir is an open directory. Names for it end with a zero byte, as the kernel
// takes them, which spares an allocation for each.
type dir struct{ fd int }

func openDir(path string) (dir, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	return dir{fd: fd}, err
}

func (d dir) close() error { return unix.Close(d.fd) }

// open opens a file or directory below d.
func (d dir) open(path []byte, flags int) (int, unix.Errno) {
	for {
		fd, _, errno := unix.Syscall6(unix.SYS_OPENAT, uintptr(d.fd),
			uintptr(unsafe.Pointer(&path[0])), //nolint:gosec // the only way to hand bytes to the kernel
			uintptr(flags|unix.O_CLOEXEC), 0, 0, 0)
		if errno != unix.EINTR {
			return int(fd), errno
		}
	}
}

// readlink reads where a symbolic link below d leads.
func (d dir) readlink(path, buf []byte) ([]byte, unix.Errno) {
	n, _, errno := unix.Syscall6(unix.SYS_READLINKAT, uintptr(d.fd),
		uintptr(unsafe.Pointer(&path[0])), //nolint:gosec // see open
		uintptr(unsafe.Pointer(&buf[0])),  //nolint:gosec // see open
		uintptr(len(buf)), 0, 0)
	if errno != 0 {
		return nil, errno
	}
	return buf[:n], 0
}

// entries reads the next entries of the directory; none means its end.
func (d dir) entries(buf []byte) ([]byte, error) {
	for {
		n, err := unix.Getdents(d.fd, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return buf[:n], nil
	}
}

// Layout of a struct linux_dirent64.
const (
	direntNext   = 8 // where the directory goes on
	direntLength = 16
	direntName   = 19
)

// entry is an entry of a directory of descriptors.
type entry struct {
	next   int64  // where the directory goes on
	number uint64 // its name as a number
	name   []byte // with the zero byte; nil if it is no number
}

// cutEntry splits the first entry off b. ok is false if there is none, or none
// that makes sense.
func cutEntry(b []byte) (e entry, rest []byte, ok bool) {
	if len(b) <= direntName {
		return entry{}, nil, false
	}
	length := int(binary.NativeEndian.Uint16(b[direntLength:]))
	if length <= direntName || length > len(b) {
		return entry{}, nil, false
	}
	e.next = int64(binary.NativeEndian.Uint64(b[direntNext:])) //nolint:gosec // an off_t is signed
	for i, c := range b[direntName:length] {
		if c == 0 {
			if e.number, ok = parseNumber(b[direntName : direntName+i]); ok {
				e.name = b[direntName : direntName+i+1]
			}
			break
		}
	}
	return e, b[length:], true
}

// appendPath writes "pid/name" and a zero byte over path.
func appendPath(path []byte, pid int64, name string) []byte {
	path = strconv.AppendInt(path[:0], pid, 10)
	path = append(path, '/')
	path = append(path, name...)
	return append(path, 0)
}

// appendDescriptor writes "pid/fd/number" and a zero byte over path.
func appendDescriptor(path []byte, pid int64, number uint64) []byte {
	path = strconv.AppendInt(path[:0], pid, 10)
	path = append(path, "/fd/"...)
	path = strconv.AppendUint(path, number, 10)
	return append(path, 0)
}

// refused tells that this user may not read a file.
func refused(err error) bool { return errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) }

// short tells that a file could not be read for want of something, which says
// nothing about the process.
func short(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOMEM)
}
