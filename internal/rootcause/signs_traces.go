package rootcause

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/otel-culprit/culprit/internal/fact"
)

// spansSignal is the signal of all requests of a service that were traced; those
// of its routes have its name, a blank and theirs.
const spansSignal = "spans"

func isRoute(signal string) bool { return strings.HasPrefix(signal, spansSignal+" ") }

// dropRoute makes room for a signal of all requests: routes only take what room
// is left.
func (v *victim) dropRoute(signal string) bool {
	if isRoute(signal) {
		return false
	}
	for i, s := range slices.Backward(v.signals) {
		if isRoute(s.Name) && (v.episode == nil || v.episode.signal != s) {
			v.signals = slices.Delete(v.signals, i, i+1)
			delete(v.routes, s.Name)
			return true
		}
	}
	return false
}

// trace notes what spans tell of a victim's requests, all of them or of a route.
func (v *victim) trace(f fact.Latency) {
	if f.Signal == spansSignal {
		v.traced.requests(f)
	}
	if !isRoute(f.Signal) {
		return
	}
	r := v.routes[f.Signal]
	if r == nil {
		r = new(route)
		if v.routes == nil {
			v.routes = map[string]*route{}
		}
		v.routes[f.Signal] = r
	}
	r.add(f)
}

// route is the spread of the time that the requests of a route take: their
// number, and the sums of its logarithm and of the square of that.
type route struct {
	count, sum, squares series
}

func (r *route) add(f fact.Latency) {
	var sum, squares float64
	for _, b := range f.Buckets {
		ln := math.Log(max((b.Low+b.High)/2, 1e-6))
		sum += ln * b.Count
		squares += ln * ln * b.Count
	}
	end, over := seconds(f.At), f.Over.Seconds()
	r.count.spread(end, over, f.Count)
	r.sum.spread(end, over, sum)
	r.squares.spread(end, over, squares)
}

// over is the number of requests in some seconds, with mean and variance of the
// logarithm of what they took.
func (r *route) over(from, to int64) (count, mean, variance float64) {
	n := float64(to - from + 1)
	count = r.count.mean(from, to) * n
	if count < 1 {
		return 0, 0, 0
	}
	mean = r.sum.mean(from, to) * n / count
	return count, mean, max(r.squares.mean(from, to)*n/count-mean*mean, 0)
}

const (
	// A route has few requests, and there are many routes: chance must be less than
	// one in a thousand million until one is believed on its own.
	routeDeviations = 6
	routeLooksBack  = 120 // seconds, so that what is long ago does not dilute a rise
)

// believes is whether an alarm is more than chance. Those of all requests are; a
// route must have had enough requests before and after, whose difference is beyond
// what their spread explains.
func (e *Engine) believes(v *victim, s *signal) bool {
	if !isRoute(s.Name) || v.episode != nil && v.episode.signal == s {
		return true
	}
	r := v.routes[s.Name]
	if r == nil {
		return false
	}
	now := s.View()
	usualCount, usual, usualVariance := r.over(now.Onset-e.p.Before, now.Onset-e.p.BeforeGap)
	count, mean, variance := r.over(max(now.Onset, now.Second-routeLooksBack), now.Second)
	if min(usualCount, count) < e.p.Latency.MinRequests {
		return false
	}
	deviation := math.Sqrt(usualVariance/usualCount + max(variance, usualVariance)/count)
	return mean-usual > max(routeDeviations*deviation, math.Log(e.p.Latency.MinRatio))
}

// onlyRoute says if an episode shows in one route, and not in all requests.
func (sc *scene) onlyRoute() []string {
	name := sc.ep.signal.Name
	if !isRoute(name) {
		return nil
	}
	return []string{fmt.Sprintf("only %s of %s became slower: most of its requests did not", strings.TrimPrefix(name, spansSignal+" "), sc.v.id.Service)}
}

// work is how many of something were done, and how long they took in all.
type work struct {
	count, time series
}

func (w *work) add(f fact.Fact, over, count, time float64) {
	w.count.spread(seconds(f.When()), over, count)
	w.time.spread(seconds(f.When()), over, time)
}

// requests adds those of a latency, each in the middle of its bucket.
func (w *work) requests(f fact.Latency) {
	var sum float64
	for _, b := range f.Buckets {
		sum += (b.Low + b.High) / 2 * b.Count
	}
	w.add(f, f.Over.Seconds(), f.Count, sum)
}

// callee is somebody whom a victim calls.
type callee struct {
	peer  string
	local bool
	work
}

// maxCallees bounds whom a victim calls.
const maxCallees = 16

// calls takes what a service asked of another. Whose latency nobody measures is no
// victim.
func (e *Engine) calls(f fact.Calls) error {
	for _, v := range e.victims {
		if v.id.Service != f.Service || v.id.Host != f.Host && v.id.Host != "" && f.Host != "" {
			continue
		}
		i, found := slices.BinarySearchFunc(v.callees, f.Peer, func(c *callee, peer string) int { return strings.Compare(c.peer, peer) })
		if !found {
			if len(v.callees) >= maxCallees {
				return fmt.Errorf("peers of %s: %w to %d", f.Service, ErrBound, maxCallees)
			}
			v.callees = slices.Insert(v.callees, i, &callee{peer: f.Peer})
		}
		v.callees[i].local = f.Local
		v.callees[i].add(f, f.Over.Seconds(), f.Count, f.Time)
		return nil
	}
	return nil
}

// slower is the least change of a call that anybody cares about, seconds.
const slower = 0.005

// slowCalls tells how much of what a request takes longer is spent in calls that
// take longer: of the peer that explains most. More calls than before are not the
// peer's doing.
func (sc *scene) slowCalls() []Evidence {
	took := sc.took(&sc.v.traced)
	if took.after-took.before < slower {
		return nil // the traces do not show the episode
	}
	var (
		most  *callee
		rise  float64
		calls shift
	)
	for _, c := range sc.v.callees {
		one := sc.took(&c.work)
		perRequest := sc.mean(c.count.at) / max(sc.mean(sc.v.traced.count.at), 1e-9)
		if r := (one.after - one.before) * perRequest; one.after > 0 && (most == nil || r > rise) {
			most, rise, calls = c, r, shift{before: one.before * perRequest, after: one.after * perRequest}
		}
	}
	if most == nil {
		return nil
	}
	ev := Evidence{
		Name: "calls", Value: calls.after, Unit: "s",
		Sentence: fmt.Sprintf("calls to %s take %s of the %s of a request, usually %s", most.peer, duration(calls.after), duration(took.after), duration(calls.before)),
	}
	share := clamp01(rise / (took.after - took.before))
	switch {
	case share < 0.1:
		ev.Term, ev.Strength = TermCallsFlat, 1
	case most.local:
		ev.Sentence += "; it is on the same host, and may be slow for the same reason"
	case calls.after > 1.3*calls.before:
		ev.Term, ev.Strength = TermCalls, share
	}
	return []Evidence{ev}
}

// calledElsewhere tells how much of the slowness is spent in calls to other hosts:
// what is taken on this one explains the rest only.
func (sc *scene) calledElsewhere() []Evidence {
	for _, ev := range sc.calls {
		if ev.Term == TermCalls {
			ev.Term = TermElsewhere
			return []Evidence{ev}
		}
	}
	return nil
}

// took is the mean time of one, before and after the onset.
func (sc *scene) took(w *work) shift {
	mean := func(from func(func(int64) float64) float64) float64 {
		if n := from(w.count.at); n > 0 {
			return from(w.time.at) / n
		}
		return 0
	}
	usual := func(at func(int64) float64) (sum float64) {
		for _, second := range sc.usual {
			sum += at(second)
		}
		return sum
	}
	return shift{before: mean(usual), after: mean(sc.mean)}
}
