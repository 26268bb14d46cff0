package otelfact

import (
	"cmp"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otel-culprit/culprit/internal/fact"
)

// victim is whose latency a cell holds, and who measured it.
type victim struct {
	service, host, signal string
}

// latencyCell makes a Latency.
type latencyCell struct {
	interval
	victim  victim
	touched time.Time
	tally
	oldest float64
}

func (c *latencyCell) made() fact.Fact {
	return fact.Latency{
		At: c.when(), Over: c.over(), Service: c.victim.service, Host: c.victim.host, Signal: c.victim.signal,
		Count: c.count, Errors: c.errors, Buckets: c.merged(), Oldest: c.oldest,
	}
}

func (c *latencyCell) empty() {
	c.tally = tally{buckets: c.buckets[:0]}
	c.oldest = 0
}

// tally counts requests by how long they took.
type tally struct {
	count, errors float64
	buckets       []fact.Bucket
}

// add counts requests.
func (t *tally) add(b fact.Bucket, failed bool) {
	if b.Count <= 0 {
		return
	}
	t.count += b.Count
	if failed {
		t.errors += b.Count
	}
	t.buckets = append(t.buckets, b)
}

// maxBuckets bounds the buckets of a fact. More are brought into bins of 4 %.
const maxBuckets = 1024

// merged gives the buckets ascending, equal ones summed.
func (t *tally) merged() []fact.Bucket {
	if len(t.buckets) == 0 {
		return nil
	}
	buckets := mergeEqual(t.buckets)
	if len(buckets) > maxBuckets {
		for i, b := range buckets {
			buckets[i] = binOf(b.High, b.Count)
		}
		buckets = mergeEqual(buckets)
	}
	return slices.Clone(buckets)
}

// mergeEqual sorts and sums in place.
func mergeEqual(buckets []fact.Bucket) []fact.Bucket {
	slices.SortFunc(buckets, func(a, b fact.Bucket) int {
		return cmp.Or(cmp.Compare(a.Low, b.Low), cmp.Compare(a.High, b.High), cmp.Compare(a.Count, b.Count))
	})
	n := 0
	for _, b := range buckets {
		if n > 0 && buckets[n-1].Low == b.Low && buckets[n-1].High == b.High {
			buckets[n-1].Count += b.Count
			continue
		}
		buckets[n] = b
		n++
	}
	return buckets[:n]
}

// group is all series of one metric of one resource.
type group struct {
	touched      time.Time
	last, before pcommon.Timestamp
}

// seen notes a reading of the group.
func (g *group) seen(d *Decoder, at pcommon.Timestamp) {
	if at != g.last && !isLate(at, g.last) {
		g.last, g.before = at, g.last
	}
	g.touched = d.now
}

// latency reads a metric of how long requests take.
func (d *Decoder) latency(res *resource, scope string, m pmetric.Metric) {
	unit, known := unitSeconds(m.Unit())
	if !known {
		d.skip(WrongType)
		return
	}
	g := remember(d, d.groups, res.identity(d)+m.Name())
	if g == nil {
		return
	}
	source := &source{d: d, res: res, group: g, metric: m.Name(), unit: unit}
	d.key = append(append(append(append(d.key[:0], res.key...), scope...), 0), m.Name()...)
	source.prefix = len(d.key)
	switch m.Type() {
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			source.histogram(p, m.Histogram().AggregationTemporality())
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			source.exponential(p, m.ExponentialHistogram().AggregationTemporality())
		}
	case pmetric.MetricTypeGauge:
		d.levels(m, source.gauge)
	default:
		d.skip(WrongType)
	}
}

// unitSeconds is how many seconds a unit has.
func unitSeconds(unit string) (seconds float64, known bool) {
	switch unit {
	case "s", "":
		return 1, true
	case "ms":
		return 1e-3, true
	case "us":
		return 1e-6, true
	case "ns":
		return 1e-9, true
	default:
		return 0, false
	}
}

// source is the metric that is being read. The key of its resource and name
// stands in d.key up to prefix.
type source struct {
	d      *Decoder
	res    *resource
	group  *group
	metric string
	unit   float64 // seconds
	prefix int
}

// cell finds the cell of a point; nil if nobody's latency is measured.
func (s *source) cell(attrs pcommon.Map, at pcommon.Timestamp) *latencyCell {
	who := victim{service: s.res.service, host: s.res.host, signal: s.metric}
	switch s.metric {
	case "http.server.request.duration":
		who.signal = "server"
	case "http.client.request.duration", "rootcause.probe.unfinished.age":
		who.signal = "probe"
		who.service = s.d.text(attrs, "service.peer.name")
		if who.service == "" {
			return nil
		}
	}
	if who.service == "" {
		s.d.skip(MissingAttribute)
		return nil
	}
	c := remember(s.d, s.d.cells, who)
	if c == nil {
		return nil
	}
	c.victim, c.touched = who, s.d.now
	s.d.touch(c, at)
	if who.service == s.res.service {
		s.d.serving(s.res, at)
	}
	return c
}

// series finds what is remembered of the series with these attributes.
func (s *source) series(attrs pcommon.Map) *series {
	s.d.key = s.d.identity(s.d.key[:s.prefix], attrs)
	one, known := s.d.series[string(s.d.key)]
	if !known {
		if !s.d.room() {
			return nil
		}
		one = &series{}
		s.d.series[string(s.d.key)] = one
	}
	one.touched = s.d.now
	return one
}

// gauge reads a level: an age of the oldest request, or a latency that stands
// for one request.
func (s *source) gauge(n number, attrs pcommon.Map) {
	s.group.seen(s.d, n.at)
	if s.metric == "http.server.request.duration" || s.metric == "http.client.request.duration" {
		s.d.skip(WrongType)
		return
	}
	_, from := within(grown, s.group.before, n.at)
	c := s.cell(attrs, n.at)
	if c == nil || from == 0 {
		return
	}
	c.since(from)
	seconds := min(n.value*s.unit, maxSeconds)
	if s.metric == "rootcause.probe.unfinished.age" {
		c.oldest = max(c.oldest, seconds)
		return
	}
	c.add(fact.Bucket{Low: seconds, High: seconds, Count: 1}, isFailed(attrs))
}

// isFailed says whether the requests of a point or span failed.
func isFailed(attrs pcommon.Map) bool {
	if v, found := attrs.Get("error.type"); found && v.AsString() != "" {
		return true
	}
	for _, name := range []string{"http.response.status_code", "http.status_code"} {
		if v, found := attrs.Get(name); found && v.Type() == pcommon.ValueTypeInt {
			return v.Int() >= 500
		}
	}
	return false
}

// serving is a process that says it does the work of a service.
type serving struct {
	service string
	process fact.Process
}

// serving tells which process a service's telemetry came from, if it says so.
func (d *Decoder) serving(res *resource, at pcommon.Timestamp) {
	pid, found := res.attrs.Get("process.pid")
	if !found || res.host == "" {
		return
	}
	if pid.Type() != pcommon.ValueTypeInt || pid.Int() <= 0 {
		d.skip(WrongType)
		return
	}
	s := serving{service: res.service, process: fact.Process{Host: res.host, PID: pid.Int()}}
	if created := d.text(res.attrs, "process.creation.time"); created != "" {
		start, ok := milliseconds(created)
		if !ok {
			d.skip(WrongType)
			return
		}
		s.process.Start = start
	}
	told := remember(d, d.serves, s)
	if told == nil {
		return
	}
	told.touched = d.now
	if told.due(at, false) {
		d.out = append(d.out, fact.Serves{At: at.AsTime(), Service: s.service, Process: s.process})
	}
}
