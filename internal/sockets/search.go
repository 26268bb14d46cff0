package sockets

// search reads descriptors until each wanted file has an owner. It reports
// whether processes are left that may own one.
func (t *Table) search() (left bool, err error) {
	t.reader.budget = t.opts.Descriptors
	if t.update == 1 {
		t.reader.budget *= firstTimes
	}
	if t.orphans {
		t.orphans = false
		for _, h := range t.order {
			h.ran = h.ran || h.sharing
		}
	}
	for _, which := range [...]func(*Table, *holder) bool{ownerThatRan, otherThatRan, unread} {
		if left, err = t.readAll(which); left || err != nil {
			return true, err
		}
	}
	return false, nil
}

func ownerThatRan(t *Table, h *holder) bool {
	return t.wanted > 0 && h.owned > 0 && (h.ran || h.from > 0)
}

func otherThatRan(t *Table, h *holder) bool {
	return t.wanted > 0 && h.owned == 0 && (h.ran || h.from > 0)
}

func unread(_ *Table, h *holder) bool { return !h.read }

// readAll reads the descriptors of some processes. It starts where the last
// search stopped, so that the first processes do not eat up the budget each
// time.
func (t *Table) readAll(which func(*Table, *holder) bool) (left bool, err error) {
	n := len(t.order)
	t.cursor %= max(1, n)
	for i := range n {
		at := (t.cursor + i) % n
		h := t.order[at]
		if !which(t, h) || h.process.Kernel || t.update < h.retry {
			continue
		}
		if t.reader.budget <= 0 {
			t.cursor = at
			return true, nil
		}
		if err := t.readHolder(h); err != nil {
			return true, err
		}
		if h.from > 0 {
			t.cursor = at
			return true, nil
		}
	}
	return false, nil
}

// readHolder reads descriptors of a process. Only a shortage is an error.
func (t *Table) readHolder(h *holder) error {
	if h.from == 0 {
		h.ran = false // what it opens from now on makes it run again
	}
	t.holder = h
	next, err := t.reader.read(h.pid, h.from, t)
	switch {
	case short(err):
		h.ran = true
		return err
	case refused(err):
		h.refused, h.from = true, 0
		h.retry = t.update + refusalStep + uint64(h.pid)%refusalStep //nolint:gosec // PIDs are positive; they take turns
	case err != nil: // it ended; a zombie may stay for long
		h.from = 0
		h.retry = t.update + refusalStep
	case next < 0:
		h.read, h.refused, h.from, h.retry = true, false, 0, 0
	default:
		h.from = next
	}
	return nil
}

// holds is told of a socket that the process being read holds.
func (t *Table) holds(inode uint32, descriptor uint64) {
	f, h := t.files[inode], t.holder
	if f == nil {
		return // no TCP
	}
	if f.listening && h.listener == nil {
		h.listener, h.descriptor = f, descriptor
		h.check, h.step = t.update+1, 1
	}
	switch {
	case f.owner == h:
		f.descriptor = descriptor
		return
	case f.owner == nil && f.wanted == t.update:
		t.wanted--
		f.wanted = 0
	case f.owner == nil:
	case f.owner.pid < h.pid && !f.owner.gone:
		h.sharing = true
		return
	default:
		f.owner.owned--
		f.owner.sharing = true
	}
	h.owned++
	f.owner, f.descriptor = h, descriptor
	f.check, f.step = t.update+1, 1
	f.retry, f.wait = 0, 0
}

// listens reports whether a process holds a listening socket, which it may close
// while another goes on with it.
func (t *Table) listens(h *holder) bool {
	if h.listener == nil {
		return false
	}
	if h.listener.sockets == 0 {
		h.listener = nil
		return false
	}
	if t.update >= h.check {
		h.step = min(h.step*2, maxStep)
		h.check = t.update + h.step
		if !t.reader.stillHolds(h.pid, h.descriptor, h.listener.inode) {
			h.listener = nil
			h.ran = true // it may hold another
		}
	}
	return h.listener != nil
}
