package rootcause

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/otel-culprit/culprit/internal/backup"
	"github.com/otel-culprit/culprit/internal/catalog"
	"github.com/otel-culprit/culprit/internal/fact"
)

// Reasons for which a fact is refused. The engine goes on after each.
var (
	ErrBound  = errors.New("too many: the engine's memory is bounded")
	ErrFuture = errors.New("fact is from the future")
	ErrClock  = errors.New("the clock went back")
	ErrTime   = errors.New("no host has that time")
)

// Engine turns facts into events. It is not safe for concurrent use.
//
// Guaranteed: the same facts in the same order give the same events; an event
// depends only on the facts before it; memory stays within Params. Not
// guaranteed: that facts which arrive long after their time are still weighed.
type Engine struct {
	given    Params
	p        Params // with what facts say of services
	catalog  *catalog.Catalog
	hosts    []*host // in the order in which they were first seen
	byHost   map[string]*host
	victims  []*victim
	windows  *backup.Tracker
	opened   []backup.Window     // since the last tick
	records  []*record           // of what earlier backups did
	recorded map[subject]*record // the same
	serving  map[pidOf]served
	book     signBook
	locks    []*locks      // in the order in which they were first seen
	shared   []fact.Shared // what the user says that hosts share
	now      time.Time     // of the last tick
	swept    time.Time
	procs    int // of all hosts
	jobs     int // workloads of all hosts
	looked   int // workloads that were looked at in this tick
}

// served is the service that a process said it serves, and when.
type served struct {
	service string
	at      int64
}

type pidOf struct {
	host string
	pid  int64
}

// New is an engine that has seen nothing. The catalogue is only read.
func New(p Params, c *catalog.Catalog) *Engine {
	given := p
	services, objectives := map[string][]string{}, map[string]float64{}
	maps.Copy(services, p.Services) // they are changed by facts
	maps.Copy(objectives, p.Objectives)
	p.Services, p.Objectives = services, objectives
	return &Engine{
		given: given, p: p, catalog: c, byHost: map[string]*host{}, serving: map[pidOf]served{}, recorded: map[subject]*record{},
		windows: backup.NewTracker(p.BackupGrace, time.Duration(p.Before)*time.Second, p.MaxWindows),
	}
}

const (
	maxAhead = 5 * time.Minute // a fact may be ahead of the last tick
	maxBack  = time.Minute     // a tick may be behind the last one
	sweep    = 30 * time.Second
	// Sums of times stay far from overflow before 2242.
	endOfTime = 1 << 33
	// Disks of a host, and interfaces: containers make and unmake many.
	maxDevices = 256
	// Workloads that the assessments of a tick look at, before the last of them: some
	// 100 ms. An assessment costs as much as workLook of them before it looks at any.
	maxLooked = 5000
	workLook  = 50
	maxStalls = 3 * maxDevices // pressures of a host: three for each control group
	// A service that was not heard of for so long is forgotten.
	victimKept = 7 * 24 * time.Hour
)

// Step takes a fact and returns what follows from it; only a fact.Tick makes
// events. An error says that this fact was refused.
func (e *Engine) Step(f fact.Fact) ([]Event, error) {
	if s := f.When().Unix(); s <= 0 || s >= endOfTime {
		return nil, fmt.Errorf("%w: %s at Unix second %d", ErrTime, f.Kind(), s)
	}
	if tick, ok := f.(fact.Tick); ok {
		return e.tick(tick.At)
	}
	if e.now.IsZero() {
		e.now = f.When()
	}
	if f.When().Sub(e.now) > maxAhead {
		return nil, fmt.Errorf("%w: %s at %s, now is %s", ErrFuture, f.Kind(), f.When().UTC().Format(time.RFC3339), e.now.UTC().Format(time.RFC3339))
	}
	return nil, e.observe(f)
}

func (e *Engine) observe(f fact.Fact) error {
	switch f := f.(type) {
	case fact.Latency:
		return e.latency(f)
	case fact.Described:
		return e.described(f)
	case fact.Use:
		return e.use(f)
	case fact.Serves:
		return e.serves(f)
	case fact.CPUTime:
		return e.onHost(f.Host, func(h *host) {
			h.cores = f.Cores
			h.metered = true
			h.steal.spread(seconds(f.At), f.Over.Seconds(), f.Steal)
			h.busy.spread(seconds(f.At), f.Over.Seconds(), f.Busy)
			h.iowait.spread(seconds(f.At), f.Over.Seconds(), f.IOWait)
			h.hear(f.At.Unix(), f.Over.Seconds())
		})
	case fact.Disk:
		return e.disk(f)
	case fact.Link:
		return e.link(f)
	case fact.Pressure:
		if !slices.Contains([]string{"cpu", "io", "memory"}, f.Resource) {
			return nil
		}
		return e.pressure(f)
	case fact.Paging:
		h, err := e.host(f.Host)
		if err != nil {
			return err
		}
		return h.pages(f)
	case fact.Filesystem:
		h, err := e.host(f.Host)
		if err != nil {
			return err
		}
		return h.fills(f)
	case fact.Locks:
		return e.locked(f)
	case fact.Shared:
		return e.share(f)
	case fact.Capability:
		return e.capability(f)
	case fact.Log:
		return e.log(f)
	case fact.Calls:
		return e.calls(f)
	case fact.WorksFor:
		h, err := e.host(f.Server.Host)
		if err != nil {
			return err
		}
		return h.lend(f)
	case fact.Service:
		return e.service(f)
	case fact.Recalled:
		return e.restart(f.State)
	case fact.Mark:
		return nil
	default:
		return fmt.Errorf("unknown kind of fact %T", f)
	}
}

func (e *Engine) disk(f fact.Disk) error {
	h, err := e.host(f.Host)
	if err != nil {
		return err
	}
	d := h.disks[f.Device]
	if d == nil {
		if len(h.disks) >= maxDevices {
			return fmt.Errorf("disks of %s: %w to %d", h.name, ErrBound, maxDevices)
		}
		d = new(disk)
		h.disks[f.Device], h.diskNames = d, insert(h.diskNames, f.Device)
	}
	end, over := seconds(f.At), f.Over.Seconds()
	d.ops.spread(end, over, f.Reads+f.Writes)
	d.bytes.spread(end, over, f.ReadBytes+f.WriteBytes)
	d.opTime.spread(end, over, f.OpTime)
	d.busy.spread(end, over, f.BusyTime)
	d.readBytes.spread(end, over, f.ReadBytes)
	d.number, d.scheduler, d.seen = f.Number, f.Scheduler, f.At.Unix()
	h.hear(d.seen, over)
	return nil
}

func (e *Engine) pressure(f fact.Pressure) error {
	h, err := e.host(f.Host)
	if err != nil {
		return err
	}
	of := stalled{f.Cgroup, f.Resource}
	s := h.pressure[of]
	if s == nil {
		if len(h.pressure) >= maxStalls {
			return fmt.Errorf("pressures of %s: %w to %d", h.name, ErrBound, maxStalls)
		}
		s = new(stall)
		h.pressure[of] = s
	}
	s.seen = f.At.Unix()
	s.spread(seconds(f.At), f.Over.Seconds(), f.Some)
	h.hear(s.seen, f.Over.Seconds())
	return nil
}

func (e *Engine) capability(f fact.Capability) error {
	h, err := e.host(f.Host)
	if err != nil {
		return err
	}
	if _, told := h.can[f.Name]; !told && len(h.can) >= maxDevices {
		return fmt.Errorf("capabilities of %s: %w to %d", h.name, ErrBound, maxDevices)
	}
	h.can[f.Name] = f.Present
	return nil
}

func (e *Engine) link(f fact.Link) error {
	h, err := e.host(f.Host)
	if err != nil {
		return err
	}
	l := h.links[f.Interface]
	if l == nil {
		if len(h.links) >= maxDevices {
			return fmt.Errorf("interfaces of %s: %w to %d", h.name, ErrBound, maxDevices)
		}
		l = new(link)
		h.links[f.Interface], h.linkNames = l, insert(h.linkNames, f.Interface)
	}
	l.bytes.spread(seconds(f.At), f.Over.Seconds(), max(f.Received, f.Transmitted))
	l.speed, l.seen = f.Speed, f.At.Unix()
	h.hear(l.seen, f.Over.Seconds())
	return nil
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func (e *Engine) host(name string) (*host, error) {
	h := e.byHost[name]
	if h != nil {
		return h, nil
	}
	if len(e.hosts) >= e.p.MaxHosts {
		return nil, fmt.Errorf("hosts: %w to %d", ErrBound, e.p.MaxHosts)
	}
	h = newHost(name)
	e.byHost[name] = h
	e.hosts = append(e.hosts, h)
	return h, nil
}

func (e *Engine) onHost(name string, do func(*host)) error {
	h, err := e.host(name)
	if err != nil {
		return err
	}
	do(h)
	return nil
}

// tick lets time pass up to a moment and returns what follows.
func (e *Engine) tick(at time.Time) ([]Event, error) {
	if at.Before(e.now) {
		back := e.now.Sub(at)
		if back > maxBack {
			return e.rebase(at), fmt.Errorf("%w by %s: what was seen so far is forgotten, baselines are kept", ErrClock, back)
		}
		return nil, fmt.Errorf("%w by %s", ErrClock, back)
	}
	e.now = at
	var events []Event
	for _, w := range e.opened {
		events = append(events, Window{Phase: Opened, Reason: ReasonBackupStarted, At: w.Start, Window: w})
	}
	e.opened = nil
	for _, w := range e.windows.Expire(e.heard) {
		events = append(events, Window{Phase: Closed, Reason: ReasonBackupEnded, At: w.End, Window: w})
	}
	for _, h := range e.hosts {
		h.remember(at.Unix())
		h.rememberLevels(at.Unix())
	}
	e.experiment(at.Unix())
	e.learnHours(at.Unix())
	e.looked = 0
	of := map[*victim][]Event{}
	for _, v := range e.byTurn() {
		if list := e.judge(v, at); list != nil {
			of[v] = list
		}
	}
	for _, v := range e.victims {
		events = append(events, of[v]...)
	}
	if at.Sub(e.swept) >= sweep {
		e.swept = at
		e.forget(at)
	}
	return events, nil
}

// byTurn lists the victims, those that were not assessed for longest first, then
// those that seldom were: who found no room in a tick has it in a later one.
func (e *Engine) byTurn() []*victim {
	list := slices.Clone(e.victims)
	slices.SortStableFunc(list, func(a, b *victim) int {
		at, often := a.assessed()
		other, oftener := b.assessed()
		return cmp.Or(at.Compare(other), cmp.Compare(often, oftener))
	})
	return list
}

// busy is whether this tick had its share of assessments. Many services that are
// slow at once would hold up the facts of the next second.
func (e *Engine) busy() bool { return e.looked >= maxLooked }

func (e *Engine) forget(at time.Time) {
	e.procs, e.jobs = 0, 0
	for _, h := range e.hosts {
		h.forget(at.Unix()-window, at.Add(-2*time.Minute).Unix())
		e.procs += len(h.byPID)
		e.jobs += len(h.workloads)
	}
	e.hosts = slices.DeleteFunc(e.hosts, func(h *host) bool {
		silent := h.last < at.Unix()-window && len(h.workloads) == 0
		if silent {
			delete(e.byHost, h.name)
		}
		return silent
	})
	e.locks = slices.DeleteFunc(e.locks, func(l *locks) bool { return l.seen < at.Unix()-window })
	e.victims = slices.DeleteFunc(e.victims, func(v *victim) bool {
		return v.episode == nil && v.heard < at.Add(-victimKept).Unix()
	})
	for _, v := range e.victims {
		v.callees = slices.DeleteFunc(v.callees, func(c *callee) bool { return c.count.head < at.Unix()-window })
	}
	for key, s := range e.serving {
		if h := e.byHost[key.host]; s.at < at.Unix()-window && (h == nil || h.byPID[key.pid] == nil) {
			delete(e.serving, key)
		}
	}
}

// heard is up to when a host's processes are known: its windows end by that
// clock, so that late readings end nothing. A host that fell silent is not
// waited for.
func (e *Engine) heard(name string) time.Time {
	patience := e.now.Add(-time.Minute)
	if h := e.byHost[name]; h != nil {
		if last := moment(h.last); last.After(patience) {
			return last
		}
	}
	return patience
}

// service takes what the user says of a service.
func (e *Engine) service(f fact.Service) error {
	if _, told := e.p.Services[f.Name]; !told && len(e.p.Services) >= e.p.MaxVictims {
		return fmt.Errorf("services: %w to %d", ErrBound, e.p.MaxVictims)
	}
	e.p.Services[f.Name], e.p.Objectives[f.Name] = f.Processes, f.Objective
	for _, v := range e.victims {
		if v.id.Service == f.Name {
			for _, s := range v.signals {
				s.SetObjective(f.Objective)
			}
		}
	}
	return nil
}

// rebase starts anew after the clock went back: nothing from the other time is
// compared with what comes now.
func (e *Engine) rebase(at time.Time) []Event {
	var events []Event
	for _, w := range e.windows.Active() {
		w.End = e.now
		events = append(events, Window{Phase: Closed, Reason: ReasonBackupEnded, At: e.now, Window: w})
	}
	for _, v := range e.victims {
		events = append(events, e.close(v, e.now, ReasonVictimVanished)...)
		v.rebase()
	}
	e.hosts, e.byHost, e.serving = nil, map[string]*host{}, map[pidOf]served{}
	e.locks = nil
	e.windows = backup.NewTracker(e.p.BackupGrace, time.Duration(e.p.Before)*time.Second, e.p.MaxWindows)
	e.opened, e.book, e.procs, e.jobs, e.now, e.swept = nil, signBook{}, 0, 0, at, at
	return events
}

// Replay steps through facts and gives the events. A refused fact is skipped,
// as the live engine does; an error of the source ends it.
func Replay(e *Engine, facts iter.Seq2[fact.Fact, error]) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for f, err := range facts {
			if err != nil {
				yield(nil, err)
				return
			}
			events, _ := e.Step(f) // a refusal concerns one fact only
			for _, event := range events {
				if !yield(event, nil) {
					return
				}
			}
		}
	}
}
