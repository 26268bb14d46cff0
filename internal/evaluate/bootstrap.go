package evaluate

import (
	"math"
	"math/rand/v2"
	"slices"
)

// stat is how the values of a measure become one number.
type stat int

const (
	mean  stat = iota
	count      // of the cases, whatever their values
	sum
	median
	p90
)

func (s stat) of(values []float64) float64 {
	switch s {
	case sum:
		var total float64
		for _, x := range values {
			total += x
		}
		return total
	case count:
		return float64(len(values))
	case mean:
		return meanOf(values)
	default:
		sorted := slices.Sorted(slices.Values(values))
		if s == median {
			return quantile(sorted, 0.5)
		}
		return quantile(sorted, 0.9)
	}
}

// bootstrapSeed makes the intervals the same each time.
const bootstrapSeed = 20240101

// interval is the 95 % percentile interval of a statistic when the cases are drawn
// again, with replacement, n times.
func interval(values []float64, s stat, n int) (low, high float64) {
	if len(values) == 0 || n < 1 {
		return math.NaN(), math.NaN()
	}
	draw := rand.New(rand.NewPCG(bootstrapSeed, uint64(len(values)))) //nolint:gosec // the same each time
	again := make([]float64, len(values))
	results := make([]float64, n)
	for i := range results {
		for j := range again {
			again[j] = values[draw.IntN(len(values))]
		}
		results[i] = s.of(again)
	}
	slices.Sort(results)
	return quantile(results, 0.025), quantile(results, 0.975)
}
