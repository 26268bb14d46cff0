package bpfscan

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/process"
)

// shortLived starts a shell that runs so many programs, one after the other, and
// then waits for the end of its input. Done is closed when they all ended.
func shortLived(t *testing.T, dir string, programs int) (shell *exec.Cmd, done chan struct{}) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "data"), randomText(200_000), 0o600))
	script := fmt.Sprintf(`i=0; while [ $i -lt %d ]; do gzip -c data > out.$((i %% 10)); i=$((i+1)); done; echo done; read x`, programs)
	shell = exec.Command("sh", "-c", script)
	shell.Dir = dir
	in, err := shell.StdinPipe()
	require.NoError(t, err)
	out, err := shell.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, shell.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = shell.Wait()
	})
	done = make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.ReadFull(out, make([]byte, 5))
	}()
	return shell, done
}

// randomText is text that takes a while to compress.
func randomText(size int) []byte {
	b := make([]byte, size)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = 'a' + byte(x>>24)%20
	}
	return b
}

// What hundreds of programs used that lived for milliseconds is known, and
// nothing of it twice: the kernel adds it to the shell that waited for them,
// which is how the truth is known.
func TestShortLivedProcesses(t *testing.T) {
	if _, err := exec.LookPath("gzip"); err != nil {
		t.Skip(err)
	}
	dir := storageDir(t)
	s := open(t, Options{Events: true, Network: true})
	scan(t, s)
	const programs = 300
	began := time.Now()
	shell, done := shortLived(t, dir, programs)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()

	var cpu float64
	var written int64
	seen, lost := 0, int64(0)
	last := map[int64]process.Process{}
	count := func() (snap process.Snapshot) {
		snap = scan(t, s)
		lost += snap.Lost
		for _, x := range snap.Exited {
			if x.Parent != int64(shell.Process.Pid) {
				continue
			}
			seen++
			cpu += x.UserTime + x.SystemTime
			written += x.WriteBytes
			require.Equal(t, "gzip", x.Name)
			require.False(t, x.Discarded)
			if b, ok := last[x.PID]; ok && b.Created == x.Created {
				require.GreaterOrEqual(t, x.UserTime+x.SystemTime, b.UserTime+b.SystemTime)
				require.GreaterOrEqual(t, x.WriteBytes, b.WriteBytes)
			}
		}
		for _, p := range snap.Processes {
			last[p.PID] = *p
		}
		return snap
	}
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-ticker.C:
			count()
		}
	}
	took := time.Since(began)
	var truth process.Process
	for range 2 {
		<-ticker.C
		truth = *find(count(), shell.Process.Pid)
	}
	require.Zero(t, lost)
	require.Equal(t, programs, seen)
	all := truth.ChildrenUser + truth.ChildrenSystem
	t.Logf("%d programs in %v: %.4f of %.4f s of CPU (%.2f %%), %d of %d bytes (%.2f %%)",
		programs, took, cpu, all, 100*cpu/all, written, truth.WriteBytes, 100*float64(written)/float64(truth.WriteBytes))
	require.GreaterOrEqual(t, cpu, 0.98*all)
	require.LessOrEqual(t, cpu, 1.01*all)
	require.GreaterOrEqual(t, float64(written), 0.98*float64(truth.WriteBytes))
	require.LessOrEqual(t, written, truth.WriteBytes)
}

// A process that nobody could describe is in the cgroup of one that was.
func TestCgroupOfShortLivedProcesses(t *testing.T) {
	root := unifiedCgroups(t)
	dir, err := os.MkdirTemp(root, "bpfscan") //nolint:usetesting // it is a cgroup
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { require.NoError(t, os.Remove(dir)) })
	f, err := os.Open(dir)
	require.NoError(t, err)
	defer f.Close()
	s := open(t, Options{Events: true})
	c := exec.Command("sh", "-c", "read x; true & true & wait; read x")
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())}
	in, err := c.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	require.Equal(t, "/"+filepath.Base(dir), find(scan(t, s), c.Process.Pid).Cgroup)
	_, err = in.Write([]byte("\n"))
	require.NoError(t, err)
	ended := 0
	require.Eventually(t, func() bool {
		for _, x := range scan(t, s).Exited {
			if x.Parent == int64(c.Process.Pid) {
				ended++
				require.Equal(t, "/"+filepath.Base(dir), x.Cgroup)
			}
		}
		return ended == 2
	}, 5*time.Second, 50*time.Millisecond)
	require.NoError(t, in.Close())
	_ = c.Wait() // read fails at the end of the input
}

// unifiedCgroups is where the unified hierarchy is mounted.
func unifiedCgroups(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			return f[1]
		}
	}
	t.Skip("no unified hierarchy of cgroups is mounted")
	return ""
}

// What does not fit into the ring is counted, and what was known of the
// processes is told all the same.
func TestLostMessagesAreCounted(t *testing.T) {
	s := open(t, Options{Events: true, RingBytes: uint32(os.Getpagesize())})
	a := start(t, "burn")
	scan(t, s)
	shell, done := shortLived(t, t.TempDir(), 100)
	<-done
	a.end()
	snap := scan(t, s)
	require.Positive(t, snap.Lost)
	told := 0
	for _, x := range snap.Exited {
		if x.Parent == int64(shell.Process.Pid) {
			told++
		}
	}
	require.Less(t, told, 100)
	x := exited(snap, a.Process.Pid)
	require.NotNil(t, x)
	require.InDelta(t, 0.3, x.UserTime+x.SystemTime, 0.1)
	require.NotNil(t, find(snap, shell.Process.Pid))
	require.Zero(t, scan(t, s).Lost, "since the scan before")
}
