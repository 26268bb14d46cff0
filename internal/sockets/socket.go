package sockets

import "github.com/otel-culprit/culprit/internal/process"

// file is the inode of sockets that a process may hold. It is one of more than
// one TCP socket only with Multipath TCP, where each path is a socket.
type file struct {
	inode      uint32
	sockets    int // that have it
	listening  bool
	owner      *holder
	descriptor uint64 // of the owner

	check, step uint64 // the update that makes sure of the owner, and the time to the one after
	retry, wait uint64 // likewise for the search of an owner in vain
	wanted      uint64 // the last update that searched
}

// owned tells that somebody holds it who lives.
func (f *file) owned() bool { return f != nil && f.owner != nil && !f.owner.gone }

// maxStep bounds how many updates go by before an owner is made sure of again,
// or searched again.
const maxStep = 64

// socket is a TCP socket.
type socket struct {
	seen uint64 // the last update that saw it
	file *file  // nil if nobody ever held it
	held bool   // it is not closed

	// Totals of the kernel that were dealt with.
	received, sent uint64
	retransmits    uint32

	// Not credited yet.
	traffic process.Traffic
	again   int64
	flight  int64  // bytes sent times milliseconds of the round trip
	rtt     uint32 // microseconds; zero if it does not count
}

// message takes a socket of a list.
func (t *Table) message(payload []byte) error {
	c, err := parseInet(payload)
	if err != nil {
		return err
	}
	if !c.measured {
		return nil // a connection in TIME_WAIT that calls itself FIN_WAIT2
	}
	s := t.space.sockets[c.cookie]
	fresh := s == nil
	if fresh {
		s = &socket{}
		t.space.sockets[c.cookie] = s
	}
	again := s.seen == t.update // the list names it twice
	s.seen = t.update
	s.advance(&c, fresh && !t.space.complete)
	if again {
		s.rtt = 0
	} else {
		t.space.seen++
	}
	s.held = c.inode != 0
	if s.held && (s.file == nil || s.file.inode != c.inode) {
		t.attach(s, c.inode)
	}
	if s.file != nil && c.state == stateListen {
		s.file.listening = true
	}
	switch {
	case t.settled(s):
		t.credit(s)
	case !again:
		t.undue = append(t.undue, s)
	}
	if s.held && s.file.owner == nil {
		t.want(s.file)
	}
	return nil
}

// advance takes over the totals of the kernel. Those of a socket that may be
// older than the last update count from now on.
func (s *socket) advance(c *connection, old bool) {
	if !old {
		// A counter that went back is a race in the kernel; wait until it is past.
		s.traffic.Received += grown(s.received, c.received)
		sent := grown(s.sent, c.sent)
		s.traffic.Transmitted += sent
		s.flight += sent * int64(c.rtt) / 1000
		s.again += grown(uint64(s.retransmits), uint64(c.retransmits))
	}
	s.received = max(s.received, c.received)
	s.sent = max(s.sent, c.sent)
	s.retransmits = max(s.retransmits, c.retransmits)
	s.rtt = 0
	if c.state == stateEstablished && c.carries() {
		s.rtt = c.rtt
	}
}

func grown(from, to uint64) int64 {
	if to <= from {
		return 0
	}
	return int64(to - from) //nolint:gosec // bytes of one connection
}

// attach gives a socket its inode.
func (t *Table) attach(s *socket, inode uint32) {
	t.detach(s)
	f := t.files[inode]
	if f == nil {
		f = &file{inode: inode}
		t.files[inode] = f
	}
	f.sockets++
	s.file = f
}

// detach takes the inode from a socket.
func (t *Table) detach(s *socket) {
	f := s.file
	if f == nil {
		return
	}
	s.file = nil
	if f.sockets--; f.sockets > 0 {
		return
	}
	if f.owner != nil {
		f.owner.owned--
		f.owner = nil
	}
	f.listening = false
	delete(t.files, f.inode)
}
