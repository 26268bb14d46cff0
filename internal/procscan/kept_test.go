package procscan

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/process"
)

// descriptors counts those that this process has open.
func descriptors(tb testing.TB) int {
	tb.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(tb, err)
	return len(list)
}

func manyFakes(tb testing.TB, n int) tree {
	tb.Helper()
	tr := newTree(tb)
	for pid := 1; pid <= n; pid++ {
		tr.process(fake{pid: pid, comm: "a"})
	}
	return tr
}

func TestKeptFilesAreBounded(t *testing.T) {
	tr := manyFakes(t, 50)
	for option, want := range map[int]int{-1: 0, 10: 10, 50: 50, 1000: 50} {
		before := descriptors(t)
		s, err := Open(Options{Root: tr.root, MaxOpen: option})
		require.NoError(t, err)
		for range 2 * describeEvery {
			require.Len(t, scan(t, s).Processes, 50)
			require.Equal(t, want, s.kept)
			require.Equal(t, before+1+want, descriptors(t))
		}
		require.NoError(t, s.Close())
		require.Equal(t, before, descriptors(t))
	}
}

func TestKeptFilesOfWhatEndedAreClosed(t *testing.T) {
	tr := manyFakes(t, 50)
	s := tr.open(Options{})
	scan(t, s)
	before := descriptors(t)
	for _, pid := range []string{"1", "20", "50"} {
		tr.remove(pid)
	}
	require.Len(t, scan(t, s).Processes, 47)
	require.Equal(t, 47, s.kept)
	require.Equal(t, before-3, descriptors(t))
}

func TestFilesOfBusyProcessesAreKeptForAWhile(t *testing.T) {
	s := openHost(t, Options{Switches: true})
	if !s.clock {
		t.Skip("without CPU clocks other files are kept too")
	}
	tr := newTree(t)
	for _, s := range []*Scanner{s, tr.open(Options{Switches: true})} {
		e := &entry{kept: nothingKept}
		e.PID = int64(os.Getpid())
		var err error
		s.proc, err = openDir("/proc/self")
		require.NoError(t, err)
		s.keep(e)
		require.False(t, e.hot)
		for range busy {
			e.activity(false)
		}
		s.keep(e)
		s.leave()
		require.True(t, e.hot)
		require.NotContains(t, e.kept, int32(-1))
		for range maxActive {
			e.activity(true)
		}
		require.Zero(t, e.active)
		s.cool(e)
		require.Equal(t, !s.clock, e.kept[schedstatFile] >= 0)
		s.release(e)
		require.Equal(t, nothingKept, e.kept)
	}
}

func TestKeptFilesTellTheSame(t *testing.T) {
	s := openHost(t, Options{Switches: true, CommandLine: true})
	p, _ := start(t, "echo; read x < <(sleep 0.2); while :; do :; done")
	pid := p.Process.Pid
	before := find(t, s, pid)
	require.Eventually(t, func() bool {
		scan(t, s)
		return entryOf(s, pid).kept[statFile] >= 0
	}, 10e9, 1e6)
	for range describeEvery {
		after := find(t, s, pid)
		require.GreaterOrEqual(t, after.UserTime, before.UserTime)
		require.Equal(t, before.Described, after.Described)
		require.True(t, after.Known.Has(process.KnowsIO|process.KnowsSwitches|process.KnowsRunDelay))
		before = after
	}
	require.NoError(t, p.Process.Kill())
	require.Error(t, p.Wait())
	e := entryOf(s, pid)
	require.Nil(t, lookFor(t, s, pid))
	require.Equal(t, nothingKept, e.kept)
}

func entryOf(s *Scanner, pid int) *entry {
	for _, e := range s.entries {
		if e.PID == int64(pid) {
			return e
		}
	}
	return nil
}

func TestMaxKeptIsAPartOfTheLimit(t *testing.T) {
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	n := maxKept(0)
	require.LessOrEqual(t, uint64(n), limit.Cur/2)
	require.LessOrEqual(t, n, keptDefault)
	require.Equal(t, 7, maxKept(7))
	require.Zero(t, maxKept(-1))
}

// inOtherNamespace marks a test binary whose PIDs are not those of /proc.
const inOtherNamespace = "PROCSCAN_OTHER_NAMESPACE"

// TestScanOfAForeignHost runs itself again in a new PID namespace, with the proc
// file system of this one.
func TestScanOfAForeignHost(t *testing.T) {
	if os.Getenv(inOtherNamespace) != "" {
		scanForeign(t)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can make a PID namespace")
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestScanOfAForeignHost$", "-test.v")
	cmd.Env = append(os.Environ(), inOtherNamespace+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "--- PASS: TestScanOfAForeignHost")
}

func scanForeign(t *testing.T) {
	t.Helper()
	require.Equal(t, 1, os.Getpid())
	s := openHost(t, Options{Switches: true, CommandLine: true})
	require.False(t, s.own)
	require.False(t, s.clock)
	scan(t, s)
	first := scan(t, s)
	require.Positive(t, s.kept)
	idle, self := 0, false
	for _, p := range first.Processes {
		if !p.Ran {
			idle++
		}
		require.Empty(t, p.IOPriority, "the call would ask for another process")
		self = self || strings.Contains(strings.Join(p.Args, " "), "TestScanOfAForeignHost")
	}
	require.Positive(t, idle)
	require.True(t, self)
}

func TestNested(t *testing.T) {
	require.False(t, nested([]byte("Name:\tx\nNSpid:\t12\nNSpgid:\t1\t2\n")))
	require.True(t, nested([]byte("Name:\tx\nNSpid:\t12\t1\n")))
	require.False(t, nested([]byte("Name:\tNSpid:\\n1\n")))
}
