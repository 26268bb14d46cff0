package bpfscan

// retransmitted is how often a socket had sent again when it was looked at.
type retransmitted struct {
	count uint64
	scan  int
}

func (s *Scanner) pathsAreDue() bool {
	every := pathsEvery
	if !s.programs.traffic {
		every = onlyPathsEvery
	}
	return s.scans%every == 1
}

// readPaths looks at the TCP sockets of all processes: the round trip times and
// retransmits of established ones, and who listens. That it failed is no reason
// not to tell of the processes: the next time may do.
func (s *Scanner) readPaths() {
	l := s.programs.paths
	if err := l.start(); err != nil {
		return
	}
	defer l.stop()
	s.forgetPaths()
	for {
		h, record, err := l.next()
		if err != nil || h.kind == kindEnd {
			return
		}
		s.takePaths(h, record)
	}
}

// takePaths takes up what was found of the sockets of a process.
func (s *Scanner) takePaths(h head, record []byte) {
	e := s.entries[h.id]
	switch {
	case e == nil:
	case h.kind == kindPaths:
		if p := parsePaths(record); p.start == e.record.thread.start {
			e.showPaths(p)
		}
	case h.kind == kindRetransmits:
		inode, count := parseRetransmits(record)
		before := s.sent[inode]
		if count < before.count { // the number of another socket before
			before.count = 0
		}
		e.Network.Retransmits += signed(count - before.count)
		s.sent[inode] = retransmitted{count: count, scan: s.scans}
	}
}

func (e *entry) showPaths(p pathsRecord) {
	e.Network.Listening = p.listening > 0
	e.Network.RTT = 0
	if p.established > 0 {
		e.Network.RTT = float64(p.srtt) / 8 / 1e6 / float64(p.established)
	}
}

// forgetPaths takes away what the look at all sockets is to find again.
func (s *Scanner) forgetPaths() {
	for _, r := range s.refs {
		if r.main != nil {
			r.main.Network.Listening, r.main.Network.RTT = false, 0
		}
	}
	for inode, r := range s.sent {
		if s.scans-r.scan > 2*pathsEvery {
			delete(s.sent, inode)
		}
	}
}
