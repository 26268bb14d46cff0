package rootcause

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// assessment is what stands of an episode at a moment.
type assessment struct {
	state     State
	suspects  []Suspect // ranked
	backups   []Backup
	missing   []string
	remedies  []Remedy
	usualRate float64
}

// same reports whether two assessments say the same to a person.
func (a assessment) same(b assessment) bool {
	if a.state != b.state || !a.sameTop(b) || len(a.backups) != len(b.backups) {
		return false
	}
	for i := range a.backups {
		if a.backups[i].Window.ID != b.backups[i].Window.ID || a.backups[i].Finding != b.backups[i].Finding {
			return false
		}
	}
	return true
}

func (a assessment) sameTop(b assessment) bool {
	if len(a.suspects) == 0 || len(b.suspects) == 0 {
		return len(a.suspects) == len(b.suspects)
	}
	s, t := a.suspects[0], b.suspects[0]
	// Of those that are named together it does not matter who is a little ahead.
	return s.Cause == t.Cause && s.Resource == t.Resource && (s.Workload == t.Workload || s.Together && t.Together)
}

// scored is a suspect with its score before probabilities are made.
type scored struct {
	Suspect
	score    float64
	weights  Weights
	workload *workload
	shift    shift // of its use
	share    total // of all use
}

// suspect is a suspect of whom nothing is known yet but how often such are guilty.
func (e *Engine) suspect(s Suspect, prior Term) scored {
	s.Prior = prior
	return scored{Suspect: s, score: e.p.Weights[prior], weights: e.p.Weights}
}

// add weighs a piece of evidence in.
func (s *scored) add(ev Evidence) {
	ev.Weight = s.weights[ev.Term] * ev.Strength
	s.score += ev.Weight
	s.Evidence = append(s.Evidence, ev)
}

// assess ranks the explanations of a victim's episode.
func (e *Engine) assess(v *victim, ep *episode) assessment {
	sc := e.newScene(v, ep)
	e.looked += workLook
	candidates := slices.Concat(e.candidates(sc), e.lockHolders(sc), e.spaceTakers(sc), e.unseen(sc))
	list := slices.Concat(candidates, e.rivals(sc, candidates))
	if len(sc.usual) < sc.fewest() { // right after a restart all that is there seems to have risen
		list = []scored{e.unknown()}
	}
	scores := make([]float64, len(list))
	for i, s := range list {
		scores[i] = s.score
	}
	for i, p := range softmax(e.p.tempered(scores)) {
		list[i].Probability = p
	}
	slices.SortStableFunc(list, func(a, b scored) int { return cmp.Compare(b.Probability, a.Probability) })

	together := conspire(list)
	a := assessment{usualRate: sc.rate.before, missing: e.missing(sc)}
	for _, s := range list {
		s.Score = s.score
		a.suspects = append(a.suspects, s.Suspect)
	}
	a.state = e.state(a.suspects, together, sc)
	a.backups = e.findings(sc, a.state, list)
	a.remedies = e.remedies(sc, list[0])
	return a
}

// conspire marks the workloads that take the same resource as the strongest and
// have nearly as much against them, at least half its use: two backups that
// started at once. It returns the probability that it is any of them.
func conspire(ranked []scored) (together float64) {
	top := &ranked[0]
	together = top.Probability
	if top.Cause != Contention {
		return together
	}
	for i := range ranked[1:] {
		s := &ranked[1+i]
		if s.Cause == Contention && s.Resource == top.Resource && s.workload != nil && s.Resource < SharedSpace && s.Probability >= top.Probability/4 &&
			s.shift.after-s.shift.before >= (top.shift.after-top.shift.before)/2 {
			top.Together, s.Together = true, true
			together += s.Probability
		}
	}
	return together
}

// state is how sure a ranking is. A workload is named only if the victim is known
// to wait for what it takes.
func (e *Engine) state(ranked []Suspect, together float64, sc *scene) State {
	top := ranked[0]
	lead := together
	for _, s := range ranked[1:] {
		if !s.Together {
			lead -= s.Probability
			break
		}
	}
	switch {
	case top.Cause == UnknownCause || together < e.p.ProbableAt:
		return StateUnknown
	case together >= e.p.NamedAt && lead >= e.p.Margin && (top.Cause != Contention || sc.waits[top.Resource].own && sc.waits[top.Resource].strength > 0):
		return StateNamed
	default:
		return StateProbable
	}
}

// smallest is the change of each shared resource that matters to anybody.
var smallest = [numShared]float64{SharedCPU: 0.02, SharedDisk: 256e3, SharedNetwork: 128e3, SharedMemory: 16e6, SharedCache: 2e6}

// candidates are the workloads whose use of something the victim shares has
// risen, each with the resource that speaks most against it.
func (e *Engine) candidates(sc *scene) []scored {
	var list []scored
	about, u := e.about(sc), e.newUse(sc)
	for _, h := range slices.Concat(sc.hosts, sc.sharing()) {
		var reached [numShared]bool
		for r := range about {
			_, reached[r] = sc.reach(h, Shared(r))
		}
		e.looked += len(h.workloads)
		for _, w := range h.workloads {
			if w.isNobody() || w.doesWorkOf(sc.v.id.Service) {
				continue
			}
			var best *scored
			for r, evidence := range about {
				if evidence == nil || !reached[r] {
					continue
				}
				s, ok := e.candidate(sc, u, w, Shared(r))
				if !ok {
					continue
				}
				for _, ev := range evidence {
					s.add(ev)
				}
				if best == nil || s.score > best.score {
					best = &s
				}
			}
			if best != nil {
				list = append(list, *best)
			}
		}
	}
	byScore := func(a, b scored) int { return cmp.Compare(b.score, a.score) }
	slices.SortStableFunc(list, byScore)
	list = list[:min(len(list), e.p.TopWorkloads)]
	for i := range list {
		e.lookCloser(sc, u, &list[i])
	}
	slices.SortStableFunc(list, byScore)
	return list
}

// about is, for each resource that a workload can take from the victim, the
// evidence that is the same against all who use more of it.
func (e *Engine) about(sc *scene) (list [numShared][]Evidence) {
	for r := SharedCPU; r < SharedSpace; r++ { // room is taken before it is gone, and locks have holders
		if r <= SharedMemory || sc.waits[r].strength > 0 { // else so much is read and written every day
			list[r] = slices.Concat([]Evidence{waited(sc, r)}, sc.calledElsewhere(), e.signs(sc, Contention, r))
		}
	}
	return list
}

// candidate weighs how the use of a resource by a workload has risen. The words
// are left to lookCloser.
func (e *Engine) candidate(sc *scene, u *use, w *workload, r Shared) (scored, bool) {
	if r == SharedCPU && w.cpus.apart(sc.ownCPUs()) {
		return scored{}, false
	}
	if sc.used(u, w, r); u.after < smallest[r] {
		return scored{}, false
	}
	s, ok := rose(u.before, u.after, smallest[r], e.p.MinShift)
	if !ok {
		return scored{}, false
	}
	c := e.suspect(Suspect{Cause: Contention, Resource: r, Workload: w.id, Evidence: make([]Evidence, 0, 8)}, PriorContention)
	c.workload, c.shift, c.share = w, s, sc.share(u, w.host, r)
	more := c.share.after - c.share.before
	c.add(Evidence{Name: "shift", Value: s.after - s.before, Unit: r.unit(), Term: TermShift, Strength: shiftStrength(s.z)})
	c.add(Evidence{Name: "share", Value: more, Unit: "1", Term: TermShare, Strength: clamp01(more)})
	c.add(onsetOrder(sc, e.p.OnsetWithin, u.at, s))
	if r == SharedDisk && sc.slowDisk.found {
		c.add(sc.slowDisk.against(more))
	}
	return c, true
}

// lookCloser puts a candidate that stays in the list into words, and asks what
// takes longer to answer.
func (e *Engine) lookCloser(sc *scene, u *use, c *scored) {
	h, r := c.workload.host, c.Resource
	c.Tool = c.workload.tool()
	c.Evidence[0].Sentence = fmt.Sprintf("%s uses %s, before the onset %s", sc.withServers(h, c.workload), r.amount(c.shift.after), r.amount(c.shift.before))
	c.Evidence[1].Sentence = fmt.Sprintf("it has %s of all %s use, before %s", percent(c.share.after), r, percent(c.share.before))
	if through, _ := sc.reach(h, r); through != "" {
		c.add(Evidence{Name: "shared", Unit: "1", Value: 1, Sentence: fmt.Sprintf("%s shares %s with %s", h.name, through, sc.hosts[0].name)})
	}
	sc.used(u, c.workload, r)
	for _, look := range []func() (Evidence, bool){
		func() (Evidence, bool) { return sc.dose(u.at) },
		func() (Evidence, bool) { return sc.paused(u.at, c.shift) },
		func() (Evidence, bool) { return sc.ended(u.at, c.shift, h.last-1) },
		func() (Evidence, bool) { return e.past(sc, c) },
		func() (Evidence, bool) { return e.nightsDose(sc, c) },
		func() (Evidence, bool) { return sc.sameHour(c) },
	} {
		if ev, ok := look(); ok {
			c.add(ev)
		}
	}
}

// shiftStrength is 1 where a use rose by some fifty deviations, and grows slowly
// beyond.
func shiftStrength(z float64) float64 { return math.Log1p(max(0, z)) / 4 }

// share is the part of all use of a resource that is a workload's.
func (sc *scene) share(u *use, h *host, r Shared) (part total) {
	t := sc.total(u, h, r)
	if t.after > 0 {
		part.after = u.after / t.after
	}
	if t.before > 0 {
		for _, used := range u.before {
			part.before += used / t.before
		}
	}
	return part
}

// total is what all workloads of a host used of a resource: the sum over the
// usual seconds, and the mean after the onset.
func (sc *scene) total(like *use, h *host, r Shared) total {
	key := totalOf{h, r}
	t, ok := sc.totals[key]
	if !ok {
		u := like.blank()
		for _, w := range h.workloads {
			sc.read(u, w, r)
			sc.compare(u)
			for _, used := range u.before {
				t.before += used
			}
			t.after += u.after
		}
		sc.totals[key] = t
	}
	return t
}

type totalOf struct {
	host *host
	r    Shared
}

// total is a use before and after the onset.
type total struct{ before, after float64 }

// onsetOrder compares when the use rose with when the latency did: a cause does not
// come after its effect.
func onsetOrder(sc *scene, within int64, at func(int64) float64, s shift) Evidence {
	level := s.before + (s.after-s.before)/2
	began := sc.onset - within
	for began < sc.to && at(began) < level {
		began++
	}
	lead := sc.onset - began
	ev := Evidence{Name: "onset_order", Value: float64(lead), Unit: "s"}
	switch {
	case lead < -sc.slack:
		ev.Term, ev.Strength = TermOnsetLate, 1
		ev.Sentence = fmt.Sprintf("it rose %d s after the latency did", -lead)
	case lead >= within:
		ev.Sentence = "it was as high a minute before the latency rose"
	default:
		ev.Term, ev.Strength = TermOnset, closeness(max(0, lead-sc.slack))
		ev.Sentence = "it rose " + beside(lead)
	}
	return ev
}

func beside(lead int64) string {
	switch {
	case lead > 0:
		return fmt.Sprintf("%d s before the latency did", lead)
	case lead < 0:
		return fmt.Sprintf("%d s after the latency, within what the readings can tell", -lead)
	default:
		return "in the same second as the latency"
	}
}

// waited weighs what the victim waits for, less what its own load explains.
func waited(sc *scene, r Shared) Evidence {
	w := sc.waits[r]
	ev := Evidence{Name: "wait", Value: w.strength, Unit: "1", Sentence: w.sentence}
	switch {
	case w.sentence == "":
		ev.Sentence = fmt.Sprintf("waiting for %s is not measured here", r)
	case w.strength == 0 && w.indirect: // busy hosts hurt, idle ones exonerate nobody
	case w.strength == 0 && w.direct:
		ev.Term, ev.Strength = TermNoWait, 2
	case w.strength == 0:
		ev.Term, ev.Strength = TermNoWait, 1
	default:
		var all float64
		for _, other := range sc.waits {
			all += other.strength
		}
		ev.Term, ev.Strength = TermWait, w.strength*w.strength/max(1, all)*(1-sc.loadShare)
		if r == SharedLock {
			ev.Term = TermLockWait
		}
	}
	return ev
}
