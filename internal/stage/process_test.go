package stage

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestASessionWithoutItsLeaderIsToldFromOneWithTheSameID(t *testing.T) {
	// The first of its children was started before it was marked, the others come after.
	session := start([]string{"/bin/sh", "-c", `sleep 1000 & echo ready; sleep 0.2; env -i sleep 1000 & env -i sleep 1000 & wait`})
	require.NoError(t, session.err)
	p, err := describeProcess(session.pid)
	require.NoError(t, err)
	p.mark()
	require.NotZero(t, p.Mark)
	require.Eventually(t, func() bool { return len(p.members()) == 4 }, killTime, poll)
	require.NoError(t, unix.Kill(session.pid, unix.SIGKILL))
	_, err = unix.Wait4(session.pid, nil, 0, nil)
	require.NoError(t, err)

	require.Len(t, p.members(), 3)
	for _, mark := range []uint64{0, p.Mark + 1} {
		stranger := p
		stranger.Mark = mark
		require.Empty(t, stranger.members(), "it may be a session of others that has the same id")
	}
	did, err := p.kill(t.Context())
	require.NoError(t, err)
	require.True(t, did)
	require.Empty(t, sessionOf(session.pid))
}
