package workload_test

import (
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/process"
	"github.com/otel-culprit/culprit/internal/workload"
)

// audit follows a book and checks at each scan that nothing goes back.
type audit struct {
	t      *testing.T
	k      *kernel
	book   *workload.Book
	totals map[*workload.Workload]workload.Totals
	base   map[int64]amounts // what was used before the first scan, by job
	each   map[int64]workload.Totals
}

func newAudit(t *testing.T, k *kernel) *audit {
	t.Helper()
	a := &audit{
		t: t, k: k, book: workload.New(workload.Options{}),
		totals: map[*workload.Workload]workload.Totals{}, base: map[int64]amounts{}, each: map[int64]workload.Totals{},
	}
	for range 60 {
		k.step()
	}
	for _, task := range k.sorted() {
		if task.zombie && k.tidy {
			k.reap(task)
		}
	}
	k.events = nil
	a.post(k.scan(func() {}))
	for group, used := range k.real {
		a.base[group] = *used
	}
	k.lost = amounts{}
	return a
}

func (a *audit) post(snap process.Snapshot) {
	a.t.Helper()
	a.book.Post(snap, a.k.now)
	living := 0
	for _, w := range a.book.Workloads() {
		requireRise(a.t, a.totals[w], w.Totals)
		a.totals[w] = w.Totals
		living += w.Processes
	}
	require.Equal(a.t, len(snap.Processes), living)
	for _, p := range snap.Processes {
		now, found := a.book.Process(p.PID)
		require.True(a.t, found)
		requireRise(a.t, a.each[p.PID], *now)
		a.each[p.PID] = *now
	}
}

func requireRise(t *testing.T, before, after workload.Totals) {
	t.Helper()
	require.GreaterOrEqual(t, after.UserTime, before.UserTime)
	require.GreaterOrEqual(t, after.SystemTime, before.SystemTime)
	require.GreaterOrEqual(t, after.ReadBytes, before.ReadBytes)
	require.GreaterOrEqual(t, after.WriteBytes, before.WriteBytes)
}

// amountsOf has CPU in the model's unit. What is left of a jump may have been
// divided more finely, so the sum is rounded, not its parts.
func amountsOf(t workload.Totals) amounts {
	return amounts{int64(math.Round(t.UserTime * 1e3)), int64(math.Round(t.SystemTime * 1e3)), t.ReadBytes, t.WriteBytes}
}

func sumOf(parts iter.Seq[workload.Totals]) amounts {
	var sum workload.Totals
	for part := range parts {
		sum.UserTime += part.UserTime
		sum.SystemTime += part.SystemTime
		sum.ReadBytes += part.ReadBytes
		sum.WriteBytes += part.WriteBytes
	}
	return amountsOf(sum)
}

// cpu has user and system time in one: when it is not certain who waited for a
// process, only their sum is.
func (a amounts) cpu() amounts { return amounts{a[0] + a[1], 0, a[2], a[3]} }

func (a *audit) counted() amounts { return sumOf(maps.Values(a.totals)) }

func (a *audit) real() (sum amounts) {
	for group, used := range a.k.real {
		base := a.base[group]
		for i := range sum {
			sum[i] += used[i] - base[i]
		}
	}
	return sum
}

// TestWithEventsEachJobGetsItsOwn is the law of a source that tells ends: what
// is counted of each job is what it really used, at every scan.
func TestWithEventsEachJobGetsItsOwn(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			k := newKernel(seed)
			k.ignore, k.tidy = seed%2 == 1, seed%3 > 0
			a := newAudit(t, k)
			for scan := range 40 {
				for range 5 + k.rand.IntN(80) {
					k.step()
				}
				snap := k.scan(func() {})
				snap.Exited, k.events = k.events, nil
				a.post(snap)
				require.Equal(t, a.real(), a.counted(), "scan %d", scan)
			}
			if !k.tidy {
				// Whether a parent waited before it ended or left that to init is
				// not told: then only the sum is certain.
				return
			}
			jobs := map[int64][]workload.Totals{}
			for w, used := range a.totals {
				jobs[w.PID] = append(jobs[w.PID], used)
			}
			for group, used := range k.real {
				want, base := *used, a.base[group]
				for i := range want {
					want[i] -= base[i]
				}
				if want != (amounts{}) {
					require.Equal(t, want, sumOf(slices.Values(jobs[group])), "job %d", group)
				}
			}
		})
	}
}

// TestSampledNothingIsLostThatSomebodyWaitedFor is the law of a source that only
// looks now and then.
func TestSampledNothingIsLostThatSomebodyWaitedFor(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			k := newKernel(seed)
			a := newAudit(t, k)
			for scan := range 40 {
				for range 5 + k.rand.IntN(80) {
					k.step()
				}
				a.post(k.scan(func() {}))
				require.Equal(t, a.real().cpu(), a.counted().cpu(), "scan %d", scan)
			}
		})
	}
}

// TestSampledNeverMoreThanReal has processes that ignore the ends of their
// children: what they did since they were last sampled nobody can know. Where
// such a process ends together with its children, it is not certain either whose
// jump is whose; that is bounded.
func TestSampledNeverMoreThanReal(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			k := newKernel(seed)
			k.ignore = true
			a := newAudit(t, k)
			for scan := range 40 {
				for range 5 + k.rand.IntN(80) {
					k.step()
				}
				a.post(k.scan(func() {}))
				requireAtMost(t, a.real().cpu(), a.counted().cpu(), scan)
			}
		})
	}
}

// TestSampledWhileThingsHappen reads each process at another moment: what falls
// between two readings is made up for as soon as things are calm. As a jump may
// then be seen a scan later than others, one may be taken for another; that is
// bounded, too.
func TestSampledWhileThingsHappen(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			k := newKernel(seed)
			a := newAudit(t, k)
			for scan := range 30 {
				for range 40 {
					k.step()
				}
				a.post(k.scan(func() {
					if k.rand.IntN(8) == 0 {
						k.step()
					}
				}))
				requireAtMost(t, a.real().cpu(), a.counted().cpu(), scan)
			}
			for range 3 {
				k.now = k.now.Add(time.Second)
				a.post(k.scan(func() {}))
			}
			requireAtMost(t, a.real().cpu(), a.counted().cpu(), -1)
			requireAtMost(t, a.counted().cpu(), a.real().cpu(), -1)
		})
	}
}

// doubt is by how much of the whole two that ended together may be mistaken for
// each other.
const doubt = 0.03

func requireAtMost(t *testing.T, most, counted amounts, scan int) {
	t.Helper()
	for i := range most {
		require.LessOrEqual(t, float64(counted[i]), float64(most[i])*(1+doubt)+1000, "scan %d, counter %d", scan, i)
	}
}
