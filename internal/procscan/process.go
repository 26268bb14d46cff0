package procscan

import "time"

// Process is what the last scan knows of a process. All counters are totals
// since its start.
type Process struct {
	PID     int64
	Start   time.Time // UTC, to 10 ms
	Created string    // Start as RFC 3339 with milliseconds, such as 2026-11-21T07:41:00.120Z

	Parent  int64 // PID; zero if it has none
	Group   int64 // PID of the process group's leader
	Session int64 // PID of the session's leader
	Kernel  bool  // a thread of the kernel: no executable and no arguments

	Name       string   // the kernel's comm in valid UTF-8, for kernel workers without what they work on
	Executable string   // path; empty if it may not be read
	Args       []string // without secrets; nil unless asked for in Options
	Cgroup     string   // path, see parseCgroup for which; empty if unknown
	CPUs       string   // list of the CPUs it may run on, such as "0-3,8"; empty if unknown
	Nice       int64

	Threads     int64
	UserTime    float64 // seconds of CPU, all threads
	SystemTime  float64 // seconds of CPU, all threads
	Resident    int64   // bytes
	Virtual     int64   // bytes
	MinorFaults int64
	MajorFaults int64

	// Known says which of the following fields hold something.
	Known Known

	// ReadBytes and WriteBytes went to and from storage. Bytes that the page
	// cache, a pipe or a socket served are not in them; those of children that
	// ended and were waited for are.
	ReadBytes  int64
	WriteBytes int64

	RunDelay   float64 // seconds that threads were ready to run and had no CPU
	BlockDelay float64 // seconds of waiting for block I/O

	// Switches of the main thread: the kernel has no sum over threads.
	VoluntarySwitches   int64
	InvoluntarySwitches int64
}

// Known is a set of groups of fields.
type Known uint8

// The groups of fields of a Process that can be unknown.
const (
	KnowsIO         Known = 1 << iota // ReadBytes, WriteBytes
	KnowsRunDelay                     // RunDelay
	KnowsBlockDelay                   // BlockDelay
	KnowsSwitches                     // VoluntarySwitches, InvoluntarySwitches
)

// Has reports whether all groups of g are in k.
func (k Known) Has(g Known) bool { return k&g == g }

func (k *Known) set(g Known, known bool) {
	if known {
		*k |= g
	} else {
		*k &^= g
	}
}
