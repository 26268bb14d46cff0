package experiment

import (
	"encoding/json"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func draw() func(int) int { return rand.New(rand.NewPCG(1, 2)).IntN }

// block has requests around a p95.
func block(id string, repeat int, p95 float64, w Work) Block {
	took := make([]float64, 100)
	for i := range took {
		took[i] = p95 * float64(i+1) / 95
	}
	return Block{Arm: id, Repeat: repeat, Took: took, Lasted: 10 * time.Second, At: time.Duration(repeat) * time.Minute, Backup: w}.Sum()
}

func TestOrderIsAShuffleWithinRepeats(t *testing.T) {
	remedies := []string{"a", "b", "c", "d"}
	order := Order(remedies, 40, draw())
	first := map[string]int{}
	for i, arms := range order {
		require.ElementsMatch(t, []string{Baseline, Without, "a", "b", "c", "d"}, arms)
		if i == 0 {
			require.Equal(t, []string{Baseline, Without}, arms[:2], "what the rest is derived from")
			continue
		}
		first[arms[0]]++
	}
	require.Len(t, first, 6, "each arm is first at some time")
	require.Equal(t, order, Order(remedies, 40, draw()), "the same numbers give the same order")
	require.Equal(t, []string{"a", "b", "c", "d"}, remedies)
}

func TestExpected(t *testing.T) {
	usual, most := Times{Block: 15 * time.Second, Settle: 3 * time.Second, Calm: 33 * time.Second, Stop: 10 * time.Second, Command: time.Minute}.Expected(15)
	require.Equal(t, 15*18*time.Second, usual)
	require.Equal(t, 15*(33+15+10+120)*time.Second, most)
	usual, _ = Times{Block: 15 * time.Second, Settle: 3 * time.Second}.ExpectedRounds(5)
	require.Equal(t, 3*5*18*time.Second, usual)
}

func TestSumTakesQuantiles(t *testing.T) {
	b := block("a", 0, 95, Work{})
	require.Equal(t, Quantiles{50, 95, 99}, b.Quantiles)
	require.Equal(t, 100, b.Requests)
	require.InDelta(t, 10, b.Seconds, 0)
	require.True(t, math.IsNaN(Quantile(nil, 0.5)))
	require.InDelta(t, 1, Quantile([]float64{1, 2}, 0), 0)
}

func TestEffectsArePairedWithinRepeats(t *testing.T) {
	// The host is ten times as slow in each repeat as in the one before, and the
	// remedy always doubles the baseline's p95: the ratio is sure all the same.
	var blocks []Block
	scale := 1.0
	for repeat := range 3 {
		blocks = append(blocks,
			block(Baseline, repeat, 10*scale, Work{}),
			block(Without, repeat, 80*scale, Work{Seconds: 10, Bytes: 4e6, CPU: 5}),
			block("nice", repeat, 20*scale, Work{Seconds: 10, Bytes: 1e6, CPU: 2}))
		scale *= 10
	}
	a := Estimate("nice", blocks)
	require.InDeltaSlice(t, []float64{2, 2, 2}, []float64{a.OverBaseline.P95.Value, a.OverBaseline.P95.Low, a.OverBaseline.P95.High}, 1e-9)
	require.InDelta(t, 0.25, a.OverPlain.P99.High, 1e-9)
	require.InDelta(t, 4, a.Slowdown.Value, 1e-9)
	require.Equal(t, "bytes", a.SlowdownBy)
	require.InDelta(t, 200, a.P95, 1e-9, "the median block")
	require.Equal(t, 3, a.Blocks)
}

func TestSlowdownIsJudgedByWhatCanBeCompared(t *testing.T) {
	tests := []struct {
		name        string
		plain, with Work
		want        float64
		by          string
	}{
		{"both end", Work{Ended: true, Seconds: 5, Bytes: 1e9}, Work{Ended: true, Seconds: 8, Bytes: 9e9}, 1.6, "duration"},
		{"one ends", Work{Ended: true, Seconds: 5, Bytes: 1e9}, Work{Seconds: 10, Bytes: 1e9}, 2, "bytes"},
		{"it only computes", Work{Seconds: 10, Bytes: 100, CPU: 9}, Work{Seconds: 10, Bytes: 1, CPU: 3}, 3, "CPU time"},
		{"it does nothing any more", Work{Seconds: 10, Bytes: 1e9}, Work{Seconds: 10}, most, "bytes"},
	}
	for _, tt := range tests {
		a := Estimate("x", []Block{block(Without, 0, 1, tt.plain), block("x", 0, 1, tt.with)})
		require.InDelta(t, tt.want, a.Slowdown.Value, 1e-9, tt.name)
		require.Equal(t, tt.by, a.SlowdownBy, tt.name)
	}
}

func TestUse(t *testing.T) {
	p := UseOf([]Block{
		block(Without, 0, 1, Work{Seconds: 10, Bytes: 100, DiskRead: 50, DiskWrite: 20, CPU: 5}),
		block("nice", 0, 1, Work{Seconds: 10, Bytes: 1e9}),
		block(Without, 1, 1, Work{Seconds: 10, Bytes: 300, DiskRead: 50, CPU: 5}),
	})
	require.Equal(t, Plain{Bytes: 20, DiskRead: 5, DiskWrite: 1, CPU: 0.5}, p)
	require.Equal(t, Plain{}, UseOf(nil))
}

// cpuReport is a whole experiment, with three repeats and five confirming rounds.
func cpuReport() Report {
	r := Report{
		Web: "http://127.0.0.1:8080/", Command: []string{"restic", "backup", "/srv/my shop"}, Rate: 20, Seed: 7, Repeats: 3, State: Done,
		Missing: []Missing{{"ionice", "disk only when nobody else wants it (ionice)", "only the scheduler bfq heeds it, and vda, which is below ., has none"}},
	}
	for repeat := range 3 + 5 {
		drift := 1 + 0.05*float64(repeat)
		for i, arm := range []struct {
			id    string
			p95   float64
			bytes float64
		}{{Baseline, 10, 0}, {Without, 90, 8e7}, {"autogroup", 12, 6e7}, {"io_limit_4", 60, 2e7}} {
			if repeat >= 3 && arm.id == "io_limit_4" {
				continue
			}
			b := block(arm.id, repeat, arm.p95*drift, Work{Seconds: 10, Bytes: arm.bytes, CPU: 9})
			b.At = time.Duration(repeat*4+i) * 18 * time.Second
			if arm.id == Baseline {
				b.Backup = Work{}
			}
			r.Blocks = append(r.Blocks, b.Sum())
		}
	}
	remedies := []Remedy{
		{ID: "autogroup", Title: "lowest priority of its session (autogroup)", Class: CPU, Yields: true},
		{ID: "io_limit_4", Title: "1/4 of its disk rate, in its own control group", Class: Disk},
		{ID: "cpu_weight", Title: "never measured", Class: CPU},
	}
	return r.Sum(remedies, map[string]Recipe{"autogroup": {Command: "sh -c '...' sh restic backup '/srv/my shop'", Undo: "echo 0 > /proc/self/autogroup"}})
}

func TestText(t *testing.T) {
	got := cpuReport().Text()
	const golden = "testdata/report.txt"
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, []byte(got), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

func TestReportIsJSON(t *testing.T) {
	text, err := json.Marshal(cpuReport())
	require.NoError(t, err)
	var back Report
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, ByCPU, back.Decision.Hypothesis)
	require.Equal(t, "autogroup", back.Decision.Remedy)
	require.True(t, back.Decision.Sure)
	require.Len(t, back.Arms, 4, "what was not measured is no arm")
	require.Len(t, back.Blocks, 3*4+5*3)
	require.InDelta(t, 1.2, back.Decision.Confirmed.Value, 1e-9)
}

func TestWhatMakesTheFiguresDoubtfulIsNoted(t *testing.T) {
	r := cpuReport()
	r.State, r.Stopped = OutOfTime, "its time was over"
	r.Blocks = slices.Clone(r.Blocks)
	r.Blocks[0].Requests, r.Blocks[1].Failed = 10, 50
	r = r.Sum([]Remedy{{ID: "autogroup", Class: CPU, Yields: true}}, nil)
	require.False(t, r.Decision.Sure)
	require.Contains(t, r.Decision.Reasons[len(r.Decision.Reasons)-1], "not complete: its time was over")
	require.Len(t, r.Notes, 2)
	require.Contains(t, r.Notes[0], "1 of 27 blocks had fewer than 40 requests")
	require.Contains(t, r.Notes[1], "in 1 of 27 blocks more than one request in twenty failed")
	none := Report{State: Aborted, Stopped: "too slow"}.Sum(nil, nil)
	require.Equal(t, Undecided, none.Decision.Hypothesis)
	_, err := json.Marshal(none)
	require.NoError(t, err)
	require.NotEmpty(t, none.Text())
}
