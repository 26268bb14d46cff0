package sockets

import "github.com/otel-culprit/culprit/internal/process"

// settled reports whether the owner of a socket is sure. That it still holds the
// socket is made sure of now and then, if there is anything to credit. Releases
// a socket whose owner ended while others hold it.
func (t *Table) settled(s *socket) bool {
	f := s.file
	if !f.owned() {
		if s.held && f.owner != nil {
			t.release(f)
		}
		return false
	}
	return t.update < f.check || s.traffic == process.Traffic{}
}

// credit gives a socket's bytes to its owner.
func (t *Table) credit(s *socket) {
	h := s.file.owner
	h.traffic.Received += s.traffic.Received
	h.traffic.Transmitted += s.traffic.Transmitted
	h.retransmits += s.again
	h.flight += s.flight
	s.traffic, s.again, s.flight = process.Traffic{}, 0, 0
	if s.rtt > 0 {
		h.rttSum += uint64(s.rtt)
		h.rttCount++
	}
}

// release takes a file from its owner. Others may hold it.
func (t *Table) release(f *file) {
	f.owner.owned--
	f.owner = nil
	f.retry, f.wait = 0, 0
	t.orphans = true
}

// want searches for the owner of a file in this update.
func (t *Table) want(f *file) {
	if f.wanted != t.update && t.update >= f.retry {
		f.wanted = t.update
		t.wanted++
	}
}

// maxChecks bounds how many owners an update makes sure of.
const maxChecks = 512

// verify makes sure that owners still hold their sockets, where that is due.
func (t *Table) verify() {
	checks := 0
	for _, s := range t.undue {
		f := s.file
		if !f.owned() || !s.held || t.update < f.check || checks == maxChecks {
			continue
		}
		checks++
		if t.reader.stillHolds(f.owner.pid, f.descriptor, f.inode) {
			f.step = min(f.step*2, maxStep)
			f.check = t.update + f.step
			continue
		}
		t.release(f)
		t.want(f)
	}
}

// settle credits what has an owner by now and reports the rest, except what may
// find its owner at the next update because processes are left to be read.
func (t *Table) settle(left bool) {
	for _, s := range t.undue {
		f := s.file
		if f.owned() {
			t.credit(s)
			continue
		}
		t.report.Unowned++
		if f == nil {
			continue // it may be accepted yet
		}
		if f.wanted == t.update {
			if left {
				continue
			}
			f.wait = min(max(1, f.wait*2), maxStep)
			// All of one step together, so that most updates search for none.
			f.retry = (t.update/f.wait + 1) * f.wait
		}
		t.disown(s)
	}
}

// disown reports a socket's bytes as nobody's.
func (t *Table) disown(s *socket) {
	t.report.UnownedTraffic.Received += s.traffic.Received
	t.report.UnownedTraffic.Transmitted += s.traffic.Transmitted
	s.traffic, s.again, s.flight = process.Traffic{}, 0, 0
}

// grace is for how many updates a socket may be missing: a list that changes
// while it is read can leave one out, and taken for a new one it would count
// from its start again.
const grace = 2

// forget drops the sockets that are no more, and namespaces with nobody in them.
func (t *Table) forget() {
	for _, n := range t.spaces {
		if n.conn == nil || len(n.sockets) == n.seen {
			continue
		}
		for cookie, s := range n.sockets {
			if t.update-s.seen > grace {
				t.drop(s)
				delete(n.sockets, cookie)
			}
		}
	}
}

func (t *Table) drop(s *socket) {
	if s.file.owned() {
		t.credit(s)
	} else {
		t.disown(s)
	}
	t.detach(s)
}
