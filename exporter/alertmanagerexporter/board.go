package alertmanagerexporter

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/otel-culprit/culprit/internal/event"
)

// retention is how long a resolved alert is repeated, as Prometheus does it:
// a peer that was away must hear of it too.
const retention = 15 * time.Minute

// board is the wanted state of Alertmanager: every alert that is open, and
// those resolved lately. Its times are arguments.
//
//	verdict --apply--> board --snapshot--> each peer sends what is due
type board struct {
	limit int // of alerts, and of verdicts

	mu       sync.Mutex
	version  uint64
	alerts   map[string]*posted       // by identity
	verdicts map[string]*verdictState // by the verdict's ID
}

// posted is an alert as it should stand in Alertmanager.
type posted struct {
	Alert     alert     `json:"alert"`
	VerdictID string    `json:"verdict_id"`
	EndsAt    time.Time `json:"ends_at"` // zero while open
	Seen      time.Time `json:"seen"`    // our clock, at the last news
	version   uint64    // grows with each change
}

func (p *posted) open() bool { return p.EndsAt.IsZero() }

// verdictState is what there is to know of a verdict to put its next event in
// its place.
type verdictState struct {
	At       time.Time `json:"at"`
	Seen     time.Time `json:"seen"`
	Closed   bool      `json:"closed"`
	Identity string    `json:"identity"` // of its open alert; empty if it has none
}

// outdates tells whether an event of that time is older than what is known.
func (s *verdictState) outdates(at time.Time, closing bool) bool {
	if closing != s.Closed {
		return s.Closed // what is over does not open again, what is open may end
	}
	return at.Before(s.At)
}

// application is what became of a verdict's event.
type application int

const (
	applied application = iota
	stale               // older than what is known
	dropped             // the board is full
)

func newBoard(limit int) *board {
	return &board{limit: limit, alerts: map[string]*posted{}, verdicts: map[string]*verdictState{}}
}

// apply takes in an event of a verdict. The end of an open verdict is taken
// whatever its time: nothing follows that could make it stale, and a clock that
// went back must not keep the alert alive.
func (b *board) apply(n news, now time.Time) application {
	v := n.verdict
	b.mu.Lock()
	defer b.mu.Unlock()

	state, known := b.verdicts[v.ID]
	closing := v.Phase == event.Closed
	if known && state.outdates(v.At, closing) {
		return stale
	}
	if !known {
		if !b.roomForVerdict() {
			return dropped
		}
		state = &verdictState{}
		b.verdicts[v.ID] = state
	}
	state.At, state.Seen, state.Closed = v.At, now, closing

	if closing {
		return b.close(n, state, now)
	}
	if state.Identity != "" && (!n.wanted || state.Identity != n.alert.identity()) {
		b.resolve(v.ID, state, v.At, now)
	}
	if !n.wanted {
		return applied
	}
	return b.put(state, &posted{Alert: n.alert, VerdictID: v.ID, Seen: now})
}

// close resolves the verdict's alert. One that was fired before a restart is
// not known any more; it is resolved under the labels it most likely had.
func (b *board) close(n news, state *verdictState, now time.Time) application {
	v := n.verdict
	if state.Identity == "" {
		if p := b.alerts[n.alert.identity()]; !n.wanted || (p != nil && (p.open() || p.VerdictID == v.ID)) {
			return applied
		}
		return b.put(nil, &posted{Alert: n.alert, VerdictID: v.ID, EndsAt: v.End, Seen: now})
	}
	if p := b.alerts[state.Identity]; p != nil && p.VerdictID == v.ID && state.Identity == n.alert.identity() {
		p.Alert = n.alert // its last words are the better ones
	}
	b.resolve(v.ID, state, v.End, now)
	return applied
}

// resolve ends the verdict's open alert, unless another verdict has taken it
// over.
func (b *board) resolve(id string, state *verdictState, at, now time.Time) {
	if p := b.alerts[state.Identity]; p != nil && p.VerdictID == id && p.open() {
		p.EndsAt, p.Seen = at, now
		b.version++
		p.version = b.version
	}
	state.Identity = ""
}

// put adds the alert or replaces what has its identity.
func (b *board) put(state *verdictState, p *posted) application {
	identity := p.Alert.identity()
	if _, there := b.alerts[identity]; !there && len(b.alerts) >= b.limit && !b.evictResolved() {
		return dropped
	}
	b.version++
	p.version = b.version
	b.alerts[identity] = p
	if state != nil {
		state.Identity = identity
	}
	return applied
}

// evictResolved makes room by forgetting the alert that was resolved first.
func (b *board) evictResolved() bool {
	var oldest string
	for identity, p := range b.alerts {
		if !p.open() && (oldest == "" || p.Seen.Before(b.alerts[oldest].Seen)) {
			oldest = identity
		}
	}
	delete(b.alerts, oldest)
	return oldest != ""
}

// roomForVerdict makes room by forgetting the verdict that closed first, or
// the one longest without news that has no alert.
func (b *board) roomForVerdict() bool {
	if len(b.verdicts) < b.limit {
		return true
	}
	var oldest string
	for id, state := range b.verdicts {
		if state.Identity == "" && (oldest == "" || state.Seen.Before(b.verdicts[oldest].Seen)) {
			oldest = id
		}
	}
	delete(b.verdicts, oldest)
	return oldest != ""
}

// prune forgets alerts resolved long ago and open ones without news, and
// returns how many of the latter there were.
func (b *board) prune(forgetAfter time.Duration, now time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	forgotten := 0
	for identity, p := range b.alerts {
		age := now.Sub(p.Seen)
		switch {
		case p.open() && age > forgetAfter:
			forgotten++
			delete(b.alerts, identity)
		case !p.open() && age > retention:
			delete(b.alerts, identity)
		}
	}
	for id, state := range b.verdicts {
		age := now.Sub(state.Seen)
		if age > forgetAfter || (state.Closed && age > retention) {
			delete(b.verdicts, id)
		}
	}
	return forgotten
}

// snapshot is a copy of what should stand in Alertmanager, in the order of the
// changes.
func (b *board) snapshot() []posted {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]posted, 0, len(b.alerts))
	for _, p := range b.alerts {
		out = append(out, *p) // its maps are never changed once on the board
	}
	slices.SortFunc(out, func(x, y posted) int { return cmp.Compare(x.version, y.version) })
	return out
}

// boardFile is the board as it is stored.
type boardFile struct {
	Alerts   []*posted                `json:"alerts"`
	Verdicts map[string]*verdictState `json:"verdicts"`
}

func (b *board) marshal() ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	alerts := slices.SortedFunc(maps.Values(b.alerts), func(x, y *posted) int { return cmp.Compare(x.version, y.version) })
	return json.Marshal(boardFile{Alerts: alerts, Verdicts: b.verdicts})
}

// unmarshal fills an empty board.
func (b *board) unmarshal(data []byte) error {
	var file boardFile
	if err := json.Unmarshal(data, &file); err != nil {
		return fmt.Errorf("stored alerts: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range file.Alerts {
		if p == nil || len(p.Alert.Labels) == 0 || len(b.alerts) >= b.limit {
			continue
		}
		b.version++
		p.version = b.version
		b.alerts[p.Alert.identity()] = p
	}
	for id, state := range file.Verdicts {
		if state != nil && len(b.verdicts) < b.limit {
			b.verdicts[id] = state
		}
	}
	return nil
}
