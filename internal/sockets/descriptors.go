package sockets

import (
	"errors"
	"math"

	"golang.org/x/sys/unix"
)

// visitor is told of the sockets that a process holds.
type visitor interface {
	holds(inode uint32, descriptor uint64)
}

// reader reads the descriptors of processes.
type reader struct {
	proc   dir
	budget int // descriptors that may still be read
	path   []byte
	buf    []byte // of directory entries
	link   []byte
}

func newReader(proc dir) reader {
	return reader{
		proc: proc,
		path: make([]byte, 0, 64),
		// Small, to get off in time from a process with very many.
		buf:  make([]byte, 4<<10),
		link: make([]byte, 64),
	}
}

// openingCost is what a process costs before its first descriptor is read, in
// descriptors.
const openingCost = 4

// read tells v of the sockets that process pid holds, from where an earlier call
// had to stop; zero is the start. It stops when the budget is used up and
// returns where to go on, or -1 at the end.
func (r *reader) read(pid, from int64, v visitor) (int64, error) {
	r.budget -= openingCost
	r.path = appendPath(r.path, pid, "fd")
	fd, errno := r.proc.open(r.path, unix.O_RDONLY|unix.O_DIRECTORY)
	if errno != 0 {
		return from, errno
	}
	d := dir{fd: fd}
	defer func() { _ = d.close() }() // nothing was written
	if from > 0 {
		if _, err := unix.Seek(fd, from, unix.SEEK_SET); err != nil {
			return from, err
		}
	}
	for {
		b, err := d.entries(r.buf)
		if err != nil || len(b) == 0 {
			return -1, err
		}
		for {
			e, rest, ok := cutEntry(b)
			if !ok {
				break
			}
			if err := r.visit(d, e, v); err != nil {
				return from, err
			}
			b, from = rest, e.next
			if r.budget <= 0 {
				return from, nil
			}
		}
	}
}

func (r *reader) visit(d dir, e entry, v visitor) error {
	if e.name == nil { // . and ..
		return nil
	}
	r.budget--
	link, errno := d.readlink(e.name, r.link)
	if errno != 0 {
		if refused(errno) || short(errno) {
			return errno
		}
		return nil // closed meanwhile
	}
	if inode, ok := parseLink(link); ok {
		v.holds(inode, e.number)
	}
	return nil
}

// all is read without a budget.
func (r *reader) all(pid int64, v visitor) error {
	r.budget = math.MaxInt
	_, err := r.read(pid, 0, v)
	return err
}

// stillHolds reports whether a descriptor of a process is still that socket. If it
// may not be read, nothing speaks against it.
func (r *reader) stillHolds(pid int64, descriptor uint64, inode uint32) bool {
	r.path = appendDescriptor(r.path, pid, descriptor)
	link, errno := r.proc.readlink(r.path, r.link)
	if errno != 0 {
		return !gone(errno)
	}
	now, ok := parseLink(link)
	return ok && now == inode
}

// namespaceOf returns the inode of the network namespace of a process.
func (r *reader) namespaceOf(pid int64) (uint64, bool) {
	r.path = appendPath(r.path, pid, "ns/net")
	link, errno := r.proc.readlink(r.path, r.link)
	if errno != 0 {
		return 0, false
	}
	return parseNamespace(link)
}

// gone tells that a process or descriptor is no more.
func gone(err error) bool { return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) }
