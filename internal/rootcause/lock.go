package rootcause

import (
	"fmt"
	"slices"

	"github.com/otel-culprit/culprit/internal/backup"
)

// locksOf finds the databases whose locks can hold up a victim: its own, or those
// on its hosts.
func (e *Engine) locksOf(sc *scene) []*locks {
	var list []*locks
	for _, l := range e.locks {
		mine := l.service == sc.v.id.Service && l.service != ""
		for _, h := range sc.hosts {
			mine = mine || l.host == h.name
		}
		if mine {
			list = append(list, l)
		}
	}
	return list
}

// lockWait tells how many more of a database's sessions wait for each other: of
// those that usually do not, the part that does now. It looks at the databases on
// a host, or at all if that is empty. Sessions also wait for one that is held up
// by something else, so that a host that fell idle altogether, by so much as
// starved says, speaks against a lock.
func (sc *scene) lockWait(on string, starved float64) wait {
	var most wait
	for _, l := range sc.locks {
		if on != "" && l.host != "" && l.host != on {
			continue
		}
		waiting, sessions := sc.shift(l.waiting.at, 1), sc.shift(l.sessions.at, 1)
		if waiting.before == 0 && waiting.after == 0 { // seconds waited in a second are sessions that wait
			waiting = sc.shift(l.time.at, 1)
		}
		if waiting.before == 0 && waiting.after == 0 {
			continue
		}
		before, after := waiting.before, waiting.after
		w := wait{own: l.service == sc.v.id.Service}
		if sessions.after > 0 {
			before, after = waiting.before/max(sessions.before, 1), waiting.after/sessions.after
			w.strength = clamp01((after-before)/max(1-before, 0.1)) * (1 - starved)
			w.sentence = fmt.Sprintf("%.0f of %.0f sessions wait for a lock, usually %.0f of %.0f", waiting.after, sessions.after, waiting.before, sessions.before)
		} else {
			w.strength = rise(waiting, 1, 4) * (1 - starved)
			w.sentence = fmt.Sprintf("%.0f sessions wait for a lock, usually %.0f", after, before)
		}
		if most.sentence == "" || w.strength > most.strength {
			most = w
		}
	}
	return most
}

// moreSessions is by how much more sessions are at work for the victim, as a factor,
// while no fewer requests are done: more clients, not slower ones. Zero if
// sessions or requests are not told, or a dump has sessions of its own.
func (e *Engine) moreSessions(sc *scene) float64 {
	dumps := slices.ContainsFunc(e.windows.Since("", moment(sc.onset)), func(w backup.Window) bool {
		t, ok := e.catalog.Tool(w.Tool)
		return ok && len(t.Backend) > 0
	})
	if dumps || sc.rate.before == 0 || sc.rate.ratio(0.5) <= 0.9 {
		return 0
	}
	var most float64
	for _, l := range sc.locks {
		if s := sc.shift(l.sessions.at, 1); s.before > 0 && l.service == sc.v.id.Service {
			most = max(most, s.ratio(1))
		}
	}
	return most
}

// heldUp tells from 0 to 1 how much the victim itself waits for what the host has:
// whoever waits is at work for longer, so that more are at once, however few come.
// Many sessions wait for locks by their own doing.
func (sc *scene) heldUp() (most float64) {
	for r, w := range sc.waits {
		if w.own && Shared(r) != SharedLock {
			most = max(most, w.strength)
		}
	}
	return most
}

// lockHolders are the running backups that read a database which the victim
// needs: a dump may hold what all others wait for, and use nothing.
func (e *Engine) lockHolders(sc *scene) []scored {
	var list []scored
	for _, w := range e.windows.Since("", moment(sc.onset)) {
		h := e.byHost[w.Workload.Host]
		t, ok := e.catalog.Tool(w.Tool)
		if !ok || len(t.Backend) == 0 || !slices.Contains(sc.hosts, h) {
			continue
		}
		held := *sc
		held.waits[SharedLock] = sc.lockWait(h.name, 0) // who holds a lock explains why the host fell idle
		runs := h.find(w.Workload)
		if held.waits[SharedLock].strength == 0 || runs == nil || runs.doesWorkOf(sc.v.id.Service) {
			continue
		}
		c := e.suspect(Suspect{Cause: Contention, Resource: SharedLock, Workload: w.Workload, Tool: t.Name}, PriorContention)
		c.workload = runs
		lead := sc.onset - w.Start.Unix()
		ev := Evidence{Name: "onset_order", Value: float64(lead), Unit: "s", Sentence: fmt.Sprintf("it reads the database since %d s before the latency rose", lead)}
		if lead < -sc.slack {
			ev.Term, ev.Strength, ev.Sentence = TermOnsetLate, 1, fmt.Sprintf("it began %d s after the latency rose", -lead)
		} else {
			ev.Term, ev.Strength = TermOnset, closeness(max(0, lead-sc.slack))
		}
		c.add(ev)
		c.add(waited(&held, SharedLock))
		e.heed(sc, &c)
		list = append(list, c)
	}
	return list
}

// mayHold reports whether a backup may hold a lock that nobody tells of: one that
// reads a database, where requests wait elsewhere.
func (e *Engine) mayHold(sc *scene, top Suspect, w backup.Window) bool {
	t, ok := e.catalog.Tool(w.Tool)
	return ok && len(t.Backend) > 0 && top.Cause == Upstream && len(sc.locks) == 0 && w.Start.Unix() <= sc.onset+sc.slack
}
