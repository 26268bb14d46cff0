package otelfact

import (
	"math"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otel-culprit/culprit/internal/fact"
)

// maxSeconds bounds latencies: a longer one, of 30 years, is an error of who
// measured it.
const maxSeconds = 1e9

// series is the last reading of a histogram.
type series struct {
	reading
	shape
	touched time.Time
	counts  []uint64 // of the buckets
	zero    uint64
	count   uint64
	sum     float64
}

// shape is what tells where the buckets of a histogram are.
type shape struct {
	bounds      []float64 // explicit
	exponential bool
	scale       int32
	offset      int32
	threshold   float64
}

// histogram reads a point with explicit buckets.
func (s *source) histogram(p pmetric.HistogramDataPoint, temporality pmetric.AggregationTemporality) {
	if p.Flags().NoRecordedValue() {
		return
	}
	when, ok := newInstant(p.Timestamp(), p.StartTimestamp(), temporality)
	if !ok {
		s.d.skip(BadTime)
		return
	}
	bounds, counts := p.ExplicitBounds().AsRaw(), p.BucketCounts().AsRaw()
	if !areBounds(bounds) || (len(counts) != len(bounds)+1 && len(counts) != 0) {
		s.d.skip(BadValue)
		return
	}
	point := &series{shape: shape{bounds: bounds}, counts: counts, count: p.Count(), sum: p.Sum()}
	if !point.isSane() || (len(counts) < 2 && !isAmount(point.sum)) {
		s.d.skip(BadValue)
		return
	}
	s.read(point, when, p.Attributes(), func(c *latencyCell, moved *series) {
		top := 0.0
		if p.HasMax() {
			top = p.Max() * s.unit
		}
		s.explicit(c, moved, top, isFailed(p.Attributes()))
	})
}

// isSane says whether so many requests can have been counted.
func (s *series) isSane() bool {
	tooMany := func(n uint64) bool { return n > maxValue }
	return !tooMany(s.count) && !tooMany(s.zero) && !slices.ContainsFunc(s.counts, tooMany)
}

// areBounds says whether numbers are finite and ascend.
func areBounds(bounds []float64) bool {
	for i, b := range bounds {
		if math.IsNaN(b) || math.IsInf(b, 0) || (i > 0 && b <= bounds[i-1]) {
			return false
		}
	}
	return true
}

// explicit counts what happened in each bucket.
func (s *source) explicit(c *latencyCell, moved *series, top float64, failed bool) {
	if len(moved.counts) < 2 { // no buckets: all that is known is the mean
		if n := float64(moved.count); n > 0 {
			mean := seconds(moved.sum * s.unit / n)
			c.add(fact.Bucket{Low: mean, High: mean, Count: n}, failed)
		}
		return
	}
	for i, n := range moved.counts {
		b := fact.Bucket{Count: float64(n)}
		if i > 0 {
			b.Low = seconds(moved.bounds[i-1] * s.unit)
		}
		switch {
		case i < len(moved.bounds):
			b.High = seconds(moved.bounds[i] * s.unit)
		case top > b.Low:
			b.High = seconds(top)
		default:
			b.High = seconds(2 * b.Low)
		}
		c.add(b, failed)
	}
}

// seconds brings a number into the range of latencies.
func seconds(x float64) float64 {
	if math.IsNaN(x) || x < 0 {
		return 0
	}
	return min(x, maxSeconds)
}

// exponential reads a point with exponential buckets.
func (s *source) exponential(p pmetric.ExponentialHistogramDataPoint, temporality pmetric.AggregationTemporality) {
	if p.Flags().NoRecordedValue() {
		return
	}
	when, ok := newInstant(p.Timestamp(), p.StartTimestamp(), temporality)
	if !ok {
		s.d.skip(BadTime)
		return
	}
	point := &series{
		shape: shape{
			exponential: true, scale: p.Scale(), offset: p.Positive().Offset(),
			threshold: p.ZeroThreshold(),
		},
		counts: p.Positive().BucketCounts().AsRaw(), zero: p.ZeroCount(), count: p.Count(), sum: p.Sum(),
	}
	if !point.isSane() {
		s.d.skip(BadValue)
		return
	}
	s.read(point, when, p.Attributes(), func(c *latencyCell, moved *series) {
		failed := isFailed(p.Attributes())
		c.add(fact.Bucket{High: seconds(moved.threshold * s.unit), Count: float64(moved.zero)}, failed)
		for i, n := range moved.counts {
			if n == 0 {
				continue
			}
			index := int64(moved.offset) + int64(i)
			c.add(fact.Bucket{
				Low:   seconds(bound(moved.scale, index) * s.unit),
				High:  seconds(bound(moved.scale, index+1) * s.unit),
				Count: float64(n),
			}, failed)
		}
	})
}

// bound is the lower bound of a bucket: base to the power of index, where base
// is 2 to the power of 2 to the power of -scale.
func bound(scale int32, index int64) float64 {
	return math.Exp2(math.Ldexp(float64(index), -int(scale)))
}

// read finds what happened since the last reading of a series, and hands it to
// use with the cell that it belongs to.
func (s *source) read(point *series, when instant, attrs pcommon.Map, use func(c *latencyCell, moved *series)) {
	s.group.seen(s.d, when.at)
	c := s.cell(attrs, when.at)
	if c == nil {
		return
	}
	last := s.series(attrs)
	if last == nil {
		return
	}
	g, from := last.follow(when, s.group.before)
	moved := point
	switch g {
	case repeats:
		return
	case grown:
		moved = point.since(last)
	case rebased:
		moved = nil
	case fromZero, isDelta:
	}
	last.take(point)
	if moved != nil {
		c.since(from)
		use(c, moved)
	}
}

// take remembers a reading.
func (s *series) take(point *series) {
	s.shape, s.counts, s.zero, s.count, s.sum = point.shape, point.counts, point.zero, point.count, point.sum
}

// since gives what was counted after the last reading, nil if that cannot be
// told because the counts went back or the buckets moved.
func (s *series) since(last *series) *series {
	if s.exponential != last.exponential || s.threshold != last.threshold || !slices.Equal(s.bounds, last.bounds) ||
		s.scale > last.scale || s.zero < last.zero || s.count < last.count || (!s.exponential && len(s.counts) != len(last.counts)) {
		return nil
	}
	moved := &series{
		shape: s.shape, counts: slices.Clone(s.counts),
		zero: s.zero - last.zero, count: s.count - last.count, sum: s.sum - last.sum,
	}
	// When the scale shrinks by one, two buckets become one.
	shift := min(int64(last.scale)-int64(s.scale), 62)
	for i, n := range last.counts {
		if n == 0 {
			continue
		}
		index := ((int64(last.offset) + int64(i)) >> shift) - int64(s.offset)
		if index < 0 || index >= int64(len(moved.counts)) || moved.counts[index] < n {
			return nil
		}
		moved.counts[index] -= n
	}
	return moved
}

// binScale makes bins of about 4 %: 16 in each doubling.
const binScale = 4

// binOf gives the bin of a latency in seconds.
func binOf(latency, count float64) fact.Bucket {
	if latency < 1e-9 {
		return fact.Bucket{High: 1e-9, Count: count}
	}
	index := int64(math.Ceil(math.Ldexp(math.Log2(latency), binScale))) - 1
	return fact.Bucket{Low: bound(binScale, index), High: bound(binScale, index+1), Count: count}
}
