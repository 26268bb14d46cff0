package bpfscan

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/procscan"
)

// Options choose what is read.
type Options struct {
	// Root is where the proc file system of the host is mounted; /proc if empty.
	// The descriptions of processes come from there.
	Root string
	// CommandLine asks for the arguments, without their secrets.
	CommandLine bool
	// Network asks for the bytes that go over sockets, the retransmits, the round
	// trip times and who listens.
	Network bool
	// Events asks for news of processes that end, so that those are known that
	// live for less than a scan.
	Events bool
	// RingBytes is the size of the buffer for events, a power of two and at least
	// a page; 1 MiB if zero. A process that ends takes 488.
	RingBytes uint32
}

// Open loads the programs. If this host does not allow it the error is a
// *Refusal.
func Open(o Options) (*Scanner, error) {
	if o.Root == "" {
		o.Root = "/proc"
	}
	if page := uint32(os.Getpagesize()); o.RingBytes != 0 && (o.RingBytes < page || o.RingBytes&(o.RingBytes-1) != 0) { //nolint:gosec // a page is small
		return nil, fmt.Errorf("a ring of %d bytes: it must be a power of two and at least a page of %d", o.RingBytes, page)
	}
	procs, err := procscan.Open(procscan.Options{Root: o.Root, CommandLine: o.CommandLine})
	if err != nil {
		return nil, err
	}
	s, err := openWith(o, procs)
	if err != nil {
		return nil, errors.Join(err, procs.Close())
	}
	return s, nil
}

// isKernels reports whether a directory is a proc file system of this kernel, and
// not a copy of some other host's.
func isKernels(root string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(root, &st); err != nil {
		return fmt.Errorf("look at %s: %w", root, err)
	}
	if st.Type != unix.PROC_SUPER_MAGIC {
		return &Refusal{
			Reason: root + " is not the proc file system of this kernel",
			Cure:   "mount the host's own proc file system there, or use the source procfs",
		}
	}
	return nil
}

func openWith(o Options, procs *procscan.Scanner) (*Scanner, error) {
	if err := isKernels(o.Root); err != nil {
		return nil, err
	}
	spec, err := loadKernel()
	if err != nil {
		return nil, err
	}
	loaded, err := load(o, spec)
	if err != nil {
		return nil, err
	}
	s := newScanner(o, procs, loaded)
	if err := s.probe(); err != nil {
		return nil, errors.Join(err, loaded.close())
	}
	return s, nil
}

func newScanner(o Options, procs *procscan.Scanner, loaded *programs) *Scanner {
	return &Scanner{
		root: o.Root, procs: procs, programs: loaded,
		pageSize: int64(os.Getpagesize()),
		entries:  map[uint32]*entry{},
		exits:    exits{pending: map[identity]*exit{}},
		left:     map[identity]*entry{},
		cgroups:  cgroupNames{},
		sent:     map[uint64]retransmitted{},
	}
}

// probe reads the first record of a list.
func (s *Scanner) probe() error {
	l := s.programs.tasks
	if err := l.start(); err != nil {
		return explain(err)
	}
	defer l.stop()
	h, record, err := l.next()
	if err != nil {
		return explain(err)
	}
	if h.kind != kindBegin {
		return explain(fmt.Errorf("%w: it begins with kind %d", errMalformed, h.kind))
	}
	if _, level := parseBegin(record); level != 0 {
		return &Refusal{
			Reason: "this is not the host's PID namespace: the kernel would list the processes of a container by numbers that mean nothing in it",
			Cure:   "run on the host, or set hostPID: true (Kubernetes) or --pid=host (Docker, Podman)",
		}
	}
	return s.askForAll()
}

// askForAll makes the next list whole: the kernel leaves out what it told
// before, and some of that was not taken up.
func (s *Scanner) askForAll() error {
	state := struct{ Lists, Whole uint64 }{Lists: 0, Whole: 1}
	if err := s.programs.maps[kernelMapListStates].Put(uint32(0), state); err != nil {
		return fmt.Errorf("ask the kernel for a whole list: %w", err)
	}
	return nil
}
