package main

import (
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// asProgram makes the test binary behave as the program.
const asProgram = "BENCHSCAN_TEST_AS_PROGRAM"

// TestMain lets the test binary be the copies that the program starts of itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if _, ok := roles[os.Args[1]]; ok || os.Getenv(asProgram) != "" {
			os.Exit(run(os.Args[1:]))
		}
	}
	os.Exit(m.Run())
}

func TestPopulation(t *testing.T) {
	p, err := startPopulation(t.Context(), 20, 3)
	require.NoError(t, err)
	require.Len(t, p.leaders, 3)
	pids := descendants(t, os.Getpid())
	idle := 0
	for _, leader := range p.leaders {
		below := tree(leader.pid(), parentsNow(t))
		idle += len(below) - 1
		for _, pid := range below {
			session, err := unix.Getsid(pid)
			require.NoError(t, err)
			require.Equal(t, leader.pid(), session, "each leader has a job of its own")
		}
	}
	require.Equal(t, 20, idle)
	p.stop()
	requireGone(t, pids)
}

func TestNoPopulation(t *testing.T) {
	p, err := startPopulation(t.Context(), 0, 1)
	require.NoError(t, err)
	require.Empty(t, p.leaders)
	p.stop()
}

// TestNothingIsLeftBehind ends the program in the middle of a measurement, as a
// user does and as the kernel does.
func TestNothingIsLeftBehind(t *testing.T) {
	if _, err := find("pidstat"); err != nil {
		t.Skip(err)
	}
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(s.String(), func(t *testing.T) {
			self, err := os.Executable()
			require.NoError(t, err)
			cmd := exec.Command(self, "-procs", "20", "-jobs", "2", "-floor=false", "-only", "pidstat", "-warmup", "30s")
			cmd.Env = append(os.Environ(), asProgram+"=1", "TMPDIR="+t.TempDir())
			cmd.Stderr = io.Discard
			require.NoError(t, cmd.Start())
			const all = 1 + 2 + 20 + 1 // itself, leaders, idle processes, pidstat
			var pids []int
			require.Eventually(t, func() bool {
				pids = descendants(t, cmd.Process.Pid)
				return len(pids) == all
			}, 20*time.Second, 20*time.Millisecond)
			require.NoError(t, cmd.Process.Signal(s))
			require.Error(t, cmd.Wait())
			requireGone(t, pids)
		})
	}
}

func TestMeasureARealCollector(t *testing.T) {
	o, err := parseOptions([]string{"-procs", "20", "-duration", "1100ms", "-rounds", "1", "-warmup", "0s", "-only", "^pidstat$"}, io.Discard)
	require.NoError(t, err)
	b := &bench{options: o, dir: t.TempDir()}
	all := b.subjects(t.Context())
	require.Len(t, all, 1)
	if all[0].skipped != "" {
		t.Skip(all[0].skipped)
	}
	w, err := b.measure(t.Context(), &all[0], 20)
	require.NoError(t, err)
	require.Equal(t, "pidstat", w.collector)
	require.GreaterOrEqual(t, w.elapsed, b.window())
	require.Positive(t, w.cpu)
	require.Less(t, w.cpu, w.elapsed)
	require.Greater(t, w.total, 1.0)
	require.True(t, w.counted)
	require.InDelta(t, 1, w.scrapes, 1)
	require.Positive(t, median(w.rss))
}

func TestACollectorThatEndsIsAnError(t *testing.T) {
	o, err := parseOptions([]string{"-duration", "3s", "-rounds", "1", "-warmup", "0s"}, io.Discard)
	require.NoError(t, err)
	b := &bench{options: o, dir: t.TempDir()}
	s := subject{name: "false", plan: func() (plan, error) { return plan{argv: []string{"false"}}, nil }}
	_, err = b.measure(t.Context(), &s, 0)
	require.ErrorContains(t, err, "exit status 1")
}

func parentsNow(t *testing.T) map[int]int {
	t.Helper()
	c, err := takeCensus()
	require.NoError(t, err)
	return c.parents
}

func descendants(t *testing.T, pid int) []int {
	t.Helper()
	return tree(pid, parentsNow(t))
}

// requireGone waits until none of the processes but this one lives.
func requireGone(t *testing.T, pids []int) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, pid := range pids {
			if pid != os.Getpid() && unix.Kill(pid, 0) == nil {
				return false
			}
		}
		return true
	}, 20*time.Second, 20*time.Millisecond)
}
