package scenario

import "time"

// Kind says whether a backup is to blame in a scenario.
type Kind string

// The kinds.
const (
	Guilty   Kind = "guilty"   // the suspect of the truth slows the site down
	Innocent Kind = "innocent" // whatever slows the site down is no backup, or nothing does
)

// Plan is everything that one run of a scenario does, with every number decided.
// Its form is that of the scenario's file.
type Plan struct {
	Name    string   `yaml:"-"`
	Seed    uint64   `yaml:"-"`
	Summary string   `yaml:"summary"` // one line: what happens
	Kind    Kind     `yaml:"kind"`
	Truth   Truth    `yaml:"truth"`
	Times   Times    `yaml:"times"`
	Host    Host     `yaml:"host"`
	Site    Site     `yaml:"site"`
	Data    Data     `yaml:"data"`
	Jobs    []Job    `yaml:"jobs"`
	Changes []Change `yaml:"changes"`
}

// Truth is what a verdict should say.
type Truth struct {
	// Cause is contention, traffic_surge, own_work, faulty_disk, upstream, or
	// none if nothing is wrong.
	Cause    string `yaml:"cause"`
	Suspect  string `yaml:"suspect"`  // the tool or command to be named; empty unless Cause is contention
	Resource string `yaml:"resource"` // cpu, disk, network, memory, page_cache, disk_space, lock; empty if any will do
	// Accomplices are as guilty as the suspect: naming any of them is right.
	Accomplices []string `yaml:"accomplices"`
	// Innocent are jobs that must not be blamed.
	Innocent []string `yaml:"innocent"`
}

// Times says how long the parts of a run last.
type Times struct {
	Learn  time.Duration `yaml:"learn"`  // nothing is wrong
	During time.Duration `yaml:"during"` // the trouble
	After  time.Duration `yaml:"after"`  // it has ended
}

// Host is what is made for a run and undone after it.
type Host struct {
	Disk    *Disk    `yaml:"disk"`    // a small file system of its own
	Network *Network `yaml:"network"` // a network of its own with a slow link
	// MemoryMiB bounds the memory of the site and the jobs together, page cache included; zero for no bound.
	MemoryMiB int `yaml:"memory_mib"`
	// OneCPU makes the site and the jobs share one CPU.
	OneCPU bool `yaml:"one_cpu"`
}

// Disk is a file system on a block device of its own.
type Disk struct {
	SizeMiB int `yaml:"size_mib"`
	// Rates bound what the site and the jobs take from the device together, in MB/s; zero for no bound.
	ReadMBps  float64 `yaml:"read_mbps"`
	WriteMBps float64 `yaml:"write_mbps"`
	// Faulty makes a device that can be slowed, paused and made to fail; it has no rates.
	Faulty bool `yaml:"faulty"`
}

// Network is a network namespace in which the site runs, with one link.
type Network struct {
	Mbps     float64 `yaml:"mbps"`      // of the link, from the site outwards
	QueueKiB int     `yaml:"queue_kib"` // of its queue
}

// Site is the web site and its visitors.
type Site struct {
	Server string  `yaml:"server"` // go, nginx or database (a Go site before PostgreSQL)
	Rate   float64 `yaml:"rate"`   // requests per second
	CPUms  float64 `yaml:"cpu_ms"` // CPU time of a request
	// Files of FileKiB each are there; a request reads one of them, from the page cache if Cached.
	Files   int  `yaml:"files"`
	FileKiB int  `yaml:"file_kib"`
	Cached  bool `yaml:"cached"`
	BodyKiB int  `yaml:"body_kib"` // of an answer
	// Orders says when a request's order is made durable: not at all (empty), "batched", or "each" before the answer.
	Orders string `yaml:"orders"`
	// Query is what a request asks the database: read, write, or nothing (empty).
	Query string `yaml:"query"`
	// Upstream makes each request ask another service.
	Upstream bool `yaml:"upstream"`
}

// Data is what backups save.
type Data struct {
	Files   int `yaml:"files"`
	FileKiB int `yaml:"file_kib"`
	// Kind is random (incompressible) or text (compressible).
	Kind string `yaml:"kind"`
	Rows int    `yaml:"rows"` // of the database's large table
}

// Job is a program that runs beside the site.
type Job struct {
	Name    string        `yaml:"name"`    // as in the truth: the tool
	Run     string        `yaml:"run"`     // for sh -c, with the variables of the stage
	Prepare string        `yaml:"prepare"` // the same, run to its end before the run begins
	Start   time.Duration `yaml:"start"`   // counted from the onset, may be negative
	Repeat  bool          `yaml:"repeat"`  // begins again when it ends before the trouble does
	// Elsewhere keeps it off the site's CPU, disk and memory.
	Elsewhere bool `yaml:"elsewhere"`
	// Rates of its own, in MB/s on the site's disk; zero for none.
	ReadMBps  float64 `yaml:"read_mbps"`
	WriteMBps float64 `yaml:"write_mbps"`
}

// Change is something that happens to the site at the onset and is undone when
// the trouble ends.
type Change struct {
	// What is load (Value: factor), disk_rate (factor), disk_delay (ms a request),
	// disk_pause, disk_errors, upstream_delay (ms), gc_pause (ms a second),
	// lock (ms a time, 30 a second), allocate (MiB a request).
	What  string        `yaml:"what"`
	Value float64       `yaml:"value"`
	Start time.Duration `yaml:"start"` // counted from the onset
}
