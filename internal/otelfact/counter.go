package otelfact

import (
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// reading is when a counter was last read and since when it had counted.
type reading struct {
	at, start pcommon.Timestamp
}

// growth tells what a new reading of a counter means.
type growth uint8

const (
	rebased  growth = iota // no interval: begin anew
	repeats                // the same reading again, or an older one that is late: keep the last one
	grown                  // new minus old happened in the interval
	fromZero               // all that it counted happened in the interval
	isDelta                // the point says itself what happened
)

// follow replaces the reading by a new one and tells what that means, and where
// the interval that ends at it begins. A counter that is new is fromZero if it
// started after the moment known.
//
//	known    last           start  at        a first reading that counts
//	  |-------------------------|---|
//	         last      at                     grown
//	-----------|---------|
//	         last  start   at                 fromZero: it started again
//	-----------|---  --|---|
//	          at       last                    repeats: it was overtaken on its way
//	-----------|---------|
func (r *reading) follow(p instant, known pcommon.Timestamp) (growth, pcommon.Timestamp) {
	last := *r
	late := isLate(p.at, last.at)
	if !late {
		*r = reading{at: p.at, start: p.start}
	}
	switch {
	case p.delta && p.start > 0:
		return within(isDelta, p.start, p.at)
	case p.delta:
		return within(isDelta, max(last.at, known), p.at)
	case last.at == 0 && p.start >= known:
		return within(fromZero, known, p.at)
	case last.at == 0:
		return rebased, 0
	case p.at == last.at || late:
		*r = last
		return repeats, 0
	case p.start > last.at:
		return within(fromZero, last.at, p.at)
	default:
		return within(grown, last.at, p.at)
	}
}

// maxLate is how far a reading may be behind the last one to be one that was
// overtaken on its way; farther behind, the clock went back.
const maxLate = time.Minute

// isLate says whether a reading was overtaken by the last one.
func isLate(at, last pcommon.Timestamp) bool {
	return at < last && last-at <= pcommon.Timestamp(maxLate)
}

// within accepts intervals that can be.
func within(g growth, from, at pcommon.Timestamp) (growth, pcommon.Timestamp) {
	if from == 0 || from >= at || at-from > pcommon.Timestamp(maxInterval) {
		return rebased, 0
	}
	return g, from
}

// counter is the last reading of a number.
type counter struct {
	reading
	value float64
}

// increase gives what happened between the last reading and this one.
func (c *counter) increase(p number, known pcommon.Timestamp) (amount float64, from pcommon.Timestamp, ok bool) {
	last := c.value
	g, from := c.follow(p.instant, known)
	if g == repeats {
		return 0, 0, false
	}
	c.value = p.value
	switch g {
	case fromZero, isDelta:
		return p.value, from, true
	case grown:
		return p.value - last, from, p.value >= last
	default:
		return 0, 0, false
	}
}

// instant is when a point was measured.
type instant struct {
	at, start pcommon.Timestamp // start is zero if unknown
	delta     bool
}

// number is a point with one value.
type number struct {
	instant
	value float64
}

// newInstant checks timestamps; a start that cannot be is unknown.
func newInstant(at, start pcommon.Timestamp, temporality pmetric.AggregationTemporality) (instant, bool) {
	if start >= at {
		start = 0
	}
	return instant{at: at, start: start, delta: temporality == pmetric.AggregationTemporalityDelta}, at > 0 && at <= math.MaxInt64
}

// maxValue is beyond anything that is measured; sums of such values fit into the
// engine's numbers of 32 bits.
const maxValue = 1e18

// number reads a point; ok is false if it has no usable value or time.
func (d *Decoder) number(p pmetric.NumberDataPoint, temporality pmetric.AggregationTemporality) (n number, ok bool) {
	if p.Flags().NoRecordedValue() {
		return number{}, false
	}
	n.instant, ok = newInstant(p.Timestamp(), p.StartTimestamp(), temporality)
	if !ok {
		d.skip(BadTime)
		return n, false
	}
	switch p.ValueType() {
	case pmetric.NumberDataPointValueTypeInt:
		n.value = float64(p.IntValue())
	case pmetric.NumberDataPointValueTypeDouble:
		n.value = p.DoubleValue()
	default:
		d.skip(BadValue)
		return n, false
	}
	if !isAmount(n.value) {
		d.skip(BadValue)
		return n, false
	}
	return n, true
}

// isAmount says whether a number can be one that was measured; NaN cannot.
func isAmount(x float64) bool { return x >= 0 && x <= maxValue }

// amounts calls use with every point of a counter.
func (d *Decoder) amounts(m pmetric.Metric, use func(number, pcommon.Map)) {
	if m.Type() != pmetric.MetricTypeSum || !m.Sum().IsMonotonic() {
		d.skip(WrongType)
		return
	}
	d.numbers(m.Sum().DataPoints(), m.Sum().AggregationTemporality(), use)
}

// levels calls use with every point of a gauge, or of a sum that is no amount.
func (d *Decoder) levels(m pmetric.Metric, use func(number, pcommon.Map)) {
	switch {
	case m.Type() == pmetric.MetricTypeGauge:
		d.numbers(m.Gauge().DataPoints(), pmetric.AggregationTemporalityCumulative, use)
	case m.Type() == pmetric.MetricTypeSum && m.Sum().AggregationTemporality() != pmetric.AggregationTemporalityDelta:
		d.numbers(m.Sum().DataPoints(), pmetric.AggregationTemporalityCumulative, use)
	default:
		d.skip(WrongType)
	}
}

func (d *Decoder) numbers(points pmetric.NumberDataPointSlice, temporality pmetric.AggregationTemporality, use func(number, pcommon.Map)) {
	for _, p := range points.All() {
		if n, ok := d.number(p, temporality); ok {
			use(n, p.Attributes())
		}
	}
}
