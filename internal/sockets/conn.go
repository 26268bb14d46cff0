package sockets

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// answerSize holds what the kernel sends at once, which is 32 KiB at most.
const answerSize = 64 << 10

// patience bounds how long an answer is waited for, in seconds: the kernel makes
// it while it is read, so it is there at once or never comes.
const patience = 2

// conn is a netlink socket that asks for the sockets of one network namespace.
type conn struct {
	fd     int
	seq    uint32
	midway bool // the last answer was not read to its end
}

// dial opens a netlink socket in the network namespace of the calling thread.
func dial() (*conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	// Connected, it takes messages from the kernel only.
	err = unix.Connect(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	if err == nil {
		err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: patience})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare a netlink socket: %w", err), unix.Close(fd))
	}
	return &conn{fd: fd}, nil
}

func (c *conn) close() error { return unix.Close(c.fd) }

// dump asks for a list and hands each message to s, some of them twice if it had
// to ask again. buf is scratch. If it returns false without an error, messages
// may be missing: the list changed, or did not fit, twice.
func (c *conn) dump(request, buf []byte, s sink) (complete bool, err error) {
	for range 2 {
		complete, err = c.try(request, buf, s)
		if complete || (err != nil && !errors.Is(err, errLost)) {
			return complete, err
		}
	}
	return false, nil
}

func (c *conn) try(request, buf []byte, s sink) (complete bool, err error) {
	if c.midway {
		c.drain(buf)
	}
	c.seq++
	setSeq(request, c.seq)
	if _, err := unix.Write(c.fd, request); err != nil {
		return false, fmt.Errorf("ask for the sockets: %w", err)
	}
	c.midway = true
	complete = true
	for {
		n, err := unix.Read(c.fd, buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOBUFS):
			return false, errLost
		case err != nil:
			return false, fmt.Errorf("read the sockets: %w", err)
		}
		r, err := readReply(buf[:n], c.seq, s)
		complete = complete && !r.interrupted
		c.midway = !r.done
		if err != nil {
			return false, err
		}
		if r.done {
			return complete, nil
		}
	}
}

// drain throws the rest of an answer away. Until then the kernel takes no other
// request.
func (c *conn) drain(buf []byte) {
	for {
		_, _, err := unix.Recvfrom(c.fd, buf, unix.MSG_DONTWAIT)
		if err != nil && !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.ENOBUFS) {
			break
		}
	}
	c.midway = false
}
