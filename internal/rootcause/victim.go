package rootcause

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"time"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/latency"
)

// victim is a service on a host, with the signals that tell of its latency.
type victim struct {
	id      Victim
	signals []*signal         // sorted by preference, then name
	rate    series            // requests per second of the preferred signal
	errors  series            // of them, failed
	traced  work              // what spans tell of the requests
	routes  map[string]*route // by signal
	callees []*callee         // whom it calls, sorted by name
	heard   int64             // Unix seconds of the newest fact
	past    []period          // earlier episodes that Before may reach into
	// recalled is what signals learned that were not heard since, by their names.
	recalled map[string]latency.State
	hours    hours // without a backup
	episode  *episode
}

// signal is a latency signal, with what it had over its baseline in each second:
// the logarithm of the ratio, zero where either is not known.
type signal struct {
	*latency.Signal

	excess series
}

// add judges a fact and writes down what the signal reads since.
func (s *signal) add(f fact.Latency, frozen bool) {
	from := s.View().Second
	s.Add(f, frozen)
	now := s.View()
	if excess := math.Log(now.Latency) - now.Band.Median; now.Band.Learned && !math.IsInf(excess, 0) {
		if now.Second-from > int64(max(silentAfter.Seconds(), 3*now.Coarse)) {
			from = now.Second - int64(math.Ceil(now.Coarse)) // what was in the silence is not known
		}
		for second := max(from+1, now.Second-window); second <= now.Second; second++ {
			s.excess.hold(second, excess)
		}
	}
}

// period is an interval in Unix seconds, both ends included.
type period struct{ from, to int64 }

func (p period) has(second int64) bool { return second >= p.from && second <= p.to }

// episode is a time in which a victim is worse than usual.
type episode struct {
	id       string
	signal   *signal
	onset    int64
	bout     int64 // start of the present bad time, which may have a cause of its own
	detected time.Time
	assessed time.Time
	looks    int // how often it was
	worst    float64
	usual    float64 // latency before, seconds
	lastBad  int64
	over     bool       // the latency recovered
	asked    bool       // somebody said when it began
	verdict  *Verdict   // the last one told; nil until then
	draft    assessment // what stands now
	best     assessment // the surest that was told
	since    time.Time  // since when the draft stands
}

// preference orders the signals: who sees the requests themselves comes first.
func preference(name string) int {
	switch name {
	case "server":
		return 0
	case spansSignal:
		return 1
	case "probe":
		return 3
	default:
		if isRoute(name) {
			return 4
		}
		return 2
	}
}

// plausible is a fact without what no request can be: one number beyond measure
// would be in every reading that follows.
func plausible(f fact.Latency) fact.Latency {
	for _, x := range []*float64{&f.Count, &f.Errors, &f.Oldest} {
		if !(*x > 0 && *x < absurd) {
			*x = 0
		}
	}
	odd := func(b fact.Bucket) bool {
		return !(b.Low >= 0 && b.High >= b.Low && b.High < absurd && b.Count < absurd)
	}
	if slices.ContainsFunc(f.Buckets, odd) {
		f.Buckets = slices.DeleteFunc(slices.Clone(f.Buckets), odd)
	}
	return f
}

func (e *Engine) latency(f fact.Latency) error {
	f = plausible(f)
	v, err := e.victim(Victim{Service: f.Service, Host: f.Host})
	if err != nil {
		return err
	}
	i, found := slices.BinarySearchFunc(v.signals, f.Signal, func(s *signal, name string) int {
		return cmp.Or(cmp.Compare(preference(s.Name), preference(name)), cmp.Compare(s.Name, name))
	})
	if !found {
		if len(v.signals) >= maxSignals && !v.dropRoute(f.Signal) {
			return fmt.Errorf("signals of %s: %w to %d", f.Service, ErrBound, maxSignals)
		}
		s := &signal{Signal: latency.NewSignal(f.Signal, e.p.Objectives[f.Service], e.p.Latency)}
		v.recollect(s.Signal, e.now.Unix())
		v.signals = slices.Insert(v.signals, i, s)
	}
	v.signals[i].add(f, v.episode != nil)
	v.heard = max(v.heard, f.At.Unix())
	if i == 0 {
		v.rate.spread(seconds(f.At), f.Over.Seconds(), f.Count)
		v.errors.spread(seconds(f.At), f.Over.Seconds(), f.Errors)
	}
	v.trace(f)
	return nil
}

const maxSignals = 16

// victim finds a service. One that was seen without a host is the one that is
// seen with a host later.
func (e *Engine) victim(id Victim) (*victim, error) {
	var anywhere *victim
	for _, v := range e.victims {
		if v.id == id {
			return v, nil
		}
		if v.id.Service == id.Service && (id.Host == "" || v.id.Host == "") {
			anywhere = v
		}
	}
	if anywhere != nil {
		if anywhere.episode == nil { // its findings must not change their name
			anywhere.id.Host = cmp.Or(anywhere.id.Host, id.Host)
		}
		return anywhere, nil
	}
	if len(e.victims) >= e.p.MaxVictims {
		return nil, fmt.Errorf("services: %w to %d", ErrBound, e.p.MaxVictims)
	}
	v := &victim{id: id}
	e.victims = append(e.victims, v)
	return v, nil
}

func (v *victim) rebase() {
	for i, s := range v.signals {
		v.signals[i] = &signal{Signal: s.Rebased()}
	}
	v.rate, v.errors, v.traced, v.routes, v.callees, v.past, v.episode = series{}, series{}, work{}, nil, nil, nil, nil
	v.hours.upTo = 0
}

// shown is the signal that tells of the victim's state: the first that is
// alarmed, else the first. Nil if there is none.
func (e *Engine) shown(v *victim) *signal {
	for _, s := range v.signals {
		if s.View().Alarm && e.believes(v, s) {
			return s
		}
	}
	if len(v.signals) == 0 {
		return nil
	}
	return v.signals[0]
}

// silentAfter is how long nothing is heard of a victim until its episode ends
// without having been seen to recover.
const silentAfter = 5 * time.Minute

// judge moves a victim's episode and verdict on to a moment.
func (e *Engine) judge(v *victim, at time.Time) []Event {
	s := e.shown(v)
	if s == nil {
		return nil
	}
	now := s.View()
	silent := at.Sub(time.Unix(now.Second, 0)) > max(silentAfter, time.Duration(3*now.Coarse)*time.Second)
	ep := v.episode
	switch {
	case ep == nil && (silent || !now.Alarm):
		return nil
	case ep == nil:
		return e.open(v, s, at)
	case silent:
		for _, s := range v.signals {
			s.Reset()
		}
		return e.close(v, at, ReasonVictimVanished)
	case !now.Alarm && e.busy():
		return nil // it closes with an assessment
	case !now.Alarm:
		return e.close(v, at, ReasonLatencyRecovered)
	}
	ep.signal = s
	if now.Bout > ep.lastBad+int64(3*now.Coarse) { // shorter pauses are not told apart
		v.bad(period{ep.bout, ep.lastBad + e.p.BeforeGap}, at)
		ep.bout = now.Bout
	}
	ep.lastBad = max(ep.lastBad, now.BadAt)
	if now.Bad {
		ep.worst = max(ep.worst, now.Latency)
	}
	return e.tell(v, at, now.Bad)
}

// bad notes a bad time that is over, for as long as anything reaches back to it.
func (v *victim) bad(p period, at time.Time) {
	v.past = slices.DeleteFunc(append(v.past, p), func(p period) bool { return p.to < at.Unix()-2*window })
}

func (e *Engine) open(v *victim, s *signal, at time.Time) []Event {
	now := s.View()
	reason := ReasonLatencyRose
	switch {
	case now.Stalled:
		reason = ReasonRequestsStalled
	case now.Missed && now.Z < e.p.MinShift:
		reason = ReasonObjectiveMissed
	}
	v.episode = &episode{
		id: episodeID(v.id, now.Onset), signal: s, onset: now.Onset, bout: now.Onset, detected: at,
		worst: now.Latency, usual: known(now.Baseline), lastBad: now.Second, since: at,
	}
	return []Event{Episode{
		ID: v.episode.id, Phase: Opened, Reason: reason, At: at, Victim: v.id, Onset: moment(now.Onset),
		Signal: s.Name, Latency: now.Latency, Baseline: known(now.Baseline),
	}}
}

// known is zero for what is not.
func known(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return x
}

// tell assesses the causes and makes a verdict of them once they stand.
func (e *Engine) tell(v *victim, at time.Time, bad bool) []Event {
	ep := v.episode
	if bad && ep.due(at) && ep.lastBad <= ep.bout+e.p.After && !e.busy() {
		ep.assessed = at
		ep.looks++
		draft := e.assess(v, ep)
		if !draft.same(ep.draft) {
			ep.since = at
		}
		ep.draft = draft
	}
	if ep.draft.suspects == nil {
		return nil // recovered before anything could be said
	}
	settled := at.Sub(ep.since) >= time.Duration(e.p.SettleFor)*time.Second
	sure := ep.draft.state == StateNamed && settled
	late := at.Sub(ep.detected) >= time.Duration(e.p.TellWithin)*time.Second
	switch {
	case ep.verdict == nil && (sure || late):
		return []Event{e.say(v, at, Opened, reasonOf(ep.draft.state))}
	case ep.verdict != nil && settled && !ep.draft.same(ep.told()):
		return []Event{e.say(v, at, Updated, ep.changed())}
	default:
		return nil
	}
}

// assessed is when that was done last in the present episode, and how often; zero
// if it was not.
func (v *victim) assessed() (at time.Time, often int) {
	if v.episode == nil {
		return time.Time{}, 0
	}
	return v.episode.assessed, v.episode.looks
}

// due is whether to look again: every second at first, then now and then, for
// a long episode changes slowly.
func (ep *episode) due(at time.Time) bool {
	return at.Sub(ep.detected) < time.Minute || at.Sub(ep.assessed) >= 5*time.Second
}

func reasonOf(s State) Reason {
	switch s {
	case StateNamed:
		return ReasonCauseNamed
	case StateProbable:
		return ReasonCauseProbable
	default:
		return ReasonNoCause
	}
}

// told is the assessment in the last verdict.
func (ep *episode) told() assessment {
	return assessment{state: ep.verdict.State, suspects: ep.verdict.Suspects, backups: ep.verdict.Backups}
}

func (ep *episode) changed() Reason {
	told := ep.told()
	switch {
	case told.state != ep.draft.state:
		return reasonOf(ep.draft.state)
	case !told.sameTop(ep.draft):
		return ReasonCauseChanged
	default:
		return ReasonFindingChanged
	}
}

func (e *Engine) say(v *victim, at time.Time, phase Phase, reason Reason) Verdict {
	ep := v.episode
	now := ep.signal.View()
	d := ep.draft
	verdict := Verdict{
		ID: ep.id, Phase: phase, Reason: reason, At: at, Victim: v.id, Onset: moment(ep.onset),
		State: d.state, Suspects: d.suspects, Backups: d.backups, Missing: d.missing, Remedies: d.remedies,
		Latency: known(now.Latency), Baseline: ep.usual, RequestRate: v.signals[0].View().Rate, UsualRate: d.usualRate,
	}
	ep.verdict = &verdict
	if d.state >= ep.best.state {
		ep.best = d
	}
	return verdict
}

// close ends a victim's episode and its verdict.
func (e *Engine) close(v *victim, at time.Time, reason Reason) []Event {
	ep := v.episode
	if ep == nil {
		return nil
	}
	end := moment(ep.lastBad)
	events := []Event{Episode{
		ID: ep.id, Phase: Closed, Reason: reason, At: at, Victim: v.id, Onset: moment(ep.onset), End: end,
		Signal: ep.signal.Name, Latency: ep.worst, Baseline: ep.usual,
	}}
	if ep.verdict != nil {
		if reason == ReasonLatencyRecovered && ep.lastBad <= ep.bout+e.p.After {
			ep.over = true
			if last := e.assess(v, ep); last.state >= ep.best.state {
				ep.best = last // how it ended is evidence, too
			}
		}
		ep.draft = ep.best // doubts from the last seconds do not outlive it
		verdict := e.say(v, at, Closed, reason)
		verdict.End = end
		events = append(events, verdict)
		if top := verdict.Top(); top.Cause == TrafficSurge && verdict.State > StateUnknown {
			for _, s := range v.signals {
				s.LearnEpisode()
			}
		}
	}
	v.episode = nil
	v.bad(period{ep.bout, ep.lastBad + e.p.BeforeGap}, at)
	return events
}

func episodeID(id Victim, onset int64) string {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%q %q %d", id.Service, id.Host, onset)
	return fmt.Sprintf("%016x", h.Sum64())
}
