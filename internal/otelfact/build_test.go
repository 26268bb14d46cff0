package otelfact

import (
	"maps"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otel-culprit/culprit/internal/fact"
)

// second is a moment of the tests: 2026-11-21T02:00:00Z and some seconds.
func second(s float64) time.Time {
	return time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC).Add(time.Duration(s * float64(time.Second)))
}

func stamp(s float64) pcommon.Timestamp { return pcommon.NewTimestampFromTime(second(s)) }

type attrs = map[string]any

// batch builds metrics of one resource after the other.
type batch struct {
	md pmetric.Metrics
	sm pmetric.ScopeMetrics
}

func newBatch(resource attrs) *batch {
	b := &batch{md: pmetric.NewMetrics()}
	return b.resource(resource)
}

func (b *batch) resource(resource attrs) *batch {
	rm := b.md.ResourceMetrics().AppendEmpty()
	put(rm.Resource().Attributes(), resource)
	b.sm = rm.ScopeMetrics().AppendEmpty()
	b.sm.Scope().SetName("test")
	return b
}

func put(m pcommon.Map, values attrs) {
	if err := m.FromRaw(values); err != nil {
		panic(err)
	}
}

// sum adds a point of a cumulative counter that started at second 0.
func (b *batch) sum(name string, at, value float64, a attrs) *batch {
	return b.sumSince(name, 0, at, value, a)
}

func (b *batch) sumSince(name string, start, at, value float64, a attrs) *batch {
	m := b.sm.Metrics().AppendEmpty()
	m.SetName(name)
	s := m.SetEmptySum()
	s.SetIsMonotonic(true)
	s.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	p := s.DataPoints().AppendEmpty()
	p.SetStartTimestamp(stamp(start))
	p.SetTimestamp(stamp(at))
	p.SetDoubleValue(value)
	put(p.Attributes(), a)
	return b
}

func (b *batch) gauge(name, unit string, at, value float64, a attrs) *batch {
	m := b.sm.Metrics().AppendEmpty()
	m.SetName(name)
	m.SetUnit(unit)
	p := m.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetTimestamp(stamp(at))
	p.SetDoubleValue(value)
	put(p.Attributes(), a)
	return b
}

// requests is a cumulative histogram with bounds 0.1 and 1 s since second 0.
func (b *batch) requests(name string, at float64, counts []uint64, a attrs) *batch {
	b.histogram(name, at, counts, a)
	return b
}

func (b *batch) histogram(name string, at float64, counts []uint64, a attrs) (pmetric.Metric, pmetric.HistogramDataPoint) {
	m := b.sm.Metrics().AppendEmpty()
	m.SetName(name)
	m.SetUnit("s")
	h := m.SetEmptyHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	p := h.DataPoints().AppendEmpty()
	p.SetStartTimestamp(stamp(0))
	p.SetTimestamp(stamp(at))
	p.ExplicitBounds().FromRaw([]float64{0.1, 1})
	p.BucketCounts().FromRaw(counts)
	var total uint64
	for _, n := range counts {
		total += n
	}
	p.SetCount(total)
	put(p.Attributes(), a)
	return m, p
}

// collector gathers facts.
type collector []fact.Fact

func (c *collector) emit(f fact.Fact) { *c = append(*c, f) }

func metricsOf(d *Decoder, b *batch) []fact.Fact {
	var c collector
	d.Metrics(b.md, c.emit)
	return c
}

func logsOf(d *Decoder, ld plog.Logs) []fact.Fact {
	var c collector
	d.Logs(ld, c.emit)
	return c
}

func tracesOf(d *Decoder, td ptrace.Traces) []fact.Fact {
	var c collector
	d.Traces(td, c.emit)
	return c
}

// only picks the facts of one type.
func only[F fact.Fact](facts []fact.Fact) []F {
	var picked []F
	for _, f := range facts {
		if f, ok := f.(F); ok {
			picked = append(picked, f)
		}
	}
	return picked
}

func with(a, more attrs) attrs {
	all := attrs{}
	maps.Copy(all, a)
	maps.Copy(all, more)
	return all
}
