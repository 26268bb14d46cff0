package otelfact

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
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

const (
	spansSignal = "spans"
	// Routes and peers of a service that are told one by one; the rest together.
	maxRoutes  = 10
	maxPeers   = 10
	otherParts = "others"
	maxPart    = 100 // bytes of a route's or a peer's name
)

// spanCell gathers the spans of a service until they cover a second of their own
// time: those of its requests, and those of its calls to others.
type spanCell struct {
	victim
	touched     time.Time
	batch       int  // that it was last seen in
	fresh       bool // since the last Advance
	since, last pcommon.Timestamp
	first       pcommon.Timestamp
	tally
	routes map[string]*part
	peers  map[string]*part
}

// part is of the spans of a service: those of a route, or of the calls to a peer.
type part struct {
	tally
	time    float64 // seconds, summed
	local   bool
	touched time.Time
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

// span counts a span, if it is one that a server made for a request or for a call
// to another; it gives the cell that it counted in.
func (d *Decoder) span(res *resource, span ptrace.Span) *spanCell {
	if span.Kind() != ptrace.SpanKindServer && span.Kind() != ptrace.SpanKindClient {
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
	var peer peer
	if span.Kind() == ptrace.SpanKindClient {
		if peer = peerOf(span.Attributes(), res.host); peer.name == "" {
			return nil
		}
	}
	who := victim{service: res.service, host: res.host, signal: spansSignal}
	c := remember(d, d.spans, who)
	if c == nil {
		return nil
	}
	c.victim, c.touched, c.fresh = who, d.now, true
	c.last = max(c.last, end)
	if c.first == 0 || end < c.first {
		c.first = end
	}
	took := time.Duration(end - start).Seconds()
	failed := span.Status().Code() == ptrace.StatusCodeError || isFailed(span.Attributes())
	if peer.name != "" {
		p := partOf(&c.peers, peer.name, maxPeers, d.now)
		p.local = peer.local
		p.count, p.time = p.count+1, p.time+took
		if failed {
			p.errors++
		}
		return c
	}
	c.span(took, failed)
	if route := routeOf(span.Attributes()); route != "" {
		partOf(&c.routes, route, maxRoutes, d.now).span(took, failed)
	}
	d.serving(res, end)
	return c
}

// span counts a request that was traced.
func (t *tally) span(took float64, failed bool) {
	t.add(binOf(took, 1), failed)
	if len(t.buckets) > 4*maxBuckets {
		t.buckets = mergeEqual(t.buckets)
	}
}

// partOf finds a part by its name, or what gathers the rest once there are limit.
func partOf(parts *map[string]*part, name string, limit int, now time.Time) *part {
	if *parts == nil {
		*parts = map[string]*part{}
	}
	p := (*parts)[name]
	if p == nil {
		if len(*parts) >= limit {
			name = otherParts
			p = (*parts)[name]
		}
		if p == nil {
			p = new(part)
			(*parts)[name] = p
		}
	}
	p.touched = now
	return p
}

// routeOf names what a request asked for, without what is different each time;
// empty if the span tells no such name.
func routeOf(attrs pcommon.Map) string {
	var method, route, service string
	for name, v := range attrs.All() {
		switch name {
		case "http.route":
			route = v.Str()
		case "url.template":
			route = cmp.Or(route, v.Str())
		case "http.request.method", "http.method":
			method = v.Str()
		case "rpc.method":
			route = cmp.Or(route, v.Str())
		case "rpc.service":
			service = v.Str()
		}
	}
	switch {
	case route == "":
		return ""
	case method != "":
		route = method + " " + route
	case service != "":
		route = service + "/" + route
	}
	return legible(route, maxPart)
}

// peer is who is called.
type peer struct {
	name  string // empty if not told
	local bool   // on the same host
}

// peerOf names who is called: as the caller calls it, else by its kind and
// address.
func peerOf(attrs pcommon.Map, host string) peer {
	var named, system, address string
	for name, v := range attrs.All() {
		switch name {
		case "service.peer.name", "peer.service":
			named = v.Str()
		case "db.system.name", "db.system":
			system = v.Str()
		case "server.address", "net.peer.name":
			address = v.Str()
		}
	}
	p := peer{local: address != "" && address == host || isLoopback(address)}
	switch {
	case named != "":
		p.name = named
	case system != "" && address != "":
		p.name = system + " on " + address
	default:
		p.name = cmp.Or(system, address)
	}
	p.name = legible(p.name, maxPart)
	return p
}

// isLoopback reports whether an address is of the same host: by number, by name
// or a socket in the file system.
func isLoopback(address string) bool {
	return address == "localhost" || address == "::1" || strings.HasPrefix(address, "127.") || strings.HasPrefix(address, "/")
}

// begin is where the interval of the gathered spans begins.
func (c *spanCell) begin() pcommon.Timestamp {
	if c.since > 0 && c.since < c.last && c.last-c.since <= pcommon.Timestamp(maxSpanGap) {
		return c.since
	}
	return c.first
}

func (d *Decoder) finishSpans(c *spanCell) {
	over := time.Duration(min(max(c.last-c.begin(), pcommon.Timestamp(minSpanInterval)), pcommon.Timestamp(maxInterval))) //nolint:gosec // at most maxInterval
	tell := func(signal string, t *tally) {
		if t.count > 0 {
			d.out = append(d.out, fact.Latency{
				At: c.last.AsTime(), Over: over, Service: c.service, Host: c.host, Signal: signal,
				Count: t.count, Errors: t.errors, Buckets: t.merged(),
			})
		}
		*t = tally{buckets: t.buckets[:0]}
	}
	tell(c.signal, &c.tally)
	for _, name := range slices.Sorted(maps.Keys(c.routes)) {
		if len(c.routes) == 1 {
			c.routes[name].tally = tally{} // it is the sum
			continue
		}
		tell(c.signal+" "+name, &c.routes[name].tally)
	}
	for _, name := range slices.Sorted(maps.Keys(c.peers)) {
		p := c.peers[name]
		if p.count > 0 {
			d.out = append(d.out, fact.Calls{
				At: c.last.AsTime(), Over: over, Service: c.service, Host: c.host, Peer: name, Local: p.local, Count: p.count, Errors: p.errors, Time: min(p.time, maxSeconds),
			})
		}
		*p = part{local: p.local, touched: p.touched}
	}
	silent := func(_ string, p *part) bool { return d.isSilent(p.touched) }
	maps.DeleteFunc(c.routes, silent)
	maps.DeleteFunc(c.peers, silent)
	c.since, c.first, c.last = c.last, 0, 0
}

// quietSpans finishes the cells that got nothing since the last Advance.
func (d *Decoder) quietSpans() {
	var quiet []*spanCell
	for _, c := range d.spans {
		if c.first > 0 && !c.fresh {
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
