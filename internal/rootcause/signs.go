package rootcause

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/otel-culprit/culprit/internal/backup"
	"github.com/otel-culprit/culprit/internal/catalog"
	"github.com/otel-culprit/culprit/internal/fact"
)

const (
	maxSigns = 1024 // series of signs
	// What breaks something is often told a while before latency shows it.
	signLead = 30 // seconds
)

// signKey is one sign of those whom it is about: of a host, or of a service or a
// unit on it.
type signKey struct {
	sign, host, service, unit string
}

// told is how often a sign was seen, second by second.
type told struct {
	signKey
	series
	found catalog.Found // the latest
	seen  int64
}

// signBook has the signs in the order in which they were first seen.
type signBook struct {
	list  []*told
	byKey map[signKey]*told
}

// log takes a record: a sign, or what a backup tool says.
func (e *Engine) log(f fact.Log) error {
	if found, ok := e.catalog.Find(f); ok {
		return e.book.note(f, found)
	}
	said, ok := e.catalog.Said(f)
	if !ok {
		return nil
	}
	w, opened := e.windows.Told(backup.Message{
		Host: f.Host, Tool: said.Tool.Name, Unit: f.Unit, At: f.At, Sure: said.ByItself,
		Begins: said.Tells == catalog.TellsStart, Ends: said.Tells == catalog.TellsEnd,
		Phase: said.Phase, Outcome: backup.Outcome(said.Outcome),
	})
	if opened {
		e.opened = append(e.opened, w)
	}
	return nil
}

func (b *signBook) note(f fact.Log, found catalog.Found) error {
	key := signKey{sign: found.Name, host: f.Host}
	switch found.About {
	case catalog.AboutService:
		key.service = f.Service
	case catalog.AboutUnit:
		key.unit = cmp.Or(unitOf(found.Named["cgroup"]), found.Named["unit"], f.Unit)
	}
	t := b.byKey[key]
	if t == nil {
		if len(b.list) >= maxSigns {
			b.forget(f.At.Unix() - window)
		}
		if len(b.list) >= maxSigns {
			return fmt.Errorf("signs in logs: %w to %d", ErrBound, maxSigns)
		}
		if b.byKey == nil {
			b.byKey = map[signKey]*told{}
		}
		t = &told{signKey: key}
		b.list, b.byKey[key] = append(b.list, t), t
	}
	t.spread(seconds(f.At)+0.001, 0.001, 1) // within the second in which it was written
	t.found, t.seen = found, max(t.seen, f.At.Unix())
	return nil
}

func (b *signBook) forget(since int64) {
	b.list = slices.DeleteFunc(b.list, func(t *told) bool {
		if t.seen < since {
			delete(b.byKey, t.signKey)
			return true
		}
		return false
	})
}

// heed adds what logs and traces tell of a suspect.
func (e *Engine) heed(sc *scene, s *scored) {
	list := e.signs(sc, s.Cause, s.Resource)
	if s.Cause == Upstream {
		list = append(list, sc.calls...)
	}
	if s.Cause == Upstream || s.Cause == OwnWork {
		list = append(list, sc.failedRequests()...)
	}
	for _, ev := range list {
		s.add(ev)
	}
}

// signs is what logs tell for a cause. Of several signs with one term only the
// strongest counts: they tell of the same thing.
func (e *Engine) signs(sc *scene, cause Cause, r Shared) []Evidence {
	var list []Evidence
	strongest := map[Term]int{}
	for i := range e.catalog.Signs {
		s := &e.catalog.Signs[i]
		if !speaksFor(s, cause, r) || s.Resource != "" && r != NoResource && s.Resource != r.String() {
			continue
		}
		ev, ok := e.sign(sc, s)
		if !ok {
			continue
		}
		other, known := strongest[ev.Term]
		switch {
		case !known:
			strongest[ev.Term] = len(list)
		case list[other].Strength >= ev.Strength:
			ev.Term, ev.Strength = "", 0
		default:
			strongest[ev.Term] = len(list)
			list[other].Term, list[other].Strength = "", 0
		}
		list = append(list, ev)
	}
	return list
}

// speaksFor is whether a sign is of a cause; a lock is something to contend for.
func speaksFor(s *catalog.Sign, cause Cause, r Shared) bool {
	return Cause(s.Cause) == cause || s.Cause == "lock" && cause == Contention && r == SharedLock
}

// sign compares how often a sign was seen around and after the onset with before;
// ok is false if it was not.
func (e *Engine) sign(sc *scene, s *catalog.Sign) (ev Evidence, ok bool) {
	from := sc.onset - signLead
	var (
		count, before, usual float64
		latest               *told
	)
	for _, t := range e.book.list {
		if t.sign != s.Name || !e.concerns(sc, t, s.About) {
			continue
		}
		if n := t.mean(from, sc.to) * float64(sc.to-from+1); n > 0 {
			count += n
			if latest == nil || t.seen > latest.seen {
				latest = t
			}
		}
		for _, second := range sc.usual {
			if second < from {
				before += t.at(second)
			}
		}
	}
	count = math.Round(count)
	if count < 1 || latest == nil {
		return Evidence{}, false
	}
	for _, second := range sc.usual {
		if second < from {
			usual++
		}
	}
	expected := 0.0
	if usual > 0 {
		expected = before / usual * float64(sc.to-from+1)
	}
	n, times := fmt.Sprintf("%.0f", count), fmt.Sprintf("%.0f times", count)
	if count == 1 {
		times = "once"
	}
	sentence := latest.found.Say(map[string]string{"count": n, "times": times, "host": cmp.Or(latest.host, "the host")})
	strength := clamp01((count - expected - 2*math.Sqrt(expected)) / max(s.Enough, expected)) // two deviations of chance
	if usual < enoughBefore {
		strength /= 2 // it may have been told all the time
	}
	if strength == 0 {
		sentence += ", no more often than before"
	}
	return Evidence{Name: s.Name, Value: count, Unit: "{message}", Term: Term(s.Term), Strength: strength, Sentence: sentence}, true
}

// concerns reports whether a sign is about a victim.
func (e *Engine) concerns(sc *scene, t *told, about string) bool {
	here := t.host != "" && t.host == sc.v.id.Host || slices.ContainsFunc(sc.hosts, func(h *host) bool { return h.name == t.host })
	switch about {
	case catalog.AboutService:
		if t.service == sc.v.id.Service {
			return here || t.host == "" || sc.v.id.Host == ""
		}
		return here && t.service == ""
	case catalog.AboutUnit:
		return here && t.unit != "" && (slices.Contains(e.p.Services[sc.v.id.Service], t.unit) ||
			slices.ContainsFunc(sc.owners, func(w *workload) bool { return w.key.unit == t.unit }))
	default:
		return here
	}
}

// failedRequests tells that more requests fail. It counts only if nothing else
// changed: who is starved fails requests, too.
func (sc *scene) failedRequests() []Evidence {
	after, before := sc.mean(sc.v.errors.at), sc.shift(sc.v.errors.at, 0.1).before
	seconds := float64(sc.to - sc.from + 1)
	if after*seconds < 5 || sc.rate.after <= 0 {
		return nil
	}
	failing, usual := clamp01(after/sc.rate.after), clamp01(before/max(sc.rate.before, 0.01))
	if failing < usual+0.02 {
		return nil
	}
	ev := Evidence{
		Name: "failed_requests", Value: failing, Unit: "1",
		Sentence: fmt.Sprintf("%s of the requests to %s fail, usually %s", percent(failing), sc.v.id.Service, percent(usual)),
	}
	waits := slices.ContainsFunc(sc.waits[:], func(w wait) bool { return w.strength > 0.1 })
	if !waits && sc.rate.ratio(0.5) < surgeRatio && sc.ownCPU.ratio(0.02) < 1.3 {
		ev.Term, ev.Strength = TermFailedRequests, clamp01((failing-usual)/0.2)
	}
	return []Evidence{ev}
}
