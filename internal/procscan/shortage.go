package procscan

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// gone tells that the process ended.
func gone(errno unix.Errno) bool { return errno == unix.ENOENT || errno == unix.ESRCH }

// refused tells that this user may not read a file.
func refused(errno unix.Errno) bool { return errno == unix.EACCES || errno == unix.EPERM }

// short tells that a file could not be read for want of something, which says
// nothing about the process.
func short(errno unix.Errno) bool {
	return errno == unix.EMFILE || errno == unix.ENFILE || errno == unix.ENOMEM
}

// withCure adds to a shortage what can be done about it.
func withCure(err error) error {
	switch {
	case errors.Is(err, unix.EMFILE):
		return fmt.Errorf("%w: raise LimitNOFILE of the service, or ulimit -n", err)
	case errors.Is(err, unix.ENFILE):
		return fmt.Errorf("%w: the whole host has no more; raise sysctl fs.file-max", err)
	case errors.Is(err, unix.ENOMEM):
		return fmt.Errorf("%w: give the host or MemoryMax of the service more memory", err)
	default:
		return err
	}
}
