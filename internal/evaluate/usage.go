package evaluate

import (
	"math"
	"slices"

	"github.com/otel-culprit/culprit/internal/fact"
)

// What the baselines see of a night, in seconds before and after the onset. The
// engine learns from more, and is given the rest of the incident too.
const (
	usageBefore = 300
	usageAfter  = 30
	maxOver     = 60 // of a reading that is spread over its seconds
)

// usage is who used what around the onset, second by second, as the facts of a
// journal tell it.
type usage struct {
	truth       Truth
	first, last int64 // seconds that are looked at
	owners      []*owner
	byJob       map[jobOf]*owner
	byProcess   map[processOf]*owner
	serving     map[processOf]bool
	commands    map[string]bool // that the user says do the work of the service
	latency     map[int64]float64
	requests    map[int64]float64
	read        map[int64]bool // seconds in which somebody's use was read
}

type jobOf struct {
	host string
	fact.Workload
}

type processOf struct {
	host string
	pid  int64
}

// owner is a workload.
type owner struct {
	names     []string // of it, of its unit and of the commands in it
	processes []processOf
	series    [fact.NumResources]map[int64]float64
}

func newUsage(t Truth) *usage {
	onset := int64(math.Floor(t.Onset))
	return &usage{
		truth: t, first: onset - usageBefore, last: onset + usageAfter - 1,
		byJob: map[jobOf]*owner{}, byProcess: map[processOf]*owner{}, serving: map[processOf]bool{}, commands: map[string]bool{},
		latency: map[int64]float64{}, requests: map[int64]float64{}, read: map[int64]bool{},
	}
}

// take notes a fact.
func (u *usage) take(f fact.Fact) {
	switch f := f.(type) {
	case fact.Described:
		u.describe(f)
	case fact.Serves:
		if u.watched(f.Service) && f.Process.PID > 0 {
			u.serving[processOf{f.Process.Host, f.Process.PID}] = true
		}
	case fact.Service:
		if u.watched(f.Name) {
			for _, name := range f.Processes {
				u.commands[name] = true
			}
		}
	case fact.Latency:
		if second := f.At.Unix(); u.watched(f.Service) && u.within(second) {
			u.latency[second] = max(u.latency[second], meanLatency(f))
			u.requests[second] = max(u.requests[second], f.Count/max(1, f.Over.Seconds()))
		}
	case fact.Use:
		u.use(f)
	}
}

func (u *usage) watched(service string) bool {
	return u.truth.Service == "" || u.truth.Service == service
}

func (u *usage) within(second int64) bool {
	return u.truth.Cause != nothingWrong && second >= u.first && second <= u.last
}

func (u *usage) describe(d fact.Described) {
	p := processOf{d.Process.Host, d.Process.PID}
	w := d.Workload
	if w == (fact.Workload{}) {
		w = fact.Workload{Type: "job", PID: d.Group}
		if d.Group == 0 {
			w.PID = d.Process.PID
		}
	}
	o := u.job(jobOf{d.Process.Host, w})
	u.byProcess[p] = o
	if !slices.Contains(o.processes, p) {
		o.processes = append(o.processes, p)
	}
	o.call(d.Command)
}

func (u *usage) job(key jobOf) *owner {
	o := u.byJob[key]
	if o == nil {
		o = &owner{}
		u.byJob[key] = o
		u.owners = append(u.owners, o)
	}
	o.call(key.Name)
	return o
}

func (o *owner) call(name string) {
	if name != "" && !slices.Contains(o.names, name) {
		o.names = append(o.names, name)
	}
}

// named is whether an owner goes by a name: its own, its unit's or a command's.
func (o *owner) named(name string) bool {
	return slices.Contains(o.names, name) || slices.Contains(o.names, name+".service")
}

func (u *usage) use(f fact.Use) {
	until := f.At.Unix()
	seconds := max(1, min(maxOver, int64(math.Round(f.Over.Seconds()))))
	if !u.within(until) && !u.within(until-seconds+1) {
		return
	}
	o := u.byProcess[processOf{f.Process.Host, f.Process.PID}]
	if f.Workload != (fact.Workload{}) {
		o = u.job(jobOf{f.Process.Host, f.Workload})
	}
	if o == nil {
		return // of a process that was not told of yet
	}
	for second := until - seconds + 1; second <= until; second++ {
		if !u.within(second) {
			continue
		}
		u.read[second] = true
		for _, r := range usedResources {
			amount := f.Amounts[r]
			if math.IsNaN(amount) {
				continue
			}
			if r != fact.Memory { // a level
				amount /= max(f.Over.Seconds(), float64(seconds))
			}
			if o.series[r] == nil {
				o.series[r] = map[int64]float64{}
			}
			o.series[r][second] += amount
		}
	}
}

// usedResources are those that others lack; the rest is waiting.
var usedResources = []fact.Resource{
	fact.CPU, fact.DiskRead, fact.DiskWrite, fact.NetworkReceive, fact.NetworkTransmit, fact.Memory,
}

// meanLatency is in seconds; while nothing completes, it is the age of the oldest.
func meanLatency(f fact.Latency) float64 {
	var sum, n float64
	for _, b := range f.Buckets {
		high := b.High
		if math.IsInf(high, 1) {
			high = b.Low
		}
		sum, n = sum+b.Count*(b.Low+high)/2, n+b.Count
	}
	if n == 0 {
		return f.Oldest
	}
	return max(sum/n, f.Oldest)
}

// own is whether a workload does the work of the service.
func (u *usage) own(o *owner) bool {
	return slices.ContainsFunc(o.processes, func(p processOf) bool { return u.serving[p] }) ||
		slices.ContainsFunc(o.names, func(name string) bool { return u.commands[name] })
}
