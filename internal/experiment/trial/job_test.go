package trial

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// soon waits for what another process does.
func soon(t *testing.T, why string, there func() bool) {
	t.Helper()
	require.Eventually(t, there, 10*time.Second, 10*time.Millisecond, why)
}

func TestStopEndsTheWholeSession(t *testing.T) {
	t.Parallel()
	// One that ignores SIGTERM, in a process group of its own.
	j, err := startJob([]string{"sh", "-c", `set -m; sh -c 'trap "" TERM; while :; do sleep 0.1; done' & sleep 60`})
	require.NoError(t, err)
	soon(t, "all run", func() bool { return len(members(j.pid())) >= 3 })
	require.NoError(t, j.stop())
	require.Empty(t, members(j.pid()))
	require.True(t, j.ended())
	require.NoError(t, j.stop(), "twice")
}

func TestWorkCountsChildrenThatEnded(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.WriteFile(file, make([]byte, 8<<20), 0o600))
	j, err := startJob([]string{"sh", "-c", "cat " + file + "; cat " + file + "; echo done >&2; sleep 60"})
	require.NoError(t, err)
	defer func() { require.NoError(t, j.stop()) }()
	soon(t, "both were read", func() bool { return j.words.String() == "done" })
	w := j.work()
	require.False(t, w.Ended)
	require.InDelta(t, 4*8<<20, w.Bytes, 1<<20, "read and written, twice")
	require.Positive(t, w.Seconds)
}

func TestWorkOfWhatEnded(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.WriteFile(file, make([]byte, 8<<20), 0o600))
	j, err := startJob([]string{"cat", file})
	require.NoError(t, err)
	<-j.done
	require.NoError(t, j.failure())
	w := j.work()
	require.True(t, w.Ended)
	require.InDelta(t, 2*8<<20, w.Bytes, 1<<20, "it is read before the process is gone")
	require.NoError(t, j.stop())
}

func TestFailureTellsTheLastWords(t *testing.T) {
	t.Parallel()
	j, err := startJob([]string{"sh", "-c", "echo no repository >&2; exit 3"})
	require.NoError(t, err)
	<-j.done
	require.ErrorContains(t, j.failure(), "exit status 3; the last it wrote:\nno repository")
	_, err = startJob([]string{"/no/such/backup"})
	require.ErrorContains(t, err, "start the backup")
	err = runCommand(t.Context(), "echo oh; false")
	require.ErrorContains(t, err, "echo oh; false: exit status 1; the last it wrote:\noh")
	require.NoError(t, runCommand(t.Context(), "true"))
}

func TestTailIsBounded(t *testing.T) {
	w := &tail{}
	for range 100 {
		n, err := w.Write([]byte(strings.Repeat("x", 999) + "\n"))
		require.NoError(t, err)
		require.Equal(t, 1000, n)
	}
	require.Less(t, len(w.String()), 2001)
}
