package procscan

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/process"
)

func openHost(tb testing.TB, o Options) *Scanner {
	tb.Helper()
	o.Root = "/proc"
	s, err := Open(o)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

// find is a copy of a process of the next scan.
func find(tb testing.TB, s *Scanner, pid int) process.Process {
	tb.Helper()
	p := lookFor(tb, s, pid)
	require.NotNil(tb, p, "PID %d", pid)
	return *p
}

func lookFor(tb testing.TB, s *Scanner, pid int) *process.Process {
	tb.Helper()
	for _, p := range scan(tb, s).Processes {
		if p.PID == int64(pid) {
			return p
		}
	}
	return nil
}

// program is a process that waits for a line on its standard input.
type program struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start runs a script, which has written a line once this returns.
func start(tb testing.TB, script string) (p program, line string) {
	tb.Helper()
	p.Cmd = exec.CommandContext(tb.Context(), "bash", "-c", script)
	var err error
	p.in, err = p.StdinPipe()
	require.NoError(tb, err)
	out, err := p.StdoutPipe()
	require.NoError(tb, err)
	require.NoError(tb, p.Start())
	tb.Cleanup(func() {
		_ = p.Process.Kill()
		_ = p.Wait()
	})
	p.out = bufio.NewReader(out)
	line, err = p.out.ReadString('\n')
	require.NoError(tb, err)
	return p, strings.TrimSpace(line)
}

// sleeping waits until a process sleeps, and so runs no more by itself.
func sleeping(tb testing.TB, pid int) {
	tb.Helper()
	require.Eventually(tb, func() bool {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			return false
		}
		st, err := parseStat(b)
		return err == nil && st.state == 'S'
	}, 10*time.Second, time.Millisecond)
}

func TestScanKnowsWhoRan(t *testing.T) {
	s := openHost(t, Options{})
	p, _ := start(t, "echo; while read x; do echo; done")
	sleeping(t, p.Process.Pid)
	require.True(t, find(t, s, p.Process.Pid).Ran, "it is new")
	require.False(t, find(t, s, p.Process.Pid).Ran)
	_, err := io.WriteString(p.in, "x\n")
	require.NoError(t, err)
	_, err = p.out.ReadString('\n')
	require.NoError(t, err)
	sleeping(t, p.Process.Pid)
	require.True(t, find(t, s, p.Process.Pid).Ran)
	require.False(t, find(t, s, p.Process.Pid).Ran)
	require.True(t, find(t, s, os.Getpid()).Ran, "this one has several threads, and runs")
}

// What is said not to have run has the counters that another scanner reads
// afresh.
func TestScanIdleIsWhatOthersRead(t *testing.T) {
	for _, clock := range []bool{true, false} {
		s := openHost(t, Options{Switches: true})
		s.clock = s.clock && clock
		p, _ := start(t, "echo; read x")
		sleeping(t, p.Process.Pid)
		scan(t, s)
		scan(t, s)
		fresh := openHost(t, Options{Switches: true})
		others := map[int64]process.Process{}
		for _, o := range scan(t, fresh).Processes {
			others[o.PID] = *o
		}
		// The time of one that is on a CPU is brought up to date by the kernel's
		// tick, at the latest.
		time.Sleep(20 * time.Millisecond)
		compared := 0
		for _, p := range scan(t, s).Processes {
			o, found := others[p.PID]
			if p.Ran || !found || p.Start != o.Start {
				continue
			}
			compared++
			if p.Threads > 1 {
				o.RunDelay = p.RunDelay // which is read when it used a tick
			}
			o.Ran, o.Described, o.Resident, o.Virtual = false, p.Described, p.Resident, p.Virtual
			require.Equal(t, o, *p)
		}
		require.Positive(t, compared)
	}
}

func TestScanSeesARealExec(t *testing.T) {
	s := openHost(t, Options{CommandLine: true})
	p, _ := start(t, "echo; read x; exec tail -f /dev/null")
	sleeping(t, p.Process.Pid)
	before := find(t, s, p.Process.Pid)
	require.Equal(t, "bash", before.Name)
	require.Positive(t, before.Described)
	_, err := io.WriteString(p.in, "x\n")
	require.NoError(t, err)
	// A scan can come in the middle of it: the name is new, the arguments are
	// not.
	var after process.Process
	require.Eventually(t, func() bool {
		after = find(t, s, p.Process.Pid)
		return after.Name == "tail" && after.Args[0] == "tail"
	}, 10*time.Second, time.Millisecond)
	require.Equal(t, before.Created, after.Created)
	require.Equal(t, []string{"tail", "-f", "/dev/null"}, after.Args)
	require.True(t, strings.HasSuffix(after.Executable, "/tail"), after.Executable)
	require.Greater(t, after.Described, before.Described)
}

func TestScanKeepsZombies(t *testing.T) {
	s := openHost(t, Options{CommandLine: true, Switches: true})
	p, _ := start(t, "for ((i = 0; i < 20000; i++)); do :; done; echo; read x; exit 0")
	sleeping(t, p.Process.Pid)
	before := find(t, s, p.Process.Pid)
	require.Positive(t, before.UserTime+before.SystemTime)
	require.NoError(t, p.in.Close())
	require.NoError(t, unix.Waitid(unix.P_PID, p.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil))
	for range describeEvery + 1 {
		z := find(t, s, p.Process.Pid)
		require.GreaterOrEqual(t, z.UserTime, before.UserTime)
		require.GreaterOrEqual(t, z.MinorFaults, before.MinorFaults)
		require.True(t, z.Known.Has(before.Known))
		require.Equal(t, before.Args, z.Args)
		require.Equal(t, before.Executable, z.Executable)
		require.Equal(t, before.Cgroup, z.Cgroup)
		require.Zero(t, z.Resident)
	}
	require.NoError(t, p.Wait())
	require.Nil(t, lookFor(t, s, p.Process.Pid))
}

func TestScanCountsChildren(t *testing.T) {
	s := openHost(t, Options{})
	p, _ := start(t, "(for ((i = 0; i < 100000; i++)); do :; done); echo; read x")
	sleeping(t, p.Process.Pid)
	f := find(t, s, p.Process.Pid)
	require.True(t, f.Known.Has(process.KnowsChildren))
	require.Positive(t, f.ChildrenUser+f.ChildrenSystem)
	require.Less(t, f.UserTime, f.ChildrenUser+f.ChildrenSystem)
}

// The orphan does not run for it.
func TestScanSeesANewParent(t *testing.T) {
	s := openHost(t, Options{})
	p, line := start(t, "sleep 60 >&- & echo $!; read x")
	child, err := strconv.Atoi(line)
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Kill(child, unix.SIGKILL) })
	sleeping(t, child)
	before := find(t, s, child)
	require.Equal(t, int64(p.Process.Pid), before.Parent)
	before = find(t, s, child)
	require.NoError(t, p.Process.Kill())
	require.NoError(t, unix.Waitid(unix.P_PID, p.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil))
	scan(t, s) // the parent is a zombie, and may come after its child
	after := find(t, s, child)
	require.NotEqual(t, before.Parent, after.Parent)
	require.False(t, after.Ran)
	require.Greater(t, after.Described, before.Described)
}

func TestScanSeesWhatOthersSet(t *testing.T) {
	s := openHost(t, Options{})
	p, _ := start(t, "echo; read x")
	sleeping(t, p.Process.Pid)
	before := find(t, s, p.Process.Pid)
	require.NoError(t, unix.Setpriority(unix.PRIO_PROCESS, p.Process.Pid, 19))
	require.NoError(t, setIOPriority(p.Process.Pid, 3<<13)) // idle
	for range describeEvery {
		scan(t, s)
	}
	after := find(t, s, p.Process.Pid)
	require.Equal(t, int64(19), after.Nice)
	require.Equal(t, "idle", after.IOPriority)
	require.Greater(t, after.Described, before.Described)
	require.False(t, after.Ran)
	require.Equal(t, int64(os.Geteuid()), after.User)
}

func setIOPriority(tid, value int) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOPRIO_SET, ioWhoProcess, uintptr(tid), uintptr(value)); errno != 0 {
		return errno
	}
	return nil
}

// A PID is used again on purpose, by the number after which the kernel looks for
// the next one.
func TestScanReusedPID(t *testing.T) {
	const last = "/proc/sys/kernel/ns_last_pid"
	if f, err := os.OpenFile(last, os.O_WRONLY, 0); err != nil {
		t.Skip("only a privileged user can choose the next PID")
	} else {
		require.NoError(t, f.Close())
	}
	for _, clock := range []bool{true, false} {
		s := openHost(t, Options{CommandLine: true})
		s.clock = s.clock && clock
		require.Eventually(t, func() bool {
			p, _ := start(t, "echo; read x")
			pid := p.Process.Pid
			sleeping(t, pid)
			old := find(t, s, pid)
			time.Sleep(20 * time.Millisecond) // starts are told apart by 10 ms
			require.NoError(t, p.Process.Kill())
			require.Error(t, p.Wait())
			require.NoError(t, os.WriteFile(last, []byte(strconv.Itoa(pid-1)), 0))
			q, _ := start(t, "echo; : another; read x")
			if q.Process.Pid != pid {
				return false // somebody else was faster
			}
			young := find(t, s, pid)
			require.NotEqual(t, old.Created, young.Created)
			require.NotEqual(t, old.Args, young.Args)
			require.True(t, young.Ran)
			return true
		}, 20*time.Second, time.Millisecond)
	}
}

func TestScanSeesNewCPUs(t *testing.T) {
	var cpus unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &cpus))
	if cpus.Count() < 2 {
		t.Skip("there is only one CPU")
	}
	s := openHost(t, Options{})
	p, _ := start(t, "echo; read x")
	sleeping(t, p.Process.Pid)
	for range 2 * describeEvery {
		scan(t, s)
	}
	before := find(t, s, p.Process.Pid)
	require.NotEmpty(t, before.CPUs)
	first := 0
	for !cpus.IsSet(first) {
		first++
	}
	var one unix.CPUSet
	one.Set(first)
	require.NoError(t, unix.SchedSetaffinity(p.Process.Pid, &one))
	for range describeEvery {
		scan(t, s)
	}
	after := find(t, s, p.Process.Pid)
	require.Equal(t, strconv.Itoa(first), after.CPUs)
	require.Greater(t, after.Described, before.Described)
}
