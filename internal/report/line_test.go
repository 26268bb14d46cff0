package report

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/backup"
)

func TestLineKeepsItsExtremes(t *testing.T) {
	var l line
	start := time.Unix(1_790_000_000, 0)
	for i := range 100_000 {
		v := 10 + float64(i%7)
		switch i {
		case 41_234:
			v = 999
		case 77_777:
			v = -5
		}
		l.add(start.Add(time.Duration(i)*time.Second), v)
	}
	lo, hi, ok := l.extremes()
	require.True(t, ok)
	require.InDelta(t, -5, lo, 0)
	require.InDelta(t, 999, hi, 0)
	require.LessOrEqual(t, len(l.buckets), maxBuckets)

	points := 0
	var last int64
	for _, segment := range l.segments() {
		for _, p := range segment {
			require.GreaterOrEqual(t, p.at, last, "in time order")
			last = p.at
			points++
		}
	}
	require.LessOrEqual(t, points, 1500)
	require.Len(t, l.segments(), 1)
}

func TestLineHasGapsWhereNothingIsKnown(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(1_790_000_000+int64(s), 0) }
	for name, c := range map[string]struct {
		add  func(*line)
		want int
	}{
		"empty":   {func(*line) {}, 0},
		"one":     {func(l *line) { l.add(at(0), 1) }, 1},
		"steady":  {func(l *line) { l.add(at(0), 1); l.add(at(1), 2); l.add(at(2), 3) }, 1},
		"unknown": {func(l *line) { l.add(at(0), 1); l.add(at(1), math.NaN()); l.add(at(2), 3) }, 2},
		"silence": {func(l *line) {
			for _, s := range []int{0, 1, 2, 3, 100, 101, 102} {
				l.add(at(s), 1)
			}
		}, 2},
		"only unknown": {func(l *line) { l.add(at(0), math.Inf(1)) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var l line
			c.add(&l)
			require.Len(t, l.segments(), c.want)
		})
	}
}

func TestTimeAxisHasFewRoundTicks(t *testing.T) {
	start := time.Date(2026, 11, 20, 22, 3, 7, 0, time.UTC)
	for _, length := range []time.Duration{time.Second, 40 * time.Second, 4 * time.Minute, 10 * time.Hour, 3 * 24 * time.Hour, 3 * 365 * 24 * time.Hour} {
		ticks := span{start, start.Add(length)}.ticks()
		require.LessOrEqual(t, len(ticks), 11, length)
		require.NotEmpty(t, ticks, length)
	}
	night := span{start, start.Add(10 * time.Hour)}.ticks()
	require.Equal(t, "23:00", night[0].Label)
	require.Equal(t, "Nov 21", night[1].Label)
}

func TestScales(t *testing.T) {
	for _, hi := range []float64{0.03, 0.7, 1, 3, 40, 99, 1234, 7e9} {
		s, step := linearScale(hi, 0)
		require.GreaterOrEqual(t, s.hi, hi)
		n := len(s.linearTicks(step, digits))
		require.GreaterOrEqual(t, n, 3, hi)
		require.LessOrEqual(t, n, 6, hi)
	}
	for _, hi := range []float64{0.011, 0.05, 1, 60} {
		s := logScale(0.01, hi)
		n := len(s.logTicks(Seconds))
		require.GreaterOrEqual(t, n, 2, hi)
		require.LessOrEqual(t, n, 8, hi)
	}
	require.InDelta(t, 50, scale{lo: 0.01, hi: 1, log: true}.y(0.1), 1e-9)
}

func TestLabelsCoverNoOther(t *testing.T) {
	flags := []flag{{X: 10, Label: "deploy"}, {X: 11, Label: "backup starts"}, {X: 60, Label: "surge"}, {X: 99, Label: "recovered"}}
	rows, slim := place(flags)
	require.Equal(t, 2, rows)
	require.Equal(t, 2, slim)
	require.NotEqual(t, flags[0].Row, flags[1].Row)
	require.True(t, flags[3].Right, "a label at the end stands left of its line")
}

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		Seconds(0.00034): "340\u00a0µs", Seconds(0.0853): "85.3\u00a0ms", Seconds(0.9999): "1\u00a0s", Seconds(12.34): "12.3\u00a0s", Seconds(125): "2\u00a0min 5\u00a0s",
		Seconds(math.NaN()): "unknown", Duration(90 * time.Second): "90\u00a0s", Duration(3*time.Hour + 20*time.Minute): "3\u00a0h 20\u00a0min",
		bytes(0): "0\u00a0B", bytes(999.6): "1\u00a0kB", bytes(1.5e9): "1.5\u00a0GB",
		Percent(0.999): "over 99\u00a0%", Percent(0.001): "under 1\u00a0%", Percent(0.5): "50\u00a0%",
		Quantity(2, "s"): "2\u00a0s", Quantity(3, "{error}"): "3\u00a0errors", Quantity(0.5, "1"): "0.5", Quantity(1.5, "{cpu}"): "1.5\u00a0CPUs",
		Sentence("it rose"): "It rose.", Sentence("tar rose", "tar"): "tar rose.", Sentence(""): "",
		Clean("a\nb", 10): "a b", Clean("abcdef", 4): "abc…", factor(6.94): "6.9 times", factor(41.2): "41 times",
		toolName("restic", "restic (PID 7)"): "restic (PID 7)", toolName("restic", "nightly.service"): "restic in nightly.service",
	} {
		require.Equal(t, want, got)
	}
}

func TestLaneShowsTheLargestBesideManyBackups(t *testing.T) {
	var list []rankedLines
	for i := range int64(20) {
		list = append(list, rankedLines{&workloadLines{workload: backup.Workload{Name: "tar", PID: i}}, 0.1, rankBackup})
	}
	list = append(list,
		rankedLines{&workloadLines{workload: backup.Workload{Name: "reader"}}, 40, rankLarge},
		rankedLines{&workloadLines{workload: backup.Workload{Name: "idle"}}, 0.01, rankLarge},
		rankedLines{&workloadLines{workload: backup.Workload{Name: "culprit"}}, 3, rankCulprit},
	)
	var names []string
	for _, w := range choose(list, 0.8) {
		names = append(names, w.workload.Name)
	}
	require.Equal(t, []string{"culprit", "tar", "tar", "tar", "reader"}, names)
}
