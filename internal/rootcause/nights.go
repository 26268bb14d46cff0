package rootcause

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/otel-culprit/culprit/internal/backup"
)

// Every run of a backup is an experiment: it used so much, and meanwhile a
// service was slow or was not. A cause that comes back every night is told from
// an innocent by its earlier runs.

// trial is one run of a backup and how a service fared meanwhile.
type trial struct {
	Window string  `json:"window"` // its ID
	Start  int64   `json:"start"`  // Unix seconds
	End    int64   `json:"end"`    // up to which it was seen
	Sec    float64 `json:"seconds"`
	Used   amounts `json:"used"`   // per second, on average
	Excess float64 `json:"excess"` // logarithm of latency over baseline, on average
	Bad    float64 `json:"bad"`    // part of the time in which latency was at least 1.3 times the baseline
}

// amounts are uses by shared resource, by name where they are written down.
type amounts [numShared]float64

// MarshalJSON writes those that are not zero.
func (a amounts) MarshalJSON() ([]byte, error) {
	named := map[string]float64{}
	for r, amount := range a {
		if amount != 0 {
			named[Shared(r).String()] = amount
		}
	}
	return json.Marshal(named) // sorted
}

// UnmarshalJSON reads those that are known by name.
func (a *amounts) UnmarshalJSON(text []byte) error {
	var named map[string]float64
	if err := json.Unmarshal(text, &named); err != nil {
		return err
	}
	for r := range a {
		a[r] = named[Shared(r).String()]
	}
	return nil
}

// subject is whose trials are compared: a backup, whatever its PID, and a service.
type subject struct {
	Host, Workload, Tool string
	Victim               Victim
}

// record is the past of one subject.
type record struct {
	subject

	trials []trial // oldest first
	last   int64   // second in which it was last added to
}

// Bounds of what is remembered.
const (
	maxTrials   = 64
	maxRecords  = 512
	trialCounts = 20 // seconds of a run until it tells anything
)

// experiment writes down the last seconds of every running backup.
func (e *Engine) experiment(now int64) {
	for _, w := range e.windows.Active() {
		h := e.byHost[w.Workload.Host]
		if h == nil {
			continue
		}
		runs := h.find(w.Workload)
		if runs == nil {
			continue
		}
		for _, v := range e.victims {
			if v.id.Host == h.name || v.id.Host == "" && e.mayBeOn(h, v) {
				e.observeRun(w, h, runs, v, now)
			}
		}
	}
}

// mayBeOn is whether a cause is sought on a host for a victim whose host is not
// known: among many hosts only where it is served, as in hostsOf. All backups of a
// fleet would leave no room for those that matter.
func (e *Engine) mayBeOn(h *host, v *victim) bool {
	return len(e.hosts) <= mostHosts || h.doesWorkOf(v.id.Service)
}

func (h *host) find(id backup.Workload) *workload {
	key := workloadKey{unit: id.Name}
	if id.PID > 0 {
		key = workloadKey{group: id.PID}
	}
	if w := h.byKey[key]; w != nil && w.id == id {
		return w
	}
	return nil
}

func (e *Engine) observeRun(w backup.Window, h *host, runs *workload, v *victim, now int64) {
	s := e.shown(v)
	if s == nil {
		return
	}
	limit := min(h.last-1, s.View().Second)
	r := e.record(subject{Host: h.name, Workload: w.Workload.Name, Tool: w.Tool, Victim: v.id})
	r.last = now
	t := r.trial(w, h)
	for second := max(t.End+1, h.first, limit-window+1); second <= limit; second++ {
		t.End = second
		if excess := s.excess.at(second); excess != 0 { // else the latency is not known
			t.add(runs, excess, second)
		}
	}
}

// unseenRun is how long a run may have gone on without having been seen, in
// seconds.
const unseenRun = 12 * 3600

// trial finds the trial of a run, or begins one. A run that was there when the
// host was first heard, and whose start nobody tells, may have been there before
// the engine was started anew: it goes on with the trial of that time.
func (r *record) trial(w backup.Window, h *host) *trial {
	for i := range slices.Backward(r.trials) {
		if r.trials[i].Window == w.ID {
			return &r.trials[i]
		}
	}
	start := w.Start.Unix()
	if n := len(r.trials); n > 0 && start >= h.first && start <= h.first+int64(math.Ceil(h.interval)) {
		if t := &r.trials[n-1]; t.End < start && start-t.End < unseenRun {
			t.Window = w.ID
			return t
		}
	}
	if len(r.trials) == maxTrials {
		r.trials = slices.Delete(r.trials, 0, 1)
	}
	r.trials = append(r.trials, trial{Window: w.ID, Start: start, End: start})
	return &r.trials[len(r.trials)-1]
}

// add puts a second into the averages of a trial.
func (t *trial) add(w *workload, excess float64, second int64) {
	t.Sec++
	t.Excess += (excess - t.Excess) / t.Sec
	bad := 0.0
	if excess >= lnWorse {
		bad = 1
	}
	t.Bad += (bad - t.Bad) / t.Sec
	for r := range numShared {
		t.Used[r] += (w.usedOf(r, second) - t.Used[r]) / t.Sec
	}
}

// lnWorse is from where a latency is worse than usual, and harm from which part
// of a run.
const (
	lnWorse = 0.2624 // the logarithm of 1.3
	harm    = 0.2
)

// record finds the past of a subject, or begins one; the one that was not added
// to for longest makes room.
func (e *Engine) record(s subject) *record {
	if r := e.recorded[s]; r != nil {
		return r
	}
	r := &record{subject: s}
	e.recorded[s] = r
	if len(e.records) < maxRecords {
		e.records = append(e.records, r)
		return r
	}
	oldest := 0
	for i, r := range e.records {
		if r.last < e.records[oldest].last {
			oldest = i
		}
	}
	delete(e.recorded, e.records[oldest].subject)
	e.records[oldest] = r
	return r
}

// earlier are the runs of a backup before the present one that last long enough
// to tell anything of how it fares with a victim.
func (e *Engine) earlier(sc *scene, c *scored) []trial {
	if c.Tool == "" {
		return nil
	}
	r := e.recorded[subject{Host: c.Workload.Host, Workload: c.Workload.Name, Tool: c.Tool, Victim: sc.v.id}]
	if r == nil {
		return nil
	}
	before := sc.onset - e.p.OnsetWithin
	present := e.windows.Since(c.Workload.Host, moment(before))
	var list []trial
	for _, t := range r.trials {
		if t.End < before && t.Sec >= trialCounts && !slices.ContainsFunc(present, func(w backup.Window) bool { return w.ID == t.Window }) {
			list = append(list, t)
		}
	}
	return list
}

// past tells what earlier runs of a backup did to the victim when it used as
// much of a resource as now: an alibi, or more of the same.
func (e *Engine) past(sc *scene, c *scored) (Evidence, bool) {
	bad, good := 0, 0
	// What servers did for it is no part of a trial.
	now := sc.mean(func(second int64) float64 { return c.workload.usedOf(c.Resource, second) })
	if now == 0 || now < smallest[c.Resource] {
		return Evidence{}, false
	}
	for _, t := range e.earlier(sc, c) {
		switch {
		case t.Used[c.Resource] < asMuch*now:
		case t.Bad >= harm:
			bad++
		default:
			good++
		}
	}
	if bad+good == 0 {
		return Evidence{}, false
	}
	odds := math.Log(float64(bad+1) / float64(good+1))
	ev := Evidence{Name: "earlier_runs", Value: float64(bad) / float64(bad+good), Unit: "1"}
	if bad > good {
		ev.Term, ev.Strength = TermHarm, odds
		ev.Sentence = fmt.Sprintf("in %d of %d earlier runs that used as much, the latency was bad as well", bad, bad+good)
	} else {
		ev.Term, ev.Strength = TermAlibi, -odds
		ev.Sentence = fmt.Sprintf("in %d of %d earlier runs that used as much, the latency was as usual", good, bad+good)
	}
	return ev, true
}

// asMuch is the part of the present use from which an earlier run compares.
const asMuch = 0.8

// fewestNights is from how many runs an order among them is no chance: that four
// are in order by chance happens once in 24 times.
const fewestNights = 4

// nightsDose tells whether the latency was worse in the earlier runs that used
// more, if it was bad in any.
func (e *Engine) nightsDose(sc *scene, c *scored) (Evidence, bool) {
	var use, excess []float64
	harmed := false
	for _, t := range e.earlier(sc, c) {
		use, excess = append(use, t.Used[c.Resource]), append(excess, t.Excess)
		harmed = harmed || t.Bad >= harm
	}
	if len(use) < fewestNights || !harmed || variation(use) < steady {
		return Evidence{}, false
	}
	rho := rankCorrelation(use, excess)
	if rho*math.Sqrt(float64(len(use)-1)) < likely {
		return Evidence{}, false
	}
	return Evidence{
		Name: "nights_dose", Value: rho, Unit: "1", Term: TermNightsDose, Strength: rho,
		Sentence: fmt.Sprintf("in %d earlier runs the latency was the worse the more it used: rank correlation %.2f", len(use), rho),
	}, true
}

// likely is how many deviations a rank correlation must have, for chance to give
// it once in twenty times; the deviation for n pairs is 1/sqrt(n-1).
const likely = 1.645
