package process

import "slices"

// worker begins the names of the kernel's workers.
const worker = "kworker/"

// IsWorker reports whether a name of a thread of the kernel is a worker's.
func IsWorker(comm []byte) bool {
	return len(comm) >= len(worker) && string(comm[:len(worker)]) == worker
}

// DisplayName is what of the kernel's name of a process stays the same. A worker
// of the kernel appends what it is working on ("kworker/u8:3-events_unbound"),
// which changes by the second and would make it a new series each time.
func DisplayName(comm []byte, kernel bool) []byte {
	if kernel && IsWorker(comm) {
		if i := slices.IndexFunc(comm, func(c byte) bool { return c == '+' || c == '-' }); i >= 0 {
			return comm[:i]
		}
	}
	return comm
}

// Classes of I/O priority, in the bits above ioClassShift. Those with levels have
// them in the lowest bits.
const (
	ioClassShift = 13
	ioLevels     = 7

	ioNone       = 0
	ioRealtime   = 1
	ioBestEffort = 2
	ioIdle       = 3
)

// NormalIOPriority keeps of an I/O priority, as the kernel packs it, the class
// and, where it has levels, the level. Newer kernels put hints between them.
func NormalIOPriority(packed uint32) uint32 {
	class := packed >> ioClassShift & 7
	if class == ioRealtime || class == ioBestEffort {
		return class<<ioClassShift | packed&ioLevels
	}
	return class << ioClassShift
}

// IOPriorityName names an I/O priority, such as "idle" or "best-effort:4"; it is
// empty for a class that there is not.
func IOPriorityName(packed uint32) string {
	level := packed & ioLevels
	switch packed >> ioClassShift {
	case ioNone:
		return "none"
	case ioRealtime:
		return [...]string{
			"realtime:0", "realtime:1", "realtime:2", "realtime:3",
			"realtime:4", "realtime:5", "realtime:6", "realtime:7",
		}[level]
	case ioBestEffort:
		return [...]string{
			"best-effort:0", "best-effort:1", "best-effort:2", "best-effort:3",
			"best-effort:4", "best-effort:5", "best-effort:6", "best-effort:7",
		}[level]
	case ioIdle:
		return "idle"
	default:
		return ""
	}
}
