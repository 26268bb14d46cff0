package bpfscan

import (
	"errors"
	"fmt"
	"io"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// listBuffer is what a read of a list asks for: more than the eight pages that
// the kernel gives at once.
const listBuffer = 64 << 10

// bpfIterCreate is the command of the bpf system call that starts a list.
const bpfIterCreate = 33

// list reads what an iterator of the kernel writes: all of it anew each time.
type list struct {
	link *link.Iter
	attr struct{ link, flags uint32 }
	fd   int
	buf  []byte
	rest []byte // of buf, not yet consumed
}

func newList(p *ebpf.Program) (*list, error) {
	l, err := link.AttachIter(link.IterOptions{Program: p})
	if err != nil {
		return nil, err
	}
	return &list{link: l, fd: -1, buf: make([]byte, listBuffer)}, nil
}

// start begins a new list. The link can do it, too, at the price of a few
// allocations.
func (l *list) start() error {
	l.attr.link = uint32(l.link.FD()) //nolint:gosec // a file descriptor
	fd, _, errno := unix.Syscall(unix.SYS_BPF, bpfIterCreate,
		uintptr(unsafe.Pointer(&l.attr)), unsafe.Sizeof(l.attr)) //nolint:gosec // the only way to hand a struct to the kernel
	if errno != 0 {
		return fmt.Errorf("start a list of the kernel: %w", errno)
	}
	l.fd, l.rest = int(fd), nil
	return nil
}

// next is the next record, valid until the one after it, or io.EOF.
func (l *list) next() (head, []byte, error) {
	for {
		h, record, rest, err := cutRecord(l.rest)
		if err == nil {
			l.rest = rest
			return h, record, nil
		}
		if len(l.rest) >= headSize && !errors.Is(err, errTruncated) {
			return head{}, nil, err
		}
		if err := l.fill(); err != nil {
			return head{}, nil, err
		}
	}
}

// fill reads on. A record may lie across two reads.
func (l *list) fill() error {
	kept := copy(l.buf, l.rest)
	n, err := unix.Read(l.fd, l.buf[kept:])
	for errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
		n, err = unix.Read(l.fd, l.buf[kept:])
	}
	switch {
	case err != nil:
		return fmt.Errorf("read a list of the kernel: %w", err)
	case n > 0:
		l.rest = l.buf[:kept+n]
		return nil
	case kept > 0:
		return errTruncated
	default:
		return io.EOF
	}
}

func (l *list) stop() {
	if l.fd >= 0 {
		_ = unix.Close(l.fd) // nothing was written
		l.fd = -1
	}
}

func (l *list) close() error {
	l.stop()
	return l.link.Close()
}
