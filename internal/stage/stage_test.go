package stage

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestKilledRunIsCleanedUp(t *testing.T) {
	s := newStage(t, NeedGroup, NeedIO, NeedMemory, NeedCPU, NeedDisk, NeedFaultyDisk, NeedNetwork)
	base := filepath.Dir(s.Dir())
	id := randomID()
	dir := filepath.Join(base, id)

	argv := self(t, "hold", base, id)
	holder := exec.Command(argv[0], argv[1:]...)
	holder.Stderr = os.Stderr
	out, err := holder.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	at, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "faulty")+"\n", at)
	things, err := readLedger(dir)
	require.NoError(t, err)
	require.NotEmpty(t, traces(t, dir, things))

	report, err := Clean(t.Context(), base)
	require.NoError(t, err)
	require.Empty(t, report.Undone, "its owner lives")
	require.Len(t, report.InUse, 2)

	require.NoError(t, holder.Process.Signal(syscall.SIGKILL))
	_ = holder.Wait() // killed

	begin := time.Now()
	report, err = Clean(t.Context(), base)
	require.NoError(t, err)
	require.Less(t, time.Since(begin), 10*time.Second)
	require.Len(t, report.InUse, 1, "the test's own")
	for _, what := range []string{"control group", "the mount", "loop device", "network interface", "ended the processes of process"} {
		require.Contains(t, strings.Join(report.Undone, "\n"), what)
	}
	require.Empty(t, traces(t, dir, things))
	require.NoDirExists(t, dir)

	report, err = Clean(t.Context(), base)
	require.NoError(t, err)
	require.Empty(t, report.Undone, "nothing is left to clean")
}

// traces lists what there is of a run, found without the functions that undo it.
func traces(t *testing.T, dir string, things []thing) []string {
	t.Helper()
	var found []string
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	if strings.Contains(string(mounts), dir) {
		found = append(found, "mounts")
	}
	backing, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	require.NoError(t, err)
	for _, file := range backing {
		if text, gone := os.ReadFile(file); gone == nil && strings.Contains(string(text), dir) {
			found = append(found, file)
		}
	}
	for _, pattern := range []string{"/sys/fs/cgroup/*", "/sys/fs/cgroup/*/*", "/sys/fs/cgroup/*/*/*", "/sys/fs/cgroup/*/*/*/*"} {
		groups, wrong := filepath.Glob(filepath.Join(pattern, prefix+filepath.Base(dir)+"*"))
		require.NoError(t, wrong)
		found = append(found, groups...)
	}
	for _, l := range things {
		switch l := l.(type) {
		case link:
			if _, gone := net.InterfaceByName(l.Name); gone == nil {
				found = append(found, l.Name)
			}
		case process:
			if len(l.members()) > 0 {
				found = append(found, l.String())
			}
		}
	}
	programs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, file := range programs {
		if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), dir+"/") {
			found = append(found, strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	return found
}

func TestWithoutPrivilegesErrorsSayTheCure(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	base := filepath.Join("/var/tmp", "culprit-stage-test-"+randomID())
	require.NoError(t, os.Mkdir(base, 0o755))
	t.Cleanup(func() { require.NoError(t, os.Remove(base)) })
	const nobody = 65534
	require.NoError(t, os.Chown(base, nobody, nobody))
	cmd := exec.Command("/proc/self/exe", "unprivileged", base) // another user may not enter the binary's directory
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	require.Len(t, lines, 8, string(out))
	for _, refused := range lines[:4] {
		require.Contains(t, refused, "root: run it with sudo")
	}
	require.Equal(t, []string{"<nil>", "<nil>", "<nil>", "false false"}, lines[4:], "processes are killed and the directory is removed")
}

func TestOthersMayNotWriteLedgers(t *testing.T) {
	base := t.TempDir()
	require.NoError(t, os.Chmod(base, 0o777))
	_, err := New(Options{Base: base})
	require.ErrorContains(t, err, "chmod go-w")
	_, err = Clean(t.Context(), base)
	require.ErrorContains(t, err, "chmod go-w")
}

func TestNamesOfRuns(t *testing.T) {
	base := t.TempDir()
	_, err := New(Options{Base: base, ID: "../x"})
	require.ErrorContains(t, err, "the name of the run")
	s, err := New(Options{Base: base, ID: "twice"})
	require.NoError(t, err)
	_, err = New(Options{Base: base, ID: "twice"})
	require.ErrorContains(t, err, "choose another name")
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "idempotent")
	require.NoDirExists(t, s.Dir())
	require.ErrorContains(t, s.Adopt(os.Getpid()), "closed")
}

func TestCleanLeavesWhatHasJustBegunAndWhatIsNotOurs(t *testing.T) {
	base := t.TempDir()
	for _, dir := range []string{"new", "old", "Not A Run"} {
		require.NoError(t, os.Mkdir(filepath.Join(base, dir), 0o755))
	}
	past := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(base, "old"), past, past))
	report, err := Clean(t.Context(), base)
	require.NoError(t, err)
	require.Len(t, report.InUse, 1)
	require.NoDirExists(t, filepath.Join(base, "old"))
	require.DirExists(t, filepath.Join(base, "Not A Run"))

	report, err = Clean(t.Context(), filepath.Join(base, "none"))
	require.NoError(t, err)
	require.Empty(t, report)
}

func TestEvict(t *testing.T) {
	s := newStage(t, NeedDisk)
	d, err := s.Disk(t.Context(), DiskSpec{Name: "disk", SizeMiB: 32})
	require.NoError(t, err)
	file := filepath.Join(d.Path, "file")
	require.NoError(t, os.WriteFile(file, make([]byte, 8<<20), 0o600))
	require.NoError(t, Evict(t.Context(), d.Path))
	before := sectorsRead(t, d.Name)
	_, err = os.ReadFile(file)
	require.NoError(t, err)
	require.GreaterOrEqual(t, sectorsRead(t, d.Name)-before, 8<<20/512, "it is read from the device")
	cached := sectorsRead(t, d.Name)
	_, err = os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, cached, sectorsRead(t, d.Name), "it is in the page cache")
	require.Error(t, Evict(t.Context(), filepath.Join(d.Path, "none")))
}

func TestEvictEndsWithItsContext(t *testing.T) {
	over := errors.New("the time is over")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(over)
	require.ErrorIs(t, Evict(ctx, t.TempDir()), over)
}

func sectorsRead(t *testing.T, device string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/sys/block", device, "stat"))
	require.NoError(t, err)
	var reads, merges, sectors int
	_, err = fmt.Sscan(string(text), &reads, &merges, &sectors)
	require.NoError(t, err)
	return sectors
}
