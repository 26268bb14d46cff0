package rootcause

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/otel-culprit/culprit/internal/latency"
)

// memory is what an engine that is started anew needs to know of the time
// before. Each kind of knowledge has a section of its own; a section that is not
// known is ignored, so that an older program reads what a newer one wrote.
type memory struct {
	Version   int        `json:"version"`
	Baselines []baseline `json:"baselines"`         // by service, then host
	Records   []runs     `json:"records,omitempty"` // by subject
}

// baseline is what was learned of a victim.
type baseline struct {
	Service string    `json:"service"`
	Host    string    `json:"host,omitzero"`
	Heard   int64     `json:"heard"`           // Unix seconds of the newest fact
	Signals []learned `json:"signals"`         // by name
	Hours   []quiet   `json:"hours,omitempty"` // of the day, ascending
}

type learned struct {
	Name string `json:"name"`
	latency.State
}

const (
	memoryVersion = 1
	// MaxMemory bounds what Remember gives and Recall takes, in bytes.
	MaxMemory = 1 << 20
)

// Remember gives what was learned, for Recall: JSON without spaces and without
// line breaks. The same state gives the same bytes. What was seen lately is not
// learned: no episode, no window and no process is remembered. If all is more
// than MaxMemory, the oldest runs of backups are left out, then the victims that
// were not heard for longest.
func (e *Engine) Remember() ([]byte, error) {
	m := memory{Version: memoryVersion, Baselines: []baseline{}}
	recent := slices.Clone(e.victims)
	slices.SortStableFunc(recent, func(a, b *victim) int {
		return cmp.Or(cmp.Compare(b.heard, a.heard), compareVictims(a.id, b.id))
	})
	size := 0
	for _, v := range recent {
		b := v.baseline()
		if len(b.Signals) == 0 {
			continue
		}
		text, err := json.Marshal(b)
		if err != nil {
			return nil, fmt.Errorf("remember %s: %w", v.id.Service, err)
		}
		if size += len(text) + 1; size > MaxMemory-len(`{"version":1,"baselines":[],"records":[]}`) {
			break
		}
		m.Baselines = append(m.Baselines, b)
	}
	var err error
	if m.Records, err = e.rememberRuns(MaxMemory - len(`{"version":1,"baselines":[],"records":[]}`) - size); err != nil {
		return nil, err
	}
	slices.SortFunc(m.Baselines, func(a, b baseline) int { return compareVictims(a.victim(), b.victim()) })
	return json.Marshal(m)
}

func compareVictims(a, b Victim) int {
	return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Host, b.Host))
}

func (b baseline) victim() Victim { return Victim{Service: b.Service, Host: b.Host} }

// baseline is what a victim's signals learned; those that were heard come first
// if there are too many.
func (v *victim) baseline() baseline {
	b := baseline{Service: v.id.Service, Host: v.id.Host, Heard: v.heard}
	add := func(name string, s latency.State) {
		if len(s.Bins) > 0 && len(b.Signals) < maxSignals {
			b.Signals = append(b.Signals, learned{Name: name, State: s})
		}
	}
	for _, s := range v.signals {
		add(s.Name, s.State())
	}
	for _, name := range slices.Sorted(maps.Keys(v.recalled)) {
		add(name, v.recalled[name])
	}
	slices.SortFunc(b.Signals, func(a, b learned) int { return cmp.Compare(a.Name, b.Name) })
	b.Hours = v.hours.remember()
	return b
}

// Recall takes what Remember gave. A signal that has learned more by itself keeps
// that. An error says what is wrong, and nothing was changed then.
func (e *Engine) Recall(state []byte) error {
	m, err := parseMemory(state)
	if err != nil {
		return fmt.Errorf("recall: %w", err)
	}
	if err := e.fits(m.Baselines); err != nil {
		return fmt.Errorf("recall: %w", err)
	}
	var newest int64
	for _, b := range m.Baselines {
		newest = max(newest, b.Heard)
	}
	now := newest
	if !e.now.IsZero() {
		now = e.now.Unix()
	}
	for _, b := range m.Baselines {
		v, err := e.victim(b.victim())
		if err != nil {
			return err // not after fits
		}
		v.recall(b, now)
		// The time in which nobody listened is no silence of the victim.
		v.heard = max(v.heard, now-(newest-b.Heard))
		v.hours.recall(b.Hours)
	}
	for _, r := range m.Records {
		e.recallRuns(r)
	}
	return nil
}

// restart begins anew with what an earlier run had learned: what the runs before
// saw in the same journal is not what this one sees. An error changes nothing.
func (e *Engine) restart(state []byte) error {
	fresh := New(e.given, e.catalog)
	fresh.now, fresh.swept = e.now, e.swept
	if err := fresh.Recall(state); err != nil {
		return err
	}
	*e = *fresh
	return nil
}

// fits is whether there is room for all victims.
func (e *Engine) fits(list []baseline) error {
	known := map[Victim]bool{}
	for _, v := range e.victims {
		known[v.id] = true
	}
	for _, b := range list {
		known[b.victim()] = true
	}
	if len(known) > e.p.MaxVictims {
		return fmt.Errorf("services: %w to %d", ErrBound, e.p.MaxVictims)
	}
	return nil
}

func (v *victim) recall(b baseline, now int64) {
	for _, l := range b.Signals {
		i := slices.IndexFunc(v.signals, func(s *signal) bool { return s.Name == l.Name })
		if i >= 0 {
			v.signals[i].Recall(now, l.State)
			continue
		}
		if v.recalled == nil {
			v.recalled = map[string]latency.State{}
		}
		if _, known := v.recalled[l.Name]; !known && len(v.recalled) >= maxSignals {
			continue
		}
		if v.recalled[l.Name].Until < l.Until {
			v.recalled[l.Name] = l.State
		}
	}
}

// recollect gives a signal that is heard for the first time what it had learned
// before.
func (v *victim) recollect(s *latency.Signal, now int64) {
	if state, ok := v.recalled[s.Name]; ok {
		s.Recall(now, state)
		delete(v.recalled, s.Name)
	}
}

func parseMemory(state []byte) (memory, error) {
	var m memory
	if len(state) > MaxMemory {
		return m, fmt.Errorf("the state has %d bytes, more than %d", len(state), MaxMemory)
	}
	if err := json.Unmarshal(state, &m); err != nil {
		return m, fmt.Errorf("the state is no JSON of this form: %w", err)
	}
	if m.Version != memoryVersion {
		return m, fmt.Errorf("the state has version %d, but this program reads version %d", m.Version, memoryVersion)
	}
	for i, b := range m.Baselines {
		if i > 0 && compareVictims(m.Baselines[i-1].victim(), b.victim()) >= 0 {
			return m, fmt.Errorf("baselines[%d]: %q on %q is not after the one before it", i, b.Service, b.Host)
		}
		if err := b.validate(); err != nil {
			return m, fmt.Errorf("baselines[%d] (%s): %w", i, b.Service, err)
		}
	}
	return m, validateRuns(m.Records)
}

func (b baseline) validate() error {
	if b.Heard < 0 || b.Heard > latency.MaxSecond {
		return fmt.Errorf("heard: %d is no time between the years 1970 and 2262", b.Heard)
	}
	if len(b.Signals) > maxSignals {
		return fmt.Errorf("signals: %w to %d", ErrBound, maxSignals)
	}
	for i, l := range b.Signals {
		if i > 0 && b.Signals[i-1].Name >= l.Name {
			return fmt.Errorf("signals[%d]: %q is not after the one before it", i, l.Name)
		}
		if err := l.Validate(); err != nil {
			return fmt.Errorf("signals[%d] (%s): %w", i, l.Name, err)
		}
	}
	return validateHours(b.Hours)
}
