package sockets

import (
	"time"

	"github.com/otel-culprit/culprit/internal/process"
)

// holder is a process.
type holder struct {
	pid       int64
	start     time.Time // with the PID, the identity of the process
	process   *process.Process
	seen      uint64 // the last update that saw it
	gone      bool
	described int
	space     *namespace

	// What is known of its descriptors.
	ran     bool  // since they were read, so they may be others
	from    int64 // where reading goes on; zero is the start
	read    bool  // to the end, once at least
	refused bool
	retry   uint64 // the update that may ask again; zero if it was not refused
	sharing bool   // it holds sockets that another owns
	owned   int    // files

	listener    *file // one that it listens on
	descriptor  uint64
	check, step uint64 // see file

	// Since it is known.
	traffic     process.Traffic
	retransmits int64
	flight      int64 // bytes times milliseconds
	// Of this update.
	rttSum, rttCount uint64 // microseconds
}

// refusalStep is after how many updates a refused process or namespace is asked
// for again: it may have changed its user, or this process its rights.
const refusalStep = 60

// join brings the table up to the processes that live.
func (t *Table) join(procs []*process.Process) {
	for _, n := range t.spaces {
		n.processes = 0
	}
	t.order = t.order[:0]
	for _, p := range procs {
		h := t.holders[p.PID]
		fresh := h == nil || !h.start.Equal(p.Start)
		if fresh {
			if h != nil {
				h.gone = true
			}
			h = &holder{pid: p.PID, start: p.Start, ran: true}
			t.holders[p.PID] = h
		}
		h.process = p
		h.seen = t.update
		h.ran = h.ran || p.Ran
		h.rttSum, h.rttCount = 0, 0
		if fresh || h.described != p.Described {
			h.described = p.Described
			t.place(h, fresh)
		}
		if h.space.conn == nil && t.update >= h.space.retry {
			t.enter(h.space, h.pid)
		}
		h.space.processes++
		t.order = append(t.order, h)
	}
	if len(t.holders) > len(t.order) {
		for pid, h := range t.holders {
			if h.seen != t.update {
				h.gone = true
				delete(t.holders, pid)
			}
		}
	}
	t.leave()
}

// place finds the network namespace of a process; one that may not be asked is
// taken to be in the own one.
func (t *Table) place(h *holder, fresh bool) {
	inode, ok := t.reader.namespaceOf(h.pid)
	if !ok && h.space != nil {
		return
	}
	if !ok || t.own.inode == 0 {
		inode = t.own.inode
	}
	n := t.spaces[inode]
	if n == nil {
		// A namespace that came with its processes has sockets no older than they.
		n = &namespace{inode: inode, entered: t.update, sockets: map[uint64]*socket{}}
		n.complete = true
		t.spaces[inode] = n
	}
	if n.entered == t.update && (t.update == 1 || !fresh) {
		n.complete = false
	}
	h.space = n
}
