package rootcause

import (
	"math"
	"math/bits"
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
	_, sd := moments(before)
	var room [window]uint64 // on the stack
	keys := room[:0]
	if len(before) > window {
		keys = make([]uint64, 0, len(before))
	}
	for _, v := range before {
		keys = append(keys, keyOfFloat(v))
	}
	// The median parts the keys, so that each quartile is sought in one half.
	median, low, high := quantileOf(keys, 0.5), quantileOf(keys, 0.25), quantileOf(keys, 0.75)
	for i, v := range before {
		keys[i] = keyOfFloat(math.Abs(v - median))
	}
	scale := max(1.4826*quantileOf(keys, 0.5), (high-low)/1.349, 0.1*sd, 0.05*math.Abs(median), unit)
	return shift{before: median, after: after, z: (after - median) / scale}
}

// rose is newShift; ok is false if z is under least. For most workloads mean and
// deviation tell that already: no median is farther than sd from the mean.
func rose(before []float64, after, unit, least float64) (s shift, ok bool) {
	if len(before) > 0 {
		mean, sd := moments(before)
		const rounding = 1e-6
		if after-mean+sd+rounding*math.Abs(mean) < least*max(unit, 0.1*sd) {
			return shift{}, false
		}
	}
	s = newShift(before, after, unit)
	return s, s.z >= least
}

// moments are the mean and the standard deviation.
func moments(values []float64) (mean, sd float64) {
	var sum, squares float64
	for _, v := range values {
		sum += v
		squares += v * v
	}
	n := float64(len(values))
	mean = sum / n
	return mean, math.Sqrt(max(0, squares/n-mean*mean))
}

// keyOfFloat is a number that is ordered as the float is.
func keyOfFloat(v float64) uint64 {
	const negative = 1 << 63
	if b := math.Float64bits(v); b&negative == 0 {
		return b | negative
	}
	return ^math.Float64bits(v)
}

func floatOfKey(key uint64) float64 {
	const positive = 1 << 63
	if key&positive != 0 {
		return math.Float64frombits(key &^ positive)
	}
	return math.Float64frombits(^key)
}

// quantileOf interpolates between the two values next to a quantile. It puts the
// keys in another order.
func quantileOf(keys []uint64, q float64) float64 {
	i := q * float64(len(keys)-1)
	k := int(i)
	lo := floatOfKey(nth(keys, k))
	if k+1 == len(keys) {
		return lo
	}
	return lo + (floatOfKey(slices.Min(keys[k+1:]))-lo)*(i-float64(k))
}

// nth is the key that would be at index k if they were sorted; those before it are
// not larger then, those after it not smaller. Sorting them, or a branch for each,
// would be most of the cost of a verdict.
func nth(keys []uint64, k int) uint64 {
	for {
		pivot := middle(keys[len(keys)/4], keys[len(keys)/2], keys[3*len(keys)/4])
		less := split(keys, pivot)
		if k < less {
			keys = keys[:less]
			continue
		}
		keys, k = keys[less:], k-less
		if pivot == math.MaxUint64 {
			return pivot
		}
		equal := split(keys, pivot+1)
		if k < equal {
			return pivot
		}
		keys, k = keys[equal:], k-equal
	}
}

// split moves the keys under a bound to the front and counts them.
func split(keys []uint64, bound uint64) int {
	var n uint64
	for i, key := range keys {
		keys[i] = keys[n]
		keys[n] = key
		_, under := bits.Sub64(key, bound, 0)
		n += under
	}
	return int(n)
}

// middle is the one of three that is neither least nor most.
func middle(a, b, c uint64) uint64 { return max(min(a, b), min(max(a, b), c)) }

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

// ramp is 0 up to low, 1 from high on, and rises evenly between them.
func ramp(x, low, high float64) float64 { return clamp01((x - low) / (high - low)) }

// rankCorrelation is Spearman's; zero if either does not vary.
func rankCorrelation(a, b []float64) float64 {
	return correlation(ranks(a), ranks(b))
}

// correlation is Pearson's; zero if either does not vary.
func correlation(a, b []float64) float64 {
	n := float64(len(a))
	var ma, mb float64
	for i := range a {
		ma, mb = ma+a[i]/n, mb+b[i]/n
	}
	var ab, aa, bb float64
	for i := range a {
		x, y := a[i]-ma, b[i]-mb
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	if aa <= 0 || bb <= 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}

// ranks gives each value its place in order; equal values share the mean of
// their places.
func ranks(values []float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		switch {
		case values[i] < values[j]:
			return -1
		case values[i] > values[j]:
			return 1
		default:
			return i - j
		}
	})
	place := make([]float64, len(values))
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && values[order[to]] == values[order[from]] {
			to++
		}
		for i := from; i < to; i++ {
			place[order[i]] = float64(from+to-1) / 2
		}
		from = to
	}
	return place
}
