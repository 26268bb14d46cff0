package latency_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/latency"
)

// What is fast here is compared with what is obvious.

// obviousQuantile spreads each bucket's requests evenly and walks up to the rank.
func obviousQuantile(buckets []fact.Bucket, q float64) float64 {
	var total float64
	bounds := map[[2]float64]float64{}
	for _, b := range buckets {
		if b.Count > 0 {
			bounds[[2]float64{b.High, b.Low}] += b.Count
			total += b.Count
		}
	}
	var order [][2]float64
	for b := range bounds {
		order = append(order, b)
	}
	slices.SortFunc(order, func(a, b [2]float64) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	below := 0.0
	for _, b := range order {
		if in := bounds[b]; q*total <= below+in {
			return b[1] + (b[0]-b[1])*(q*total-below)/in
		}
		below += bounds[b]
	}
	if len(order) == 0 {
		return math.NaN()
	}
	return order[len(order)-1][0]
}

func TestQuantileIsTheObviousOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(41, 42))
	for range 2000 {
		buckets := make([]fact.Bucket, rng.IntN(40))
		for i := range buckets {
			low := float64(rng.IntN(10))
			buckets[i] = bucket(low, low+float64(1+rng.IntN(2)), float64(rng.IntN(9)-1))
		}
		q := rng.Float64()
		want, got := obviousQuantile(buckets, q), latency.Quantile(buckets, q)
		if math.IsNaN(want) {
			require.True(t, math.IsNaN(got))
			continue
		}
		require.InDelta(t, want, got, 1e-9, "%v of %v", q, buckets)
		rng.Shuffle(len(buckets), func(i, j int) { buckets[i], buckets[j] = buckets[j], buckets[i] })
		require.InDelta(t, want, latency.Quantile(buckets, q), 1e-9, "in any order")
	}
}

func FuzzQuantile(f *testing.F) {
	f.Add(0.5, 1.0, 2.0, 3.0, 0.0, 1.0, 7.0)
	f.Add(1.5, math.Inf(1), -1.0, math.NaN(), 0.0, 0.0, 0.0)
	f.Fuzz(func(t *testing.T, q, low, high, count, low2, high2, count2 float64) {
		got := latency.Quantile([]fact.Bucket{bucket(low, high, count), bucket(low2, high2, count2)}, q)
		sane := func(x float64) bool { return x >= 0 && x < 1e9 }
		if sane(low) && sane(high-low) && sane(low2) && sane(high2-low2) && sane(count) && sane(count2) && count+count2 > 1e-9 && q >= 0 && q <= 1 {
			require.GreaterOrEqual(t, got, min(low, low2))
			require.LessOrEqual(t, got, max(high, high2)*(1+1e-9))
		}
	})
}

// weighted is a sample of the exact reference of a baseline.
type weighted struct{ ln, weight float64 }

// medianOf is the least value up to which half of the weight lies.
func medianOf(samples []weighted) float64 {
	slices.SortFunc(samples, func(a, b weighted) int { return cmp.Compare(a.ln, b.ln) })
	var all, seen float64
	for _, s := range samples {
		all += s.weight
	}
	for _, s := range samples {
		if seen += s.weight; seen >= all/2 {
			return s.ln
		}
	}
	return math.NaN()
}

// A baseline is a histogram whose samples fade. The exact one keeps each sample
// and weighs it by its age.
func TestBaselineIsTheExactOneUpToItsBuckets(t *testing.T) {
	const wide = 0.05 // a bucket
	rng := rand.New(rand.NewPCG(43, 44))
	for round := range 60 {
		halfLife := 50 + 5000*rng.Float64()
		b := latency.Baseline{HalfLife: halfLife}
		var samples []weighted
		var seconds []int64
		second, typical, spread := int64(1_790_000_000), math.Exp(-6+5*rng.Float64()), 0.1+rng.Float64()
		for range 200 + rng.IntN(2000) {
			second += int64(1 + rng.IntN(3))
			value := typical * math.Exp(spread*rng.NormFloat64())
			b.Learn(second, 50, value)
			samples, seconds = append(samples, weighted{ln: math.Log(value)}), append(seconds, second)
		}
		var all float64
		for i := range samples {
			samples[i].weight = math.Exp2(-float64(second-seconds[i]) / halfLife)
			all += samples[i].weight
		}
		band := b.At(second, 50)
		require.InEpsilon(t, all, band.Weight, 1e-6)
		require.Equal(t, all >= 20, band.Learned)
		median := medianOf(samples)
		require.InDelta(t, median, band.Median, wide, "round %d", round)
		deviations := make([]weighted, len(samples))
		for i, s := range samples {
			deviations[i] = weighted{math.Abs(s.ln - median), s.weight}
		}
		few := 1 + 10/all
		require.InDelta(t, max(0.1, 1.4826*medianOf(deviations))*few, band.Sigma, 1.4826*1.5*wide*few, "round %d", round)
	}
}

func TestBaselineStaysExactAfterManyHalfLives(t *testing.T) {
	b := latency.Baseline{HalfLife: 10}
	second := int64(1_790_000_000)
	for range 2000 { // 200 half-lives: weights are scaled anew on the way
		second++
		b.Learn(second, 50, 0.02)
	}
	require.InEpsilon(t, 1/(1-math.Exp2(-0.1)), b.At(second, 50).Weight, 1e-6)
	require.InDelta(t, math.Log(0.02), b.At(second, 50).Median, 0.05)
}

// The detector is S = max(0, S + min(z, clip) - drift), the alarm S > threshold for
// hold seconds, the onset where a step of the size seen lately fits best.
func TestDetectorIsItsFormula(t *testing.T) {
	rng := rand.New(rand.NewPCG(45, 46))
	alarms := 0
	for range 300 {
		d := latency.Detector{Clip: 4, Drift: 0.5, Threshold: 10, Hold: 1 + rng.IntN(4)}
		var history []float64 // clipped
		level := 0.0
		for second := range int64(300) {
			if rng.IntN(60) == 0 {
				level = 3 * rng.Float64() * float64(rng.IntN(2))
			}
			z := level + rng.NormFloat64()
			history = append(history, min(z, 4))
			got := d.Step(second, z)

			sums, zero := make([]float64, len(history)), -1
			s := 0.0
			for i, z := range history {
				if s = max(0, s+z-0.5); s == 0 {
					zero = i
				}
				sums[i] = s
			}
			above := 0
			for i := len(sums) - 1; i >= 0 && sums[i] > 10; i-- {
				above++
			}
			require.Equal(t, above >= d.Hold, got)
			require.Equal(t, s == 0, d.Calm())
			if got {
				alarms++
				require.Equal(t, bestStep(history, zero+1, d.Hold), d.Onset())
			}
		}
	}
	require.Greater(t, alarms, 1000)
}

// bestStep tries every second since S was zero as the start of a step of the mean
// size of the last ones: what a step from it on explains of the squares.
func bestStep(history []float64, from, hold int) int64 {
	size := 0.0
	lately := history[max(from, len(history)-hold):]
	for _, z := range lately {
		size += z / float64(len(lately))
	}
	best, onset := 0.0, len(history)-1
	for start := len(history) - 1; start >= from; start-- {
		var gain float64
		for i := len(history) - 1; i >= start; i-- {
			gain += history[i] - size/2
		}
		if gain > best {
			best, onset = gain, start
		}
	}
	return int64(onset)
}
