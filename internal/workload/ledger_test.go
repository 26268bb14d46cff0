package workload_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/process"
	"github.com/otel-culprit/culprit/internal/workload"
)

// scans posts snapshots a second apart and gives the book.
func scans(snaps ...process.Snapshot) *workload.Book {
	book := workload.New(workload.Options{})
	for i, snap := range snaps {
		book.Post(snap, start.Add(time.Duration(i+1)*time.Second))
	}
	return book
}

// with is a copy of a process that has used so much.
func with(p *process.Process, cpu, children float64, read int64) *process.Process {
	c := *p
	c.UserTime, c.ChildrenUser, c.ReadBytes = cpu, children, read
	return &c
}

var (
	script = proc(20, 1, 20, "backup.sh", "/")
	child  = proc(21, 20, 20, "tar", "/")
	other  = proc(30, 1, 30, "other.sh", "/")
)

func exited(p *process.Process) process.Snapshot {
	snap := host(with(script, 0, p.UserTime+p.ChildrenUser, p.ReadBytes))
	snap.Exited = []process.Exited{{Process: *p}}
	return snap
}

func TestLedger(t *testing.T) {
	base := host(with(script, 0, 0, 0))
	for name, c := range map[string]struct {
		snaps []process.Snapshot
		cpu   float64
		read  int64
	}{
		"a child is counted while it lives and not again": {
			[]process.Snapshot{base, host(script, with(child, 5, 0, 100)), host(with(script, 0, 6, 110))}, 6, 110,
		},
		"a child that was never seen": {
			[]process.Snapshot{base, host(with(script, 0, 6, 110))}, 6, 110,
		},
		"the parent was read before it reaped": {
			[]process.Snapshot{base, host(script, with(child, 5, 0, 100)), host(script), host(with(script, 0, 6, 110))}, 6, 110,
		},
		"the files of the parent were read at two moments": {
			[]process.Snapshot{base, host(script, with(child, 5, 0, 100)), host(with(script, 0, 0, 110)), host(with(script, 0, 6, 110))}, 6, 110,
		},
		"nobody waited, and the bytes of the parent are its own": {
			[]process.Snapshot{base, host(script, with(child, 5, 0, 100)), host(with(script, 0, 0, 300)), host(with(script, 0, 0, 300)), host(with(script, 1, 0, 350))},
			6, 450,
		},
		"what was used before the first scan does not count": {
			[]process.Snapshot{host(script, with(child, 50, 0, 1000)), host(with(script, 0, 51, 1010))}, 1, 10,
		},
		"a child that could not be read for a scan": {
			[]process.Snapshot{base, host(script, with(child, 5, 0, 100)), host(script), host(script, with(child, 6, 0, 110))}, 6, 110,
		},
		"counters that go back, and nonsense": {
			[]process.Snapshot{base, host(with(script, 5, 0, 100)), host(with(script, 1, math.Inf(1), -7)), host(with(script, 2, 0, 10)), host(with(script, math.NaN(), 0, 10))},
			6, 110,
		},
		"an end that was told": {[]process.Snapshot{base, exited(with(child, 5, 1, 100))}, 6, 100},
		"an end that was told twice": {
			[]process.Snapshot{base, exited(with(child, 5, 1, 100)), exited(with(child, 5, 1, 100))}, 6, 100,
		},
		"an end that was told late": {
			[]process.Snapshot{base, host(script, with(child, 5, 0, 100)), host(with(script, 0, 6, 110)), exited(with(child, 6, 0, 110))}, 6, 110,
		},
	} {
		t.Run(name, func(t *testing.T) {
			book := scans(c.snaps...)
			require.InDelta(t, c.cpu, book.Of(20).Totals.UserTime, 1e-6)
			require.Equal(t, c.read, book.Of(20).Totals.ReadBytes)
			require.Zero(t, book.Of(1).Totals.UserTime)
		})
	}
}

func TestLastMomentsOfOrphansAreNotTheWorkOfInit(t *testing.T) {
	first := host(with(script, 1, 0, 0), with(other, 3, 0, 0))
	last := host()
	last.Processes[0] = with(last.Processes[0], 0, 8, 0)
	book := workload.New(workload.Options{})
	book.Post(host(), start.Add(time.Millisecond))
	book.Post(first, start.Add(time.Second))
	one, two := book.Of(20), book.Of(30)
	book.Post(last, start.Add(2*time.Second))
	require.InDelta(t, 2, one.Totals.UserTime, 1e-6)
	require.InDelta(t, 6, two.Totals.UserTime, 1e-6)
	require.Zero(t, book.Of(1).Totals.UserTime)
}

func TestAProcessShowsWhatItsChildrenWereNotCountedFor(t *testing.T) {
	book := scans(host(script), host(script, with(child, 5, 0, 0)), host(with(script, 1, 6, 0)))
	totals, found := book.Process(20)
	require.True(t, found)
	require.InDelta(t, 2, totals.UserTime, 1e-6)

	book = scans(host(script), exited(with(child, 5, 0, 0)))
	totals, _ = book.Process(20)
	require.InDelta(t, 5, totals.UserTime, 1e-6, "there was no other series to show it in")
}

func TestUnknownCountersSetABaseWhenTheyBecomeKnown(t *testing.T) {
	blind := with(script, 0, 0, 0)
	blind.Known = 0
	book := scans(host(blind), host(with(script, 0, 0, 500)), host(with(script, 0, 0, 530)), host(blind), host(with(script, 0, 0, 540)))
	require.Equal(t, int64(40), book.Of(20).Totals.ReadBytes)
}

func TestAReusedPIDIsAnotherProcess(t *testing.T) {
	reused := *script
	reused.Start, reused.UserTime, reused.Name = start.Add(1500*time.Millisecond), 2, "new.sh"
	book := scans(host(with(script, 5, 0, 0)), host(&reused))
	require.Equal(t, "new.sh", book.Of(20).Name)
	require.InDelta(t, 2, book.Of(20).Totals.UserTime, 1e-6)
	require.Len(t, book.Workloads(), 4)
}

func TestNothingIsAllocatedWhenNothingIsNew(t *testing.T) {
	snap := population(500)
	book := workload.New(workload.Options{})
	at := start
	post := func() {
		for i := range snap.Processes {
			snap.Processes[i].Ran = i%10 == 0
			snap.Processes[i].UserTime += float64(i%10) / 10
			snap.Processes[i].ReadBytes += int64(i % 10)
		}
		at = at.Add(time.Second)
		book.Post(snap, at)
	}
	for range 3 {
		post()
	}
	require.Zero(t, testing.AllocsPerRun(50, post))
}
