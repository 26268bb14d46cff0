// Package fact holds what the engine is told about the world: plain values with
// an event time. A fact is never changed after it was made.
//
// Counters arrive as what happened between two readings (an amount over an
// interval that ends at At), so a fact means the same wherever its counter
// started. Levels (memory, queue length) are what was true at At.
package fact

import (
	"math"
	"time"
)

// Fact is one observation. The types of this package are the only ones.
type Fact interface {
	// When is the time at which the fact was true; for an amount over an
	// interval, the end of the interval.
	When() time.Time
	// Kind names the type of the fact.
	Kind() Kind
}

// Kind names a type of fact, in journals and counters.
type Kind string

// The kinds of facts.
const (
	KindTick       Kind = "tick"
	KindDescribed  Kind = "described"
	KindUse        Kind = "use"
	KindServes     Kind = "serves"
	KindWorksFor   Kind = "works_for"
	KindService    Kind = "service"
	KindLatency    Kind = "latency"
	KindCalls      Kind = "calls"
	KindCPU        Kind = "cpu"
	KindDisk       Kind = "disk"
	KindLink       Kind = "link"
	KindPressure   Kind = "pressure"
	KindPaging     Kind = "paging"
	KindFilesystem Kind = "filesystem"
	KindLocks      Kind = "locks"
	KindShared     Kind = "shared"
	KindCapability Kind = "capability"
	KindLog        Kind = "log"
	KindMark       Kind = "mark"
	KindRecalled   Kind = "recalled"
)

// Process identifies a process for good. A PID alone does not: it is reused.
type Process struct {
	Host  string
	PID   int64
	Start int64 // Unix milliseconds; zero if unknown
}

// Workload is what a person would stop or throttle, as the source of the facts
// tells workloads apart. It is comparable; the zero value means that the source
// did not tell.
type Workload struct {
	Type string // such as "unit", "container", "cron" or "job"; OtherWorkloads, KernelThreads
	Name string
	PID  int64 // of the leader; zero for a unit and a container
}

// OtherWorkloads is the type of the sum of all that is not told one by one.
const OtherWorkloads = "other"

// KernelThreads is the type of all threads of the kernel.
const KernelThreads = "kernel"

// Resource is something that a process uses or waits for.
type Resource uint8

// The resources, with the unit of their amounts.
const (
	CPU             Resource = iota // seconds of CPU time
	DiskRead                        // bytes from storage, not from the page cache
	DiskWrite                       // bytes to storage
	NetworkReceive                  // bytes
	NetworkTransmit                 // bytes
	RunDelay                        // seconds that threads waited for a CPU
	BlockDelay                      // seconds that threads waited for block I/O
	MajorFaults                     // faults that had to read from storage
	Memory                          // bytes resident at At: a level, not an amount
	SwapDelay                       // seconds that threads waited for pages to be swapped in
	ThrashingDelay                  // seconds that threads waited for pages that had just been evicted
	Retransmits                     // TCP segments that had to be sent again
	Flight                          // byte-seconds: TCP bytes sent, each times its smoothed round-trip time then
	NumResources
)

var resourceNames = [NumResources]string{
	"cpu", "disk_read", "disk_write", "network_receive", "network_transmit",
	"run_delay", "block_delay", "major_faults", "memory", "swap_delay", "thrashing_delay", "retransmits", "flight",
}

// String is the name of the resource in journals.
func (r Resource) String() string {
	if r >= NumResources {
		return "unknown"
	}
	return resourceNames[r]
}

// Amounts has one value for each Resource; NaN stands for "not known", such as
// the disk bytes of a process whose /proc/PID/io may not be read.
type Amounts [NumResources]float64

// Unknown has no known amount.
func Unknown() Amounts {
	var a Amounts
	for i := range a {
		a[i] = math.NaN()
	}
	return a
}

// Tick says that time has passed: silence is a fact too.
type Tick struct {
	At time.Time
}

// Described tells what a process is. It is repeated when something changes.
type Described struct {
	At         time.Time
	Process    Process
	Parent     int64    // PID; zero if unknown
	Group      int64    // PID of the process group's leader; zero if unknown
	Session    int64    // PID of the session's leader; zero if unknown
	Command    string   // the kernel's name of it, at most 15 bytes
	Executable string   // path, empty if unknown
	Args       []string // command line without secrets, empty if not delivered
	Cgroup     string   // path in the unified hierarchy, or of the cpu controller
	CPUs       string   // CPUs that it may run on, as a list like "0-3,8"
	Nice       int
	Workload   Workload // that it belongs to; zero if the source did not tell
}

// Use is what a process used and waited for in an interval, or with a Workload
// all its processes together; of Process only the host is then set.
type Use struct {
	At       time.Time
	Over     time.Duration
	Process  Process
	Workload Workload
	Amounts  Amounts
}

// Serves says that a process does the work of a service: its use of resources
// is the service's own.
type Serves struct {
	At      time.Time
	Service string
	Process Process
}

// WorksFor says that a server does the I/O of a client, among what it does for
// others. It is repeated while that is so.
type WorksFor struct {
	At     time.Time
	Server Process
	Client Process
}

// Service is what the user says of a service. It is repeated, so that a journal
// that starts late still has it.
type Service struct {
	At        time.Time
	Name      string
	Processes []string // commands or systemd units that do its work
	Objective float64  // latency that it may not exceed, seconds; zero for none
}

// Bucket counts the requests that took between Low and High seconds. A single
// value has Low == High.
type Bucket struct {
	Low, High, Count float64
}

// Latency is what was seen of a service's requests in an interval.
type Latency struct {
	At      time.Time
	Over    time.Duration
	Service string
	Host    string   // host of the service; empty if unknown
	Signal  string   // who measured: "server", "probe", "spans" or a metric's name
	Count   float64  // requests completed
	Errors  float64  // of them, failed
	Buckets []Bucket // of the completed, ascending, without empty buckets
	Oldest  float64  // age of the oldest unfinished request at At, seconds
}

// Calls is what a service asked of another in an interval.
type Calls struct {
	At      time.Time
	Over    time.Duration
	Service string  // who called
	Host    string  // its host; empty if unknown
	Peer    string  // who was called, such as "payments" or "postgresql"
	Local   bool    // the peer is known to be on the same host
	Count   float64 // calls completed
	Errors  float64 // of them, failed
	Time    float64 // seconds, summed over the calls
}

// CPUTime is what the CPUs of a host did in an interval.
type CPUTime struct {
	At     time.Time
	Over   time.Duration
	Host   string
	Busy   float64 // seconds, all CPUs
	IOWait float64 // seconds
	Steal  float64 // seconds
	Cores  int
}

// Disk is what a block device did in an interval.
type Disk struct {
	At         time.Time
	Over       time.Duration
	Host       string
	Device     string
	Reads      float64 // completed operations
	Writes     float64
	ReadBytes  float64
	WriteBytes float64
	OpTime     float64 // seconds, summed over completed operations
	BusyTime   float64 // seconds with at least one operation in flight
	InFlight   float64 // operations at At
	Number     string  // major and minor, such as "8:0"; empty if unknown
	Scheduler  string  // of its I/O, such as "bfq"; empty if unknown
}

// Link is what a network interface did in an interval.
type Link struct {
	At          time.Time
	Over        time.Duration
	Host        string
	Interface   string
	Received    float64 // bytes
	Transmitted float64 // bytes
	Errors      float64
	Drops       float64
	Speed       float64 // bytes per second; zero if unknown
}

// Pressure is how long tasks stalled in an interval (PSI).
type Pressure struct {
	At       time.Time
	Over     time.Duration
	Host     string
	Cgroup   string  // empty for the whole host
	Resource string  // "cpu", "io" or "memory"
	Some     float64 // seconds in which at least one task stalled
	Full     float64 // seconds in which all non-idle tasks stalled
}

// Paging is what memory pressure brought about in an interval.
type Paging struct {
	At       time.Time
	Over     time.Duration
	Host     string
	Cgroup   string  // empty for the whole host
	Refaults float64 // bytes read again that the page cache had let go
	SwapIn   float64 // bytes
	SwapOut  float64 // bytes
}

// Filesystem is how full a file system is.
type Filesystem struct {
	At         time.Time
	Host       string
	Mountpoint string
	Device     string
	Size       float64 // bytes
	Available  float64 // bytes that users without privilege may still write
}

// Locks is how the sessions of a database waited for each other in an interval.
type Locks struct {
	At       time.Time
	Over     time.Duration
	Host     string
	Service  string  // whose sessions; empty if unknown
	Waits    float64 // waits that began
	Time     float64 // seconds, summed over sessions
	Waiting  float64 // sessions that wait at At
	Sessions float64 // sessions that work or wait at At; zero if unknown
}

// Shared says that hosts share something, such as a file server or an uplink:
// what one takes of it the others lack. It is repeated, as Service is.
type Shared struct {
	At       time.Time
	Name     string
	Resource string // "disk" or "network"
	Hosts    []string
}

// Capability says whether something can be done on a host, such as
// "sched_autogroup" or "cgroup_v2_io"; remedies depend on it.
type Capability struct {
	At      time.Time
	Host    string
	Name    string
	Present bool
}

// Log is a log record that may be evidence.
type Log struct {
	At       time.Time
	Host     string
	Service  string
	Source   string // who wrote it: "kernel", a syslog identifier or a file's name; empty if not told
	Unit     string // systemd unit that it is of; empty if not told
	Severity int    // OpenTelemetry severity number
	Body     string
}

// Mark is a note on the timeline, such as a deployment. It is shown, and
// changes no verdict.
type Mark struct {
	At   time.Time
	Name string
	Text string
}

// Recalled begins a run: it gives an engine what had been learned before it was
// started, and all else that it saw before is of another run.
type Recalled struct {
	At    time.Time
	State []byte // JSON, as the engine's Remember gave it
}

// When is At.
func (f Tick) When() time.Time { return f.At }

// Kind is KindTick.
func (Tick) Kind() Kind { return KindTick }

// When is At.
func (f Described) When() time.Time { return f.At }

// Kind is KindDescribed.
func (Described) Kind() Kind { return KindDescribed }

// When is At.
func (f Use) When() time.Time { return f.At }

// Kind is KindUse.
func (Use) Kind() Kind { return KindUse }

// When is At.
func (f Serves) When() time.Time { return f.At }

// Kind is KindServes.
func (Serves) Kind() Kind { return KindServes }

// When is At.
func (f WorksFor) When() time.Time { return f.At }

// Kind is KindWorksFor.
func (WorksFor) Kind() Kind { return KindWorksFor }

// When is At.
func (f Latency) When() time.Time { return f.At }

// Kind is KindLatency.
func (Latency) Kind() Kind { return KindLatency }

// When is At.
func (f Calls) When() time.Time { return f.At }

// Kind is KindCalls.
func (Calls) Kind() Kind { return KindCalls }

// When is At.
func (f CPUTime) When() time.Time { return f.At }

// Kind is KindCPU.
func (CPUTime) Kind() Kind { return KindCPU }

// When is At.
func (f Disk) When() time.Time { return f.At }

// Kind is KindDisk.
func (Disk) Kind() Kind { return KindDisk }

// When is At.
func (f Link) When() time.Time { return f.At }

// Kind is KindLink.
func (Link) Kind() Kind { return KindLink }

// When is At.
func (f Pressure) When() time.Time { return f.At }

// Kind is KindPressure.
func (Pressure) Kind() Kind { return KindPressure }

// When is At.
func (f Paging) When() time.Time { return f.At }

// Kind is KindPaging.
func (Paging) Kind() Kind { return KindPaging }

// When is At.
func (f Filesystem) When() time.Time { return f.At }

// Kind is KindFilesystem.
func (Filesystem) Kind() Kind { return KindFilesystem }

// When is At.
func (f Locks) When() time.Time { return f.At }

// Kind is KindLocks.
func (Locks) Kind() Kind { return KindLocks }

// When is At.
func (f Shared) When() time.Time { return f.At }

// Kind is KindShared.
func (Shared) Kind() Kind { return KindShared }

// When is At.
func (f Capability) When() time.Time { return f.At }

// Kind is KindCapability.
func (Capability) Kind() Kind { return KindCapability }

// When is At.
func (f Log) When() time.Time { return f.At }

// Kind is KindLog.
func (Log) Kind() Kind { return KindLog }

// When is At.
func (f Mark) When() time.Time { return f.At }

// Kind is KindMark.
func (Mark) Kind() Kind { return KindMark }

// When is At.
func (f Service) When() time.Time { return f.At }

// Kind is KindService.
func (Service) Kind() Kind { return KindService }

// When is At.
func (f Recalled) When() time.Time { return f.At }

// Kind is KindRecalled.
func (Recalled) Kind() Kind { return KindRecalled }
