package procscan

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const mountLines = `22 28 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw
23 28 0:22 / /proc rw,nosuid shared:12 - proc proc rw
30 28 0:30 / /a rw - proc proc rw,hidepid=invisible
31 28 0:31 / /b\040c rw shared:1 master:2 - proc none rw,gid=4,hidepid=1
32 28 0:32 / /d rw - proc proc rw,gid=4,hidepid=ptraceable
33 28 0:33 / /e rw - proc proc rw,gid=4,hidepid=off
34 28 0:34 / /f rw - ext4 hidepid=2 rw,hidepid=2
`

func TestHidden(t *testing.T) {
	anybody, root := rights{groups: []int64{100}}, rights{ptrace: true}
	for _, c := range []struct {
		mount int64
		from  rights
		want  bool
	}{
		{22, anybody, false},
		{23, anybody, false},
		{30, anybody, true},
		{30, rights{groups: []int64{0}}, false}, // the group if none is named
		{30, root, false},
		{31, anybody, true},
		{31, rights{groups: []int64{100, 4}}, false},
		{32, rights{groups: []int64{4}}, true},
		{32, root, false},
		{33, anybody, false},
		{34, anybody, false},
		{99, anybody, false},
	} {
		require.Equal(t, c.want, mountedHidden([]byte(mountLines), c.mount).from(c.from), c)
	}
}

func TestParseRights(t *testing.T) {
	r := parseRights([]byte("Name:\tx\nGid:\t1\t2\t3\t4\nGroups:\t5 6 \nCapEff:\t0000000000080000\n"))
	require.Equal(t, rights{ptrace: true, groups: []int64{4, 5, 6}}, r)
	require.Equal(t, rights{}, parseRights([]byte("Gid:\nGroups:\t\nCapEff:\t00000000fff7ffff\n")))
}

func FuzzHidden(f *testing.F) {
	f.Add([]byte(mountLines), int64(31))
	f.Add([]byte("pos:\t0\nmnt_id:\t31\n"), int64(0))
	f.Add([]byte("31 - proc a hidepid=,gid=x"), int64(31))
	f.Fuzz(func(t *testing.T, b []byte, id int64) {
		require.False(t, mountedHidden(b, id).from(rights{ptrace: true}), "nothing is hidden from who may see all")
		_, _ = mountID(b)
		require.False(t, mountedHidden(nil, id).from(parseRights(b)))
	})
}

// hiddenRoot names, in a test binary that runs as nobody, a proc file system that
// hides processes.
const hiddenRoot = "PROCSCAN_HIDDEN_ROOT"

// TestHiddenOfAMount runs itself again as nobody.
func TestHiddenOfAMount(t *testing.T) {
	if root := os.Getenv(hiddenRoot); root != "" {
		hiddenFromNobody(t, root)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a proc file system")
	}
	// Folders of a test are its user's alone.
	parent := t.TempDir()
	require.NoError(t, os.Chmod(parent, 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(parent), 0o755))
	for _, mode := range []string{"1", "2"} {
		root := filepath.Join(parent, mode)
		require.NoError(t, os.Mkdir(root, 0o755))
		if err := unix.Mount("proc", root, "proc", 0, "hidepid="+mode); err != nil {
			t.Skip("no proc file system can be mounted here: ", err)
		}
		t.Cleanup(func() { require.NoError(t, unix.Unmount(root, 0)) })
		s, err := Open(Options{Root: root})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		require.False(t, s.Hidden(), "nothing is hidden from root")
		require.True(t, s.own)

		cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestHiddenOfAMount$", "-test.v")
		cmd.Dir = "/"
		cmd.Env = []string{hiddenRoot + "=" + root, asNobody + "=" + strconv.Itoa(os.Getpid())}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "--- PASS: TestHiddenOfAMount")
	}
	require.False(t, openHost(t, Options{}).Hidden())
}

func hiddenFromNobody(t *testing.T, root string) {
	t.Helper()
	s, err := Open(Options{Root: root})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	require.True(t, s.Hidden())
	snap := scan(t, s)
	require.Equal(t, filepath.Base(root) == "1", snap.Unreadable > 0, "listed, or missing")
	found := false
	for _, p := range snap.Processes {
		require.NotEqual(t, os.Getenv(asNobody), strconv.FormatInt(p.PID, 10))
		found = found || p.PID == int64(os.Getpid())
	}
	require.True(t, found, "it finds itself")
}
