package procscan

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/process"
)

// tree is a proc file system of ordinary files.
type tree struct {
	t    testing.TB
	root string
}

func newTree(tb testing.TB) tree {
	tb.Helper()
	tr := tree{t: tb, root: tb.TempDir()}
	tr.write("stat", "cpu  1 2 3 4 5 6 7 8 9 10\nbtime 1700000000\nprocesses 42\n")
	tr.write("sys/kernel/task_delayacct", "1\n")
	return tr
}

func (tr tree) write(name, content string) {
	tr.t.Helper()
	file := filepath.Join(tr.root, name)
	require.NoError(tr.t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(tr.t, os.WriteFile(file, []byte(content), 0o644))
}

func (tr tree) remove(name string) {
	tr.t.Helper()
	require.NoError(tr.t, os.RemoveAll(filepath.Join(tr.root, name)))
}

// fake is a process of a tree; zero values are written as they are.
type fake struct {
	pid           int
	comm          string
	flags         int
	state         string // "S" if empty
	uid, tty      int
	parent        int // 1 if zero
	session       int // the PID if zero
	user, system  int // ticks
	nice, threads int
	start         int // ticks
	pages         int
	block         int // ticks
	running, wait int // ns
	read, written int
	voluntary     int
	cpus          string
	cgroup        string
	cmdline       string
	exe           string
}

func (f fake) stat() string {
	if f.state == "" {
		f.state = "S"
	}
	if f.parent == 0 {
		f.parent = 1
	}
	if f.session == 0 {
		f.session = f.pid
	}
	return fmt.Sprintf("%d (%s) %s %d %d %d %d -1 %d 10 20 30 40 %d %d 50 60 20 %d %d 0 %d 4096000 %d "+
		"18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 %d 0 0 0 0 0 0 0 0 0 0\n",
		f.pid, f.comm, f.state, f.parent, f.pid, f.session, f.tty, f.flags, f.user, f.system, f.nice, f.threads, f.start, f.pages, f.block)
}

func (f fake) io() string {
	return fmt.Sprintf("rchar: 7\nwchar: 8\nsyscr: 9\nsyscw: 10\nread_bytes: %d\nwrite_bytes: %d\ncancelled_write_bytes: 3\n", f.read, f.written)
}

func (f fake) schedstat() string { return fmt.Sprintf("%d %d 5\n", f.running, f.wait) }

func (f fake) status() string {
	return fmt.Sprintf("Name:\tx\nTgid:\t%d\nUid:\t7\t%d\t8\t9\nCpus_allowed:\t3\nCpus_allowed_list:\t%s\nvoluntary_ctxt_switches:\t%d\nnonvoluntary_ctxt_switches:\t4\n",
		f.pid, f.uid, f.cpus, f.voluntary)
}

func (tr tree) process(f fake) {
	tr.t.Helper()
	if f.cpus == "" {
		f.cpus = "0-1"
	}
	if f.cgroup == "" {
		f.cgroup = "0::/system.slice/x.service\n"
	}
	if f.threads == 0 {
		f.threads = 1
	}
	dir := strconv.Itoa(f.pid)
	tr.write(dir+"/stat", f.stat())
	tr.write(dir+"/io", f.io())
	tr.write(dir+"/schedstat", f.schedstat())
	tr.write(dir+"/status", f.status())
	tr.write(dir+"/cgroup", f.cgroup)
	tr.write(dir+"/cmdline", f.cmdline)
	if f.exe != "" {
		link := filepath.Join(tr.root, dir, "exe")
		_ = os.Remove(link)
		require.NoError(tr.t, os.Symlink(f.exe, link))
	}
}

// thread writes the schedstat of a thread.
func (tr tree) thread(pid, tid, wait int) {
	tr.t.Helper()
	tr.write(fmt.Sprintf("%d/task/%d/schedstat", pid, tid), fmt.Sprintf("1 %d 1\n", wait))
}

func (tr tree) open(o Options) *Scanner {
	tr.t.Helper()
	o.Root = tr.root
	s, err := Open(o)
	require.NoError(tr.t, err)
	tr.t.Cleanup(func() { require.NoError(tr.t, s.Close()) })
	return s
}

func scan(tb testing.TB, s *Scanner) process.Snapshot {
	tb.Helper()
	snap, err := s.Scan()
	require.NoError(tb, err)
	return snap
}
