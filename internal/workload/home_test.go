package workload_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/process"
	"github.com/otel-culprit/culprit/internal/workload"
)

var start = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)

const (
	session = "/user.slice/user-1000.slice/session-3.scope"
	cronSvc = "/system.slice/cron.service"
)

// proc is a process that started when its PID says.
func proc(pid, parent, group int64, name, cgroup string, args ...string) *process.Process {
	return &process.Process{
		PID: pid, Parent: parent, Group: group, Session: group, Name: name, Cgroup: cgroup, Args: args,
		Start: start.Add(time.Duration(pid) * time.Millisecond), Threads: 1, Resident: 1, Ran: true,
		Known: process.KnowsIO | process.KnowsChildren,
	}
}

func tty(p *process.Process) *process.Process {
	p.TTY = true
	return p
}

func host(more ...*process.Process) process.Snapshot {
	kernel := proc(2, 0, 0, "kthreadd", "/")
	kernel.Kernel = true
	return process.Snapshot{Processes: append([]*process.Process{proc(1, 0, 1, "systemd", "/init.scope"), kernel}, more...)}
}

func TestWhereProcessesBelong(t *testing.T) {
	for name, c := range map[string]struct {
		processes []*process.Process
		want      map[int64]string // PID to type and name
	}{
		"units and the kernel": {
			[]*process.Process{proc(9, 1, 9, "nginx", "/system.slice/nginx.service"), proc(10, 9, 9, "nginx", "/system.slice/nginx.service")},
			map[int64]string{2: "kernel kernel", 9: "unit nginx.service", 10: "unit nginx.service"},
		},
		"a script at a terminal": {
			[]*process.Process{
				tty(proc(20, 1, 20, "bash", session, "-bash")),
				proc(21, 20, 21, "bash", session, "bash", "/opt/backup.sh"), proc(22, 21, 21, "tar", session),
			},
			map[int64]string{20: "job bash", 21: "job backup.sh", 22: "job backup.sh"},
		},
		"wrappers inside a script": {
			[]*process.Process{
				proc(21, 1, 21, "bash", session, "bash", "/opt/backup.sh"),
				proc(22, 21, 22, "timeout", session), proc(23, 22, 22, "rsync", session),
				proc(24, 21, 21, "sudo", session), proc(25, 24, 25, "tar", session),
			},
			map[int64]string{22: "job backup.sh", 23: "job backup.sh", 24: "job backup.sh", 25: "job backup.sh"},
		},
		"a wrapper at a terminal is a job": {
			[]*process.Process{
				tty(proc(20, 1, 20, "bash", session, "-bash")),
				proc(22, 20, 22, "timeout", session), proc(23, 22, 22, "rsync", session),
			},
			map[int64]string{20: "job bash", 22: "job rsync", 23: "job rsync"},
		},
		"what init starts is its own": {
			[]*process.Process{proc(22, 1, 22, "timeout", "/"), proc(30, 1, 30, "tmux: server", "/"), proc(31, 30, 31, "sudo", "/")},
			map[int64]string{1: "job systemd", 22: "job timeout", 31: "job sudo"},
		},
		"su in a unit with a session of its own": {
			[]*process.Process{
				proc(40, 1, 40, "sh", "/system.slice/dump.service", "sh", "/opt/dump.sh"), proc(41, 40, 40, "su", "/system.slice/dump.service"),
				proc(42, 41, 42, "pg_dump", "/user.slice/user-115.slice/session-c1.scope"),
			},
			map[int64]string{41: "unit dump.service", 42: "unit dump.service"},
		},
		"cron": {
			[]*process.Process{
				proc(50, 1, 50, "cron", cronSvc),
				proc(51, 50, 50, "cron", cronSvc), proc(52, 51, 52, "sh", cronSvc, "/bin/sh", "-c", "cd / && run-parts /etc/cron.daily"),
				proc(53, 52, 52, "run-parts", cronSvc), proc(54, 53, 52, "restic", cronSvc),
				proc(55, 50, 50, "cron", cronSvc), proc(56, 55, 56, "sh", session, "/bin/sh", "-c", "/opt/dump.sh"),
				proc(57, 1, 56, "gzip", cronSvc), // orphaned
			},
			map[int64]string{
				50: "unit cron.service", 51: "cron restic", 52: "cron restic", 54: "cron restic",
				55: "cron dump.sh", 56: "cron dump.sh", 57: "cron dump.sh",
			},
		},
		"containers, also with a cron of their own": {
			[]*process.Process{
				proc(60, 1, 60, "crond", "/docker/4c01db0b339c4c01db0b339c"), proc(61, 60, 61, "sh", "/docker/4c01db0b339c4c01db0b339c"),
			},
			map[int64]string{60: "container 4c01db0b339c", 61: "container 4c01db0b339c"},
		},
		"a group whose leader is gone, and circles": {
			[]*process.Process{proc(70, 1, 69, "cat", "/"), proc(71, 1, 69, "sort", "/"), proc(72, 73, 73, "sudo", "/"), proc(73, 72, 72, "sudo", "/")},
			map[int64]string{70: "job cat", 71: "job cat"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			book := workload.New(workload.Options{})
			book.Post(host(c.processes...), start.Add(time.Second))
			for pid, want := range c.want {
				w := book.Of(pid)
				require.NotNil(t, w)
				require.Equal(t, want, string(w.Type)+" "+w.Name, "process %d", pid)
			}
		})
	}
}

func TestACronJobOutlivesItsParts(t *testing.T) {
	book := workload.New(workload.Options{})
	cron, child := proc(50, 1, 50, "cron", cronSvc), proc(51, 50, 50, "cron", cronSvc)
	tar := proc(52, 51, 52, "tar", cronSvc)
	book.Post(host(cron, child, tar), start.Add(time.Second))
	job := book.Of(52)
	require.Equal(t, "tar", job.Name)

	tar.Parent, tar.Group, tar.Session = 1, 52, 52
	tar.Described++
	book.Post(host(cron, tar), start.Add(2*time.Second))
	require.Same(t, job, book.Of(52))
	require.Equal(t, int64(51), job.Leader.PID, "the leader is known after its end")

	for range 4 {
		require.Contains(t, book.Workloads(), job)
		book.Post(host(cron), start.Add(3*time.Second))
	}
	for range 2 { // The ledger held it for two scans.
		book.Post(host(cron), start.Add(3*time.Second))
	}
	require.NotContains(t, book.Workloads(), job)
}

func TestLevelsAndDescriptions(t *testing.T) {
	asked := 0
	book := workload.New(workload.Options{TimerOf: func(unit string) string {
		asked++
		return unit + ".timer"
	}})
	a, b := proc(9, 1, 9, "nginx", "/system.slice/nginx.service"), proc(10, 9, 9, "nginx", "/system.slice/nginx.service")
	a.Resident, b.Resident, b.Threads = 100, 20, 4
	b.Known = process.KnowsIO
	book.Post(host(a, b), start.Add(time.Second))
	w := book.Of(9)
	require.Equal(t, "nginx.service.timer", w.Timer)
	require.Equal(t, "/system.slice/nginx.service", w.Cgroup)
	require.Equal(t, []int64{2, 5, 120}, []int64{int64(w.Processes), w.Threads, w.Resident})
	require.Equal(t, process.KnowsIO|process.KnowsChildren, w.Known)
	require.Equal(t, process.KnowsChildren, w.Partial)

	b.Resident, b.Ran = 50, true
	book.Post(host(b), start.Add(2*time.Second))
	require.Equal(t, []int64{1, 4, 50}, []int64{int64(w.Processes), w.Threads, w.Resident})
	require.Equal(t, int64(10), w.Leader.PID)
	require.Equal(t, process.KnowsIO, w.Known)
	require.Zero(t, w.Partial)
	require.Equal(t, 1, asked)
}

func TestWhatTheFilterLeavesOutIsCountedNowhere(t *testing.T) {
	is := func(want string) func(string) bool { return func(s string) bool { return s == want } }
	for name, c := range map[string]struct {
		filter workload.Filter
		want   bool
	}{
		"all":              {workload.Filter{}, true},
		"excluded name":    {workload.Filter{Exclude: workload.Patterns{Names: []func(string) bool{is("nginx")}}}, false},
		"excluded user":    {workload.Filter{Exclude: workload.Patterns{Users: []int64{33}}}, false},
		"included unit":    {workload.Filter{Include: workload.Patterns{Units: []func(string) bool{is("nginx.service")}}}, true},
		"not included":     {workload.Filter{Include: workload.Patterns{Cgroups: []func(string) bool{is("/")}}}, false},
		"exclusion counts": {workload.Filter{Include: workload.Patterns{Users: []int64{33}}, Exclude: workload.Patterns{Users: []int64{33}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			book := workload.New(workload.Options{Filter: c.filter})
			p := proc(9, 1, 9, "nginx", "/system.slice/nginx.service")
			p.User = 33
			book.Post(host(p), start.Add(time.Second))
			p.UserTime = 5
			book.Post(host(p), start.Add(2*time.Second))
			_, counted := book.Process(9)
			require.Equal(t, c.want, counted)
			require.Equal(t, c.want, book.Of(9) != nil)
			sum := 0.0
			for _, w := range book.Workloads() {
				sum += w.Totals.UserTime
			}
			require.InDelta(t, map[bool]float64{true: 5, false: 0}[c.want], sum, 1e-6)
		})
	}
}

// What a job is called does not depend on which of its children is seen first,
// and follows its leader through exec.
func TestAJobIsCalledAsItsLeaderIs(t *testing.T) {
	shell := proc(70, 1, 70, "bash", session)
	child := proc(71, 70, 70, "readlink", session)
	b := workload.New(workload.Options{})
	b.Post(host(shell, child), start)
	require.Equal(t, "bash", b.Of(70).Name)
	w := b.Of(70)

	shell.Name, shell.Described = "python3", 1
	b.Post(host(shell), start.Add(time.Second))
	require.Equal(t, "python3", w.Name)
	require.Same(t, w, b.Of(70), "it is the same job")

	shell.Args, shell.Described = []string{"python3", "/opt/etl.py"}, 2
	b.Post(host(shell, proc(72, 70, 70, "gzip", session)), start.Add(2*time.Second))
	require.Equal(t, "etl.py", w.Name)
}

// Memory is taken from who sleeps, and bytes arrive for it.
func TestWhatChangesOfASleeperCounts(t *testing.T) {
	p := proc(80, 1, 80, "nginx", "/system.slice/nginx.service")
	p.Known |= process.KnowsTCP
	b := workload.New(workload.Options{})
	b.Post(host(p), start)
	p.Ran, p.Resident, p.Network.TCP.Received = false, 900, 5000
	b.Post(host(p), start.Add(time.Second))
	require.EqualValues(t, 900, b.Of(80).Resident)
	require.EqualValues(t, 5000, b.Of(80).Totals.TCP.Received)
}
