package rootcause

import (
	"errors"
	"fmt"
	"iter"
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
)

// Engine turns facts into events. It is not safe for concurrent use.
//
// Guaranteed: the same facts in the same order give the same events; an event
// depends only on the facts before it; memory stays within Params. Not
// guaranteed: that facts which arrive long after their time are still weighed.
type Engine struct {
	p       Params
	catalog *catalog.Catalog
	hosts   []*host // in the order in which they were first seen
	byHost  map[string]*host
	victims []*victim
	windows *backup.Tracker
	opened  []backup.Window // since the last tick
	serving map[pidOf]served
	now     time.Time // of the last tick
	swept   time.Time
	procs   int
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
	return &Engine{
		p: p, catalog: c, byHost: map[string]*host{}, serving: map[pidOf]served{},
		windows: backup.NewTracker(p.BackupGrace, time.Duration(p.Before)*time.Second, p.MaxWindows),
	}
}

const (
	maxAhead = 5 * time.Minute // a fact may be ahead of the last tick
	maxBack  = time.Minute     // a tick may be behind the last one
	sweep    = 30 * time.Second
	maxHosts = 1000
)

// Step takes a fact and returns what follows from it; only a fact.Tick makes
// events. An error says that this fact was refused.
func (e *Engine) Step(f fact.Fact) ([]Event, error) {
	if tick, ok := f.(fact.Tick); ok {
		return e.tick(tick.At)
	}
	if !e.now.IsZero() && f.When().Sub(e.now) > maxAhead {
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
		return e.onHost(f.Host, func(h *host) { h.cores = f.Cores })
	case fact.Disk:
		return e.onHost(f.Host, func(h *host) {
			d, end, over := h.disk(f.Device), seconds(f.At), f.Over.Seconds()
			d.ops.spread(end, over, f.Reads+f.Writes)
			d.bytes.spread(end, over, f.ReadBytes+f.WriteBytes)
			d.opTime.spread(end, over, f.OpTime)
			d.busy.spread(end, over, f.BusyTime)
			d.inFlight.hold(f.At.Unix(), f.InFlight)
		})
	case fact.Link:
		return e.onHost(f.Host, func(h *host) {
			l, end, over := h.link(f.Interface), seconds(f.At), f.Over.Seconds()
			l.bytes.spread(end, over, max(f.Received, f.Transmitted))
			l.drops.spread(end, over, f.Drops)
			l.speed = f.Speed
		})
	case fact.Pressure:
		if f.Cgroup != "" {
			return nil // not weighed yet: only the whole host's is
		}
		return e.onHost(f.Host, func(h *host) {
			h.stall(f.Resource).spread(seconds(f.At), f.Over.Seconds(), f.Some)
		})
	case fact.Capability:
		return e.onHost(f.Host, func(h *host) { h.can[f.Name] = f.Present })
	case fact.Log:
		if e.catalog.SignOf(f.Body) != catalog.DiskError {
			return nil
		}
		return e.onHost(f.Host, func(h *host) {
			if h.diskErrs == nil {
				h.diskErrs = new(series)
			}
			h.diskErrs.spread(seconds(f.At), 1, 1)
		})
	case fact.Mark:
		return nil
	default:
		return fmt.Errorf("unknown kind of fact %T", f)
	}
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func (e *Engine) host(name string) (*host, error) {
	h := e.byHost[name]
	if h != nil {
		return h, nil
	}
	if len(e.hosts) >= maxHosts {
		return nil, fmt.Errorf("hosts: %w to %d", ErrBound, maxHosts)
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
		if e.now.Sub(at) > maxBack {
			events := e.rebase(at)
			return events, fmt.Errorf("%w by %s: what was seen so far is forgotten, baselines are kept", ErrClock, e.now.Sub(at))
		}
		return nil, fmt.Errorf("%w by %s", ErrClock, e.now.Sub(at))
	}
	e.now = at
	var events []Event
	for _, w := range e.opened {
		events = append(events, Window{Phase: Opened, Reason: ReasonBackupStarted, At: w.Start, Window: w})
	}
	e.opened = nil
	for _, w := range e.windows.Expire(at) {
		events = append(events, Window{Phase: Closed, Reason: ReasonBackupEnded, At: w.End, Window: w})
	}
	for _, h := range e.hosts {
		h.remember(at.Unix())
	}
	for _, v := range e.victims {
		events = append(events, e.judge(v, at)...)
	}
	if at.Sub(e.swept) >= sweep {
		e.swept = at
		e.forget(at)
	}
	return events, nil
}

func (e *Engine) forget(at time.Time) {
	e.procs = 0
	for _, h := range e.hosts {
		h.forget(at.Unix()-window, at.Add(-2*time.Minute).Unix())
		e.procs += len(h.byPID)
	}
	for key, s := range e.serving {
		if h := e.byHost[key.host]; s.at < at.Unix()-window && (h == nil || h.byPID[key.pid] == nil) {
			delete(e.serving, key)
		}
	}
}

// rebase starts anew after the clock went back: nothing from the other time is
// compared with what comes now.
func (e *Engine) rebase(at time.Time) []Event {
	var events []Event
	for _, v := range e.victims {
		events = append(events, e.close(v, at, ReasonVictimVanished)...)
		v.rebase()
	}
	e.hosts, e.byHost, e.serving = nil, map[string]*host{}, map[pidOf]served{}
	e.windows = backup.NewTracker(e.p.BackupGrace, time.Duration(e.p.Before)*time.Second, e.p.MaxWindows)
	e.opened, e.procs, e.now, e.swept = nil, 0, at, at
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
