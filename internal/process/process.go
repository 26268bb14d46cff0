package process

import "time"

// Process is what the last scan knows of a process. All counters are totals
// since its start and never go back while it lives.
type Process struct {
	PID     int64
	Start   time.Time // UTC, to 10 ms
	Created string    // Start as RFC 3339 with milliseconds, such as 2026-11-21T07:41:00.120Z

	Parent  int64 // PID; zero if it has none
	Group   int64 // PID of the process group's leader
	Session int64 // PID of the session's leader
	User    int64 // effective user ID; -1 if unknown
	Kernel  bool  // a thread of the kernel: no executable and no arguments
	TTY     bool  // it has a controlling terminal

	Name       string   // the kernel's comm in valid UTF-8, for kernel workers without what they work on
	Executable string   // path; empty if it may not be read
	Args       []string // without secrets; nil unless asked for
	Cgroup     string   // path in the unified hierarchy, or in that of the cpu controller; empty if unknown
	CPUs       string   // list of the CPUs it may run on, such as "0-3,8"; empty if unknown

	Nice       int64
	IOPriority string // of the main thread: "none", "idle", "best-effort:4", "realtime:0"; empty if unknown
	// ThreadNice and ThreadIOPriority list the distinct values of the threads,
	// such as "0,19", where they differ; otherwise they are empty.
	ThreadNice       string
	ThreadIOPriority string

	// Ran tells that the process may have used a CPU since the scan before, or is
	// new: the counters of one that did not are what they were.
	Ran bool
	// Described counts how often its description (names, cgroup, arguments, CPUs,
	// priorities, parent, group) changed: the same number means the same one.
	Described int

	Threads     int64
	UserTime    float64 // seconds of CPU, all threads
	SystemTime  float64 // seconds of CPU, all threads
	Resident    int64   // bytes
	Virtual     int64   // bytes
	MinorFaults int64
	MajorFaults int64

	// Known says which of the following fields hold something.
	Known Known

	// ChildrenUser and ChildrenSystem are the seconds of CPU of children that
	// ended and were waited for, and of their children.
	ChildrenUser   float64
	ChildrenSystem float64

	// ReadBytes and WriteBytes went to and from storage. Bytes that the page
	// cache, a pipe or a socket served are not in them; those of children that
	// ended and were waited for are.
	ReadBytes  int64
	WriteBytes int64

	RunDelay       float64 // seconds that threads were ready to run and had no CPU
	BlockDelay     float64 // seconds of waiting for block I/O
	SwapDelay      float64 // seconds of waiting for pages to be swapped in
	ThrashingDelay float64 // seconds of waiting for pages that had just been evicted

	VoluntarySwitches   int64
	InvoluntarySwitches int64

	Network Network
}

// Network is what went over the sockets of a process.
type Network struct {
	TCP, UDP    Traffic
	Retransmits int64 // TCP segments sent again
	// Flight is the bytes sent over TCP, each times the milliseconds of its
	// connection's smoothed round-trip time then: divided by the bytes it is their
	// mean round-trip time.
	Flight    int64
	RTT       float64 // seconds, mean over its established connections that carry data; zero if it has none
	Listening bool    // it waits for connections: a server
}

// Traffic is bytes of payload.
type Traffic struct {
	Received    int64
	Transmitted int64
}

// Known is a set of groups of fields.
type Known uint16

// The groups of fields of a Process that can be unknown.
const (
	KnowsIO         Known = 1 << iota // ReadBytes, WriteBytes
	KnowsChildren                     // ChildrenUser, ChildrenSystem
	KnowsRunDelay                     // RunDelay
	KnowsBlockDelay                   // BlockDelay
	KnowsSwapDelay                    // SwapDelay
	KnowsThrashing                    // ThrashingDelay
	KnowsSwitches                     // VoluntarySwitches, InvoluntarySwitches, of all threads or, from procfs, of the main one
	KnowsTCP                          // Network.TCP and Flight
	KnowsUDP                          // Network.UDP
	KnowsPaths                        // Network.Retransmits, RTT and Listening
)

// Has reports whether all groups of g are in k.
func (k Known) Has(g Known) bool { return k&g == g }

// Set adds groups to k or takes them away.
func (k *Known) Set(g Known, known bool) {
	if known {
		*k |= g
	} else {
		*k &^= g
	}
}
