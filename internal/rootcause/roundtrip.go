package rootcause

import (
	"fmt"
	"math"
	"slices"

	"github.com/otel-culprit/culprit/internal/fact"
)

// A link that is full makes a queue, and what waits in it comes back later: the
// round trips of the victim's own connections tell, whatever speed the link is
// said to have, and where the queue is in a switch. Whose packets the queue is of
// they do not tell: it is others' on this host only if they send more than before.

// trips is how long what the victim sends is under way.
type trips struct {
	shift

	known    bool
	strength float64 // how much of the slowness they can be, 0 to 1
	others   float64 // how much of the traffic is of others, and was not there before, 0 to 1
	own      float64 // likewise the victim's own
}

// A request takes a few round trips: the connection's, and one for each window of
// the answer. Round trips that grew by a quarter of what the latency did explain
// it, by a twentieth nothing of it, and so do those that nobody notices.
const (
	tripsExplain = 1. / 4
	tripsNothing = 1. / 20
	leastTrip    = 0.002 // seconds
)

// measureTrips compares the round trips, and asks who sends more.
func (sc *scene) measureTrips() trips {
	s, known := sc.roundTrips()
	if !known {
		return trips{}
	}
	slower := sc.slower()
	t := trips{shift: s, known: true, strength: rise(s, max(leastTrip, tripsNothing*slower), tripsExplain*slower)}
	if t.strength > 0 {
		t.others, t.own = sc.newTraffic()
	}
	return t
}

// roundTrips are the mean of what was sent, weighed by bytes: a long answer waits
// in the queue with all of itself.
func (sc *scene) roundTrips() (s shift, known bool) {
	var before []float64
	for _, second := range sc.usual {
		sent := sc.own(second, fact.NetworkTransmit)
		if sent > 0 && !slices.ContainsFunc(sc.owners, func(w *workload) bool { return w.unheard.has(second) }) {
			before = append(before, sc.own(second, fact.Flight)/sent)
		}
	}
	flight := sc.mean(func(second int64) float64 { return sc.own(second, fact.Flight) })
	sent := sc.mean(func(second int64) float64 { return sc.own(second, fact.NetworkTransmit) })
	if len(before) < min(enoughBefore, len(sc.usual)) || flight <= 0 || sent <= 0 {
		return shift{}, false
	}
	return newShift(before, flight/sent, leastTrip), true
}

// slower is by how many seconds the latency rose.
func (sc *scene) slower() float64 {
	return max(0, sc.ep.usual*math.Expm1(sc.mean(sc.ep.signal.excess.at)))
}

// newTraffic tells how much of the traffic was not there before, and is of others or
// of the victim.
func (sc *scene) newTraffic() (others, own float64) {
	var all, mine shift
	told := false
	for _, h := range slices.Concat(sc.hosts, sc.sharing()) {
		if _, ok := sc.reach(h, SharedNetwork); !ok {
			continue
		}
		for _, w := range h.workloads {
			if !w.tells(SharedNetwork) {
				continue
			}
			told = true
			moved := sc.change(func(second int64) float64 { return w.usedOf(SharedNetwork, second) })
			all = all.plus(moved)
			if w.doesWorkOf(sc.v.id.Service) {
				mine = mine.plus(moved)
			}
		}
	}
	if !told {
		all = sc.change(sc.onHosts((*host).linksMoved))
	}
	part := func(more float64) float64 {
		return weighty(more / max(all.after, smallest[SharedNetwork]))
	}
	more := all.after - all.before
	own = mine.after - mine.before
	return part(more-own) * clamp01((more-own)/max(more, 1)), part(own)
}

// change is the mean before and after.
func (sc *scene) change(at func(int64) float64) shift {
	var sum float64
	for _, second := range sc.usual {
		sum += at(second)
	}
	return shift{before: sum / float64(max(1, len(sc.usual))), after: sc.mean(at)}
}

func (s shift) plus(o shift) shift {
	return shift{before: s.before + o.before, after: s.after + o.after}
}

// networkWait is how full the links are, and what of longer round trips is due to
// what others send.
func (sc *scene) networkWait() wait {
	full, t := sc.links(), sc.trips
	if !t.known || full.strength > t.strength*t.others {
		return full
	}
	w := wait{
		own: true, direct: true, strength: t.strength * t.others,
		sentence: fmt.Sprintf("what %s sends is under way for %s until it is acknowledged, usually %s", sc.v.id.Service, duration(t.after), duration(t.before)),
	}
	switch {
	case t.strength == 0, t.others > 0:
	case t.own > 0:
		w.sentence += ", and it sends more itself"
	default:
		w.sentence += ", though hardly more is sent here"
	}
	return w
}

// farAway tells that round trips grew though this host does not send more: the way
// to the clients is longer, or its queue is somewhere else.
func (sc *scene) farAway() (Evidence, bool) {
	t := sc.trips
	strength := t.strength * (1 - t.others) * (1 - t.own)
	if strength == 0 {
		return Evidence{}, false
	}
	return Evidence{
		Name: "round_trip", Value: t.after, Unit: "s", Term: TermRoundTrip, Strength: strength,
		Sentence: fmt.Sprintf("what %s sends is under way for %s until it is acknowledged, usually %s, and this host hardly sends more: the way to its clients is slow",
			sc.v.id.Service, duration(t.after), duration(t.before)),
	}, true
}
