package otelfact

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otel-culprit/culprit/internal/fact"
)

const (
	server = "http.server.request.duration"
	client = "http.client.request.duration"
	age    = "rootcause.probe.unfinished.age"
)

var shop = attrs{"service.name": "shop", "host.name": "web1"}

// latency is a fact of the shop over a second.
func latency(at, count, errors float64, buckets ...fact.Bucket) fact.Latency {
	return fact.Latency{
		At: second(at), Over: time.Second, Service: "shop", Host: "web1", Signal: "server",
		Count: count, Errors: errors, Buckets: buckets,
	}
}

func TestServerHistogram(t *testing.T) {
	at := func(s float64, cart, pay []uint64) *batch {
		return newBatch(shop).
			requests(server, s, cart, attrs{"http.route": "/cart", "http.response.status_code": 200}).
			requests(server, s, pay, attrs{"http.route": "/pay", "http.response.status_code": 503})
	}
	d := NewDecoder(Options{})
	require.Empty(t, metricsOf(d, at(10, []uint64{5, 0, 0}, []uint64{0, 0, 7})))
	requireFacts(t, []fact.Fact{latency(11, 6, 3,
		fact.Bucket{Low: 0, High: 0.1, Count: 2}, fact.Bucket{Low: 0.1, High: 1, Count: 2}, fact.Bucket{Low: 1, High: 2, Count: 2},
	)}, metricsOf(d, at(11, []uint64{7, 1, 0}, []uint64{0, 1, 9})))
	requireFacts(t, []fact.Fact{latency(12, 0, 0)}, metricsOf(d, at(12, []uint64{7, 1, 0}, []uint64{0, 1, 9})), "silence is known")
	require.Empty(t, metricsOf(d, at(13, []uint64{1, 0, 0}, []uint64{0, 0, 0})), "started again without saying so")
	requireFacts(t, []fact.Fact{latency(14, 1, 0, fact.Bucket{Low: 0.1, High: 1, Count: 1})},
		metricsOf(d, at(14, []uint64{1, 1, 0}, []uint64{0, 0, 0})))
	require.Nil(t, d.TakeSkipped())
}

// A route that is new counts from its start, if that is known to be recent.
func TestNewSeries(t *testing.T) {
	d := NewDecoder(Options{})
	metricsOf(d, newBatch(shop).requests(server, 10, []uint64{5, 0, 0}, attrs{"http.route": "/cart"}))
	both := newBatch(shop).requests(server, 11, []uint64{5, 0, 0}, attrs{"http.route": "/cart"})
	_, p := both.histogram(server, 11, []uint64{0, 0, 2}, attrs{"http.route": "/pay"})
	p.SetStartTimestamp(stamp(10.5))
	both.requests(server, 11, []uint64{100, 0, 0}, attrs{"http.route": "/old"})
	requireFacts(t, []fact.Fact{latency(11, 2, 0, fact.Bucket{Low: 1, High: 2, Count: 2})}, metricsOf(d, both))
}

func TestHistogramForms(t *testing.T) {
	tests := map[string]struct {
		change func(m pmetric.Metric, p pmetric.HistogramDataPoint)
		want   []fact.Bucket
		reason Reason
	}{
		"max": {
			func(_ pmetric.Metric, p pmetric.HistogramDataPoint) { p.SetMax(7) },
			[]fact.Bucket{{Low: 0, High: 0.1, Count: 1}, {Low: 1, High: 7, Count: 1}},
			"",
		},
		"max below the last bound": {
			func(_ pmetric.Metric, p pmetric.HistogramDataPoint) { p.SetMax(0.5) },
			[]fact.Bucket{{Low: 0, High: 0.1, Count: 1}, {Low: 1, High: 2, Count: 1}},
			"",
		},
		"milliseconds": {
			func(m pmetric.Metric, p pmetric.HistogramDataPoint) {
				m.SetUnit("ms")
				p.ExplicitBounds().FromRaw([]float64{250, 500})
				p.SetMax(4000)
			},
			[]fact.Bucket{{Low: 0, High: 0.25, Count: 1}, {Low: 0.5, High: 4, Count: 1}},
			"",
		},
		"without buckets": {
			func(_ pmetric.Metric, p pmetric.HistogramDataPoint) {
				p.ExplicitBounds().FromRaw(nil)
				p.BucketCounts().FromRaw(nil)
				p.SetSum(1)
			},
			[]fact.Bucket{{Low: 0.5, High: 0.5, Count: 2}},
			"",
		},
		"unknown unit": {func(m pmetric.Metric, _ pmetric.HistogramDataPoint) { m.SetUnit("By") }, nil, WrongType},
		"bounds go back": {
			func(_ pmetric.Metric, p pmetric.HistogramDataPoint) { p.ExplicitBounds().FromRaw([]float64{1, 0.1}) }, nil, BadValue,
		},
		"bound not finite": {
			func(_ pmetric.Metric, p pmetric.HistogramDataPoint) {
				p.ExplicitBounds().FromRaw([]float64{1, math.Inf(1)})
			}, nil, BadValue,
		},
		"more requests than there can be": {
			func(_ pmetric.Metric, p pmetric.HistogramDataPoint) { p.BucketCounts().FromRaw([]uint64{1, 0, 2e18}) }, nil, BadValue,
		},
		"more requests than there can be without buckets": {
			func(_ pmetric.Metric, p pmetric.HistogramDataPoint) {
				p.ExplicitBounds().FromRaw(nil)
				p.BucketCounts().FromRaw(nil)
				p.SetCount(2e18)
			}, nil, BadValue,
		},
		"sum not finite without buckets": {
			func(_ pmetric.Metric, p pmetric.HistogramDataPoint) {
				p.ExplicitBounds().FromRaw(nil)
				p.BucketCounts().FromRaw(nil)
				p.SetSum(math.Inf(1))
			}, nil, BadValue,
		},
		"sum not finite": { // the buckets tell all
			func(_ pmetric.Metric, p pmetric.HistogramDataPoint) { p.SetSum(math.NaN()) },
			[]fact.Bucket{{Low: 0, High: 0.1, Count: 1}, {Low: 1, High: 2, Count: 1}},
			"",
		},
		"too many buckets": {
			func(_ pmetric.Metric, p pmetric.HistogramDataPoint) { p.BucketCounts().FromRaw([]uint64{1, 2, 3, 4}) }, nil, BadValue,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBatch(shop)
			m, p := b.histogram(server, 11, []uint64{1, 0, 1}, nil)
			m.Histogram().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
			p.SetStartTimestamp(stamp(10))
			tt.change(m, p)
			d := NewDecoder(Options{})
			facts := metricsOf(d, b)
			if tt.reason != "" {
				require.Empty(t, facts)
				require.Equal(t, map[Reason]int64{tt.reason: 1}, d.TakeSkipped())
				return
			}
			requireFacts(t, []fact.Fact{latency(11, 2, 0, tt.want...)}, facts)
		})
	}
}

// A reading that arrives after a later one counts nothing, and nothing twice.
func TestHistogramThatWasOvertaken(t *testing.T) {
	d := NewDecoder(Options{})
	explicit := func(at float64, fast uint64) []fact.Fact {
		return metricsOf(d, newBatch(shop).requests(server, at, []uint64{fast, 0, 0}, nil))
	}
	fast := func(n float64) fact.Bucket { return fact.Bucket{Low: 0, High: 0.1, Count: n} }
	require.Empty(t, explicit(9, 1))
	requireFacts(t, []fact.Fact{latency(10, 4, 0, fast(4))}, explicit(10, 5))
	require.Empty(t, explicit(9.5, 3))
	requireFacts(t, []fact.Fact{latency(11, 2, 0, fast(2))}, explicit(11, 7))

	d = NewDecoder(Options{})
	metricsOf(d, exponential(9, 0, 0, []uint64{1}, 0))
	bucket := fact.Bucket{Low: 1, High: 2, Count: 4}
	requireFacts(t, []fact.Fact{latency(10, 4, 0, bucket)}, metricsOf(d, exponential(10, 0, 0, []uint64{5}, 0)))
	require.Empty(t, metricsOf(d, exponential(9.5, 0, 0, []uint64{3}, 0)))
	bucket.Count = 2
	requireFacts(t, []fact.Fact{latency(11, 2, 0, bucket)}, metricsOf(d, exponential(11, 0, 0, []uint64{7}, 0)))
	require.Nil(t, d.TakeSkipped())

	require.Empty(t, metricsOf(d, exponential(12, 0, 0, []uint64{7}, 2e18)))
	require.Equal(t, map[Reason]int64{BadValue: 1}, d.TakeSkipped())
}

func TestHistogramWhoseBucketsMoved(t *testing.T) {
	d := NewDecoder(Options{})
	metricsOf(d, newBatch(shop).requests(server, 10, []uint64{5, 0, 0}, nil))
	b := newBatch(shop)
	_, p := b.histogram(server, 11, []uint64{6, 0, 0}, nil)
	p.ExplicitBounds().FromRaw([]float64{0.5, 1})
	require.Empty(t, metricsOf(d, b))
}

func exponential(at float64, scale, offset int32, counts []uint64, zero uint64) *batch {
	b := newBatch(shop)
	m := b.sm.Metrics().AppendEmpty()
	m.SetName(server)
	m.SetUnit("s")
	h := m.SetEmptyExponentialHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	p := h.DataPoints().AppendEmpty()
	p.SetStartTimestamp(stamp(0))
	p.SetTimestamp(stamp(at))
	p.SetScale(scale)
	p.Positive().SetOffset(offset)
	p.Positive().BucketCounts().FromRaw(counts)
	p.SetZeroCount(zero)
	for _, n := range append(counts, zero) {
		p.SetCount(p.Count() + n)
	}
	return b
}

func TestExponentialHistogram(t *testing.T) {
	d := NewDecoder(Options{})
	require.Empty(t, metricsOf(d, exponential(10, 1, -2, []uint64{1, 2, 3, 4}, 1)))
	// Base is the root of 2: the buckets begin at 1/2, 0.71, 1, 1.41.
	requireFacts(t, []fact.Fact{latency(11, 3, 0,
		fact.Bucket{Low: 0, High: 0, Count: 1}, fact.Bucket{Low: 0.5, High: math.Sqrt2 / 2, Count: 1}, fact.Bucket{Low: 1, High: math.Sqrt2, Count: 1},
	)}, metricsOf(d, exponential(11, 1, -2, []uint64{2, 2, 4, 4}, 2)))
	// Scale 0: buckets from 1/2 and 1, and one more from 2.
	requireFacts(t, []fact.Fact{latency(12, 2, 0,
		fact.Bucket{Low: 1, High: 2, Count: 1}, fact.Bucket{Low: 2, High: 4, Count: 1},
	)}, metricsOf(d, exponential(12, 0, -1, []uint64{4, 9, 1}, 2)))
	require.Empty(t, metricsOf(d, exponential(13, 3, 0, []uint64{16}, 2)), "a finer scale cannot be compared")
	require.Empty(t, metricsOf(d, exponential(14, 3, 1, []uint64{17}, 2)), "a bucket that is gone")
	requireFacts(t, []fact.Fact{latency(15, 0, 0)}, metricsOf(d, exponential(15, 3, 1, []uint64{17}, 2)))
}

func TestProbe(t *testing.T) {
	site := attrs{"service.peer.name": "shop", "server.address": "127.0.0.1", "server.port": 80}
	at := func(s float64, counts []uint64, oldest float64) *batch {
		return newBatch(web1).
			requests(client, s, counts, with(site, attrs{"http.response.status_code": 200})).
			requests(client, s, []uint64{0, 0, counts[2]}, with(site, attrs{"error.type": "timeout"})).
			requests(client, s, []uint64{9, 9, uint64(s)}, attrs{"server.address": "elsewhere"}).
			gauge(age, "s", s, oldest, site)
	}
	d := NewDecoder(Options{})
	require.Empty(t, metricsOf(d, at(10, []uint64{1, 0, 0}, 0)))
	want := latency(11, 2, 1, fact.Bucket{Low: 1, High: 2, Count: 2})
	want.Signal, want.Oldest = "probe", 0.75
	requireFacts(t, []fact.Fact{want}, metricsOf(d, at(11, []uint64{1, 0, 1}, 0.75)))
	require.Nil(t, d.TakeSkipped())
}

func TestFurtherMetrics(t *testing.T) {
	d := NewDecoder(Options{LatencyMetrics: []string{"nginx.latency", "db.wait"}})
	at := func(s float64, n uint64) *batch {
		return newBatch(shop).
			requests("db.wait", s, []uint64{n, 0, 0}, nil).
			gauge("nginx.latency", "ms", s, 250, attrs{"http.route": "/"}).
			gauge("nginx.latency", "ms", s, 500, attrs{"http.route": "/cart", "http.response.status_code": 500}).
			requests("other.duration", s, []uint64{n, 0, 0}, nil)
	}
	require.Empty(t, metricsOf(d, at(10, 1)))
	nginx := latency(11, 2, 1, fact.Bucket{Low: 0.25, High: 0.25, Count: 1}, fact.Bucket{Low: 0.5, High: 0.5, Count: 1})
	nginx.Signal = "nginx.latency"
	db := latency(11, 1, 0, fact.Bucket{Low: 0, High: 0.1, Count: 1})
	db.Signal = "db.wait"
	requireFacts(t, []fact.Fact{db, nginx}, metricsOf(d, at(11, 2)))
}

func TestServes(t *testing.T) {
	res := with(shop, attrs{"process.pid": 42})
	at := func(res attrs, s float64) *batch { return newBatch(res).requests(server, s, []uint64{1, 0, 0}, nil) }
	d := NewDecoder(Options{})
	want := fact.Serves{At: second(10), Service: "shop", Process: fact.Process{Host: "web1", PID: 42}}
	requireFacts(t, []fact.Fact{want}, metricsOf(d, at(res, 10)))
	require.Len(t, metricsOf(d, at(res, 11)), 1, "not said again")
	want.At = second(70)
	requireFacts(t, []fact.Serves{want}, only[fact.Serves](metricsOf(d, at(res, 70))))

	res["process.creation.time"] = "2026-11-21T02:00:00.5Z"
	want.Process.Start = second(0.5).UnixMilli()
	want.At = second(71)
	requireFacts(t, []fact.Serves{want}, only[fact.Serves](metricsOf(d, at(res, 71))))
	require.Nil(t, d.TakeSkipped())

	delete(res, "host.name")
	require.Empty(t, only[fact.Serves](metricsOf(d, at(res, 72))), "a PID means nothing without a host")
	for name, bad := range map[string]attrs{
		"pid as text":   with(shop, attrs{"process.pid": "42"}),
		"creation time": with(shop, attrs{"process.pid": 42, "process.creation.time": "now"}),
	} {
		t.Run(name, func(t *testing.T) {
			require.Empty(t, metricsOf(d, at(bad, 80)))
			require.Equal(t, map[Reason]int64{WrongType: 1}, d.TakeSkipped())
		})
	}
}

func TestLatencyThatCannotBeRead(t *testing.T) {
	d := NewDecoder(Options{})
	require.Empty(t, metricsOf(d, newBatch(web1).requests(server, 1, []uint64{1, 0, 0}, nil)))
	require.Equal(t, map[Reason]int64{MissingAttribute: 1}, d.TakeSkipped())
	require.Empty(t, metricsOf(d, newBatch(shop).sum(server, 1, 1, nil)))
	require.Equal(t, map[Reason]int64{WrongType: 1}, d.TakeSkipped())
	require.Empty(t, metricsOf(d, newBatch(shop).gauge(server, "s", 1, 1, nil)))
	require.Equal(t, map[Reason]int64{WrongType: 1}, d.TakeSkipped())
}

// However many values there are, a fact stays small.
func TestManyValues(t *testing.T) {
	d := NewDecoder(Options{LatencyMetrics: []string{"x"}})
	at := func(s float64) *batch {
		b := newBatch(shop)
		for i := range 5000 {
			b.gauge("x", "s", s, 0.001*float64(i), nil)
		}
		return b
	}
	metricsOf(d, at(10))
	facts := only[fact.Latency](metricsOf(d, at(11)))
	require.Len(t, facts, 1)
	require.LessOrEqual(t, len(facts[0].Buckets), maxBuckets)
	require.InDelta(t, 5000, facts[0].Count, 0)
	total := 0.0
	for _, b := range facts[0].Buckets {
		require.Less(t, b.Low, b.High)
		total += b.Count
	}
	require.InDelta(t, 5000, total, 0)
}
