package procscan

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/process"
)

func TestDescribe(t *testing.T) {
	p, _ := start(t, "echo; : --token=x; read x")
	sleeping(t, p.Process.Pid)
	scanned := find(t, openHost(t, Options{CommandLine: true}), p.Process.Pid)

	s := openHost(t, Options{CommandLine: true})
	d := process.Process{PID: scanned.PID, Start: scanned.Start}
	require.True(t, s.Describe(&d))
	require.Equal(t, process.Process{
		PID: scanned.PID, Start: scanned.Start, User: scanned.User, Executable: scanned.Executable, Args: scanned.Args,
		Cgroup: scanned.Cgroup, CPUs: scanned.CPUs, Nice: scanned.Nice, IOPriority: scanned.IOPriority, TTY: scanned.TTY, Described: 1,
	}, d)
	require.NotEmpty(t, d.Args)
	require.NotEmpty(t, d.IOPriority)

	require.True(t, s.Describe(&d))
	require.Equal(t, 1, d.Described, "nothing changed")
	require.Zero(t, testing.AllocsPerRun(10, func() { s.Describe(&d) }))

	require.NoError(t, unix.Setpriority(unix.PRIO_PROCESS, p.Process.Pid, 11))
	require.True(t, s.Describe(&d))
	require.Equal(t, int64(11), d.Nice)
	require.Equal(t, 2, d.Described)

	other := process.Process{PID: d.PID, Start: d.Start.Add(10 * time.Millisecond)}
	require.False(t, s.Describe(&other))
	require.Zero(t, other.Described)
	within := process.Process{PID: d.PID, Start: d.Start.Add(9 * time.Millisecond)}
	require.True(t, s.Describe(&within), "the same tick")

	require.NoError(t, p.Process.Kill())
	require.NoError(t, unix.Waitid(unix.P_PID, p.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil))
	before := d
	require.True(t, s.Describe(&d), "a zombie is still there")
	require.Equal(t, before, d)
	require.Error(t, p.Wait())
	require.False(t, s.Describe(&d))
	require.Equal(t, before, d)
}

func TestDescribeForgetsInTheEnd(t *testing.T) {
	tr := newTree(t)
	tr.process(fake{pid: 7, comm: "a", cmdline: "a\x00b\x00"})
	s := tr.open(Options{CommandLine: true})
	for pid := range int64(maxSums) {
		s.sums[-pid] = argsSum{}
	}
	p := process.Process{PID: 7, Start: s.Boot()}
	require.True(t, s.Describe(&p))
	require.Equal(t, []string{"a", "b"}, p.Args)
	require.Len(t, s.sums, 1)
}

func TestDescribeWithoutStatus(t *testing.T) {
	tr := newTree(t)
	tr.process(fake{pid: 7, comm: "a"})
	tr.remove("7/status")
	s := tr.open(Options{})
	p := process.Process{PID: 7, Start: s.Boot()}
	require.True(t, s.Describe(&p))
	require.Equal(t, int64(-1), p.User, "not root")
	require.Equal(t, "/system.slice/x.service", p.Cgroup)
	tr.write("7/stat", "7 (a")
	require.True(t, s.Describe(&p), "a torn file is no end")
}

func TestDescribeThreads(t *testing.T) {
	s := openHost(t, Options{})
	before := find(t, s, os.Getpid())
	require.Empty(t, before.ThreadNice)

	ready, done := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // and not unlocked: the thread ends with this
		err := unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 18)
		if err == nil {
			err = setIOPriority(unix.Gettid(), 2<<13|6)
		}
		ready <- err
		<-done
	}()
	require.NoError(t, <-ready)
	for _, own := range []bool{true, false} {
		s := openHost(t, Options{})
		s.own = s.own && own
		p := process.Process{PID: before.PID, Start: before.Start}
		require.True(t, s.Describe(&p))
		require.Equal(t, fmt.Sprintf("%d,18", before.Nice), p.ThreadNice)
		if own {
			require.Equal(t, before.IOPriority+",best-effort:6", p.ThreadIOPriority)
		} else {
			require.Empty(t, p.ThreadIOPriority, "PIDs may mean others")
		}
		require.Zero(t, testing.AllocsPerRun(100, func() { s.Describe(&p) }))
	}
	close(done)
}
