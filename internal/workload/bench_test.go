package workload_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/otel-culprit/culprit/internal/process"
	"github.com/otel-culprit/culprit/internal/workload"
)

// population is n processes, eight to a job, under a session each.
func population(n int) process.Snapshot {
	snap := process.Snapshot{Processes: make([]*process.Process, n)}
	start := time.Unix(1_800_000_000, 0).UTC()
	for i := range snap.Processes {
		pid := int64(i + 1)
		snap.Processes[i] = &process.Process{
			PID: pid, Start: start, Parent: min(1, pid-1), Group: pid - (pid-1)%8, Session: pid - (pid-1)%8,
			Name: "work", Cgroup: "/user.slice/user-1000.slice/session-3.scope", Threads: 1, Resident: 1 << 20,
			Known: process.KnowsIO | process.KnowsChildren | process.KnowsRunDelay,
		}
	}
	return snap
}

func BenchmarkPost(b *testing.B) {
	for _, n := range []int{2000, 32768} {
		for _, busy := range []int{0, 10} {
			b.Run(fmt.Sprintf("procs=%d/busy=%d%%", n, busy), func(b *testing.B) {
				snap, book := population(n), workload.New(workload.Options{})
				at := snap.Processes[0].Start.Add(time.Minute)
				book.Post(snap, at)
				b.ReportAllocs()
				for b.Loop() {
					for i := 0; busy > 0 && i < n; i += 100 / busy {
						p := snap.Processes[i]
						p.Ran = true
						p.UserTime += 0.01
						p.WriteBytes += 4096
						p.RunDelay += 0.001
					}
					at = at.Add(time.Second)
					book.Post(snap, at)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/process")
			})
		}
	}
}

func BenchmarkSelect(b *testing.B) {
	const n = 2000
	workloads := make([]*workload.Workload, n)
	for i := range workloads {
		workloads[i] = &workload.Workload{Resident: int64(i%97) << 20, Processes: 8}
	}
	s := workload.NewSelection(workload.Limits{Series: 100, Top: 10})
	keep := func(w *workload.Workload) bool { return w.Runtime == "docker" }
	var candidates []workload.Candidate
	at := time.Unix(1_800_000_000, 0)
	b.ReportAllocs()
	for b.Loop() {
		at = at.Add(time.Second)
		for i := 0; i < n; i += 10 {
			workloads[i].Totals.UserTime += float64(i%13) / 100
			workloads[i].Totals.WriteBytes += int64(i % 17)
		}
		candidates = workload.Candidates(candidates[:0], workloads, keep)
		s.Select(candidates, at)
	}
}
