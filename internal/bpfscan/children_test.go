package bpfscan

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/process"
)

// TestMain lets the binary be the processes that are looked at.
func TestMain(m *testing.M) {
	if act := os.Getenv("BPFSCAN_ACT"); act != "" {
		if err := perform(act); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// actor is a process that says when it has done its part and lives until its
// input is closed.
type actor struct {
	*exec.Cmd
	t   testing.TB
	in  io.WriteCloser
	out io.Reader
}

// start starts this binary in a role and waits until it has done its part.
func start(tb testing.TB, act string) actor {
	tb.Helper()
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), "BPFSCAN_ACT="+act)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	require.NoError(tb, err)
	out, err := c.StdoutPipe()
	require.NoError(tb, err)
	require.NoError(tb, c.Start())
	a := actor{Cmd: c, t: tb, in: in, out: out}
	tb.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	ready := make([]byte, 6)
	_, err = out.Read(ready)
	require.NoError(tb, err, act)
	require.Equal(tb, "ready\n", string(ready))
	return a
}

// end lets the process end and reaps it.
func (a actor) end() {
	a.t.Helper()
	require.NoError(a.t, a.in.Close())
	require.NoError(a.t, a.Wait())
}

// wait tells that the part is done and waits until it may end.
func wait() error {
	fmt.Println("ready")
	_, err := os.Stdin.Read(make([]byte, 1))
	_ = err // the end of the input
	return nil
}

// rusage is what the kernel says was used, in seconds.
func rusage(who int) (user, system float64) {
	var u unix.Rusage
	if err := unix.Getrusage(who, &u); err != nil {
		panic(err)
	}
	return float64(u.Utime.Nano()) / 1e9, float64(u.Stime.Nano()) / 1e9
}

// burn uses so much CPU.
func burn(d time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	u, s := rusage(unix.RUSAGE_THREAD)
	for {
		u2, s2 := rusage(unix.RUSAGE_THREAD)
		if u2+s2-u-s >= d.Seconds() {
			return
		}
	}
}

// write writes so many bytes to storage.
func write(file string, bytes int) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if _, err := f.Write(make([]byte, bytes)); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// storageDir is a folder of a file system whose writes the kernel accounts.
func storageDir(tb testing.TB) string {
	tb.Helper()
	for _, base := range []string{"", "/var/tmp", "."} {
		dir, err := os.MkdirTemp(base, "bpfscan") //nolint:usetesting // the temporary folder may be in memory
		if err != nil {
			continue
		}
		tb.Cleanup(func() { _ = os.RemoveAll(dir) })
		var before, after syscall.Rusage
		require.NoError(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &before))
		require.NoError(tb, write(filepath.Join(dir, "probe"), 1<<20))
		require.NoError(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &after))
		if after.Oublock-before.Oublock >= 1<<20/512 {
			return dir
		}
	}
	tb.Skip("no folder here lies on a file system whose writes are accounted")
	return ""
}

func exited(snap process.Snapshot, pid int) *process.Exited {
	for i := range snap.Exited {
		if snap.Exited[i].PID == int64(pid) {
			return &snap.Exited[i]
		}
	}
	return nil
}

// scanUntilExited scans until the end of a process was told.
func scanUntilExited(tb testing.TB, s *Scanner, pid int) process.Exited {
	tb.Helper()
	for range 200 {
		if x := exited(scan(tb, s), pid); x != nil {
			return *x
		}
		time.Sleep(10 * time.Millisecond) // the kernel frees a process some time after it is reaped
	}
	require.Fail(tb, "the end of the process was never told")
	return process.Exited{}
}

// perform is what the actors do.
func perform(act string) error {
	name, argument, _ := strings.Cut(act, " ")
	switch name {
	case "burn":
		burn(300 * time.Millisecond)
		return wait()
	case "churn":
		return performChurn()
	case "threads":
		return performThreads()
	case "write":
		if err := write(argument, 3<<20); err != nil {
			return err
		}
		return wait()
	case "name":
		if err := setName(argument); err != nil {
			return err
		}
		return wait()
	case "ignore":
		return performIgnore()
	case "exec":
		return performExec(argument)
	case "traffic":
		return performTraffic(argument)
	case "scan":
		return performScan()
	default:
		return fmt.Errorf("no part for %q", act)
	}
}
