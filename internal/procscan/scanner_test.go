package procscan

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/process"
)

func TestScan(t *testing.T) {
	tr := newTree(t)
	tr.process(fake{
		pid: 42, comm: "restic", user: 250, system: 50, nice: 5, uid: 34, tty: 34816, start: 12345, pages: 3, block: 7,
		running: 1e9, wait: 2_500_000_000, read: 4096, written: 8192, voluntary: 11,
		cmdline: "restic\x00backup\x00--password-command=x\x00/srv\x00", exe: "/usr/bin/restic (deleted)",
	})
	s := tr.open(Options{Switches: true, CommandLine: true})
	snap := scan(t, s)

	require.Len(t, snap.Processes, 1)
	require.Zero(t, snap.Vanished)
	require.Zero(t, snap.Unreadable)
	require.Equal(t, process.Process{
		PID: 42, Start: time.Date(2023, 11, 14, 22, 15, 23, 450_000_000, time.UTC), Created: "2023-11-14T22:15:23.450Z",
		Parent: 1, Group: 42, Session: 42, User: 34, TTY: true,
		Name: "restic", Executable: "/usr/bin/restic", Args: []string{"restic", "backup", "--password-command=***", "/srv"},
		Cgroup: "/system.slice/x.service", CPUs: "0-1", Nice: 5, Ran: true, Described: 1,
		Threads: 1, UserTime: 2.5, SystemTime: 0.5,
		Resident: 3 * int64(os.Getpagesize()), Virtual: 4096000, MinorFaults: 10, MajorFaults: 30,
		ChildrenUser: 0.5, ChildrenSystem: 0.6,
		Known:     process.KnowsIO | process.KnowsChildren | process.KnowsRunDelay | process.KnowsBlockDelay | process.KnowsSwitches,
		ReadBytes: 4096, WriteBytes: 8192, RunDelay: 2.5, BlockDelay: 0.07,
		VoluntarySwitches: 11, InvoluntarySwitches: 4,
	}, *snap.Processes[0])
}

func TestScanOrdersByPID(t *testing.T) {
	tr := newTree(t)
	for _, pid := range []int{300, 9, 20, 1000, 1} {
		tr.process(fake{pid: pid, comm: "x"})
	}
	var pids []int64
	for _, p := range scan(t, tr.open(Options{})).Processes {
		pids = append(pids, p.PID)
	}
	require.Equal(t, []int64{1, 9, 20, 300, 1000}, pids)
}

func TestScanHostileNames(t *testing.T) {
	for comm, want := range map[string]string{
		"a) S 1 1 1 (b": "a) S 1 1 1 (b",
		"two words":     "two words",
		"new\nline":     "new\nline",
		"((":            "((",
		"))":            "))",
		"":              "",
		"caf\xe9":       "caf\uFFFD",
		"日本":            "日本",
	} {
		t.Run(fmt.Sprintf("%q", comm), func(t *testing.T) {
			tr := newTree(t)
			tr.process(fake{pid: 7, comm: comm, start: 5})
			snap := scan(t, tr.open(Options{}))
			require.Len(t, snap.Processes, 1)
			require.Equal(t, want, snap.Processes[0].Name)
			require.Equal(t, int64(1), snap.Processes[0].Parent)
		})
	}
}

func TestScanKernelWorkerKeepsItsName(t *testing.T) {
	tr := newTree(t)
	s := tr.open(Options{})
	for _, comm := range []string{"kworker/u8:3-events_unbound", "kworker/u8:3+flush-254:0", "kworker/u8:3"} {
		tr.process(fake{pid: 7, comm: comm, flags: kernelThread})
		p := scan(t, s).Processes[0]
		require.True(t, p.Kernel)
		require.Equal(t, "kworker/u8:3", p.Name)
		require.Empty(t, p.Executable)
	}
	// A program with that name is not one.
	tr.process(fake{pid: 8, comm: "kworker/0:1-evil"})
	require.Equal(t, "kworker/0:1-evil", scan(t, s).Processes[1].Name)
}

func TestScanReusedPIDIsAnotherProcess(t *testing.T) {
	tr := newTree(t)
	s := tr.open(Options{})
	tr.process(fake{pid: 7, comm: "old", start: 100, user: 900, read: 5000, running: 1})
	old := *scan(t, s).Processes[0]
	tr.process(fake{pid: 7, comm: "new", start: 200, user: 1, read: 10, running: 2})
	young := *scan(t, s).Processes[0]

	require.NotEqual(t, old.Created, young.Created)
	require.Equal(t, "new", young.Name)
	require.InDelta(t, 0.01, young.UserTime, 1e-9)
	require.Equal(t, int64(10), young.ReadBytes)
	require.Len(t, s.entries, 1)
}

func TestScanForgetsWhatEnded(t *testing.T) {
	tr := newTree(t)
	s := tr.open(Options{})
	tr.process(fake{pid: 7, comm: "a"})
	tr.process(fake{pid: 8, comm: "b"})
	require.Len(t, scan(t, s).Processes, 2)
	tr.remove("7")
	require.Len(t, scan(t, s).Processes, 1)
	require.Len(t, s.entries, 1)
}

func TestScanNoticesExec(t *testing.T) {
	tr := newTree(t)
	s := tr.open(Options{CommandLine: true})
	tr.process(fake{pid: 7, comm: "bash", cmdline: "bash\x00", exe: "/bin/bash", cgroup: "0::/a\n"})
	scan(t, s)
	tr.process(fake{pid: 7, comm: "tar", cmdline: "tar\x00cf\x00-\x00", exe: "/bin/tar", cgroup: "0::/b\n", cpus: "3", running: 1})
	p := scan(t, s).Processes[0]
	require.Equal(t, "tar", p.Name)
	require.Equal(t, []string{"tar", "cf", "-"}, p.Args)
	require.Equal(t, "/bin/tar", p.Executable)
	require.Equal(t, "/b", p.Cgroup)
	require.Equal(t, "3", p.CPUs)
}

func TestScanDescribesAfreshNowAndThen(t *testing.T) {
	tr := newTree(t)
	s := tr.open(Options{})
	tr.process(fake{pid: 7, comm: "a", cgroup: "0::/old\n"})
	scan(t, s)
	tr.process(fake{pid: 7, comm: "a", cgroup: "0::/new\n", cpus: "1"})
	for range describeEvery {
		scan(t, s)
	}
	p := scan(t, s).Processes[0]
	require.Equal(t, "/new", p.Cgroup)
	require.Equal(t, "1", p.CPUs)
}

func TestScanStartDoesNotFollowTheClock(t *testing.T) {
	tr := newTree(t)
	tr.process(fake{pid: 7, comm: "a", start: 100})
	s := tr.open(Options{})
	before := scan(t, s).Processes[0].Created
	tr.write("stat", "btime 1600000000\n")
	tr.process(fake{pid: 8, comm: "b", start: 100})
	snap := scan(t, s)
	require.Equal(t, before, snap.Processes[0].Created)
	require.Equal(t, before, snap.Processes[1].Created)
}

// A process with one thread that used no CPU did nothing else either.
func TestScanSkipsFilesOfIdleProcesses(t *testing.T) {
	tr := newTree(t)
	s := tr.open(Options{Switches: true})
	tr.process(fake{pid: 7, comm: "a", running: 100, read: 1, voluntary: 1})
	scan(t, s)

	tr.process(fake{pid: 7, comm: "a", running: 100, read: 2, voluntary: 2})
	p := scan(t, s).Processes[0]
	require.Equal(t, int64(1), p.ReadBytes, "not read")
	require.Equal(t, int64(1), p.VoluntarySwitches, "not read")
	require.True(t, p.Known.Has(process.KnowsIO|process.KnowsSwitches), "what did not change is known")

	tr.process(fake{pid: 7, comm: "a", running: 101, read: 2, voluntary: 2})
	p = scan(t, s).Processes[0]
	require.Equal(t, int64(2), p.ReadBytes)
	require.Equal(t, int64(2), p.VoluntarySwitches)
}

func TestScanReadsAlwaysWithoutSchedstat(t *testing.T) {
	tr := newTree(t)
	s := tr.open(Options{})
	for read := range 3 {
		tr.process(fake{pid: 7, comm: "a", read: read})
		tr.remove("7/schedstat")
		p := scan(t, s).Processes[0]
		require.Equal(t, int64(read), p.ReadBytes)
		require.False(t, p.Known.Has(process.KnowsRunDelay))
	}
}

func TestScanSumsRunDelayOverThreads(t *testing.T) {
	tr := newTree(t)
	s := tr.open(Options{})
	step := func(f fake, want float64) {
		t.Helper()
		f.pid, f.comm = 10, "server"
		tr.process(f)
		p := scan(t, s).Processes[0]
		require.True(t, p.Known.Has(process.KnowsRunDelay))
		require.InDelta(t, want, p.RunDelay*1e9, 1e-6)
		require.Equal(t, f.threads <= 1, p.Known.Has(process.KnowsBlockDelay), "block delays are the main thread's alone")
	}
	tr.thread(10, 10, 100)
	step(fake{threads: 1, running: 1, wait: 100}, 100)

	tr.thread(10, 11, 40)
	tr.thread(10, 9, 5)                                // IDs wrap around
	step(fake{threads: 3, running: 2, wait: 100}, 145) // who starts a thread runs

	tr.thread(10, 11, 60)
	step(fake{threads: 3, running: 2, wait: 100}, 145) // no CPU time, not read
	step(fake{threads: 3, running: 2, wait: 100, user: 1}, 165)

	tr.remove("10/task/11") // ends, and takes nothing away
	step(fake{threads: 2, running: 2, wait: 100, user: 1}, 165)

	tr.thread(10, 9, 2) // reused ID
	step(fake{threads: 2, running: 3, wait: 100, user: 1}, 167)

	tr.remove("10/task/9")
	step(fake{threads: 1, running: 4, wait: 130, user: 1}, 197)
}

func TestScanCountersDoNotGoBack(t *testing.T) {
	tr := newTree(t)
	s := tr.open(Options{})
	tr.process(fake{pid: 7, comm: "a", running: 1, user: 10, system: 10, read: 10, written: 10, wait: 10, block: 10})
	before := *scan(t, s).Processes[0]
	tr.process(fake{pid: 7, comm: "a", running: 2, user: 9, system: 9, read: 9, written: 9, wait: 0, block: 9})
	require.Equal(t, before, *scan(t, s).Processes[0])
}

func TestScanVanishedIsCounted(t *testing.T) {
	tr := newTree(t)
	s := tr.open(Options{})
	tr.process(fake{pid: 7, comm: "a"})
	tr.process(fake{pid: 8, comm: "gone"})
	tr.remove("8/stat")
	tr.process(fake{pid: 9, comm: "half gone"})
	for _, file := range []string{"io", "schedstat", "status", "cgroup"} {
		tr.remove("9/" + file)
	}
	snap := scan(t, s)
	require.Equal(t, 1, snap.Vanished)
	require.Zero(t, snap.Unreadable)
	require.Len(t, snap.Processes, 2)
	require.True(t, snap.Processes[0].Known.Has(process.KnowsIO|process.KnowsRunDelay))
	require.Equal(t, process.KnowsBlockDelay|process.KnowsChildren, snap.Processes[1].Known)
}

func TestScanTruncatedFiles(t *testing.T) {
	whole := fake{pid: 7, comm: "a", threads: 1, cpus: "0"}
	stat := whole.stat()
	for name, content := range map[string]string{
		"stat":      stat[:len(stat)/3],
		"io":        "rchar: 1\nread_bytes: 12\nwrite_bytes: 12",
		"schedstat": "12 3",
		"status":    "Cpus_allowed_list:\t0\nvoluntary_ctxt_switches:\t1\n",
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTree(t)
			tr.process(whole)
			tr.write("7/"+name, content)
			snap := scan(t, tr.open(Options{Switches: true}))
			if name == "stat" {
				require.Empty(t, snap.Processes)
				require.Equal(t, 1, snap.Unreadable)
				return
			}
			require.Len(t, snap.Processes, 1)
			lost := map[string]process.Known{"io": process.KnowsIO, "schedstat": process.KnowsRunDelay, "status": process.KnowsSwitches}[name]
			require.False(t, snap.Processes[0].Known.Has(lost))
			require.True(t, snap.Processes[0].Known.Has(process.KnowsBlockDelay))
		})
	}
}

func TestScanBlockDelaysNeedTheSwitch(t *testing.T) {
	for content, want := range map[string]bool{"0\n": false, "1\n": true, "": true} {
		tr := newTree(t)
		if content == "" {
			tr.remove("sys/kernel/task_delayacct") // before Linux 5.14
		} else {
			tr.write("sys/kernel/task_delayacct", content)
		}
		tr.process(fake{pid: 7, comm: "a"})
		s := tr.open(Options{})
		require.Equal(t, want, s.BlockDelays())
		require.Equal(t, want, scan(t, s).Processes[0].Known.Has(process.KnowsBlockDelay))
	}
}

func TestOpenErrors(t *testing.T) {
	_, err := Open(Options{Root: "/nonexistent/proc"})
	require.EqualError(t, err, "open /nonexistent/proc: no such file or directory")

	dir := t.TempDir()
	_, err = Open(Options{Root: dir})
	require.EqualError(t, err, dir+" is not a proc file system: read stat: no such file or directory")

	require.NoError(t, os.WriteFile(dir+"/stat", []byte("cpu 1\n"), 0o600))
	_, err = Open(Options{Root: dir})
	require.EqualError(t, err, dir+" is not a proc file system: its stat file has no btime")
}

func TestScanAllocatesNothing(t *testing.T) {
	tr := newTree(t)
	for pid := 1; pid <= 100; pid++ {
		f := fake{pid: pid, comm: "proc", exe: "/bin/proc", cmdline: "proc\x00--token=x\x00", threads: 1 + pid%3}
		tr.process(f)
		for tid := range f.threads {
			tr.thread(pid, pid*10+tid, 5)
		}
	}
	s := tr.open(Options{Switches: true, CommandLine: true})
	for range describeEvery {
		scan(t, s)
	}
	allocs := testing.AllocsPerRun(2*describeEvery, func() {
		if _, err := s.Scan(); err != nil {
			panic(err)
		}
	})
	require.Zero(t, allocs)
}

// Without CPU time most files are skipped; here every file is read each time.
func TestScanOfBusyProcessesAllocatesNothing(t *testing.T) {
	tr := newTree(t)
	for pid := 1; pid <= 20; pid++ {
		tr.process(fake{pid: pid, comm: "proc"})
		tr.remove(fmt.Sprintf("%d/schedstat", pid))
	}
	s := tr.open(Options{Switches: true})
	scan(t, s)
	require.Zero(t, testing.AllocsPerRun(20, func() { _, _ = s.Scan() }))
}

func TestScanOfThisHost(t *testing.T) {
	s, err := Open(Options{Root: "/proc", Switches: true, CommandLine: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	var self *process.Process
	for _, p := range scan(t, s).Processes {
		if p.PID == int64(os.Getpid()) {
			self = p
		}
	}
	require.NotNil(t, self, "the test finds itself")
	exe, err := os.Executable()
	require.NoError(t, err)
	require.Equal(t, exe, self.Executable)
	require.Equal(t, Scrub(os.Args), self.Args)
	require.Equal(t, int64(os.Getppid()), self.Parent)
	require.WithinDuration(t, time.Now(), self.Start, time.Hour)
	require.Positive(t, self.Resident)
	require.NotEmpty(t, self.CPUs)
}
