package report

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxBuckets bounds the memory of a line; each bucket gives at most two points.
const maxBuckets = 500

// point is one value; at is in Unix nanoseconds.
type point struct {
	at int64
	v  float64
}

// bucket holds the extremes of one slot of time.
type bucket struct {
	slot   int64 // at / width
	lo, hi point
	gap    bool // nothing was known just before
}

// line is a series of values in time that never holds more than maxBuckets
// buckets: when it would, neighbouring slots are merged. A single spike of a
// long night is still in it.
//
//	width 1:  |a|b|c|d|e|f|
//	width 2:  |a b|c d|e f|   each with its smallest and largest value
type line struct {
	width   int64
	buckets []bucket
	gap     bool
}

// add appends a value. One that is not a number leaves a gap.
func (l *line) add(at time.Time, v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		l.gap = true
		return
	}
	if l.width == 0 {
		l.width = int64(time.Millisecond)
	}
	p := point{at.UnixNano(), v}
	b := bucket{slot: p.at / l.width, lo: p, hi: p, gap: l.gap}
	l.gap = false
	if n := len(l.buckets); n > 0 && b.slot <= l.buckets[n-1].slot {
		l.buckets[n-1].merge(b)
		return
	}
	l.buckets = append(l.buckets, b)
	for len(l.buckets) > maxBuckets {
		l.widen()
	}
}

// widen doubles the slots.
func (l *line) widen() {
	l.width *= 2
	merged := l.buckets[:0]
	for _, b := range l.buckets {
		b.slot = b.lo.at / l.width
		if n := len(merged); n > 0 && b.slot <= merged[n-1].slot {
			merged[n-1].merge(b)
			continue
		}
		merged = append(merged, b)
	}
	l.buckets = merged
}

func (b *bucket) merge(other bucket) {
	if other.lo.v < b.lo.v {
		b.lo = other.lo
	}
	if other.hi.v > b.hi.v {
		b.hi = other.hi
	}
}

// extremes are the smallest and largest value; ok is false if there is none.
func (l *line) extremes() (lo, hi float64, ok bool) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, b := range l.buckets {
		lo, hi = min(lo, b.lo.v), max(hi, b.hi.v)
	}
	return lo, hi, len(l.buckets) > 0
}

// segments are the points in time order, apart where nothing was known: where
// a value was missing, or where the next is far later than is usual here.
func (l *line) segments() [][]point {
	limit := 5 * l.usualStep()
	var all [][]point
	for i, b := range l.buckets {
		first, second := b.lo, b.hi
		if second.at < first.at {
			first, second = second, first
		}
		if i == 0 || b.gap || (limit > 0 && first.at-l.buckets[i-1].last() > limit) {
			all = append(all, nil)
		}
		n := len(all) - 1
		all[n] = append(all[n], first)
		if second.at != first.at {
			all[n] = append(all[n], second)
		}
	}
	return all
}

func (b bucket) last() int64 { return max(b.lo.at, b.hi.at) }

// usualStep is the median time between neighbours.
func (l *line) usualStep() int64 {
	if len(l.buckets) < 3 {
		return 0
	}
	steps := make([]int64, 0, len(l.buckets)-1)
	for i, b := range l.buckets[1:] {
		steps = append(steps, b.last()-l.buckets[i].last())
	}
	slices.Sort(steps)
	return steps[len(steps)/2]
}

// at is the value at or before t in a segment, or its first.
func valueAt(segment []point, t int64) float64 {
	v := segment[0].v
	for _, p := range segment {
		if p.at > t {
			break
		}
		v = p.v
	}
	return v
}

// path writes SVG path data.
type path struct {
	b strings.Builder
}

func (p *path) number(v float64) {
	p.b.WriteString(strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64))
}

func (p *path) to(command byte, x, y float64) {
	p.b.WriteByte(command)
	p.number(x)
	p.b.WriteByte(',')
	p.number(y)
}

// xy is a point in the drawing's units.
type xy struct{ x, y float64 }

// project places a segment on the drawing and leaves out points inside a level
// stretch, which a straight line draws just as well.
func project(segment []point, span span, sc scale) []xy {
	out := make([]xy, 0, len(segment))
	for _, p := range segment {
		q := xy{span.x(p.at), math.Round(sc.y(p.v)*10) / 10}
		if n := len(out); n >= 2 && out[n-1].y == q.y && out[n-2].y == q.y {
			out[n-1] = q
			continue
		}
		out = append(out, q)
	}
	return out
}

// stroke is the path data of a line.
func stroke(l *line, span span, sc scale) string {
	var p path
	for _, segment := range l.segments() {
		pts := project(segment, span, sc)
		p.to('M', pts[0].x, pts[0].y)
		for _, q := range pts[1:] {
			p.to('L', q.x, q.y)
		}
		if len(pts) == 1 {
			p.to('L', pts[0].x+0.5, pts[0].y)
		}
	}
	return p.b.String()
}

// fill is the path data of the area between a line and the bottom.
func fill(l *line, span span, sc scale) string {
	var p path
	for _, segment := range l.segments() {
		pts := project(segment, span, sc)
		p.to('M', pts[0].x, plotHeight)
		for _, q := range pts {
			p.to('L', q.x, q.y)
		}
		p.to('L', pts[len(pts)-1].x, plotHeight)
		p.b.WriteByte('Z')
	}
	return p.b.String()
}

// between is the path data of the area from the lower to the upper line.
func between(lower, upper *line, span span, sc scale) string {
	lows := lower.segments()
	var p path
	for _, segment := range upper.segments() {
		i := slices.IndexFunc(lows, func(s []point) bool {
			return s[0].at <= segment[len(segment)-1].at && s[len(s)-1].at >= segment[0].at
		})
		if i < 0 {
			continue
		}
		below := make([]point, len(segment))
		for j, q := range segment {
			below[j] = point{q.at, valueAt(lows[i], q.at)}
		}
		pts, back := project(segment, span, sc), project(below, span, sc)
		p.to('M', pts[0].x, pts[0].y)
		for _, q := range pts[1:] {
			p.to('L', q.x, q.y)
		}
		for _, q := range slices.Backward(back) {
			p.to('L', q.x, q.y)
		}
		p.b.WriteByte('Z')
	}
	return p.b.String()
}
