package rootcause

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// closeness falls from 1 by a factor of e every ten seconds.
func closeness(seconds int64) float64 { return math.Exp(-float64(seconds) / 10) }

// rivals are the explanations that blame no workload. All are always listed.
func (e *Engine) rivals(sc *scene, candidates []scored) []scored {
	return []scored{
		e.surge(sc), e.ownWork(sc), e.faultyDisk(sc, candidates), e.upstream(sc, candidates),
		e.unknown(),
	}
}

// unknown is what is left when nothing that is measured explains enough.
func (e *Engine) unknown() scored {
	s := e.suspect(Suspect{Cause: UnknownCause}, PriorUnknown)
	s.add(Evidence{Name: "unexplained", Unit: "1", Sentence: "something that is not measured here"})
	return s
}

func (e *Engine) surge(sc *scene) scored {
	s := e.suspect(Suspect{Cause: TrafficSurge}, PriorSurge)
	ratio := sc.rate.ratio(0.5)
	e.heed(sc, &s)
	ev := Evidence{
		Name: "request_rate", Value: sc.rate.after, Unit: "{request}/s",
		Sentence: fmt.Sprintf("%s gets %.0f requests per second, usually %.0f", sc.v.id.Service, sc.rate.after, sc.rate.before),
	}
	if more := e.moreSessions(sc); more > surgeRatio {
		s.add(Evidence{
			Name: "crowd", Value: more, Unit: "1", Term: TermCrowd, Strength: clamp01(math.Log2(more)) * (1 - sc.heldUp()),
			Sentence: fmt.Sprintf("%.1f times as many sessions are at work, and as many requests are done as usual", more),
		})
	}
	if ratio < surgeRatio {
		if len(s.Evidence) == 0 {
			ev.Term, ev.Strength = TermRateFlat, 1
		}
		s.add(ev)
		return s
	}
	ev.Term, ev.Strength = TermRate, clamp01(math.Log2(ratio))
	s.add(ev)
	if sc.loadKnown {
		load := Evidence{
			Name: "load", Value: sc.loadShare, Unit: "1", Term: TermLoad, Strength: sc.loadShare,
			Sentence: fmt.Sprintf("that rate explains %s of the rise, as far as was learned", percent(sc.loadShare)),
		}
		if sc.loadShare < 0.5 {
			load.Term, load.Strength = TermNoLoad, 1-2*sc.loadShare
		}
		s.add(load)
	}
	if len(sc.owners) > 0 {
		s.add(Evidence{
			Name: "own_cpu", Value: sc.ownCPU.after, Unit: "{cpu}", Term: TermOwnCPU, Strength: clamp01(math.Log2(sc.ownCPU.ratio(0.02))),
			Sentence: fmt.Sprintf("%s itself uses %.2f CPUs, usually %.2f", sc.v.id.Service, sc.ownCPU.after, sc.ownCPU.before),
		})
	}
	return s
}

func (e *Engine) ownWork(sc *scene) scored {
	s := e.suspect(Suspect{Cause: OwnWork}, PriorOwnWork)
	e.heed(sc, &s)
	if len(sc.owners) == 0 {
		s.add(Evidence{Name: "cpu_per_request", Unit: "1", Sentence: fmt.Sprintf("which processes serve %s is not known", sc.v.id.Service)})
		return s
	}
	perRequest := sc.ownCPU.ratio(0.02) / sc.rate.ratio(0.5)
	// Less work in all slows nobody, however few requests it is done for.
	more := clamp01(math.Log2(max(perRequest/1.3, 1))) * clamp01(2*sc.ownCPU.ratio(0.02)-1)
	s.add(Evidence{
		Name: "cpu_per_request", Value: perRequest, Unit: "1", Term: TermPerRequest, Strength: more,
		Sentence: fmt.Sprintf("%s spends %.1f times its usual CPU time on a request", sc.v.id.Service, perRequest),
	})
	grown := clamp01(math.Log2(max(sc.ownCPU.ratio(0.02), 1)) / math.Log2(1.5)) // in all, not for each of few requests only
	if alone := clamp01(2*more) * grown * (1 - max(sc.heldUp(), sc.waits[SharedLock].strength)); alone > 0 && sc.waitsKnown {
		s.add(Evidence{
			Name: "works_alone", Value: alone, Unit: "1", Term: TermWorksAlone, Strength: alone,
			Sentence: sc.v.id.Service + " does so without waiting more than usual for what others use, too",
		})
	}
	return s
}

func (e *Engine) faultyDisk(sc *scene, candidates []scored) scored {
	s := e.suspect(Suspect{Cause: FaultyDisk, Resource: SharedDisk}, PriorFaultyDisk)
	e.heed(sc, &s)
	var (
		more float64
		hog  string
	)
	for _, c := range candidates {
		if rise := c.share.after - c.share.before; c.Resource == SharedDisk && c.workload != nil && rise > 0 {
			more += rise
			hog = cmp.Or(hog, NameOf(c.Workload))
		}
	}
	byItself := 1 - weighty(more)
	switch {
	case sc.slowDisk.found && byItself > 0:
		slow, wait := sc.slowDisk.evidence, waited(sc, SharedDisk)
		slow.Strength *= byItself
		wait.Strength *= byItself
		s.add(slow)
		s.add(wait)
	case hog != "":
		s.add(Evidence{Name: "slow_disk", Unit: "s", Sentence: hog + " uses the disk more, so that a slow disk would be no surprise"})
	case len(s.Evidence) == 0:
		s.add(Evidence{Name: "slow_disk", Unit: "s", Sentence: "no I/O error was seen, and no disk became slower at unchanged load"})
	}
	return s
}

func (e *Engine) upstream(sc *scene, candidates []scored) scored {
	s := e.suspect(Suspect{Cause: Upstream}, PriorUpstream)
	if sc.starved >= fellIdle {
		s.Resource = SharedNetwork
		s.add(Evidence{
			Name: "starved", Value: sc.served, Unit: "1", Term: TermStarved, Strength: sc.starved * sc.starved,
			Sentence: fmt.Sprintf("only %s of the usual requests are done, and the host fell idle with them: they do not get here, or wait elsewhere", percent(sc.served)),
		})
		return s
	}
	e.heed(sc, &s)
	if ev, ok := sc.farAway(); ok {
		s.Resource = SharedNetwork
		s.add(ev)
	}
	if e.changedHere(sc, candidates) {
		s.add(Evidence{Name: "nothing_waits", Unit: "1", Sentence: "what changed on this host is reason enough to look here first"})
		return s
	}
	s.add(Evidence{
		Name: "nothing_waits", Value: 1, Unit: "1", Term: TermNothingWaits, Strength: 1,
		Sentence: fmt.Sprintf("nothing on the host explains it: no workload uses much more and %s waits for no resource", sc.v.id.Service),
	})
	return s
}

// fellIdle is how idle a host is, as compared with before, until that says more
// than what else changed on it.
const fellIdle = 0.5

// surely is from how many deviations a use has changed.
const surely = 3

// changedHere reports whether anything measured on the host changed with the
// latency, or nothing was measured that could tell.
func (e *Engine) changedHere(sc *scene, candidates []scored) bool {
	if slices.ContainsFunc(candidates, func(c scored) bool { return c.shift.z >= surely }) || !sc.waitsKnown || sc.rate.ratio(0.5) >= surgeRatio {
		return true
	}
	for _, w := range sc.waits {
		if w.strength > 0.1 {
			return true
		}
	}
	return len(sc.owners) > 0 && sc.ownCPU.after > 1.3*sc.ownCPU.before+0.02
}
