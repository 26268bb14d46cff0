package otelfact

import (
	"cmp"
	"math"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otel-culprit/culprit/internal/fact"
)

// minSpanInterval is the least interval of a Latency made of spans.
const minSpanInterval = time.Second

// maxSpanGap is how long a service may be without spans for the next ones to
// continue its interval.
const maxSpanGap = time.Minute

// spanCell gathers the server spans of a service until they cover a second of
// their own time.
type spanCell struct {
	victim
	touched     time.Time
	batch       int  // that it was last seen in
	fresh       bool // since the last Advance
	since, last pcommon.Timestamp
	first       pcommon.Timestamp
	tally
}

// Traces gives the facts of one batch of traces. Server spans are gathered until
// they cover a second; Advance gives what is left when no more come.
func (d *Decoder) Traces(td ptrace.Traces, emit func(fact.Fact)) {
	d.batch++
	var seen []*spanCell
	for _, rs := range td.ResourceSpans().All() {
		res := d.resource(rs.Resource().Attributes())
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				c := d.span(res, span)
				if c != nil && c.batch != d.batch {
					c.batch = d.batch
					seen = append(seen, c)
				}
			}
		}
	}
	for _, c := range seen {
		if c.last-c.begin() >= pcommon.Timestamp(minSpanInterval) {
			d.finishSpans(c)
		}
	}
	d.emit(emit)
}

// span counts a span, if it is one that a server made for a request; it gives
// the cell that it counted in.
func (d *Decoder) span(res *resource, span ptrace.Span) *spanCell {
	if span.Kind() != ptrace.SpanKindServer {
		return nil
	}
	start, end := span.StartTimestamp(), span.EndTimestamp()
	switch {
	case end == 0 || end > math.MaxInt64 || start == 0 || start > end:
		d.skip(BadTime)
		return nil
	case res.service == "":
		d.skip(MissingAttribute)
		return nil
	}
	who := victim{service: res.service, host: res.host, signal: "spans"}
	c := remember(d, d.spans, who)
	if c == nil {
		return nil
	}
	c.victim, c.touched, c.fresh = who, d.now, true
	c.last = max(c.last, end)
	if c.first == 0 || end < c.first {
		c.first = end
	}
	failed := span.Status().Code() == ptrace.StatusCodeError || isFailed(span.Attributes())
	c.add(binOf(time.Duration(end-start).Seconds(), 1), failed)
	if len(c.buckets) > 4*maxBuckets {
		c.buckets = mergeEqual(c.buckets)
	}
	d.serving(res, end)
	return c
}

// begin is where the interval of the gathered spans begins.
func (c *spanCell) begin() pcommon.Timestamp {
	if c.since > 0 && c.since < c.last && c.last-c.since <= pcommon.Timestamp(maxSpanGap) {
		return c.since
	}
	return c.first
}

func (d *Decoder) finishSpans(c *spanCell) {
	over := min(max(c.last-c.begin(), pcommon.Timestamp(minSpanInterval)), pcommon.Timestamp(maxInterval))
	d.out = append(d.out, fact.Latency{
		At: c.last.AsTime(), Over: time.Duration(over), Service: c.service, Host: c.host, Signal: c.signal, //nolint:gosec // at most maxInterval
		Count: c.count, Errors: c.errors, Buckets: c.merged(),
	})
	c.since, c.first, c.last = c.last, 0, 0
	c.tally = tally{buckets: c.buckets[:0]}
}

// quietSpans finishes the cells that got nothing since the last Advance.
func (d *Decoder) quietSpans() {
	var quiet []*spanCell
	for _, c := range d.spans {
		if c.count > 0 && !c.fresh {
			quiet = append(quiet, c)
		}
		c.fresh = false
	}
	slices.SortFunc(quiet, func(a, b *spanCell) int {
		return cmp.Or(cmp.Compare(a.service, b.service), cmp.Compare(a.host, b.host))
	})
	for _, c := range quiet {
		d.finishSpans(c)
	}
}
