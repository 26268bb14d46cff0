package workload

import (
	"maps"
	"slices"

	"github.com/otel-culprit/culprit/internal/process"
)

// Lend puts servers that work for one client each into the workloads of their
// clients, from the next scan on: a backend of a database does the I/O of a dump.
// Both are PIDs; servers that are no longer in the map go back to where they
// belong. The map is not kept.
func (b *Book) Lend(clients map[int64]int64) {
	var moved []int64 // in the order of PIDs: one may work for another
	for server := range b.lent {
		if _, still := clients[server]; !still {
			moved = append(moved, server)
		}
	}
	for server, client := range clients {
		if was, known := b.lent[server]; !known || was != client {
			moved = append(moved, server)
		}
	}
	if len(moved) == 0 {
		return
	}
	b.lent = maps.Clone(clients)
	slices.Sort(moved)
	for _, server := range moved {
		b.rehome(server)
	}
}

// rehome finds the workload of a living process anew.
func (b *Book) rehome(pid int64) {
	a := b.byPID[pid]
	if a == nil || a.p == nil || a.home == nil {
		return
	}
	was := a.home
	a.leave()
	a.home = nil
	if b.of(a); a.home == nil {
		a.home = was
	}
	a.enter()
}

// borrower is the workload of the client for which a process works; nil if it
// works for no one, or the client is gone.
func (h *homes) borrower(a *account) *Workload {
	pid, lent := h.lent[a.pid]
	if !lent {
		return nil
	}
	client := h.byPID[pid]
	if client == nil || client == a || client.p == nil {
		return nil
	}
	w := h.of(client)
	if w == h.hidden {
		return nil
	}
	return w
}

// Passed is how many bytes went over the sockets of all processes since the book
// was opened, those of workloads that ended among them.
func (b *Book) Passed() process.Traffic {
	sum := b.passed
	for _, w := range b.all {
		sum.Received += w.used[tcpReceived] + w.used[udpReceived]
		sum.Transmitted += w.used[tcpTransmitted] + w.used[udpTransmitted]
	}
	return sum
}
