package process

// Snapshot is the outcome of a scan. It belongs to the source that made it and
// is valid until its next scan; a *Process stays the same value from scan to scan
// while the process lives.
type Snapshot struct {
	Processes []*Process // that live, zombies among them, by PID
	// Exited are the processes that ended since the scan before, with their final
	// totals, in the order in which they ended. Sources that only look now and
	// then have none.
	Exited []Exited
	// Vanished is how many processes were listed and gone before they could be
	// read.
	Vanished int
	// Unreadable is how many processes have a file that this user may not read or
	// that made no sense: their fields are unknown, or the process is missing.
	Unreadable int
	// Lost is how many messages of the kernel about processes did not fit into
	// the buffer since the scan before.
	Lost int64
}

// Exited is a process that ended.
type Exited struct {
	// Process as it was at its end. Of one that was never scanned the names and
	// the cgroup may be empty.
	Process
	// Discarded tells that its parent wanted no news of its end: what it used is
	// not added to its parent's counters.
	Discarded bool
}
