package sockets

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func currentThread() int { return unix.Gettid() }

// lowerLimit lets this process have few descriptors until the returned function
// is called.
func lowerLimit(t *testing.T) (restore func()) {
	t.Helper()
	var limit unix.Rlimit
	require.NoError(t, unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &limit))
	require.NoError(t, unix.Prlimit(0, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: limit.Max}, nil))
	return func() { require.NoError(t, unix.Prlimit(0, unix.RLIMIT_NOFILE, &limit, nil)) }
}
