package procfsreceiver

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxGroups bounds the control groups whose pressure and paging is read, and with
// it the open files: four for each.
const maxGroups = 64

// pressures are the resources whose pressure the kernel tells, as its files are
// called.
var pressures = [...]string{"cpu", "io", "memory"}

// stalled is how long tasks stalled on a resource, in microseconds since boot.
type stalled struct {
	some, full int64
	hasFull    bool
	since      time.Time // when the group was made anew; zero if it was there before
}

// stalls reads the pressure of control groups of the second generation, and the
// paging of those of either. Their files stay open from scrape to scrape.
type stalls struct {
	mount  string // of the unified hierarchy; empty if there is none
	memory string // of the first generation's memory controller; empty if there is none
	groups map[string]*group
	// removed groups begin anew if they come back.
	removed map[string]bool
	scrape  int
	buf     [8192]byte
}

// group is a control group that is watched.
type group struct {
	since  time.Time                // zero if it may be as old as the host
	memory *os.File                 // nil if it cannot be read
	files  [len(pressures)]*os.File // nil if it cannot be read
	scrape int                      // in which it was last asked for
}

func newStalls(root hostRoot) *stalls {
	s := &stalls{groups: map[string]*group{}, removed: map[string]bool{}}
	if b, err := root.read(root.proc(root.self(), "mountinfo")); err == nil {
		mounts := parseCgroupMounts(string(b))
		if mounts.unified != "" {
			s.mount = root.path(mounts.unified)
		}
		if mounts.memory != "" {
			s.memory = root.path(mounts.memory)
		}
	}
	return s
}

// of reads the pressure of a group on a resource; ok is false if it is unknown.
func (s *stalls) of(cgroup string, resource int) (st stalled, ok bool) {
	g := s.group(cgroup)
	if g == nil || g.files[resource] == nil {
		return stalled{}, false
	}
	st, ok = parsePressure(s.read(cgroup, g.files[resource]))
	st.since = g.since
	return st, ok
}

// paging reads what a group read again or swapped; ok is false if it is unknown.
func (s *stalls) paging(cgroup string) (p paged, ok bool) {
	g := s.group(cgroup)
	if g == nil || g.memory == nil {
		return paged{}, false
	}
	p = parseMemoryStat(s.read(cgroup, g.memory))
	p.since = g.since
	return p, p.hasRefaults || p.hasSwap
}

// read reads a file of a group. An empty one means that the group was removed;
// one of the same name may have been made since.
func (s *stalls) read(cgroup string, file *os.File) []byte {
	n, _ := file.ReadAt(s.buf[:], 0) // io.EOF follows what is there
	if n == 0 {
		s.groups[cgroup].close()
		delete(s.groups, cgroup)
		s.removed[cgroup] = true
	}
	return s.buf[:n]
}

// knowsMemory reports whether control groups can have a memory controller here.
func (s *stalls) knowsMemory() bool {
	if s.memory != "" || s.mount == "" {
		return s.memory != ""
	}
	b, err := os.ReadFile(filepath.Join(s.mount, "cgroup.controllers"))
	return err == nil && slices.Contains(strings.Fields(string(b)), "memory")
}

func (s *stalls) group(cgroup string) *group {
	g := s.groups[cgroup]
	if g == nil {
		if s.mount == "" && s.memory == "" || len(s.groups) >= maxGroups || strings.Contains(cgroup, "/..") {
			return nil
		}
		g = new(group)
		if s.removed[cgroup] {
			g.since = time.Now()
			delete(s.removed, cgroup)
		}
		// Without a memory controller it has no such file, neither here nor there.
		if g.memory = openIn(s.mount, cgroup, memoryStat); g.memory == nil {
			g.memory = openIn(s.memory, cgroup, memoryStat)
		}
		for i, resource := range pressures {
			// A group of the first generation only has no such file: nothing to read.
			g.files[i] = openIn(s.mount, cgroup, resource+".pressure")
		}
		s.groups[cgroup] = g
	}
	g.scrape = s.scrape
	return g
}

// openIn opens a file of a group; nil if it is not there.
func openIn(mount, cgroup, name string) *os.File {
	if mount == "" {
		return nil
	}
	f, err := os.Open(filepath.Join(mount, cgroup, name)) //nolint:gosec // below the mounted hierarchy, as the kernel named it
	if err != nil {
		return nil
	}
	return f
}

// next ends a scrape: groups that nobody asked for are given back.
func (s *stalls) next() {
	maps.DeleteFunc(s.groups, func(_ string, g *group) bool {
		if g.scrape == s.scrape {
			return false
		}
		g.close()
		return true
	})
	if len(s.removed) > maxGroups {
		clear(s.removed)
	}
	s.scrape++
}

func (s *stalls) close() {
	for _, g := range s.groups {
		g.close()
	}
	clear(s.groups)
}

func (g *group) close() {
	for _, f := range append(g.files[:], g.memory) {
		if f != nil {
			_ = f.Close() // nothing was written
		}
	}
}

// parsePressure reads the totals of a pressure file:
//
//	some avg10=0.00 avg60=0.00 avg300=0.00 total=1234
//	full avg10=0.00 avg60=0.00 avg300=0.00 total=567
func parsePressure(b []byte) (st stalled, ok bool) {
	for line := range bytes.Lines(b) {
		_, total, found := bytes.Cut(line, []byte(" total="))
		if !found {
			continue
		}
		n, err := strconv.ParseInt(string(bytes.TrimSpace(total)), 10, 64)
		if err != nil || n < 0 {
			continue
		}
		switch {
		case bytes.HasPrefix(line, []byte("some ")):
			st.some, ok = n, true
		case bytes.HasPrefix(line, []byte("full ")):
			st.full, st.hasFull = n, true
		}
	}
	return st, ok
}
