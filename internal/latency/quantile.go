package latency

import (
	"cmp"
	"math"
	"slices"

	"github.com/otel-culprit/culprit/internal/fact"
)

// Quantile estimates the q-quantile, in seconds, of the requests in buckets,
// which may come from several facts in any order. It interpolates linearly
// inside a bucket. It is NaN if the buckets hold nothing.
func Quantile(buckets []fact.Bucket, q float64) float64 {
	merged := merge(buckets)
	var total float64
	for _, b := range merged {
		total += b.Count
	}
	if total <= 0 {
		return math.NaN()
	}
	rank := q * total
	for _, b := range merged {
		if rank <= b.Count {
			return b.Low + (b.High-b.Low)*rank/b.Count
		}
		rank -= b.Count
	}
	return merged[len(merged)-1].High
}

// merge sorts the buckets and adds up those with the same bounds.
func merge(buckets []fact.Bucket) []fact.Bucket {
	sorted := slices.Clone(buckets)
	slices.SortStableFunc(sorted, func(a, b fact.Bucket) int {
		return cmp.Or(cmp.Compare(a.High, b.High), cmp.Compare(a.Low, b.Low))
	})
	merged := sorted[:0]
	for _, b := range sorted {
		if !(b.Count > 0) { // NaN is no count either
			continue
		}
		if last := len(merged) - 1; last >= 0 && merged[last].Low == b.Low && merged[last].High == b.High {
			merged[last].Count += b.Count
			continue
		}
		merged = append(merged, b)
	}
	return merged
}
