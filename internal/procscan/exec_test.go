package procscan

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A script that runs a script of the same shell keeps its name.
func TestScanNoticesTheFirstExecOfAFork(t *testing.T) {
	tr := newTree(t)
	s := tr.open(Options{CommandLine: true})
	tr.process(fake{pid: 7, comm: "bash", cmdline: "bash\x00", flags: notExecuted})
	scan(t, s)
	tr.process(fake{pid: 7, comm: "bash", cmdline: "bash\x00", flags: notExecuted, running: 1})
	require.Equal(t, 1, scan(t, s).Processes[0].Described)
	tr.process(fake{pid: 7, comm: "bash", cmdline: "bash\x00dump.sh\x00", running: 2})
	p := scan(t, s).Processes[0]
	require.Equal(t, []string{"bash", "dump.sh"}, p.Args)
	require.Equal(t, 2, p.Described)
}

// Managers of services fork first, and move the process then.
func TestScanLooksTwiceAtTheYoung(t *testing.T) {
	tr := newTree(t)
	s := tr.open(Options{})
	tr.process(fake{pid: 7, comm: "a", cgroup: "0::/manager\n"})
	scan(t, s)
	tr.process(fake{pid: 7, comm: "a", cgroup: "0::/service\n", running: 1})
	require.Equal(t, "/service", scan(t, s).Processes[0].Cgroup)
	tr.process(fake{pid: 7, comm: "a", cgroup: "0::/other\n", running: 2})
	require.Equal(t, "/service", scan(t, s).Processes[0].Cgroup, "it is not read in each scan")
}

func TestScanKeepsTheArgumentsAtTheEnd(t *testing.T) {
	tr := newTree(t)
	s := tr.open(Options{CommandLine: true})
	tr.process(fake{pid: 7, comm: "a", cmdline: "a\x00b\x00"})
	scan(t, s)
	tr.process(fake{pid: 7, comm: "a", running: 1}) // its memory is gone, and it is no zombie yet
	p := scan(t, s).Processes[0]
	require.Equal(t, []string{"a", "b"}, p.Args)
	require.Equal(t, 1, p.Described)
}

func TestDescribedCountsChanges(t *testing.T) {
	tr := newTree(t)
	s := tr.open(Options{})
	for i, f := range []fake{
		{comm: "a"},
		{comm: "b"},
		{comm: "b", nice: 1},
		{comm: "b", nice: 1, parent: 2},
		{comm: "b", nice: 1, parent: 2, tty: 3, session: 9},
	} {
		f.pid, f.running, f.read = 7, i, i
		tr.process(f)
		require.Equal(t, i+1, scan(t, s).Processes[0].Described)
		f.running, f.read, f.user = i+100, i+100, i
		tr.process(f)
		p := scan(t, s).Processes[0]
		require.True(t, p.Ran)
		require.Equal(t, i+1, p.Described, "counters are no description")
	}
}

// Less than a tick of CPU does not show in the stat file.
func TestScanReadsDelaysOfThreadsLater(t *testing.T) {
	tr := newTree(t)
	s := tr.open(Options{})
	tr.process(fake{pid: 7, comm: "a", threads: 2})
	tr.thread(7, 7, 100)
	tr.thread(7, 8, 50)
	scan(t, s)
	scan(t, s)
	tr.thread(7, 8, 60)
	require.InDelta(t, 150e-9, scan(t, s).Processes[0].RunDelay, 1e-15)
	for range describeEvery {
		scan(t, s)
	}
	require.InDelta(t, 160e-9, scan(t, s).Processes[0].RunDelay, 1e-15)
}

// A parent that ends gives its children to another, whether they run or not.
func TestScanReadsOrphans(t *testing.T) {
	tr := newTree(t)
	s := tr.open(Options{})
	tr.process(fake{pid: 5, comm: "parent", parent: 1})
	tr.process(fake{pid: 7, comm: "child", parent: 5})
	scan(t, s)
	tr.process(fake{pid: 7, comm: "child", parent: 1})
	require.Equal(t, int64(5), scan(t, s).Processes[1].Parent, "not read")
	tr.remove("5")
	p := scan(t, s).Processes[0]
	require.Equal(t, int64(1), p.Parent)
	require.False(t, p.Ran)
}
