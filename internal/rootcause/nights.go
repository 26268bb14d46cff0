package rootcause

import (
	"fmt"
	"math"

	"github.com/otel-culprit/culprit/internal/backup"
)

// Every run of a backup is an experiment: it used so much, and meanwhile a
// service was slow or was not. A cause that comes back every night is told from
// an innocent by its earlier runs.

// trial is one run of a backup and how a service fared meanwhile.
type trial struct {
	Window string             `json:"window"` // its ID
	Start  int64              `json:"start"`  // Unix seconds
	End    int64              `json:"end"`    // up to which it was seen
	Sec    float64            `json:"seconds"`
	Used   [numShared]float64 `json:"used"`   // per second, on average
	Excess float64            `json:"excess"` // logarithm of latency over baseline, on average
	Bad    float64            `json:"bad"`    // part of the time in which latency was at least 1.3 times the baseline
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
	upTo   int64   // second up to which the last one is written
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
	if n := len(r.trials); n == 0 || r.trials[n-1].Window != w.ID {
		if n == maxTrials {
			r.trials = append(r.trials[:0], r.trials[1:]...)
		}
		r.trials = append(r.trials, trial{Window: w.ID, Start: w.Start.Unix()})
		r.upTo = max(w.Start.Unix(), limit-window)
	}
	r.last = now
	t := &r.trials[len(r.trials)-1]
	for ; r.upTo < limit; r.upTo++ {
		t.add(runs, s.excess.at(r.upTo+1), r.upTo+1)
	}
}

// add puts a second into the averages of a trial.
func (t *trial) add(w *workload, excess float64, second int64) {
	t.Sec++
	t.End = second
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

// past tells what earlier runs of a backup did to the victim when it used as
// much of a resource as now: an alibi, or more of the same.
func (e *Engine) past(sc *scene, c *scored) (Evidence, bool) {
	if c.Tool == "" {
		return Evidence{}, false
	}
	r := e.recorded[subject{Host: c.Workload.Host, Workload: c.Workload.Name, Tool: c.Tool, Victim: sc.v.id}]
	if r == nil {
		return Evidence{}, false
	}
	bad, good := 0, 0
	for _, t := range r.trials {
		if t.End >= sc.onset-e.p.OnsetWithin || t.Sec < trialCounts || t.Used[c.Resource] < asMuch*c.shift.after {
			continue
		}
		if t.Bad >= harm {
			bad++
		} else {
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
