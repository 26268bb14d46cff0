package rootcause

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/otel-culprit/culprit/internal/fact"
)

// lent is the work that a server does for a client, among what it does for
// others: a mysqldump reads a few bytes itself, and the server the whole table
// for it.
type lent struct {
	server, client *workload
	from, seen     int64
}

// lentFor is for how many seconds a relation holds after it was told.
func (h *host) lentFor() int64 { return max(15, h.every()) }

// every is how many seconds a reading covers.
func (h *host) every() int64 { return max(1, int64(math.Ceil(h.interval))) }

// lend notes that a server works for a client.
func (h *host) lend(f fact.WorksFor) error {
	server, client := h.byPID[f.Server.PID], h.byPID[f.Client.PID]
	if server == nil || client == nil || server.described.Process != f.Server || client.described.Process != f.Client ||
		server.workload == client.workload {
		return nil
	}
	at := f.At.Unix()
	i := slices.IndexFunc(h.lent, func(l lent) bool {
		return l.server == server.workload && l.client == client.workload && at <= l.seen+h.lentFor()
	})
	switch {
	case i >= 0:
		h.lent[i].seen = max(h.lent[i].seen, at)
	case len(h.lent) >= maxDevices:
		return fmt.Errorf("relations of %s: %w to %d", h.name, ErrBound, maxDevices)
	default:
		h.lent = append(h.lent, lent{server: server.workload, client: client.workload, from: max(at-h.every()+1, f.Client.Start/1000), seen: at})
	}
	return nil
}

// used is what a workload used of a resource, with what a server did for it, and
// without what it did for others: that is what a server used beyond its usual
// while it worked for a client.
func (sc *scene) used(u *use, w *workload, r Shared) {
	sc.read(u, w, r)
	for i, l := range w.host.lent {
		if l.server != w && l.client != w {
			continue
		}
		usual := sc.usually(w.host, i, r)
		for n := max(0, l.from-u.first); n < int64(len(u.values)) && u.first+n <= l.seen+w.host.lentFor(); n++ {
			second := u.first + n
			beyond := max(0, l.server.usedOf(r, second)-usual) / float64(w.host.clientsOf(l.server, second))
			if l.client == w {
				u.values[n] += beyond
			} else {
				u.values[n] = max(0, u.values[n]-beyond)
			}
		}
	}
	sc.compare(u)
}

// clientsOf counts for how many a server works in a second: they share evenly,
// for want of anything better.
func (h *host) clientsOf(server *workload, second int64) int {
	n := 0
	for _, l := range h.lent {
		if l.server == server && second >= l.from && second <= l.seen+h.lentFor() {
			n++
		}
	}
	return max(n, 1)
}

// servers names those that work for a workload at some second of the scene.
func (sc *scene) servers(h *host, w *workload) []string {
	var names []string
	for _, l := range h.lent {
		if l.client == w && l.from <= sc.to && l.seen+h.lentFor() >= sc.from {
			names = insert(names, l.server.id.Name)
		}
	}
	return names
}

// withServers names a workload, and what works for it.
func (sc *scene) withServers(h *host, w *workload) string {
	if servers := sc.servers(h, w); len(servers) > 0 {
		return w.id.Name + ", with what " + strings.Join(servers, " and ") + " does for it,"
	}
	return w.id.Name
}

// usually is the median use of a lending server before the onset and before it
// began to work for the client.
func (sc *scene) usually(h *host, i int, r Shared) float64 {
	l := h.lent[i]
	key := lentUse{l.server, l.from, r}
	usual, known := sc.usualOf[key]
	if !known {
		var before []float64
		for _, second := range sc.usual {
			if second < l.from {
				before = append(before, l.server.usedOf(r, second))
			}
		}
		usual = math.Inf(1) // no seconds to compare with: nothing is ascribed
		if len(before) > 0 {
			slices.Sort(before)
			usual = before[len(before)/2]
		}
		sc.usualOf[key] = usual
	}
	return usual
}

type lentUse struct {
	server *workload
	from   int64
	r      Shared
}
