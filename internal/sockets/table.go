package sockets

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/process"
)

// Options choose where and how much is read.
type Options struct {
	// Proc is where the proc file system is mounted; /proc if empty.
	Proc string
	// Descriptors bounds how many descriptors an update reads, some 2
	// microseconds each; 3000 if zero. The first update may read ten times as many.
	Descriptors int
}

// defaultDescriptors take about 5 ms.
const (
	defaultDescriptors = 3000
	firstTimes         = 10
)

// Report is what an update saw.
type Report struct {
	Sockets int // TCP sockets, listening ones among them, of all namespaces entered
	// Unowned is how many of them no process is known to hold: it may not be read,
	// or nobody does (connections that nobody accepted yet, or that linger after
	// their end, and the kernel's own).
	Unowned int
	// UnownedTraffic is what went over sockets without an owner since the last
	// update. What may still find its owner counts later, here or there.
	UnownedTraffic process.Traffic
	// Refused is how many processes' descriptors may not be read by this user.
	Refused int
	// Elsewhere is how many processes are in network namespaces that could not be
	// entered.
	Elsewhere int
	// Pending is how many processes' descriptors were never read and are left for
	// the next updates.
	Pending int
}

// Table keeps the TCP sockets of the host and who owns them. It is not safe for
// concurrent use.
type Table struct {
	opts   Options
	proc   dir
	own    *namespace
	spaces map[uint64]*namespace // by inode, own among them

	update  uint64
	report  Report
	holders map[int64]*holder // by PID
	order   []*holder         // of this update, by PID
	files   map[uint32]*file  // by inode
	undue   []*socket         // that could not be credited at once
	cursor  int               // where the search goes on in order
	wanted  int               // files that an owner is searched for
	orphans bool              // an owner let go of a socket that others may hold

	// Of the dump or the search that is under way.
	space  *namespace
	holder *holder

	reader  reader
	buf     []byte
	request [2][]byte // IPv4, IPv6
}

// Open prepares to list the TCP sockets. It fails if the kernel cannot list them
// (no NETLINK_SOCK_DIAG, no tcp_diag) or a sandbox forbids netlink sockets.
func Open(o Options) (*Table, error) {
	if o.Proc == "" {
		o.Proc = "/proc"
	}
	if o.Descriptors <= 0 {
		o.Descriptors = defaultDescriptors
	}
	c, err := dial()
	if err != nil {
		return nil, err
	}
	proc, err := openDir(o.Proc)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", o.Proc, err), c.close())
	}
	t := &Table{
		opts:    o,
		proc:    proc,
		own:     &namespace{conn: c, sockets: map[uint64]*socket{}},
		spaces:  map[uint64]*namespace{},
		holders: map[int64]*holder{},
		files:   map[uint32]*file{},
		reader:  newReader(proc),
		buf:     make([]byte, answerSize),
		request: [2][]byte{inetRequest(unix.AF_INET, countedStates), inetRequest(unix.AF_INET6, countedStates)},
	}
	t.own.inode = t.ownInode()
	t.spaces[t.own.inode] = t.own
	// The first list shows whether there is any.
	if _, err := c.dump(inetRequest(unix.AF_INET, 1<<stateListen), t.buf, ignore{}); err != nil {
		return nil, errors.Join(fmt.Errorf("list the TCP sockets: %w", err), t.Close())
	}
	return t, nil
}

// ignore is a sink for what nobody wants.
type ignore struct{}

func (ignore) message([]byte) error { return nil }

// ownInode is the inode of the own namespace; zero if it cannot be known.
func (t *Table) ownInode() uint64 {
	for _, path := range []string{"self/ns/net\x00", "/proc/self/ns/net\x00"} {
		link, errno := t.proc.readlink([]byte(path), t.reader.link)
		if inode, ok := parseNamespace(link); errno == 0 && ok {
			return inode
		}
	}
	return 0
}

// Close gives the netlink sockets back.
func (t *Table) Close() error {
	err := t.proc.close()
	for _, n := range t.spaces {
		if n.conn != nil {
			err = errors.Join(err, n.conn.close())
		}
	}
	return err
}

// Update fills the Network of all of procs, which must be all processes that
// live, and says in their Known whether it may be relied on: TCP bytes since the
// first update that saw the process, retransmissions likewise, round-trip time
// and whether it listens now. A connection that was open before the first update
// counts from then on. Nothing is known of the kernel's threads, which work on
// sockets without descriptors.
//
// With an error some of it is missing: a list could not be had, or there were no
// file descriptors or memory. What is known already is filled in all the same,
// and the next update goes on from there.
func (t *Table) Update(procs []*process.Process) (Report, error) {
	t.update++
	t.report = Report{}
	t.undue = t.undue[:0]
	t.wanted = 0
	t.join(procs)
	err := t.list()
	t.verify()
	left, searchErr := t.search()
	t.settle(left)
	t.forget()
	t.publish()
	if searchErr != nil {
		err = errors.Join(err, fmt.Errorf("read the descriptors of a process: %w", searchErr))
	}
	return t.report, err
}

// list takes the sockets of all namespaces.
func (t *Table) list() error {
	var err error
	for _, n := range t.spaces {
		if n.conn == nil {
			continue
		}
		t.space = n
		n.seen = 0
		complete := true
		for _, request := range t.request {
			ok, dumpErr := n.conn.dump(request, t.buf, t)
			if dumpErr != nil {
				err = errors.Join(err, fmt.Errorf("list the TCP sockets: %w", dumpErr))
			}
			complete = complete && ok
		}
		n.complete = complete
		t.report.Sockets += n.seen
	}
	return err
}

// publish fills in the processes.
func (t *Table) publish() {
	for _, h := range t.order {
		if !h.process.Kernel {
			t.count(h)
		}
		n := &h.process.Network
		n.TCP, n.Retransmits, n.Flight = h.traffic, h.retransmits, h.flight
		n.Listening = t.listens(h)
		n.RTT = 0
		if h.rttCount > 0 {
			n.RTT = (time.Duration(h.rttSum/h.rttCount) * time.Microsecond).Seconds() //nolint:gosec // a mean of 32-bit values
		}
		known := h.read && !h.refused && h.space.conn != nil && !h.process.Kernel
		h.process.Known.Set(process.KnowsTCP|process.KnowsPaths, known)
		h.process = nil // it belongs to the source
	}
}

func (t *Table) count(h *holder) {
	switch {
	case h.refused:
		t.report.Refused++
	case !h.read && t.update >= h.retry:
		t.report.Pending++
	}
	if h.space.conn == nil {
		t.report.Elsewhere++
	}
}
