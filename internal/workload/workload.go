package workload

import (
	"time"

	"github.com/otel-culprit/culprit/internal/process"
)

// Type says what kind of thing a workload is.
type Type string

// The types of workloads.
const (
	Unit      Type = "unit"      // a systemd unit
	Container Type = "container" // of any runtime
	Cron      Type = "cron"      // what a cron daemon started at one time
	Job       Type = "job"       // a process group, with the groups that its wrappers made
	Kernel    Type = "kernel"    // all threads of the kernel
	Other     Type = "other"     // the sum of all that are not told one by one
)

// Key tells workloads apart. The name in it changes when the leader of a job
// executes another program, and when a job of a wrapper or of a cron daemon turns
// out to run something.
type Key struct {
	Type  Type
	Name  string
	PID   int64 // of the leader; zero for a unit, a container and the kernel
	Start int64 // of the leader, Unix milliseconds; zero where PID is
}

// Workload is what a person would stop or throttle, as the last scan knows it.
// It stays the same value while it lives.
type Workload struct {
	Key

	Runtime   string // of a container: docker, containerd, cri-o, podman, lxc or nspawn
	Unit      string // the systemd unit that holds it; empty if there is none
	Timer     string // that starts the unit; empty if there is none
	Container string // short ID or name
	Cgroup    string // path of the unit or container, else of the leader
	Leader    Leader

	Processes int   // that live, zombies among them
	Threads   int64 // of the living
	Resident  int64 // bytes, sum of the living: what they share counts for each

	// These are looked at in every scan and lie together for that.
	first *account // whom Leader describes; nil when it ended
	owed  int      // how many entries of the ledger may still bring it something
	idle  int      // scans since it had a process or an entry
	dirty bool
	named bool

	Totals Totals
	Since  time.Time // when the totals started

	// Known has the groups of fields that are known of at least one of the living;
	// Partial those of them that are unknown of another.
	Known, Partial process.Known

	id    Key // its name is empty where the name may change
	used  use
	knows [16]int // how many of the living know each group
}

// Leader is the process that a workload is known by: the leader of the group, or
// the first process of a unit. Of a job it outlives the process.
type Leader struct {
	PID   int64
	Start time.Time
}

// credit adds to the totals; they are shown at the end of the scan.
func (w *Workload) credit(u *use) {
	w.used.add(u)
	w.dirty = true
}

func (w *Workload) inherit(l legacy) {
	w.used.inherit(l)
	w.dirty = true
}

// count takes living processes that know these groups in (+1) or out (-1).
func (w *Workload) count(known process.Known, by int) {
	w.Processes += by
	for i := range w.knows {
		if known>>i&1 != 0 {
			w.knows[i] += by
		}
	}
	w.dirty = true
}

// show brings the exported fields up to date. What has ended keeps what was
// known of it. A new one can have used nothing before the last scan.
func (w *Workload) show(last time.Time) {
	w.dirty = false
	if w.Since.IsZero() {
		w.Since = last
	}
	w.Totals = w.used.totals()
	if w.Processes == 0 {
		return
	}
	w.Known, w.Partial = 0, 0
	for i, n := range w.knows {
		w.Known.Set(1<<i, n > 0)
		w.Partial.Set(1<<i, n > 0 && n < w.Processes)
	}
}
