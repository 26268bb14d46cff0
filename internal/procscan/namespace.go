package procscan

import (
	"bytes"
	"os"
)

// ownNamespace tells that the proc file system is that of this process's own
// PID namespace, so that system calls take the PIDs found there. A container
// sees the proc file system of its host under other PIDs than its own.
func (s *Scanner) ownNamespace() bool {
	b, errno := s.root.readlink([]byte("self\x00"), s.buf)
	if errno != 0 {
		return false
	}
	if pid, ok := parseInt(b); !ok || pid != int64(os.Getpid()) {
		return false
	}
	// The two can be the same by chance.
	b, errno = s.root.read([]byte("self/status\x00"), s.buf)
	return errno == 0 && !nested(b)
}

// nested tells that a status file shows more than one PID of the process: that
// in the namespace of the proc file system and those in the ones below it.
// Before Linux 4.1 it showed none.
func nested(status []byte) bool {
	pids, _ := value(status, "NSpid:\t")
	return bytes.Count(pids, []byte{'\t'}) > 0
}
