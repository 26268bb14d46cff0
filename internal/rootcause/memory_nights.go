package rootcause

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/otel-culprit/culprit/internal/latency"
)

// runs are the earlier runs of a backup that met a victim, as they are
// remembered.
type runs struct {
	Host     string  `json:"host"`
	Workload string  `json:"workload"`
	Tool     string  `json:"tool"`
	Service  string  `json:"service"`
	At       string  `json:"service_host,omitzero"`
	Trials   []trial `json:"trials"` // by start, then window
}

// quiet is an hour of the day without a backup.
type quiet struct {
	Hour   int     `json:"hour"` // 0 to 23, UTC
	Excess float64 `json:"excess"`
	Sec    float64 `json:"seconds"`
}

const (
	// No run lasts a century, and no latency is e^100 times another.
	maxRunSeconds = 1e10
	maxExcess     = 100
)

func runsOf(s subject) runs {
	return runs{Host: s.Host, Workload: s.Workload, Tool: s.Tool, Service: s.Victim.Service, At: s.Victim.Host}
}

// printable is a subject as JSON can write it: the kernel cuts a process's name
// off within a letter.
func (s subject) printable() subject {
	for _, name := range []*string{&s.Host, &s.Workload, &s.Tool, &s.Victim.Service, &s.Victim.Host} {
		*name = strings.ToValidUTF8(*name, "\uFFFD")
	}
	return s
}

func (r runs) subject() subject {
	return subject{Host: r.Host, Workload: r.Workload, Tool: r.Tool, Victim: Victim{Service: r.Service, Host: r.At}}
}

func compareRuns(a, b runs) int {
	return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Workload, b.Workload), cmp.Compare(a.Tool, b.Tool),
		compareVictims(a.subject().Victim, b.subject().Victim))
}

func compareTrials(a, b trial) int {
	return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Window, b.Window))
}

// rememberRuns gives the newest runs that fit into so many bytes.
func (e *Engine) rememberRuns(room int) ([]runs, error) {
	type one struct {
		subject
		trial
	}
	var all []one
	for _, r := range e.records {
		for _, t := range r.trials {
			if t.Sec > 0 {
				all = append(all, one{r.printable(), t.rounded()})
			}
		}
	}
	slices.SortFunc(all, func(a, b one) int {
		return cmp.Or(cmp.Compare(b.End, a.End), compareTrials(a.trial, b.trial), compareRuns(runsOf(a.subject), runsOf(b.subject)))
	})
	var list []runs
	place := map[subject]int{}
	for _, o := range all {
		text, err := json.Marshal(o.trial)
		if err != nil {
			return nil, fmt.Errorf("remember the runs of %s: %w", o.Workload, err)
		}
		i, known := place[o.subject]
		if !known {
			head, err := json.Marshal(runsOf(o.subject))
			if err != nil {
				return nil, fmt.Errorf("remember the runs of %s: %w", o.Workload, err)
			}
			room -= len(head) + 1
		}
		if room -= len(text) + 1; room < 0 {
			break
		}
		if !known {
			i = len(list)
			place[o.subject], list = i, append(list, runsOf(o.subject))
		}
		list[i].Trials = append(list[i].Trials, o.trial)
	}
	for _, r := range list {
		slices.SortFunc(r.Trials, compareTrials)
	}
	slices.SortFunc(list, compareRuns)
	return list, nil
}

// rounded is a trial with five digits, which are enough.
func (t trial) rounded() trial {
	t.Excess, t.Bad = latency.FiveDigits(t.Excess), latency.FiveDigits(t.Bad)
	for r := range t.Used {
		t.Used[r] = latency.FiveDigits(t.Used[r])
	}
	return t
}

// recallRuns adds what was remembered; of a run that is known already, what saw
// more of it counts.
func (e *Engine) recallRuns(from runs) {
	r := e.record(from.subject())
	for _, t := range from.Trials {
		r.last = max(r.last, t.End)
		i := slices.IndexFunc(r.trials, func(o trial) bool { return o.Window == t.Window })
		switch {
		case i < 0:
			r.trials = append(r.trials, t)
		case r.trials[i].Sec < t.Sec:
			r.trials[i] = t
		}
	}
	slices.SortFunc(r.trials, compareTrials)
	r.trials = slices.Delete(r.trials, 0, max(0, len(r.trials)-maxTrials))
}

func validateRuns(list []runs) error {
	if len(list) > maxRecords {
		return fmt.Errorf("records: %w to %d", ErrBound, maxRecords)
	}
	for i, r := range list {
		if i > 0 && compareRuns(list[i-1], r) >= 0 {
			return fmt.Errorf("records[%d]: %s on %q is not after the one before it", i, r.Workload, r.Host)
		}
		if len(r.Trials) > maxTrials {
			return fmt.Errorf("records[%d] (%s): trials: %w to %d", i, r.Workload, ErrBound, maxTrials)
		}
		seen := map[string]bool{}
		for j, t := range r.Trials {
			err := t.validate()
			switch {
			case err != nil:
			case seen[t.Window]:
				err = fmt.Errorf("window %q is there twice", t.Window)
			case j > 0 && compareTrials(r.Trials[j-1], t) >= 0:
				err = fmt.Errorf("window %q is not after the one before it", t.Window)
			}
			if err != nil {
				return fmt.Errorf("records[%d] (%s): trials[%d]: %w", i, r.Workload, j, err)
			}
			seen[t.Window] = true
		}
	}
	return nil
}

func (t trial) validate() error {
	if t.Start < 0 || t.End < t.Start || t.End > latency.MaxSecond {
		return fmt.Errorf("from %d to %d is no time between the years 1970 and 2262", t.Start, t.End)
	}
	if err := within("seconds", t.Sec, 0, maxRunSeconds); err != nil {
		return err
	}
	for r, used := range t.Used {
		if err := within("used."+Shared(r).String(), used, 0, absurd); err != nil {
			return err
		}
	}
	if err := within("excess", t.Excess, -maxExcess, maxExcess); err != nil {
		return err
	}
	return within("bad", t.Bad, 0, 1)
}

// within refuses what is not between two numbers; NaN is not.
func within(name string, x, low, high float64) error {
	if !(x >= low && x <= high) {
		return fmt.Errorf("%s: %v is not between %v and %v", name, x, low, high)
	}
	return nil
}

func (h *hours) remember() []quiet {
	var list []quiet
	for i, hour := range h.of {
		if hour.Sec > 0 {
			list = append(list, quiet{Hour: i, Excess: latency.FiveDigits(hour.Excess), Sec: math.Round(hour.Sec)})
		}
	}
	return list
}

// recall takes the hours of which more was seen.
func (h *hours) recall(list []quiet) {
	for _, q := range list {
		if of := &h.of[q.Hour]; q.Sec > of.Sec {
			*of = hour{Excess: q.Excess, Sec: q.Sec}
		}
	}
}

func validateHours(list []quiet) error {
	before := -1
	for i, q := range list {
		if q.Hour <= before || q.Hour >= 24 {
			return fmt.Errorf("hours[%d].hour: %d is not between %d and 23", i, q.Hour, before+1)
		}
		before = q.Hour
		if err := within(fmt.Sprintf("hours[%d].excess", i), q.Excess, -maxExcess, maxExcess); err != nil {
			return err
		}
		if err := within(fmt.Sprintf("hours[%d].seconds", i), q.Sec, 0, hourMost); err != nil {
			return err
		}
	}
	return nil
}
