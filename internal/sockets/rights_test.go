package sockets

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/process"
)

// nobody is a user without any right.
const nobody = 65534

// inHand names, in a test binary that runs as nobody, processes of root and of
// nobody, and what of root's process should be known.
const inHand = "SOCKETS_RIGHTS"

// TestRights runs itself again as nobody, with few capabilities.
func TestRights(t *testing.T) {
	if hand := os.Getenv(inHand); hand != "" {
		updateAsNobody(t, strings.Fields(hand))
		return
	}
	needRoot(t)
	server, elsewhere := newChild(t), newChild(t, inNamespace)
	mine := newChild(t, asNobody())
	address := server.do("listen tcp4 127.0.0.1:0")
	mine.do("dial tcp4 %s 1", address)
	for _, tt := range []struct {
		name         string
		capabilities []uintptr
		known        string // of root's processes here and elsewhere
	}{
		{"none", nil, "--"},
		{"CAP_DAC_READ_SEARCH", []uintptr{unix.CAP_DAC_READ_SEARCH}, "--"},
		{"CAP_SYS_PTRACE", []uintptr{unix.CAP_SYS_PTRACE}, "--"},
		{"both", []uintptr{unix.CAP_DAC_READ_SEARCH, unix.CAP_SYS_PTRACE}, "y-"},
		{"both and CAP_SYS_ADMIN", []uintptr{unix.CAP_DAC_READ_SEARCH, unix.CAP_SYS_PTRACE, unix.CAP_SYS_ADMIN}, "yy"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestRights$", "-test.v")
			cmd.Dir = "/"
			cmd.Env = []string{inHand + "=" + strconv.FormatInt(server.pid, 10) + " " +
				strconv.FormatInt(elsewhere.pid, 10) + " " + strconv.FormatInt(mine.pid, 10) + " " + tt.known}
			asNobody(tt.capabilities...)(cmd)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			require.Contains(t, string(out), "--- PASS: TestRights")
		})
	}
}

func asNobody(capabilities ...uintptr) func(*exec.Cmd) {
	return func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Credential:  &syscall.Credential{Uid: nobody, Gid: nobody},
			AmbientCaps: capabilities,
		}
	}
}

func updateAsNobody(t *testing.T, hand []string) {
	t.Helper()
	require.Equal(t, nobody, os.Geteuid())
	pid := func(i int) int64 {
		n, err := strconv.ParseInt(hand[i], 10, 64)
		require.NoError(t, err)
		return n
	}
	h := newHost(t, Options{})
	report := h.update()
	known := func(pid int64) bool { return h.of(pid).Known.Has(process.KnowsTCP | process.KnowsPaths) }
	require.Equal(t, hand[3][0] == 'y', known(pid(0)), "root's")
	require.Equal(t, hand[3][1] == 'y', known(pid(1)), "elsewhere")
	require.Equal(t, hand[3][0] == 'y', h.of(pid(0)).Network.Listening)
	// The rights of nobody's process are no more than those of this one.
	require.True(t, known(pid(2)), "its own")
	require.True(t, known(int64(os.Getpid())))
	if hand[3][0] == 'y' {
		_, err := h.table.Peers([]*process.Process{h.by[pid(2)]}, []*process.Process{h.by[pid(0)]})
		require.NoError(t, err)
		require.Equal(t, hand[3][1] != 'y', report.Elsewhere > 0)
		return
	}
	require.GreaterOrEqual(t, report.Refused, 2)
	require.Positive(t, report.Unowned)
	_, err := h.table.Peers([]*process.Process{h.by[pid(2)]}, []*process.Process{h.by[pid(0)]})
	require.ErrorIs(t, err, unix.EACCES)
}
