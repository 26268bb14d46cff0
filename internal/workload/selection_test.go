package workload_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/workload"
)

// TestSeriesRiseByWhatAllUsed is the law of the selection, whoever moves where.
func TestSeriesRiseByWhatAllUsed(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	s := workload.NewSelection(workload.Limits{Series: 8, Top: 2, Hold: 3 * time.Second})
	var all []*workload.Workload
	used := int64(0)
	told := map[int64]int64{} // by PID
	for scan := range 500 {
		if r.IntN(4) == 0 {
			all = append(all, &workload.Workload{Key: workload.Key{PID: int64(scan + 1)}})
		}
		if r.IntN(6) == 0 && len(all) > 1 {
			all = all[1:]
		}
		for _, w := range all {
			if r.IntN(3) == 0 {
				n := r.Int64N(1000)
				w.Totals.WriteBytes += n
				used += n
			}
		}
		candidates := workload.Candidates(nil, all, func(w *workload.Workload) bool { return w.PID%7 == 0 })
		series := s.Select(candidates, start.Add(time.Duration(scan)*time.Second))
		require.LessOrEqual(t, len(series), 8)
		for _, one := range series {
			pid := int64(workload.Others)
			if one.Index != workload.Others {
				pid = all[one.Index].PID
			}
			require.GreaterOrEqual(t, one.Totals.WriteBytes, told[pid])
			told[pid] = one.Totals.WriteBytes
		}
		sum := int64(0)
		for _, n := range told {
			sum += n
		}
		require.Equal(t, used, sum)
	}
}

func TestSelectionHoldsWhatMattered(t *testing.T) {
	s := workload.NewSelection(workload.Limits{Series: 10, Top: 1})
	quiet, kept, heavy := &workload.Workload{}, &workload.Workload{}, &workload.Workload{}
	all := []*workload.Workload{quiet, kept, heavy}
	at := func(seconds int) []int {
		candidates := workload.Candidates(nil, all, func(w *workload.Workload) bool { return w == kept })
		var indices []int
		for _, one := range s.Select(candidates, start.Add(time.Duration(seconds)*time.Second)) {
			indices = append(indices, one.Index)
		}
		return indices
	}
	require.Equal(t, []int{1, workload.Others}, at(0))
	heavy.Totals.UserTime++
	require.Equal(t, []int{1, 2, workload.Others}, at(1))
	require.Equal(t, []int{1, 2, workload.Others}, at(60))
	require.Equal(t, []int{1, workload.Others}, at(61))
}

func TestSelectionByEachResource(t *testing.T) {
	for name, use := range map[string]func(*workload.Workload){
		"cpu":     func(w *workload.Workload) { w.Totals.SystemTime++ },
		"disk":    func(w *workload.Workload) { w.Totals.ReadBytes += 1e6 },
		"network": func(w *workload.Workload) { w.Totals.UDP.Received += 1e5 },
		"memory":  func(w *workload.Workload) { w.Resident += 32 << 20 },
		"waits":   func(w *workload.Workload) { w.Totals.BlockDelay++ },
	} {
		t.Run(name, func(t *testing.T) {
			s := workload.NewSelection(workload.Limits{Series: 2, Top: 3})
			all := []*workload.Workload{{}, {}}
			use(all[1])
			series := s.Select(workload.Candidates(nil, all, nil), start)
			require.Equal(t, 1, series[0].Index)
			require.Equal(t, workload.Others, series[1].Index)
		})
	}
}

// Somebody types ls on a quiet host: that is no series.
func TestSelectionLeavesTriflesOut(t *testing.T) {
	s := workload.NewSelection(workload.Limits{Series: 9, Top: 3})
	w := &workload.Workload{}
	all := []*workload.Workload{w}
	for second := range 5 {
		w.Totals.UserTime += 0.002
		w.Totals.ReadBytes += 4096
		w.Resident = 1 << 20
		series := s.Select(workload.Candidates(nil, all, nil), start.Add(time.Duration(second)*time.Second))
		require.Len(t, series, 1)
		require.Equal(t, workload.Others, series[0].Index)
	}
}

// A job that turns out to be another, or could not be read for a moment, is not
// told again what was told of it before.
func TestSeriesDoNotTellTwice(t *testing.T) {
	s := workload.NewSelection(workload.Limits{Series: 9, Top: 3})
	w := &workload.Workload{Key: workload.Key{Type: workload.Job, Name: "bash", PID: 7}}
	candidates := func() []workload.Candidate { return workload.Candidates(nil, []*workload.Workload{w}, nil) }
	w.Totals.UserTime = 20
	require.InDelta(t, 20, s.Select(candidates(), start)[0].Totals.UserTime, 0)

	w.Name = "python3"
	w.Totals.UserTime = 21
	renamed := s.Select(candidates(), start.Add(time.Second))[0]
	require.InDelta(t, 1, renamed.Totals.UserTime, 0)
	require.Equal(t, start, renamed.Since)

	require.Empty(t, s.Select(nil, start.Add(2*time.Second)))
	w.Totals.UserTime = 22
	require.InDelta(t, 2, s.Select(candidates(), start.Add(3*time.Second))[0].Totals.UserTime, 0)
}
