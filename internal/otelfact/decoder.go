package otelfact

import (
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otel-culprit/culprit/internal/fact"
)

// Options say what else is a latency, and bound the memory.
type Options struct {
	// LatencyMetrics are names of further histograms and gauges that measure how
	// long requests to the service of their resource take.
	LatencyMetrics []string
	// MaxState is how many counters, processes and services are remembered at
	// most, together; zero means 200 000, which is about 100 MB.
	MaxState int
	// Evidence names what a log record, whose time is not set yet, is evidence
	// of; empty if of nothing: it is dropped. Nil stands for all that warns.
	Evidence func(fact.Log) string
}

// Reason says why something was skipped.
type Reason string

// The reasons for skipping a data point, a span or a log record.
const (
	WrongType        Reason = "wrong_type"        // of the metric or an attribute, or an unknown unit
	MissingAttribute Reason = "missing_attribute" // one that identifies what was measured
	BadValue         Reason = "bad_value"         // not finite, negative, above 10^18, or inconsistent buckets
	BadTime          Reason = "bad_time"          // no timestamp, or one outside the years 1970 to 2262
	StateFull        Reason = "state_full"        // Options.MaxState was reached
	TooManyLogs      Reason = "too_many_logs"     // more per second than could be evidence
)

const (
	maxInterval   = 10 * time.Minute // the longest interval that an amount may cover
	repeatEvery   = time.Minute      // of what does not change, so that whoever comes later learns it
	forgetAfter   = 10 * time.Minute // of silence
	keepScrapes   = 10               // that a process may be absent from
	defaultStates = 200_000
)

// Decoder turns data into facts. It is not safe for concurrent use.
type Decoder struct {
	latencyMetrics map[string]bool
	maxState       int

	now     time.Time // the last Advance
	swept   time.Time
	batch   int // number of the call
	part    int // number of the resource, over all calls
	states  int
	skipped map[Reason]int64

	hosts  map[string]*host
	series map[string]*series
	groups map[string]*group
	cells  map[victim]*latencyCell
	spans  map[victim]*spanCell
	serves map[serving]*repeated
	logs   map[string]*logBudget // by evidence

	kernels  map[string]*repeated // heard, by host
	evidence func(fact.Log) string

	open   []cell
	out    []fact.Fact
	key    []byte
	sorted []attribute
}

// NewDecoder makes a decoder without memory of anything.
func NewDecoder(options Options) *Decoder {
	d := &Decoder{
		latencyMetrics: map[string]bool{},
		maxState:       options.MaxState,
		skipped:        map[Reason]int64{},
		hosts:          map[string]*host{},
		series:         map[string]*series{},
		groups:         map[string]*group{},
		cells:          map[victim]*latencyCell{},
		spans:          map[victim]*spanCell{},
		serves:         map[serving]*repeated{},
		logs:           map[string]*logBudget{},
		kernels:        map[string]*repeated{},
		evidence:       options.Evidence,
	}
	if d.evidence == nil {
		d.evidence = warns
	}
	if d.maxState <= 0 {
		d.maxState = defaultStates
	}
	for _, name := range options.LatencyMetrics {
		d.latencyMetrics[name] = true
	}
	return d
}

// Metrics gives the facts of one batch of metrics.
func (d *Decoder) Metrics(md pmetric.Metrics, emit func(fact.Fact)) {
	d.batch++
	for _, rm := range md.ResourceMetrics().All() {
		d.part++
		res := d.resource(rm.Resource().Attributes())
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				d.metric(res, sm.Scope().Name(), m)
			}
		}
	}
	for _, c := range d.open {
		d.finish(c)
	}
	clear(d.open)
	d.open = d.open[:0]
	d.emit(emit)
	for _, h := range d.hosts {
		d.forgetProcesses(h)
	}
}

// Advance tells the decoder that time has passed. It gives the facts of spans
// that were waiting for more, and forgets what has been silent for long. Call it
// about once per second.
func (d *Decoder) Advance(now time.Time, emit func(fact.Fact)) {
	d.now = now
	d.quietSpans()
	d.emit(emit)
	switch since := now.Sub(d.swept); {
	case d.swept.IsZero():
		d.swept = now
	case since >= time.Minute || since < 0:
		d.swept = now
		d.forget()
	}
}

// TakeSkipped gives how much was skipped for each reason since the last call,
// nil if nothing was.
func (d *Decoder) TakeSkipped() map[Reason]int64 {
	if len(d.skipped) == 0 {
		return nil
	}
	taken := d.skipped
	d.skipped = map[Reason]int64{}
	return taken
}

func (d *Decoder) skip(why Reason) { d.skipped[why]++ }

// emit hands out what was collected, in the order of time.
func (d *Decoder) emit(emit func(fact.Fact)) {
	byTime := func(a, b fact.Fact) int { return a.When().Compare(b.When()) }
	if !slices.IsSortedFunc(d.out, byTime) {
		slices.SortStableFunc(d.out, byTime)
	}
	for _, f := range d.out {
		emit(f)
	}
	clear(d.out)
	d.out = d.out[:0]
}

// A cell is a fact in the making: the points of one scrape flow into it.
type cell interface {
	covered() *interval
	made() fact.Fact // nil if there is nothing to say
	empty()          // but for what outlives a scrape
}

// interval is what a cell covers so far, and which part of the data it came from.
type interval struct {
	at, from pcommon.Timestamp
	part     int
	open     bool
}

func (i *interval) covered() *interval { return i }

func (i *interval) when() time.Time     { return i.at.AsTime() }
func (i *interval) over() time.Duration { return time.Duration(i.at - i.from) } //nolint:gosec // both were checked to fit

// since widens the interval.
func (i *interval) since(from pcommon.Timestamp) {
	if i.from == 0 || from < i.from {
		i.from = from
	}
}

// touch opens a cell for a point. Points of one resource join whatever their
// time; a later point of a later resource is of another scrape, so that the fact
// of the scrape before it is finished first.
func (d *Decoder) touch(c cell, at pcommon.Timestamp) {
	i := c.covered()
	switch {
	case !i.open:
		d.open = append(d.open, c)
	case i.part != d.part && at > i.at:
		d.finish(c)
	}
	i.open, i.part, i.at = true, d.part, max(i.at, at)
}

// finish takes the fact out of a cell; a cell that covers no interval has none,
// nor has one whose points are too far apart to belong together.
func (d *Decoder) finish(c cell) {
	i := c.covered()
	switch {
	case i.from == 0:
	case i.over() > maxInterval:
		d.skip(BadTime)
	default:
		if f := c.made(); f != nil {
			d.out = append(d.out, f)
		}
	}
	c.empty()
	*i = interval{}
}

// repeated is when something that seldom changes was last said.
type repeated struct {
	at      pcommon.Timestamp
	touched time.Time
}

// due says whether it is to be said again, and notes that it was. What was
// overtaken on its way is not.
func (r *repeated) due(at pcommon.Timestamp, changed bool) bool {
	if isLate(at, r.at) {
		return false
	}
	if !changed && r.at != 0 && at >= r.at && time.Duration(at-r.at) < repeatEvery { //nolint:gosec // both were checked to fit
		return false
	}
	r.at = at
	return true
}

// room says whether one more thing may be remembered, and counts it.
func (d *Decoder) room() bool {
	if d.states >= d.maxState {
		d.skip(StateFull)
		return false
	}
	d.states++
	return true
}

// forget drops what has been silent for long.
func (d *Decoder) forget() {
	forgetIn(d, d.series, func(s *series) time.Time { return s.touched })
	forgetIn(d, d.groups, func(g *group) time.Time { return g.touched })
	forgetIn(d, d.cells, func(c *latencyCell) time.Time { return c.touched })
	forgetIn(d, d.spans, func(c *spanCell) time.Time { return c.touched })
	forgetIn(d, d.serves, func(r *repeated) time.Time { return r.touched })
	forgetIn(d, d.logs, func(b *logBudget) time.Time { return b.touched })
	forgetIn(d, d.kernels, func(r *repeated) time.Time { return r.touched })
	for _, h := range d.hosts {
		forgetIn(d, h.counters, func(c *hostCounter) time.Time { return c.touched })
		forgetIn(d, h.capabilities, func(c *capability) time.Time { return c.touched })
		forgetIn(d, h.disks, func(c *diskCell) time.Time { return c.touched })
		forgetIn(d, h.links, func(c *linkCell) time.Time { return c.touched })
		forgetIn(d, h.pressures, func(c *pressureCell) time.Time { return c.touched })
		forgetIn(d, h.pagings, func(c *pagingCell) time.Time { return c.touched })
		forgetIn(d, h.databases, func(c *locksCell) time.Time { return c.touched })
		forgetIn(d, h.filesystems, func(c *filesystemCell) time.Time { return c.touched })
		if d.isSilent(h.touched) {
			d.states -= len(h.processes) + len(h.counters) + len(h.capabilities) + len(h.disks) + len(h.links) + len(h.pressures) +
				len(h.pagings) + len(h.databases) + len(h.filesystems)
		}
	}
	forgetIn(d, d.hosts, func(h *host) time.Time { return h.touched })
}

func (d *Decoder) isSilent(touched time.Time) bool { return d.now.Sub(touched) > forgetAfter }

func forgetIn[K comparable, V any](d *Decoder, states map[K]V, touched func(V) time.Time) {
	for k, v := range states {
		if d.isSilent(touched(v)) {
			delete(states, k)
			d.states--
		}
	}
}

// remember gives the state under a key, made if need be; nil if there is no room.
func remember[K comparable, V any](d *Decoder, states map[K]*V, key K) *V {
	v, known := states[key]
	if !known && d.room() {
		v = new(V)
		states[key] = v
	}
	return v
}
