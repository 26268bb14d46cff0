package grafanaexporter

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// retention is how long a completed annotation is kept in mind, so that an
// event that comes late does not open it again.
const retention = 15 * time.Minute

// board is the wanted state of Grafana: every annotation that is open, and
// those completed lately. Its times are arguments.
type board struct {
	limit int

	mu      sync.Mutex
	version uint64
	entries map[string]*entry // by unique tag
}

// entry is one annotation, as wanted and as written.
type entry struct {
	note    note
	at      time.Time // event time of the last news
	seen    time.Time // our clock, at the last news
	version uint64    // grows with each change

	written   uint64    // the version Grafana has, or has refused
	writtenAt time.Time // our clock
	id        int64     // in Grafana; 0 if unknown
}

func (e *entry) open() bool { return e.note.End.IsZero() }

// application is what became of an event.
type application int

const (
	applied application = iota
	stale               // older than what is known
	dropped             // the board is full
)

func newBoard(limit int) *board {
	return &board{limit: limit, entries: map[string]*entry{}}
}

// outdates tells whether a note of that time is older than what is known.
func (e *entry) outdates(n note, at time.Time) bool {
	if opens := n.End.IsZero(); opens != e.open() {
		return opens // what is over does not open again, what is open may end
	}
	return at.Before(e.at)
}

// apply takes in a note that was true at the event time. The end of what is
// open is taken whatever its time: nothing follows that could make it stale, and
// a clock that went back must not keep the annotation growing.
func (b *board) apply(n note, at, now time.Time) application {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, known := b.entries[n.ID]
	if known && e.outdates(n, at) {
		return stale
	}
	if !known {
		if len(b.entries) >= b.limit && !b.evict() {
			return dropped
		}
		e = &entry{}
		b.entries[n.ID] = e
	}
	b.version++
	e.note, e.at, e.seen, e.version = n, at, now, b.version
	return applied
}

// evict makes room by forgetting the entry completed first.
func (b *board) evict() bool {
	var oldest string
	for id, e := range b.entries {
		if !e.open() && e.written == e.version && (oldest == "" || e.seen.Before(b.entries[oldest].seen)) {
			oldest = id
		}
	}
	delete(b.entries, oldest)
	return oldest != ""
}

// due is a copy of the entries that changed since they were written, and of
// the open ones that were not extended for the interval; oldest change first.
func (b *board) due(interval time.Duration, now time.Time) []entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []entry
	for _, e := range b.entries {
		if e.version != e.written || (e.open() && now.Sub(e.writtenAt) >= interval/2) {
			out = append(out, *e)
		}
	}
	slices.SortFunc(out, func(x, y entry) int { return cmp.Compare(x.version, y.version) })
	return out
}

// learn remembers the annotation's ID in Grafana; 0 forgets it.
func (b *board) learn(tag string, id int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.entries[tag]; e != nil {
		e.id = id
	}
}

// settle remembers that there is nothing more to write for that version.
func (b *board) settle(tag string, version uint64, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.entries[tag]; e != nil {
		e.written, e.writtenAt = version, now
	}
}

// prune forgets what was completed a while ago, and what had no news for too
// long; it returns how many of the latter there were.
func (b *board) prune(forgetAfter time.Duration, now time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	forgotten := 0
	for tag, e := range b.entries {
		age := now.Sub(e.seen)
		switch {
		case age > forgetAfter:
			delete(b.entries, tag)
			if e.open() || e.version != e.written {
				forgotten++
			}
		case !e.open() && e.version == e.written && age > retention:
			delete(b.entries, tag)
		}
	}
	return forgotten
}
