package experiment

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Class is what a remedy takes from the backup.
type Class string

// The classes.
const (
	CPU     Class = "cpu"
	Disk    Class = "disk"
	Network Class = "network"
)

// Remedy is one way to run the backup that may be kinder to the site.
type Remedy struct {
	ID    string `json:"id"` // such as "io_limit_4"
	Title string `json:"title"`
	Class Class  `json:"class"`
	// Yields is true if the remedy only makes the backup give way to others that
	// want the same. What limits it in any case makes it slower in everything,
	// and so tells less of what the site lacks.
	Yields bool `json:"yields"`
	// Prefix stands before the command.
	Prefix []string `json:"-"`
	// Undo is what a person types after it, if something stays.
	Undo string `json:"-"`
	// setting changes the tool's options, if it is not nil, once Plain is known.
	setting func(Plain) (setting, string)
	// Group asks for a control group of its own, once Plain is known.
	Group func(Plain) (Limits, string) `json:"-"`
	// Needs is an option without which the tool's help rules the remedy out.
	Needs string `json:"-"`
}

// Limits are those of a control group; what is zero is not limited.
type Limits struct {
	CPUCores  float64
	CPUWeight int // 1 to 10000; 100 is usual
	ReadBPS   int64
	WriteBPS  int64
}

// Plain is what the backup uses when nothing is done to it, by second.
type Plain struct {
	Bytes     float64 // through calls that read or write
	DiskRead  float64 // bytes from the device
	DiskWrite float64 // bytes to the device
	CPU       float64 // seconds
}

// Missing is a remedy that cannot be tried here, and why.
type Missing struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Why   string `json:"why"`
}

// moved is about how many bytes of the data it gets through. Each of them is read
// and written at least once, and more often by tools with temporary files; where
// the device told what was read, that is nearer.
func (p Plain) moved() float64 {
	if p.DiskRead >= leastRate {
		return min(p.DiskRead, p.Bytes/2)
	}
	return p.Bytes / 2
}

// leastRate in bytes per second; below it a rate means nothing.
const leastRate = 64 << 10

// Host is what this host offers. A reason is empty where a thing is there.
type Host struct {
	Autogrouped  bool   // the scheduler groups tasks by session
	Ungrouped    string // why it does not
	NoNice       string
	NoIdleIO     string // why the idle I/O class is not heeded
	NoCPUGroups  string // why no control group can limit the CPU
	NoIOGroups   string // why no control group can limit the device
	Help         string // what the tool says of its options; empty if it was not asked
	NoHelpReason string
}

// Shares of what the plain backup uses that are left to it by limits. The
// gentler one costs less; the other helps where little is left over.
var shares = []int{4, 16}

// bandwidthShares go further: tools send what they may in bursts, of which each
// fills a link for a while.
var bandwidthShares = append(slices.Clone(shares), 64)

// Remedies lists all that could be tried with this command on this host, and
// what cannot be, with the reason.
func Remedies(h Host, c Command) (can []Remedy, cannot []Missing) {
	consider := func(r Remedy, why string) {
		if why == "" && r.Needs != "" && !strings.Contains(h.Help, r.Needs) {
			why = fmt.Sprintf("the help of %s does not name %s", c.Tool, r.Needs)
			if h.Help == "" {
				why = h.NoHelpReason
			}
		}
		if why != "" {
			cannot = append(cannot, Missing{r.ID, r.Title, why})
			return
		}
		can = append(can, r)
	}
	has := func(id string) bool { return slices.ContainsFunc(can, func(r Remedy) bool { return r.ID == id }) }
	for _, r := range priorities(h) {
		consider(r.Remedy, r.why)
	}
	consider(Remedy{ID: "cpu_weight", Title: "smallest CPU weight, in its own control group", Class: CPU, Yields: true, Group: weight}, h.NoCPUGroups)
	consider(Remedy{ID: "cpu_limit_4", Title: "a quarter of the CPU time that it takes, in its own control group", Class: CPU, Group: quota}, h.NoCPUGroups)
	for _, n := range shares {
		consider(Remedy{
			ID: "io_limit_" + strconv.Itoa(n), Title: fmt.Sprintf("1/%d of its disk rate, in its own control group", n),
			Class: Disk, Group: diskShare(n),
		}, h.NoIOGroups)
	}
	for _, r := range toolRemedies(c) {
		if !has(r.ID) { // newer options of the same purpose stand first
			consider(r.Remedy, r.why)
		}
	}
	seen := map[string]bool{}
	return can, slices.DeleteFunc(cannot, func(m Missing) bool {
		twice := seen[m.ID] || has(m.ID)
		seen[m.ID] = true
		return twice
	})
}

// possible is a remedy, or why it is none.
type possible struct {
	Remedy
	why string
}

// setsAutogroup lowers the priority of the session that it runs in.
const setsAutogroup = `echo 19 > /proc/self/autogroup && exec "$@"`

func priorities(h Host) []possible {
	nice := possible{Remedy{ID: "nice", Title: "lowest priority (nice)", Class: CPU, Yields: true, Prefix: []string{"nice", "-n", "19"}}, h.NoNice}
	session := possible{Remedy{
		ID: "autogroup", Title: "lowest priority of its session (autogroup)", Class: CPU, Yields: true,
		Prefix: []string{"sh", "-c", setsAutogroup, "sh"}, Undo: "echo 0 > /proc/self/autogroup",
	}, h.Ungrouped}
	if h.Autogrouped {
		nice.why = "the scheduler groups tasks by session here (sched_autogroup_enabled=1), so nice alone does nothing for others: the session's own value is set instead"
	}
	idle := possible{Remedy{ID: "ionice", Title: "disk only when nobody else wants it (ionice)", Class: Disk, Yields: true, Prefix: []string{"ionice", "-c", "3"}}, h.NoIdleIO}
	return []possible{nice, session, idle}
}

func weight(Plain) (Limits, string) { return Limits{CPUWeight: 1}, "" }

func quota(p Plain) (Limits, string) {
	const least = 0.02 // cores
	if p.CPU < 2*least {
		return Limits{}, "the plain backup hardly uses the CPU"
	}
	return Limits{CPUCores: max(p.CPU/4, least)}, ""
}

func diskShare(n int) func(Plain) (Limits, string) {
	return func(p Plain) (Limits, string) {
		var l Limits
		if p.DiskRead >= leastRate {
			l.ReadBPS = max(int64(p.DiskRead)/int64(n), leastRate)
		}
		if p.DiskWrite >= leastRate {
			l.WriteBPS = max(int64(p.DiskWrite)/int64(n), leastRate)
		}
		if l == (Limits{}) {
			return l, "the plain backup hardly used the device: what it reads is in memory already, unless the files in question are named with --data"
		}
		return l, ""
	}
}

// Argv is the command line with the remedy; why is set if it has none after
// what the plain backup was seen to use.
func (r Remedy) Argv(c Command, p Plain) (argv []string, why string) {
	argv = c.Argv
	if r.setting != nil {
		s, reason := r.setting(p)
		if reason != "" {
			return nil, reason
		}
		argv = c.with(s)
	}
	return append(append([]string(nil), r.Prefix...), argv...), ""
}
