package bpfscan

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/otel-culprit/culprit/internal/process"
)

// maxCgroups bounds the names of cgroups that are remembered.
const maxCgroups = 8192

// cgroupNames knows the paths of cgroups that a described process was in, for
// processes that were gone before they could be described.
type cgroupNames map[cgroupID]*cgroupName

type cgroupName struct {
	path string
	// against counts how often in a row another path was seen. Once is a process
	// that was moved just then, twice are processes in different groups of a
	// hierarchy whose ID is not known.
	against int
}

// doubt is how often another path must have been seen.
const doubt = 2

func (c cgroupNames) learn(id cgroupID, path string) {
	n := c[id]
	switch {
	case path == "":
	case n == nil:
		if len(c) >= maxCgroups {
			clear(c)
		}
		c[id] = &cgroupName{path: path}
	case n.path != path:
		n.against++
	case n.against < doubt:
		n.against = 0
	}
}

// path is empty if it is not known.
func (c cgroupNames) path(id cgroupID) string {
	if n := c[id]; n != nil && n.against < doubt {
		return n.path
	}
	return ""
}

// describe reads what the kernel's list does not say from the proc file system.
// What both say stays as the list has it.
func (s *Scanner) describe(e *entry) {
	listed := e.Process
	fresh := e.fresh
	e.described, e.fresh = s.scans, false
	if s.procs.Describe(&e.Process) {
		s.cgroups.learn(e.record.cgroup, e.Cgroup)
	}
	if e.Cgroup == "" { // a zombie, or hidden
		e.Cgroup = s.cgroups.path(e.record.cgroup)
	}
	e.User, e.Kernel, e.TTY = listed.User, listed.Kernel, listed.TTY
	e.Nice, e.IOPriority = listed.Nice, listed.IOPriority
	e.ThreadNice, e.ThreadIOPriority = listed.ThreadNice, listed.ThreadIOPriority
	if fresh && e.Kernel {
		s.lengthen(e)
	}
}

// lengthen gives a thread of the kernel its whole name if the list cut it off:
// the kernel keeps it elsewhere.
func (s *Scanner) lengthen(e *entry) {
	name, _, cut := bytes.Cut(e.record.name[:], []byte{0})
	if !cut || len(name) < len(e.record.name)-1 || process.IsWorker(name) {
		return
	}
	b, err := os.ReadFile(s.root + "/" + strconv.FormatInt(e.PID, 10) + "/comm")
	if b = bytes.TrimSuffix(b, []byte{'\n'}); err == nil && bytes.HasPrefix(b, name) {
		e.Name = strings.ToValidUTF8(string(b), "\uFFFD")
	}
}

// listPriorities lists the priorities of the threads of processes where one
// changed.
func (s *Scanner) listPriorities() {
	wanted := false
	for _, e := range s.changed {
		if e.reordered {
			wanted = true
			e.nices, e.ioPriorities = e.nices[:0], e.ioPriorities[:0]
		}
	}
	if !wanted {
		return
	}
	for _, r := range s.refs {
		if e := r.task.owner; e != nil && e.reordered {
			e.nices = insert(e.nices, r.task.record.nice)
			e.ioPriorities = insert(e.ioPriorities, int32(r.task.record.ioPriority)) //nolint:gosec // 16 bits
		}
	}
	for _, e := range s.changed {
		if e.reordered {
			e.reordered = false
			e.showPriorities()
		}
	}
}

func insert(list []int32, n int32) []int32 {
	if i, found := slices.BinarySearch(list, n); !found {
		return slices.Insert(list, i, n)
	}
	return list
}

func (e *entry) showPriorities() {
	var nices, ios string
	if len(e.nices) > 1 {
		nices = join(e.nices, func(n int32) string { return strconv.Itoa(int(n)) })
	}
	if len(e.ioPriorities) > 1 {
		ios = join(e.ioPriorities, func(n int32) string { return process.IOPriorityName(uint32(n)) }) //nolint:gosec // 16 bits
	}
	if nices != e.ThreadNice || ios != e.ThreadIOPriority {
		e.ThreadNice, e.ThreadIOPriority = nices, ios
		e.Described++
	}
}

func join(list []int32, name func(int32) string) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = name(n)
	}
	return strings.Join(words, ",")
}
