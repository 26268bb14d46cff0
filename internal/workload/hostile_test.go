package workload_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/process"
	"github.com/otel-culprit/culprit/internal/workload"
)

// TestNonsenseDoesNoHarm has sources that break every promise: PIDs twice and out
// of order, parents in circles, counters that jump anywhere, ends of the living.
func TestNonsenseDoesNoHarm(t *testing.T) {
	names := []string{"", "cron", "sh", "sudo", "bash", "systemd", "x y)\n", "\xff"}
	paths := []string{"", "/", "//", cronSvc, "/docker/4c01db0b339c4c01db0b339c", session, "/a.service", `/\x.scope`}
	numbers := []float64{0, 1, 5, -1, math.NaN(), math.Inf(1), 1e300, 1e-9}
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 3))
		pid := func() int64 { return r.Int64N(12) - 1 }
		number := func() float64 { return numbers[r.IntN(len(numbers))] }
		random := func() process.Process {
			return process.Process{
				PID: pid(), Parent: pid(), Group: pid(), Session: pid(), Start: start.Add(time.Duration(r.IntN(9)) * time.Second),
				Name: names[r.IntN(len(names))], Cgroup: paths[r.IntN(len(paths))], Kernel: r.IntN(9) == 0, TTY: r.IntN(3) == 0,
				Args: []string{names[r.IntN(len(names))], "-c", names[r.IntN(len(names))]}, Ran: r.IntN(2) == 0, Described: r.IntN(3),
				UserTime: number(), ChildrenUser: number(), ReadBytes: r.Int64() - r.Int64(), RunDelay: number(),
				Known: process.Known(r.UintN(1 << 16)), Resident: r.Int64N(3) - 1, Threads: r.Int64N(3) - 1,
			}
		}
		book := workload.New(workload.Options{})
		totals := map[*workload.Workload]workload.Totals{}
		for scan := range 60 {
			var snap process.Snapshot
			for range r.IntN(12) {
				p := random()
				snap.Processes = append(snap.Processes, &p)
			}
			for range r.IntN(6) {
				snap.Exited = append(snap.Exited, process.Exited{Process: random(), Discarded: r.IntN(2) == 0})
			}
			book.Post(snap, start.Add(time.Duration(scan/6)*time.Second))
			for _, w := range book.Workloads() {
				requireRise(t, totals[w], w.Totals)
				require.False(t, math.IsInf(w.Totals.UserTime, 0) || math.IsInf(w.Totals.RunDelay, 0))
				totals[w] = w.Totals
			}
		}
	}
}
