package httpprobereceiver

import (
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// bounds of the buckets in seconds. Neighbours differ by a factor of at most
// two, so that a percentile read from them is never far off.
var bounds = []float64{
	0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75,
	1, 1.5, 2, 3, 5, 7.5, 10, 15, 30, 60,
}

// histogram counts durations since the receiver's start.
type histogram struct {
	counts []uint64 // one for each bucket, the last without an upper bound
	count  uint64
	sum    float64 // seconds
}

func newHistogram() *histogram {
	return &histogram{counts: make([]uint64, len(bounds)+1)}
}

func (h *histogram) add(took time.Duration) {
	s := max(took, 0).Seconds()
	// A bucket includes its upper bound, as OpenTelemetry has it.
	bucket, _ := slices.BinarySearch(bounds, s)
	h.counts[bucket]++
	h.count++
	h.sum += s
}

func (h *histogram) put(to pmetric.HistogramDataPoint) {
	to.ExplicitBounds().FromRaw(bounds)
	to.BucketCounts().FromRaw(h.counts)
	to.SetCount(h.count)
	to.SetSum(h.sum)
}
