package experiment

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIntervalIsARangeOfRepeats(t *testing.T) {
	tests := []struct {
		n        int
		coverage float64
		low      float64 // of the values 1 to n
	}{
		{1, 0, 1},
		{2, 0.5, 1},
		{3, 0.75, 1},
		{4, 0.875, 1},
		{5, 0.9375, 1},
		{6, 0.96875, 1},
		{8, 0.9921875, 1},
		{9, 0.9609375, 2},
		{12, 0.9614257812, 3},
		{20, 0.9586105347, 6},
		{50, 0.9671608, 18},
	}
	for _, tt := range tests {
		values := make([]float64, tt.n)
		for i := range values {
			values[tt.n-1-i] = float64(i + 1)
		}
		got := interval(values)
		require.InDelta(t, tt.coverage, got.Coverage, 1e-6, tt.n)
		require.InDelta(t, tt.low, got.Low, 0, tt.n)
		require.InDelta(t, float64(tt.n+1)-tt.low, got.High, 0, tt.n)
		require.InDelta(t, float64(tt.n+1)/2, got.Value, 0, tt.n)
		require.Equal(t, tt.n, got.Repeats)
		require.InDelta(t, got.Coverage, Coverage(tt.n), 0)
	}
	require.Equal(t, Interval{}, interval(nil))
	require.Less(t, Coverage(confidentFrom-1), Confident)
	require.GreaterOrEqual(t, Coverage(confidentFrom), Confident, "so many repeats are enough")
	values := []float64{3, 1, 2}
	interval(values)
	require.Equal(t, []float64{3, 1, 2}, values, "they are left as they are")
}

func TestIntervalsHoldTheTruthAsOftenAsTheySay(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	const cases = 4000
	for _, n := range []int{2, 3, 5, 6, 9, 20} {
		held := 0
		for range cases {
			values := make([]float64, n)
			for i := range values {
				values[i] = 3 * math.Exp(0.3*random.NormFloat64())
			}
			i := interval(values)
			if i.Low <= 3 && 3 <= i.High {
				held++
			}
		}
		require.InDelta(t, Coverage(n), float64(held)/cases, 0.03, n)
	}
}

func TestWhatRangesAreIsToldOnce(t *testing.T) {
	of := func(id string, repeats int) Arm {
		values := slices.Repeat([]float64{1, 2, 3}, repeats)[:repeats]
		return Arm{ID: id, OverBaseline: Effects{P95: interval(values)}}
	}
	tests := []struct {
		arms   []Arm
		chosen string
		want   string
	}{
		{nil, "", ""},
		{[]Arm{of(Baseline, 3)}, "", ""},
		{[]Arm{of(Baseline, 3), of(Without, 3), of("nice", 3)}, "", "In brackets: the range of 3 repeats, which holds the true value with 75 %; --repeats 6 makes it 97 %."},
		{[]Arm{of(Without, 6)}, "", "In brackets: the range of 6 repeats, which holds the true value with 97 %."},
		{[]Arm{of(Without, 9)}, "", "In brackets: the range of 9 repeats without the lowest and the highest, which holds the true value with 96 %."},
		{[]Arm{of(Without, 12)}, "", "In brackets: the range of 12 repeats without the 2 lowest and the 2 highest, which holds the true value with 96 %."},
		{
			[]Arm{of(Without, 6), of("ionice", 3), of("cpu_weight", 6)},
			"",
			`In brackets: for "as it is" and "least CPU weight" the range of 6 repeats, which holds the true value with 97 %; for the others the range of 3 repeats, which holds the true value with 75 %.`,
		},
		{[]Arm{of(Without, 1)}, "", "In brackets: one repeat, which says nothing about chance; --repeats 6 makes it 97 %."},
		{
			[]Arm{of(Without, 8), of("ionice", 3), of("nice", 8)},
			"nice",
			`In brackets: for "as it is" the range of 8 repeats, which holds the true value with 99 %; for the others the range of 3 repeats, which holds the true value with 75 %. ` +
				"That of the remedy to take promises less, for it was chosen for being low.",
		},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, Report{Arms: tt.arms, Decision: Decision{Remedy: tt.chosen}}.Ranges())
	}
}
