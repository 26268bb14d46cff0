package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind says whether a backup is to blame in a scenario.
type Kind string

// The kinds.
const (
	Guilty   Kind = "guilty"   // the suspect of the truth slows the site down
	Innocent Kind = "innocent" // what slows the site down is no backup, or nothing does
)

// Nothing is the cause of a run in which nothing is wrong.
const Nothing = "none"

// Contention is the cause of a run in which a job takes what the site needs.
const Contention = "contention"

// Seconds is a duration as files have it.
type Seconds float64

// Duration is the same for Go.
func (s Seconds) Duration() time.Duration { return time.Duration(float64(s) * float64(time.Second)) }

// usualAfter is how long a run goes on after the trouble.
const usualAfter = Seconds(4)

// Plan is everything that one run of a scenario does, with every number decided.
// Its form is that of the scenario's file.
type Plan struct {
	Name    string   `yaml:"-"`
	Seed    uint64   `yaml:"-"`
	Summary string   `yaml:"summary"` // one line: what happens
	Kind    Kind     `yaml:"kind"`
	Needs   []string `yaml:"needs"` // programs that must be installed
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
	Cause string `yaml:"cause"`
	// Suspect is the job to be named; empty unless Cause is contention.
	Suspect string `yaml:"suspect"`
	// Resource is cpu, disk, network, memory, page_cache, disk_space or lock;
	// empty if any will do.
	Resource string `yaml:"resource"`
	// Accomplices are jobs as guilty as the suspect: naming any of them is right.
	Accomplices []string `yaml:"accomplices"`
	// Innocent are jobs that must not be blamed.
	Innocent []string `yaml:"innocent"`
}

// Times says how long the parts of a run last.
type Times struct {
	Learn  Seconds `yaml:"learn"`  // nothing is wrong
	During Seconds `yaml:"during"` // the trouble
	After  Seconds `yaml:"after"`  // it has ended
}

// Host is what is made for a run and undone after it.
type Host struct {
	Disk    *Disk    `yaml:"disk"`    // a small file system of its own
	Network *Network `yaml:"network"` // a network of its own with a slow link
	// MemoryMiB bounds the memory of the site and the jobs together, page cache
	// included; zero for no bound.
	MemoryMiB int `yaml:"memory_mib"`
	// OneCPU makes the site and the jobs share one CPU.
	OneCPU bool `yaml:"one_cpu"`
}

// Disk is a file system on a block device of its own.
type Disk struct {
	SizeMiB int `yaml:"size_mib"`
	// The rates bound what the site and the jobs take from the device together;
	// zero for no bound.
	ReadMBps  float64 `yaml:"read_mbps"`
	WriteMBps float64 `yaml:"write_mbps"`
	// Faulty makes a device that can be slowed, paused and made to fail; it has
	// no rates.
	Faulty bool `yaml:"faulty"`
}

// Network is a network namespace in which the site and the jobs run, with one
// link to the outside.
type Network struct {
	Mbps     float64 `yaml:"mbps"`      // of the link, from the site outwards
	QueueKiB int     `yaml:"queue_kib"` // of its queue
}

// Site is the web site and its visitors.
type Site struct {
	Server string  `yaml:"server"` // go, or nginx
	Rate   float64 `yaml:"rate"`   // requests per second
	CPUms  float64 `yaml:"cpu_ms"` // CPU time of a request
	// Files of FileKiB each are there; a request reads one of them, from the page
	// cache if Cached, else from the disk.
	Files   int  `yaml:"files"`
	FileKiB int  `yaml:"file_kib"`
	Cached  bool `yaml:"cached"`
	BodyKiB int  `yaml:"body_kib"` // of an answer
	// Orders says when a request's order is made durable: not at all (empty),
	// "batched", or "each" before the answer.
	Orders string `yaml:"orders"`
	// Query is what a request asks a PostgreSQL server: "read", "write", or
	// nothing (empty).
	Query string `yaml:"query"`
	// Upstream makes each request ask another service.
	Upstream bool `yaml:"upstream"`
}

// Data is what backups save.
type Data struct {
	Files   int    `yaml:"files"`
	FileKiB int    `yaml:"file_kib"`
	Kind    string `yaml:"kind"` // random, or text that can be compressed
	Rows    int    `yaml:"rows"` // of the database, about 1 KiB each
	// Elsewhere keeps it off the site's disk.
	Elsewhere bool `yaml:"elsewhere"`
}

// Job is a program that runs beside the site.
type Job struct {
	Name string `yaml:"name"` // as a verdict should call it: the backup tool in it, or itself
	// Run is a shell script. A job that is one program begins with exec. The
	// variables DATA, OUT, WWW, PEER and the PG ones of psql are set.
	Run     string `yaml:"run"`
	Prepare string `yaml:"prepare"` // the same, run to its end before the site is watched
	// Start is counted from the onset and may be negative.
	Start Seconds `yaml:"start"`
	// Repeat lets it begin again when it ends before the trouble does.
	Repeat bool `yaml:"repeat"`
	// Elsewhere keeps it off the site's CPU.
	Elsewhere bool `yaml:"elsewhere"`
	// MayFail says that it need not succeed; the run fails if any other job does.
	MayFail bool `yaml:"may_fail"`
}

// Change is something that happens to the site and is undone when the trouble
// ends.
type Change struct {
	What  string  `yaml:"what"`
	Value float64 `yaml:"value"` // in the unit that What says
	Start Seconds `yaml:"start"` // counted from the onset
}

// What can change, and the unit of its value.
const (
	Visitors      = "visitors"       // as many times
	DiskDelay     = "disk_delay"     // ms in which nothing moves; then it works for DiskWorks
	DiskPause     = "disk_pause"     // nothing moves at all
	UpstreamDelay = "upstream_delay" // ms of an answer of the other service
	GCPause       = "gc_pause"       // ms of each second
)

// DiskWorks is for how many ms a slow disk works in between.
const DiskWorks = 40

var changes = []string{Visitors, DiskDelay, DiskPause, UpstreamDelay, GCPause}

// Length is how long the watched part of a run lasts.
func (p Plan) Length() time.Duration {
	return (p.Times.Learn + p.Times.During + p.Times.After).Duration()
}

// check finds what makes no sense.
func (p Plan) check() error {
	var errs []error
	report := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	oneOf := func(key, value string, known ...string) {
		if !slices.Contains(known, value) {
			report("%s is %q: use one of %s", key, value, strings.Join(known, ", "))
		}
	}
	if p.Summary == "" {
		report("summary is missing: say in a line what happens")
	}
	oneOf("kind", string(p.Kind), string(Guilty), string(Innocent))
	oneOf("truth.cause", p.Truth.Cause, Contention, "traffic_surge", "own_work", "faulty_disk", "upstream", Nothing)
	oneOf("truth.resource", p.Truth.Resource, "", "cpu", "disk", "network", "memory", "page_cache", "disk_space", "lock")
	oneOf("site.server", p.Site.Server, "go", "nginx")
	oneOf("site.orders", p.Site.Orders, "", "batched", "each")
	oneOf("site.query", p.Site.Query, "", "read", "write")
	oneOf("data.kind", p.Data.Kind, "", "random", "text")
	if (p.Truth.Cause == Contention) != (p.Truth.Suspect != "") {
		report("truth.suspect must be given if truth.cause is contention, and only then")
	}
	if p.Site.Rate <= 0 {
		report("site.rate must be more than 0 requests per second")
	}
	names := make([]string, 0, len(p.Jobs))
	for i, j := range p.Jobs {
		if j.Name == "" || j.Run == "" || strings.ContainsAny(j.Name, "/ \n") {
			report("jobs[%d] must have a name without blanks and something to run", i)
		}
		if j.Start < -p.Times.Learn {
			report("jobs[%d].start is before the run", i)
		}
		if j.MayFail && slices.Contains(p.Truth.Innocent, j.Name) {
			report("jobs[%d].may_fail: an innocent job must work, or that it does no harm proves nothing", i)
		}
		names = append(names, j.Name)
	}
	blamed := slices.Concat([]string{p.Truth.Suspect}, p.Truth.Accomplices, p.Truth.Innocent)
	for _, name := range blamed {
		if name != "" && !slices.Contains(names, name) {
			report("truth speaks of %s, which is no job", name)
		}
	}
	if p.Site.Server == "nginx" && (p.Site.Query != "" || p.Site.Upstream || p.Site.Orders != "" || p.Site.CPUms > 0) {
		report("site.server is nginx, which serves files only: leave out query, upstream, orders and cpu_ms")
	}
	if d := p.Host.Disk; d != nil && d.Faulty && d.ReadMBps+d.WriteMBps > 0 {
		report("host.disk.faulty has no rates: leave out read_mbps and write_mbps")
	}
	for i, c := range p.Changes {
		key := fmt.Sprintf("changes[%d]", i)
		oneOf(key+".what", c.What, changes...)
		if c.Start < 0 || c.Start >= p.Times.During {
			report("%s.start is not within the trouble", key)
		}
		switch c.What {
		case DiskDelay, DiskPause:
			if p.Host.Disk == nil || !p.Host.Disk.Faulty {
				report("%s needs host.disk.faulty", key)
			}
		case UpstreamDelay:
			if !p.Site.Upstream {
				report("%s needs site.upstream", key)
			}
		case GCPause:
			if p.Site.Server != "go" {
				report("%s needs site.server: go", key)
			}
		}
	}
	if t := p.Length() + preparing; t > longest {
		report("a run would take %v, more than %v", t, longest)
	}
	return errors.Join(errs...)
}

const (
	longest   = 90 * time.Second // of a run
	preparing = 12 * time.Second // of that, to make and undo the stage
)
