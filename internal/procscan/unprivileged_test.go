package procscan

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/process"
)

// nobody is a user without any right.
const nobody = 65534

// asNobody names, in a test binary that runs as nobody, a process of root.
const asNobody = "PROCSCAN_PROCESS_OF_ROOT"

// TestScanUnprivileged runs itself again as nobody.
func TestScanUnprivileged(t *testing.T) {
	if other := os.Getenv(asNobody); other != "" {
		scanAsNobody(t, other)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can start a process of another user")
	}
	// The path of the binary leads through folders that nobody may not enter.
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestScanUnprivileged$", "-test.v")
	cmd.Dir = "/"
	cmd.Env = []string{asNobody + "=" + strconv.Itoa(os.Getpid())}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "--- PASS: TestScanUnprivileged")
}

func scanAsNobody(t *testing.T, processOfRoot string) {
	t.Helper()
	require.Equal(t, nobody, os.Geteuid())
	other, err := strconv.ParseInt(processOfRoot, 10, 64)
	require.NoError(t, err)
	s, err := Open(Options{Root: "/proc", Switches: true, CommandLine: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()

	for range 2 {
		snap := scan(t, s)
		require.Positive(t, snap.Unreadable)
		found := map[int64]*process.Process{}
		for _, p := range snap.Processes {
			found[p.PID] = p
		}
		require.Contains(t, found, other)
		require.False(t, found[other].Known.Has(process.KnowsIO), "another user's I/O is refused")
		require.True(t, found[other].Known.Has(process.KnowsRunDelay|process.KnowsSwitches), "what is public is known")
		require.NotEmpty(t, found[other].Args)
		require.NotEmpty(t, found[other].Cgroup)
		require.Empty(t, found[other].Executable)

		self := int64(os.Getpid())
		require.Contains(t, found, self)
		require.True(t, found[self].Known.Has(process.KnowsIO), "its own I/O is known")
	}
	askSeldom(t)
}

// askSeldom expects that what was refused is not asked for at each scan.
func askSeldom(t *testing.T) {
	t.Helper()
	tr := newTree(t)
	tr.process(fake{pid: 7, comm: "a", read: 5})
	io := filepath.Join(tr.root, "7", "io")
	require.NoError(t, os.Chmod(io, 0))
	s := tr.open(Options{})
	scan(t, s)
	tr.write("7/schedstat", fake{running: 1}.schedstat()) // so that it is described as a young one
	snap := scan(t, s)
	require.Equal(t, 1, snap.Unreadable)
	require.NoError(t, os.Chmod(io, 0o600))
	asked := 0
	for i := range describeEvery {
		tr.write("7/schedstat", fake{running: i + 2}.schedstat())
		snap = scan(t, s)
		if snap.Processes[0].Known.Has(process.KnowsIO) {
			asked++
		} else {
			require.Zero(t, asked, "known again")
			require.Equal(t, 1, snap.Unreadable)
		}
	}
	require.Equal(t, int64(5), snap.Processes[0].ReadBytes)
	require.Equal(t, 10, asked, "from its turn at scan 23 to scan 32")
}
