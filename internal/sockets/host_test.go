package sockets

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/process"
)

// host is this machine as the table sees it.
type host struct {
	t       testing.TB
	proc    procfs.FS
	table   *Table
	by      map[int64]*process.Process
	ran     map[int64]uint64 // ns of CPU, of the last scan
	pids    []int64          // the processes that matter; all if nil
	report  Report
	unowned process.Traffic // of all updates
}

func newHost(tb testing.TB, o Options) *host {
	tb.Helper()
	proc, err := procfs.NewDefaultFS()
	require.NoError(tb, err)
	table, err := Open(o)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, table.Close()) })
	return &host{t: tb, proc: proc, table: table, by: map[int64]*process.Process{}, ran: map[int64]uint64{}}
}

// kernelThread is the kernel's PF_KTHREAD.
const kernelThread = 0x00200000

// scan lists the processes.
func (h *host) scan() []*process.Process {
	h.t.Helper()
	all := h.all()
	before := h.by
	h.by = make(map[int64]*process.Process, len(all))
	procs := make([]*process.Process, 0, len(all))
	for _, found := range all {
		stat, err := found.Stat()
		if err != nil {
			continue // it ended
		}
		pid, start := int64(stat.PID), time.Unix(0, int64(stat.Starttime)*1e7)
		p := before[pid]
		if p == nil || !p.Start.Equal(start) {
			p = &process.Process{PID: pid, Start: start}
		}
		p.Name, p.Parent, p.Kernel = stat.Comm, int64(stat.PPID), stat.Flags&kernelThread != 0
		// Of the processes that were there before the test none matters.
		if p.Ran = false; pid > int64(os.Getpid()) || before[pid] == nil {
			now := running(pid)
			p.Ran = now != h.ran[pid] || before[pid] == nil
			h.ran[pid] = now
		}
		h.by[pid] = p
		procs = append(procs, p)
	}
	slices.SortFunc(procs, func(a, b *process.Process) int { return int(a.PID - b.PID) })
	return procs
}

func (h *host) all() procfs.Procs {
	h.t.Helper()
	if h.pids == nil {
		all, err := h.proc.AllProcs()
		require.NoError(h.t, err)
		return all
	}
	all := procfs.Procs{}
	for _, pid := range h.pids {
		if p, err := h.proc.Proc(int(pid)); err == nil {
			all = append(all, p)
		}
	}
	return all
}

// running is the CPU time of a process in ns.
func running(pid int64) (total uint64) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, file := range files {
		b, _ := os.ReadFile(file)
		digits, _, _ := bytes.Cut(b, []byte(" "))
		n, _ := parseNumber(digits)
		total += n
	}
	return total
}

func (h *host) update() Report {
	h.t.Helper()
	procs := h.scan()
	var err error
	h.report, err = h.table.Update(procs)
	require.NoError(h.t, err)
	h.unowned.Received += h.report.UnownedTraffic.Received
	h.unowned.Transmitted += h.report.UnownedTraffic.Transmitted
	return h.report
}

// of returns a process as the last update knows it.
func (h *host) of(pid int64) process.Process {
	h.t.Helper()
	require.Contains(h.t, h.by, pid)
	return *h.by[pid]
}

func (h *host) tcp(pid int64) process.Traffic {
	h.t.Helper()
	return h.of(pid).Network.TCP
}

// until updates until something holds, for which the kernel needs a moment: the
// last segments are acknowledged after they were sent.
func (h *host) until(what string, holds func() bool) {
	h.t.Helper()
	for range 100 {
		h.update()
		if holds() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	require.Fail(h.t, "never came true", what)
}
