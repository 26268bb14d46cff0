package procfsreceiver

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// maxGroups bounds the control groups whose pressure is read, and with it the
// open files: three for each.
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

// stalls reads the pressure of control groups of the second generation. Their
// files stay open from scrape to scrape.
type stalls struct {
	mount  string // of the unified hierarchy; empty if there is none
	groups map[string]*group
	// removed groups begin anew if they come back.
	removed map[string]bool
	scrape  int
	buf     [512]byte
}

// group is a control group that is watched.
type group struct {
	since  time.Time                // zero if it may be as old as the host
	files  [len(pressures)]*os.File // nil if it cannot be read
	scrape int                      // in which it was last asked for
}

func newStalls(root hostRoot) *stalls {
	s := &stalls{groups: map[string]*group{}, removed: map[string]bool{}}
	if b, err := root.read(root.proc(root.self(), "mountinfo")); err == nil {
		if _, unified := parseCgroupMounts(string(b)); unified != "" {
			s.mount = root.path(unified)
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
	n, _ := g.files[resource].ReadAt(s.buf[:], 0) // io.EOF follows what is there
	if n == 0 {
		// The group was removed; one of the same name may have been made since.
		g.close()
		delete(s.groups, cgroup)
		s.removed[cgroup] = true
		return stalled{}, false
	}
	st, ok = parsePressure(s.buf[:n])
	st.since = g.since
	return st, ok
}

func (s *stalls) group(cgroup string) *group {
	g := s.groups[cgroup]
	if g == nil {
		if s.mount == "" || len(s.groups) >= maxGroups || strings.Contains(cgroup, "/..") {
			return nil
		}
		g = new(group)
		if s.removed[cgroup] {
			g.since = time.Now()
			delete(s.removed, cgroup)
		}
		for i, resource := range pressures {
			// A group of the first generation only has no such file: nothing to read.
			g.files[i], _ = os.Open(filepath.Join(s.mount, cgroup, resource+".pressure")) //nolint:gosec // below the mounted hierarchy, as the kernel named it
		}
		s.groups[cgroup] = g
	}
	g.scrape = s.scrape
	return g
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
	for _, f := range g.files {
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
