package experiment

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// confirmed is a report of three repeats, and of confirming rounds in which the
// arms had such a p95; the baseline has 10.
func confirmed(rounds int, plain, nice float64) Report {
	r := Report{State: Done, Repeats: 3}
	work := Work{Seconds: 10, Bytes: 1e8, CPU: 9}
	for repeat := range 3 {
		r.Blocks = append(r.Blocks, block(Baseline, repeat, 10, Work{}), block(Without, repeat, 80, work), block("nice", repeat, 11, work), block("ionice", repeat, 75, work))
	}
	for repeat := 3; repeat < 3+rounds; repeat++ {
		r.Blocks = append(r.Blocks, block(Baseline, repeat, 10, Work{}), block(Without, repeat, plain, work), block("nice", repeat, nice, work))
	}
	return r.Sum([]Remedy{{ID: "nice", Class: CPU, Yields: true}, {ID: "ionice", Class: Disk, Yields: true}}, nil)
}

func TestWhoIsConfirmed(t *testing.T) {
	recommended := func(id string, repeats int) Report {
		return Report{Decision: Decision{Remedy: id}, Arms: []Arm{{ID: "nice", OverBaseline: Effects{P95: Interval{Repeats: repeats, Coverage: Coverage(repeats)}}}}}
	}
	tests := []struct {
		name   string
		report Report
		want   []string
	}{
		{"what is recommended by few repeats", recommended("nice", 3), []string{Baseline, Without, "nice"}},
		{"five are few", recommended("nice", 5), []string{Baseline, Without, "nice"}},
		{"six are enough", recommended("nice", 6), nil},
		{"nothing is recommended", recommended("", 3), nil},
		{"nothing was measured", Report{}, nil},
		{"of a whole report", confirmed(0, 0, 0), []string{Baseline, Without, "nice"}},
		{"not twice", confirmed(3, 80, 11), nil},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, tt.report.ToConfirm(), tt.name)
	}
}

func TestConfirmingRounds(t *testing.T) {
	r := confirmed(0, 0, 0)
	require.False(t, r.Decision.Sure, "three repeats are not enough")
	require.Contains(t, r.Decision.Why, "It is not sure: that is the range of 3 repeats, which holds the true value with 75 %, and --repeats 6 would confirm it")

	r = confirmed(3, 80, 12)
	require.Equal(t, "nice", r.Decision.Remedy)
	require.True(t, r.Decision.Sure)
	require.Contains(t, r.Decision.Why, "It held in the confirming rounds: in these alone p95 was 1.20 (1.20 to 1.20) times")
	a, ok := r.Recommended()
	require.True(t, ok)
	require.Equal(t, 6, a.OverBaseline.P95.Repeats, "its figures are of all repeats")
	require.InDelta(t, 1.1, a.OverBaseline.P95.Low, 1e-9)
	require.InDelta(t, 1.2, a.OverBaseline.P95.High, 1e-9)

	r = confirmed(3, 80, 30)
	require.Equal(t, "nice", r.Decision.Remedy, "the choice was made before")
	require.False(t, r.Decision.Sure)
	require.Contains(t, r.Decision.Why, "It did not hold in the confirming rounds: in these alone p95 was 3.00 (3.00 to 3.00) times the baseline, more than 1.5")

	r = confirmed(3, 10, 11)
	require.Equal(t, "nice", r.Decision.Remedy)
	require.False(t, r.Decision.Sure)
	require.Contains(t, r.Decision.Why, "In some of the repeats the plain backup hardly slowed the site")
}

func TestRoundsAreShuffled(t *testing.T) {
	arms := []string{Baseline, Without, "nice"}
	first := map[string]int{}
	for _, round := range Rounds(arms, 40, draw()) {
		require.ElementsMatch(t, arms, round)
		first[round[0]]++
	}
	require.Len(t, first, 3)
	require.Equal(t, []string{Baseline, Without, "nice"}, arms)
}
