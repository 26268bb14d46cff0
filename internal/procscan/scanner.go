package procscan

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/process"
)

// userHZ is the length of the kernel's clock tick as user space sees it: 1/100
// of a second. The honest way to learn it is sysconf(_SC_CLK_TCK), which needs
// libc, or the AT_CLKTCK entry of this process's own auxiliary vector. But the
// kernel has fixed USER_HZ at 100 for every architecture that Go runs on,
// whatever HZ it was built with, because programs relied on the number;
// prometheus/procfs, cAdvisor and the runtimes of containers count on it too.
const userHZ = 100

// Options choose what is read.
type Options struct {
	// Root is where the proc file system is mounted, such as /proc.
	Root string
	// Switches asks for the context switches: one more file of each process
	// that ran since the last scan.
	Switches bool
	// CommandLine asks for the arguments, without their secrets.
	CommandLine bool
	// MaxOpen bounds the files that are kept open from scan to scan. Each holds
	// about 4 KiB of kernel memory. Zero stands for a part of the limit of this
	// process, a negative number for none.
	MaxOpen int
}

// Scanner scans a proc file system. It is not safe for concurrent use.
type Scanner struct {
	opts        Options
	root        dir
	own         bool // PIDs are those of this process's own namespace
	clock       bool // and their CPU clocks can be read
	boot        time.Time
	blockDelays bool // the kernel accounts the delays
	pageSize    int64
	seed        maphash.Seed

	scans   int
	failed  bool     // the scan before was an error
	entries []*entry // by PID
	snap    process.Snapshot
	sums    map[int64]argsSum // by PID, for Describe
	kept    int               // files kept open
	maxKept int

	// Of the process that is being read.
	proc       dir        // its directory; closed unless something of it was needed
	firstClock int64      // of its CPU when its PID was seen first; -1 if it was not
	shortage   unix.Errno // what this process or host ran out of
	changed    bool       // something of its description

	// Reused by each scan.
	buf          []byte
	dirents      []byte
	path         []byte
	text         []byte
	pids         []int64
	tids         []int64
	nices        []int64
	ioPriorities []int64
	threads      []thread
	next         []*entry
}

// Open prepares to scan the proc file system at o.Root.
func Open(o Options) (*Scanner, error) {
	root, err := openDir(o.Root)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", o.Root, err)
	}
	s := &Scanner{
		opts:     o,
		root:     root,
		proc:     closed,
		pageSize: int64(os.Getpagesize()),
		seed:     maphash.MakeSeed(),
		sums:     map[int64]argsSum{},
		maxKept:  maxKept(o.MaxOpen),
		buf:      make([]byte, 64<<10),
		dirents:  make([]byte, 32<<10),
		path:     make([]byte, 0, 64),
	}
	if s.boot, err = s.bootTime(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is not a proc file system: %w", o.Root, err), root.close())
	}
	b, errno := root.read([]byte("sys/kernel/task_delayacct\x00"), s.buf)
	// Before Linux 5.14 there was no such switch and delays were accounted.
	s.blockDelays = errno == unix.ENOENT || string(bytes.TrimSpace(b)) == "1"
	if s.own = s.ownNamespace(); s.own {
		now, ok := cpuClock(int64(os.Getpid()))
		s.clock = ok && now > 0
	}
	return s, nil
}

// Boot is when the host started, read once. The kernel computes it anew from the
// present clock for each reader: it jumps when the clock does, and all starts
// of processes would jump with it.
func (s *Scanner) Boot() time.Time { return s.boot }

// BlockDelays reports whether the kernel accounts how long processes wait for
// block I/O (sysctl kernel.task_delayacct).
func (s *Scanner) BlockDelays() bool { return s.blockDelays }

// Close gives the proc file system and all kept files back.
func (s *Scanner) Close() error {
	for _, e := range s.entries {
		s.release(e)
	}
	s.entries = nil
	return s.root.close()
}

func (s *Scanner) bootTime() (time.Time, error) {
	b, errno := s.root.read([]byte("stat\x00"), s.buf)
	if errno != 0 {
		return time.Time{}, fmt.Errorf("read stat: %w", errno)
	}
	for len(b) > 0 {
		var line []byte
		line, b, _ = cutLine(b)
		if v, ok := bytes.CutPrefix(line, []byte("btime ")); ok {
			if seconds, ok := parseInt(v); ok {
				return time.Unix(seconds, 0).UTC(), nil
			}
		}
	}
	return time.Time{}, errors.New("its stat file has no btime")
}

// ticks is the inverse of start.
func (s *Scanner) ticks(start time.Time) int64 {
	return int64(start.Sub(s.boot) / (time.Second / userHZ))
}

// start is when a process started that did so this many ticks after boot.
func (s *Scanner) start(ticks int64) time.Time {
	return s.boot.Add(time.Duration(ticks) * (time.Second / userHZ))
}
