package bpfscan

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/process"
	"github.com/otel-culprit/culprit/internal/procscan"
)

// open opens a scanner, or skips the test on a host that refuses it.
func open(tb testing.TB, o Options) *Scanner {
	tb.Helper()
	s, err := Open(o)
	if _, ok := errors.AsType[*Refusal](err); ok && (os.Geteuid() != 0 || missing(typesFile)) {
		tb.Skip(err)
	}
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

func scan(tb testing.TB, s *Scanner) process.Snapshot {
	tb.Helper()
	snap, err := s.Scan()
	require.NoError(tb, err)
	return snap
}

func find(snap process.Snapshot, pid int) *process.Process {
	for _, p := range snap.Processes {
		if p.PID == int64(pid) {
			return p
		}
	}
	return nil
}

// TestScanAgreesWithProc compares every process with what the proc file system
// says of it just before and just after.
func TestScanAgreesWithProc(t *testing.T) {
	s := open(t, Options{CommandLine: true, Network: true, Events: true})
	require.Empty(t, s.Missing())
	procs, err := procscan.Open(procscan.Options{Root: "/proc", Switches: true, CommandLine: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, procs.Close()) })
	require.Equal(t, procs.BlockDelays(), s.BlockDelays())

	before := copies(t, procs)
	ours := scan(t, s).Processes
	after := copies(t, procs)
	listed := map[int64]*process.Process{}
	for i, p := range ours {
		require.True(t, i == 0 || ours[i-1].PID < p.PID, "by PID")
		listed[p.PID] = p
	}
	compared := 0
	for pid, b := range before {
		a, ok := after[pid]
		if !ok || !b.Start.Equal(a.Start) {
			continue // it ended
		}
		p := listed[pid]
		if _, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid)); p == nil && errors.Is(err, os.ErrPermission) {
			continue // a sandbox keeps it from root, and from the kernel's list
		}
		require.NotNil(t, p, "%d %s lived all the time", pid, b.Name)
		// Of a zombie less is read.
		if p.Kernel || (p.Virtual > 0 && a.Virtual > 0) {
			compared++
			compare(t, b, p, a)
		}
	}
	require.Greater(t, compared, 10)
}

func copies(t *testing.T, procs *procscan.Scanner) map[int64]process.Process {
	t.Helper()
	snap, err := procs.Scan()
	require.NoError(t, err)
	all := map[int64]process.Process{}
	for _, p := range snap.Processes {
		all[p.PID] = *p
	}
	return all
}

func compare(t *testing.T, b process.Process, p *process.Process, a process.Process) {
	t.Helper()
	require.WithinDuration(t, b.Start, p.Start, time.Second, "the clock may have been set between the two: %s", p.Name)
	require.Equal(t, b.Kernel, p.Kernel, p.Name)
	for what, v := range map[string][3]any{
		"parent":                  {b.Parent, p.Parent, a.Parent},
		"group":                   {b.Group, p.Group, a.Group},
		"session":                 {b.Session, p.Session, a.Session},
		"name":                    {b.Name, p.Name, a.Name},
		"user":                    {b.User, p.User, a.User},
		"tty":                     {b.TTY, p.TTY, a.TTY},
		"nice":                    {b.Nice, p.Nice, a.Nice},
		"I/O priority":            {b.IOPriority, p.IOPriority, a.IOPriority},
		"nice of threads":         {b.ThreadNice, p.ThreadNice, a.ThreadNice},
		"I/O priority of threads": {b.ThreadIOPriority, p.ThreadIOPriority, a.ThreadIOPriority},
		"executable":              {b.Executable, p.Executable, a.Executable},
		"arguments":               {strings.Join(b.Args, " "), strings.Join(p.Args, " "), strings.Join(a.Args, " ")},
		"cgroup":                  {b.Cgroup, p.Cgroup, a.Cgroup},
		"cpus":                    {b.CPUs, p.CPUs, a.CPUs},
	} {
		if v[0] == v[2] {
			require.Equal(t, v[0], v[1], "%s of %d %s", what, p.PID, p.Name)
		}
	}
	// The proc file system tells CPU time in ticks and brings the running slice up
	// to date. How it divided the time when it was last asked binds it.
	const sample = 0.03
	divided := 2*sample + 0.25*(a.UserTime+a.SystemTime)
	for what, v := range map[string][4]float64{
		"user":      {b.UserTime, p.UserTime, a.UserTime, divided},
		"system":    {b.SystemTime, p.SystemTime, a.SystemTime, divided},
		"cpu":       {b.UserTime + b.SystemTime, p.UserTime + p.SystemTime, a.UserTime + a.SystemTime, sample},
		"read":      {float64(b.ReadBytes), float64(p.ReadBytes), float64(a.ReadBytes), 0},
		"written":   {float64(b.WriteBytes), float64(p.WriteBytes), float64(a.WriteBytes), 0},
		"minor":     {float64(b.MinorFaults), float64(p.MinorFaults), float64(a.MinorFaults), 0},
		"major":     {float64(b.MajorFaults), float64(p.MajorFaults), float64(a.MajorFaults), 0},
		"threads":   {float64(b.Threads), float64(p.Threads), float64(a.Threads), 0},
		"virtual":   {float64(b.Virtual), float64(p.Virtual), float64(a.Virtual), 0},
		"resident":  {float64(b.Resident), float64(p.Resident), float64(a.Resident), 1 << 20},
		"run delay": {b.RunDelay, p.RunDelay, a.RunDelay, 0.05 + 0.02*a.RunDelay},
	} {
		low, high := math.Min(v[0], v[2])-v[3], math.Max(v[0], v[2])+v[3]
		require.GreaterOrEqual(t, v[1], low, "%s of %d %s", what, p.PID, p.Name)
		require.LessOrEqual(t, v[1], high, "%s of %d %s", what, p.PID, p.Name)
	}
}

func TestOpenErrors(t *testing.T) {
	_, err := Open(Options{RingBytes: 5000})
	require.ErrorContains(t, err, "a ring of 5000 bytes: it must be a power of two")
	_, err = Open(Options{Root: "/nonexistent"})
	require.ErrorIs(t, err, os.ErrNotExist)
}

// Without a file descriptor a scan is an error, and the next one goes on.
func TestScanWithoutDescriptors(t *testing.T) {
	s := open(t, Options{Network: true, Events: true})
	a := start(t, "burn")
	p := find(scan(t, s), a.Process.Pid)
	before := *p

	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	none := unix.Rlimit{Cur: 3, Max: limit.Max}
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &none))
	_, err := s.Scan()
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	require.ErrorIs(t, err, unix.EMFILE)

	for range 2 {
		require.Same(t, p, find(scan(t, s), a.Process.Pid))
		require.InDelta(t, before.UserTime+before.SystemTime, p.UserTime+p.SystemTime, 0.01)
		require.Equal(t, before.WriteBytes, p.WriteBytes)
	}
}

// Other processes of the host come and go, so the best of many scans counts.
func TestScanAllocatesNothing(t *testing.T) {
	s := open(t, Options{Network: true, Events: true, CommandLine: true})
	for range 2 * describeEvery {
		scan(t, s)
	}
	least := math.Inf(1)
	for range 100 {
		least = min(least, testing.AllocsPerRun(1, func() { _, _ = s.Scan() }))
	}
	require.Zero(t, least)
}

func BenchmarkScan(b *testing.B) {
	for _, n := range []int{500, 2000} {
		idle(b, n)
		for name, o := range map[string]Options{"all": {Network: true, Events: true}, "no network": {Events: true}, "plain": {}} {
			b.Run(fmt.Sprintf("%d idle/%s", n, name), func(b *testing.B) { benchmark(b, o) })
		}
	}
}

// idle starts processes that do nothing, so that there are n.
func idle(b *testing.B, n int) {
	b.Helper()
	for range n {
		c := exec.Command("sleep", "1000")
		require.NoError(b, c.Start())
		b.Cleanup(func() {
			_ = c.Process.Kill()
			_ = c.Wait()
		})
	}
}

func benchmark(b *testing.B, o Options) {
	b.Helper()
	s := open(b, o)
	for range 100 {
		scan(b, s)
	}
	n := len(scan(b, s).Processes)
	b.ReportAllocs()
	user, system := rusage(unix.RUSAGE_SELF)
	for b.Loop() {
		if _, err := s.Scan(); err != nil {
			b.Fatal(err)
		}
	}
	user2, system2 := rusage(unix.RUSAGE_SELF)
	b.ReportMetric((user2+system2-user-system)*1e9/float64(b.N)/float64(n), "cpu-ns/process")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/process")
}
