package experiment

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// round is a confirming round: p95 of each arm, in milliseconds; one that is zero
// was not played.
type round struct{ baseline, plain, nice float64 }

var (
	holds = round{10, 80, 12}
	fails = round{10, 80, 30}
)

func times(n int, r round) []round {
	list := make([]round, n)
	for i := range list {
		list[i] = r
	}
	return list
}

// chosen is a report of three repeats, in which nice is the best of two remedies
// that restore the site, and of confirming rounds.
func chosen(rounds ...round) Report {
	r := Report{State: Done, Repeats: 3}
	work := Work{Seconds: 10, Bytes: 1e8, CPU: 9}
	slower := Work{Seconds: 10, Bytes: 5e7, CPU: 5}
	for repeat := range 3 {
		r.Blocks = append(r.Blocks, block(Baseline, repeat, 10, Work{}), block(Without, repeat, 80, work), block("nice", repeat, 11, work), block("cpu_limit_4", repeat, 11, slower))
	}
	for i, p95 := range rounds {
		for arm, v := range map[string]float64{Baseline: p95.baseline, Without: p95.plain, "nice": p95.nice} {
			if v > 0 {
				r.Blocks = append(r.Blocks, block(arm, 3+i, v, work))
			}
		}
	}
	return r
}

var bothCPU = []Remedy{{ID: "nice", Class: CPU, Yields: true}, {ID: "cpu_limit_4", Class: CPU}}

func TestOnlyTheConfirmingRoundsMakeSure(t *testing.T) {
	tests := []struct {
		name   string
		rounds []round
		sure   bool
		why    string // is part of it
	}{
		{"all of five", times(5, holds), true, "In the 5 confirming rounds p95 was 1.20 (1.20 to 1.20) times the baseline, never above 1.5: it is sure with at least 97 %"},
		{"all of many", times(12, holds), true, "In the 12 confirming rounds"},
		{"four are few", times(4, holds), false, "In the 4 confirming rounds p95 was 1.20 (1.20 to 1.20) times the baseline, never above 1.5. It is not sure: that takes 5 such rounds (--confirm)"},
		{"one is few", times(1, holds), false, "In the confirming round p95 was"},
		{"at the bound", times(5, round{10, 80, 15}), true, "1.50 (1.50 to 1.50) times the baseline, never above 1.5"},
		{"one of five fails", append(times(4, holds), fails), false, "In the 5 confirming rounds p95 was 1.20 (1.20 to 3.00) times the baseline. It is not sure: it held, with p95 within 1.5 times the baseline, in 4 of 5"},
		{"one of many fails, outside of the range", append(times(11, holds), fails), false, "in 11 of 12"},
		{"none holds", times(5, fails), false, "in 0 of 5"},
		{"a round that was cut does not count", append(times(4, holds), round{baseline: 10, plain: 80}), false, "In the 4 confirming rounds"},
		{"the remedy without its baseline does not, either", append(times(5, holds), round{nice: 30}), true, "In the 5 confirming rounds"},
		{"the backup harms no more", times(5, round{10, 10, 11}), false, "In some of the repeats the plain backup hardly slowed the site"},
		{"the backup did not harm in one", append(times(4, holds), round{10, 10, 11}), false, "In some of the repeats the plain backup hardly slowed the site"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := chosen(tt.rounds...).Sum(bothCPU, nil).Decision
			require.Equal(t, "nice", d.Remedy, "the choice was made before")
			require.Equal(t, tt.sure, d.Sure, d.Why)
			require.Contains(t, d.Why, tt.why)
			require.NotNil(t, d.Confirmed)
		})
	}
}

func TestConfirmedIsOfTheRoundsAlone(t *testing.T) {
	r := chosen(append(times(4, holds), round{20, 80, 20})...).Sum(bothCPU, nil)
	require.Equal(t, &Interval{Value: 1.2, Low: 1, High: 1.2, Coverage: Coverage(5), Repeats: 5}, r.Decision.Confirmed)
	a, ok := r.Recommended()
	require.True(t, ok)
	require.Equal(t, 8, a.OverBaseline.P95.Repeats, "its figures are of all repeats")
}

func TestWithoutACompleteRoundNothingIsConfirmed(t *testing.T) {
	for name, rounds := range map[string][]round{
		"no round":                              nil,
		"it ended before the remedy":            {{baseline: 10, plain: 80}},
		"it ended before the baseline":          {{plain: 80, nice: 11}},
		"it ended after the remedy":             {{nice: 11}},
		"baseline and remedy of different ones": {{baseline: 10}, {nice: 11}},
	} {
		for _, state := range []State{Done, Interrupted} {
			r := chosen(rounds...)
			r.State, r.Stopped = state, "it was interrupted"
			r = r.Sum(bothCPU, nil)
			require.NotContains(t, r.Text(), "confirming round", name)
			d := r.Decision
			require.Equal(t, "nice", d.Remedy, name)
			require.False(t, d.Sure, name)
			require.Nil(t, d.Confirmed, name)
			require.NotContains(t, d.Why, "0.00", name)
			require.Contains(t, d.Why, "no round has confirmed it since; --confirm 5 can", name)
		}
	}
}

func TestWhatIsNotCompleteIsNotSure(t *testing.T) {
	r := chosen(times(5, holds)...)
	r.State, r.Stopped = Aborted, "p95 was high"
	d := r.Sum(bothCPU, nil).Decision
	require.False(t, d.Sure)
	require.NotContains(t, d.Why, "it is sure")
	require.Equal(t, "the experiment is not complete: p95 was high", d.Reasons[len(d.Reasons)-1])
}

func TestNoOtherRemedyStandsInForOneThatBroke(t *testing.T) {
	r := chosen(times(2, holds)...)
	r.Broke = "the backup ended with exit status 2"
	r = r.Sum(bothCPU, nil)
	require.Empty(t, r.Decision.Remedy, "the other was not confirmed")
	require.False(t, r.Decision.Sure)
	require.Nil(t, r.Decision.Confirmed)
	require.Equal(t, ByCPU, r.Decision.Hypothesis)
	require.Equal(t, `"lowest priority" was chosen, but the backup failed with it in a confirming round; to choose among the others, repeat it with --skip nice`, r.Decision.Why)
	require.Equal(t, []string{"the chosen remedy failed in a confirming round: the backup ended with exit status 2"}, r.Notes)
}

func TestWhereTheSiteIsSlowWithoutABackupNothingIsDecided(t *testing.T) {
	harmless := func(baselines ...float64) Report {
		r := Report{State: Done, Repeats: len(baselines)}
		for repeat, p95 := range baselines {
			r.Blocks = append(r.Blocks, block(Baseline, repeat, p95, Work{}), block(Without, repeat, p95*1.05, Work{Seconds: 10, CPU: 9}))
		}
		return r
	}
	restless := harmless(10, 10, 10, 10)
	restless.Restless = 2
	seldom := harmless(10, 10, 10, 10)
	seldom.Restless = 1
	tests := []struct {
		name   string
		report Report
		want   Hypothesis
		reason string
	}{
		{"a site at rest", harmless(10, 11, 12), None, "the backup does not slow the site"},
		{"two repeats", harmless(10, 11), Undecided, "it takes 3 repeats to say that the backup does not slow the site, not 2"},
		{"a baseline that varies", harmless(10, 15, 21), Undecided, "but the site is slow without a backup, too: without a backup the p95 of one block is 2.10 times that of another"},
		{"a site without calm", restless, Undecided, "too: before 2 of 8 blocks the site did not become as calm as in the baseline"},
		{"a site seldom without calm", seldom, None, "the backup does not slow the site"},
	}
	for _, tt := range tests {
		d := tt.report.Sum(nil, nil).Decision
		require.Equal(t, tt.want, d.Hypothesis, tt.name)
		require.Contains(t, d.Reasons[0], tt.reason, tt.name)
		require.Empty(t, d.Remedy)
	}
	r := chosen(times(5, holds)...)
	r.Restless = len(r.Blocks)
	require.Equal(t, ByCPU, r.Sum(bothCPU, nil).Decision.Hypothesis, "the backup harms all the same")
}

func TestRoundsAreShuffled(t *testing.T) {
	first := map[string]int{}
	for _, arms := range Rounds("nice", 40, draw()) {
		require.ElementsMatch(t, []string{Baseline, Without, "nice"}, arms)
		first[arms[0]]++
	}
	require.Len(t, first, 3)
}

func TestABackupThatFindsItsWorkDoneIsTold(t *testing.T) {
	played := func(ended bool, sizes ...float64) Report {
		r := Report{State: Done, Repeats: len(sizes)}
		for repeat, n := range sizes {
			r.Blocks = append(r.Blocks, block(Baseline, repeat, 10, Work{}), block(Without, repeat, 10, Work{Seconds: 2, CPU: 1, Bytes: n, Ended: ended}))
		}
		return r.Sum(nil, nil)
	}
	require.Contains(t, played(true, 0, 97e6, 1e6).Notes[0], "the backup read and wrote 97 MB in one block and 0 MB in another, and ended both times")
	require.Contains(t, played(true, 0, 97e6, 1e6).Notes[0], "--prepare and --cleanup")
	for _, r := range []Report{played(false, 97e6, 1e6, 1e6), played(true, 97e6, 50e6, 60e6), played(true, 9e5, 0, 0)} {
		require.NotContains(t, strings.Join(r.Notes, ""), "--cleanup")
	}
}
