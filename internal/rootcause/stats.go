package rootcause

import (
	"math"
	"slices"
)

// shift tells how a quantity changed from before to after.
type shift struct {
	before float64 // median
	after  float64 // mean
	z      float64 // change in robust deviations of before
}

// ratio of after to before, with a floor under both.
func (s shift) ratio(floor float64) float64 {
	return max(s.after, floor) / max(s.before, floor)
}

// newShift compares the mean of after with the values before. unit is the
// smallest change that matters, in the quantity's own unit.
func newShift(before []float64, after, unit float64) shift {
	if len(before) == 0 {
		return shift{after: after, z: after / unit}
	}
	sorted := slices.Clone(before)
	slices.Sort(sorted)
	median := quantileOf(sorted, 0.5)
	deviations := make([]float64, len(sorted))
	var sum, squares float64
	for i, v := range sorted {
		deviations[i] = math.Abs(v - median)
		sum += v
		squares += v * v
	}
	slices.Sort(deviations)
	n := float64(len(sorted))
	sd := math.Sqrt(max(0, squares/n-(sum/n)*(sum/n)))
	scale := max(
		1.4826*quantileOf(deviations, 0.5),
		(quantileOf(sorted, 0.75)-quantileOf(sorted, 0.25))/1.349,
		0.1*sd,
		0.05*math.Abs(median),
		unit,
	)
	return shift{before: median, after: after, z: (after - median) / scale}
}

func quantileOf(sorted []float64, q float64) float64 {
	i := q * float64(len(sorted)-1)
	lo := int(i)
	hi := min(lo+1, len(sorted)-1)
	return sorted[lo] + (sorted[hi]-sorted[lo])*(i-float64(lo))
}

// softmax turns scores into probabilities.
func softmax(scores []float64) []float64 {
	top := slices.Max(scores)
	p := make([]float64, len(scores))
	var sum float64
	for i, s := range scores {
		p[i] = math.Exp(s - top)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

func clamp01(x float64) float64 {
	if !(x > 0) {
		return 0
	}
	return min(x, 1)
}
