package bpfscan

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/process"
)

func TestCPUTimeIsExact(t *testing.T) {
	s := open(t, Options{Events: true})
	a := start(t, "burn")
	p := find(scan(t, s), a.Process.Pid)
	require.NotNil(t, p)
	require.True(t, p.Ran)
	require.InDelta(t, 0.3, p.UserTime+p.SystemTime, 0.1)

	user := p.UserTime
	for range 3 {
		p = find(scan(t, s), a.Process.Pid)
	}
	require.GreaterOrEqual(t, p.UserTime, user)
	require.False(t, p.Ran, "it waits for its input")

	a.end()
	x := scanUntilExited(t, s, a.Process.Pid)
	used := a.ProcessState.UserTime() + a.ProcessState.SystemTime()
	require.InDelta(t, used.Seconds(), x.UserTime+x.SystemTime, 0.002, "to the microsecond, but for the last steps")
	require.GreaterOrEqual(t, x.UserTime, user)
	require.Equal(t, int64(os.Getpid()), x.Parent)
	require.Equal(t, p.Created, x.Created)
	require.False(t, x.Discarded)
	require.Nil(t, exited(scan(t, s), a.Process.Pid), "it is told once")
}

// performThreads burns CPU on threads that end, on some that stay, and with
// different priorities.
func performThreads() error {
	var ended sync.WaitGroup
	for range 3 {
		ended.Add(1)
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			defer ended.Done()
			burn(50 * time.Millisecond)
		}()
	}
	ended.Wait()
	failed := make(chan error)
	for nice := range 3 {
		go func() {
			runtime.LockOSThread()
			burn(50 * time.Millisecond)
			failed <- unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), nice*5)
			select {}
		}()
	}
	for range 3 {
		if err := <-failed; err != nil {
			return err
		}
	}
	return wait()
}

func TestThreadsAreSummed(t *testing.T) {
	s := open(t, Options{Events: true})
	a := start(t, "threads")
	var p *process.Process
	for range 3 {
		p = find(scan(t, s), a.Process.Pid)
		require.InDelta(t, 0.32, p.UserTime+p.SystemTime, 0.08, "those that ended included")
	}
	require.GreaterOrEqual(t, p.Threads, int64(4))
	require.Equal(t, "0,5,10", p.ThreadNice)
	require.Empty(t, p.ThreadIOPriority)
	require.Positive(t, p.VoluntarySwitches)

	a.end()
	x := scanUntilExited(t, s, a.Process.Pid)
	used := a.ProcessState.UserTime() + a.ProcessState.SystemTime()
	require.InDelta(t, used.Seconds(), x.UserTime+x.SystemTime, 0.005)
}

// performChurn keeps starting threads that live for a millisecond.
func performChurn() error {
	fmt.Println("ready")
	var running sync.WaitGroup
	for range 300 {
		running.Add(1)
		go func() {
			runtime.LockOSThread()
			defer running.Done()
			burn(time.Millisecond)
		}()
		if runtime.NumGoroutine() > 8 {
			running.Wait()
		}
	}
	running.Wait()
	return wait()
}

// Threads that end while the list is made are counted neither twice nor never.
func TestThreadsThatComeAndGo(t *testing.T) {
	s := open(t, Options{Events: true})
	a := start(t, "churn")
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = a.out.Read(make([]byte, 6))
	}()
	last := 0.0
	look := func() {
		p := find(scan(t, s), a.Process.Pid)
		require.NotNil(t, p)
		now := p.UserTime + p.SystemTime
		require.GreaterOrEqual(t, now, last)
		last = now
	}
	for running := true; running; {
		look()
		select {
		case <-done:
			running = false
		default:
		}
	}
	look()
	a.end()
	used := (a.ProcessState.UserTime() + a.ProcessState.SystemTime()).Seconds()
	require.Greater(t, used, 0.3)
	require.LessOrEqual(t, last, used)
	require.InDelta(t, used, last, 0.01)
}

func TestBytesToStorage(t *testing.T) {
	dir := storageDir(t)
	s := open(t, Options{Events: true})
	a := start(t, "write "+filepath.Join(dir, "file"))
	p := find(scan(t, s), a.Process.Pid)
	require.True(t, p.Known.Has(process.KnowsIO))
	require.InDelta(t, 3<<20, p.WriteBytes, 64<<10)
	require.Equal(t, s.BlockDelays(), p.Known.Has(process.KnowsBlockDelay))
	if s.BlockDelays() {
		require.Positive(t, p.BlockDelay, "it waited for its bytes to be written")
		require.Less(t, p.BlockDelay, float64(p.Threads)*time.Since(p.Start).Seconds())
	}
	a.end()
	x := scanUntilExited(t, s, a.Process.Pid)
	require.GreaterOrEqual(t, x.WriteBytes, p.WriteBytes)
	require.InDelta(t, 3<<20, x.WriteBytes, 64<<10)
}

// A zombie is listed as long as its parent does not want it.
func TestZombieIsAProcessUntilItIsReaped(t *testing.T) {
	s := open(t, Options{Events: true})
	c := exec.Command("sh", "-c", "exit 0")
	require.NoError(t, c.Start())
	pid := c.Process.Pid
	var info unix.Siginfo
	require.NoError(t, unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil))
	for range 3 {
		snap := scan(t, s)
		p := find(snap, pid)
		require.NotNil(t, p)
		require.Equal(t, "sh", p.Name)
		require.Nil(t, exited(snap, pid))
	}
	require.NoError(t, c.Wait())
	snap := scan(t, s)
	require.Nil(t, find(snap, pid))
	require.NotNil(t, exited(snap, pid), "told as soon as it is not listed")
}

func TestDiscarded(t *testing.T) {
	s := open(t, Options{Events: true})
	a := start(t, "ignore")
	snap := scan(t, s)
	children := 0
	for _, x := range snap.Exited {
		if x.Parent == int64(a.Process.Pid) {
			children++
			require.True(t, x.Discarded, "its parent ignores SIGCHLD")
		}
	}
	require.Equal(t, 1, children)
	a.end()
	require.False(t, scanUntilExited(t, s, a.Process.Pid).Discarded)
}

// performIgnore has a child and wants no news of it.
func performIgnore() error {
	signal.Ignore(syscall.SIGCHLD)
	// The os package would have another child first, to try something out.
	pid, err := syscall.ForkExec("/bin/true", []string{"true"}, nil)
	if err != nil {
		return err
	}
	// Once it ended there is nothing to wait for.
	if _, err := syscall.Wait4(pid, nil, 0, nil); !errors.Is(err, syscall.ECHILD) {
		return fmt.Errorf("wait: %w", err)
	}
	return wait()
}

// performExec executes itself from a thread that is not the main one, after some
// traffic.
func performExec(server string) error {
	failed := make(chan error)
	// The main goroutine of this function may be on the main thread: one of two
	// others is not.
	runtime.LockOSThread()
	go func() {
		runtime.LockOSThread()
		if err := talk(server, 1<<20); err != nil {
			failed <- err
			return
		}
		fmt.Println("ready")
		_, _ = os.Stdin.Read(make([]byte, 1))
		if unix.Gettid() == os.Getpid() {
			failed <- errors.New("this is the main thread")
			return
		}
		failed <- syscall.Exec("/proc/self/exe", []string{"again"}, []string{"BPFSCAN_ACT=burn"})
	}()
	return <-failed
}

func TestExecByAnotherThread(t *testing.T) {
	s := open(t, Options{Events: true, Network: true})
	tcp, _ := echo(t, "4", "127.0.0.1:0")
	a := start(t, "exec "+tcp)
	p := find(scan(t, s), a.Process.Pid)
	before := *p
	_, err := a.in.Write([]byte("x"))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		require.Same(t, p, find(scan(t, s), a.Process.Pid))
		return p.UserTime+p.SystemTime > before.UserTime+before.SystemTime+0.29
	}, 10*time.Second, time.Millisecond)
	require.Less(t, p.UserTime+p.SystemTime, before.UserTime+before.SystemTime+0.45, "nothing counts twice")
	if s.programs.traffic {
		require.GreaterOrEqual(t, p.Network.TCP.Transmitted, int64(1<<20))
		require.Equal(t, before.Network.TCP, p.Network.TCP)
	}
	a.end()
	x := scanUntilExited(t, s, a.Process.Pid)
	used := a.ProcessState.UserTime() + a.ProcessState.SystemTime()
	require.InDelta(t, used.Seconds(), x.UserTime+x.SystemTime, 0.005)
	require.Equal(t, p.Created, x.Created)
}

func setName(name string) error {
	runtime.LockOSThread()
	b := append([]byte(name), 0)
	// The name of a process is that of its main thread.
	return os.WriteFile("/proc/self/comm", b[:len(b)-1], 0)
}

func TestHostileNames(t *testing.T) {
	s := open(t, Options{Events: true})
	for name, want := range map[string]string{
		"a) S 1 1 (b":      "a) S 1 1 (b",
		"new\nline":        "new\nline",
		"caf\xe9":          "caf\uFFFD",
		"日本日本日":            "日本日本日",
		"日本日本日本":           "日本日本日", // cut within a character at the kernel's 15 bytes
		"kworker/u8:3-not": "kworker/u8:3-no",
	} {
		t.Run(fmt.Sprintf("%q", name), func(t *testing.T) {
			a := start(t, "name "+name)
			p := find(scan(t, s), a.Process.Pid)
			require.Equal(t, want, p.Name)
			require.False(t, p.Kernel)
			a.end()
			require.Equal(t, want, scanUntilExited(t, s, a.Process.Pid).Name)
		})
	}
}

// What others do to a process that sleeps shows, at the latest when its turn
// has come.
func TestChangesFromOutside(t *testing.T) {
	s := open(t, Options{})
	c := exec.Command("sleep", "100")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	var p *process.Process
	for range 20 {
		p = find(scan(t, s), c.Process.Pid)
	}
	require.Equal(t, int64(c.Process.Pid), p.Group)
	described := p.Described
	require.NoError(t, unix.Setpriority(unix.PRIO_PROCESS, c.Process.Pid, 7))
	const idle = 3 << 13
	_, _, errno := unix.Syscall(unix.SYS_IOPRIO_SET, 1, uintptr(c.Process.Pid), idle)
	require.Zero(t, errno)
	for range 32 {
		require.Same(t, p, find(scan(t, s), c.Process.Pid), "it stays the same value")
	}
	require.Equal(t, int64(7), p.Nice)
	require.Equal(t, "idle", p.IOPriority)
	require.Greater(t, p.Described, described)
}

func TestOrphanHasItsNewParent(t *testing.T) {
	s := open(t, Options{Events: true})
	c := exec.Command("sh", "-c", "sleep 100 & echo $!; read x")
	in, err := c.StdinPipe()
	require.NoError(t, err)
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	var child int
	_, err = fmt.Fscan(out, &child)
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Kill(child, unix.SIGKILL) })
	for range 3 {
		require.Equal(t, int64(c.Process.Pid), find(scan(t, s), child).Parent)
	}
	require.NoError(t, in.Close())
	_ = c.Wait() // read fails at the end of the input
	require.NotEqual(t, int64(c.Process.Pid), find(scan(t, s), child).Parent, "at once")
}

func TestExecIsTheSameProcessDescribedAnew(t *testing.T) {
	s := open(t, Options{CommandLine: true})
	c := exec.Command("sh", "-c", "read x; exec sleep 100")
	in, err := c.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	p := find(scan(t, s), c.Process.Pid)
	require.Equal(t, "sh", p.Name)
	_, err = in.Write([]byte("\n"))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		require.Same(t, p, find(scan(t, s), c.Process.Pid))
		return p.Name == "sleep"
	}, 5*time.Second, time.Millisecond)
	require.True(t, strings.HasSuffix(p.Executable, "sleep"), p.Executable)
	require.Equal(t, []string{"sleep", "100"}, p.Args)
}
