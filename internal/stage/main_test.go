package stage

import (
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

	"github.com/stretchr/testify/require"
)

// TestMain lets the test binary also be the processes that the tests need.
func TestMain(m *testing.M) {
	roles := map[string]func([]string) error{
		"hold":         hold,
		"send":         send,
		"unprivileged": unprivileged,
	}
	if len(os.Args) > 1 && roles[os.Args[1]] != nil {
		if err := roles[os.Args[1]](os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// self is the command of a role.
func self(t *testing.T, role string, args ...string) []string {
	t.Helper()
	path, err := os.Executable()
	require.NoError(t, err)
	return append([]string{path, role}, args...)
}

// send sends bytes to an address: what it is given says where and how many.
func send(args []string) error {
	conn, err := net.Dial("tcp", args[0])
	if err != nil {
		return err
	}
	defer conn.Close()
	var bytes int
	if _, err = fmt.Sscan(args[1], &bytes); err != nil {
		return err
	}
	_, err = conn.Write(make([]byte, bytes))
	return err
}

// hold makes one of everything, uses it, and waits to be killed.
func hold(args []string) error {
	ctx := context.Background()
	s, err := New(Options{Base: args[0], ID: args[1]})
	if err != nil {
		return err
	}
	d, err := s.Disk(ctx, DiskSpec{Name: "disk", SizeMiB: 32})
	if err != nil {
		return err
	}
	f, err := s.FaultyDisk(ctx, DiskSpec{Name: "faulty", SizeMiB: 32})
	if err != nil {
		return err
	}
	n, err := s.Network(ctx, NetworkSpec{Mbps: 20, QueueKiB: 200})
	if err != nil {
		return err
	}
	g, err := s.Group("site", Limits{CPUCores: 0.5, MemoryBytes: 64 << 20, IO: []IOLimit{{Device: d.Device, ReadBPS: 1 << 20}}})
	if err != nil {
		return err
	}
	if err := f.Pause(); err != nil {
		return err
	}
	// One waits for the paused disk, one has left its parent, one is in no group.
	stuck := []string{"/bin/sh", "-c", `cd "$1" && { setsid sleep 1000 & } && echo ready && echo text >file && sync file; sleep 1000`, "sh", f.Path}
	inGroup := start(g.Wrap(n.Wrap(stuck)))
	loose := start([]string{"/bin/sh", "-c", "sleep 1000 & echo ready; sleep 1000", "sh"})
	if err := errors.Join(inGroup.err, loose.err); err != nil {
		return err
	}
	if err := s.Adopt(loose.pid); err != nil {
		return err
	}
	fmt.Println(f.Path)
	select {}
}

type started struct {
	pid int
	err error
}

// start starts a command and waits until it says that it is ready.
func start(argv []string) started {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return started{err: err}
	}
	if err = cmd.Start(); err != nil {
		return started{err: err}
	}
	var word string
	_, err = fmt.Fscan(out, &word)
	return started{pid: cmd.Process.Pid, err: err}
}

// unprivileged prints what a user without privileges is told.
func unprivileged(args []string) error {
	s, err := New(Options{Base: args[0], ID: "user"})
	if err != nil {
		return err
	}
	ctx := context.Background()
	_, group := s.Group("site", Limits{CPUCores: 1})
	_, disk := s.Disk(ctx, DiskSpec{Name: "disk", SizeMiB: 32})
	_, faulty := s.FaultyDisk(ctx, DiskSpec{Name: "disk", SizeMiB: 32})
	_, network := s.Network(ctx, NetworkSpec{Mbps: 20, QueueKiB: 200})
	loose := start([]string{"/bin/sh", "-c", "sleep 1000 & echo ready; sleep 1000", "sh"})
	for _, err := range []error{group, disk, faulty, network, loose.err, s.Adopt(loose.pid), s.Close()} {
		fmt.Println(err)
	}
	fmt.Println(process{PID: loose.pid}.alive(), exists(s.Dir())())
	return nil
}

// newStage makes a stage that is undone with the test.
func newStage(t *testing.T, needs ...Need) *Stage {
	t.Helper()
	a := Probe()
	for _, need := range needs {
		if missing := a.Missing(need); missing != "" {
			t.Skip(missing)
		}
	}
	// Not the test's own directory, which may lie in memory.
	base := filepath.Join("/var/tmp", strings.ToLower("culprit-stage-test-"+randomID()))
	s, err := New(Options{Base: base})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		require.NoError(t, os.Remove(base))
	})
	return s
}
