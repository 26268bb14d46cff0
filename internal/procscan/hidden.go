package procscan

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// Hidden reports whether the proc file system is mounted so that this process
// may not see those of other users: with hidepid=1 (noaccess), where they are
// listed and Unreadable, 2 (invisible) or 4 (ptraceable), where they are missing
// without a trace, and without the right to see them nevertheless: CAP_SYS_PTRACE
// or, except for the last, membership in the group that the mount names. It is
// false if it cannot be told.
func (s *Scanner) Hidden() bool {
	self := filepath.Join(s.opts.Root, "self")
	mounts, err := os.ReadFile(filepath.Join(self, "mountinfo")) //nolint:gosec // the user says where it is
	if err != nil {
		return false
	}
	info, err := os.ReadFile(filepath.Join(self, "fdinfo", strconv.Itoa(s.root.fd))) //nolint:gosec // the user says where it is
	if err != nil {
		return false
	}
	status, err := os.ReadFile(filepath.Join(self, "status")) //nolint:gosec // the user says where it is
	if err != nil {
		return false
	}
	id, ok := mountID(info)
	return ok && mountedHidden(mounts, id).from(parseRights(status))
}

// mountID finds the ID of the mount that a descriptor is of in its fdinfo.
func mountID(fdinfo []byte) (int64, bool) {
	v, ok := value(fdinfo, "mnt_id:\t")
	if !ok {
		return 0, false
	}
	return parseInt(v)
}

// value is the rest of the line that begins with name.
func value(b []byte, name string) ([]byte, bool) {
	for len(b) > 0 {
		var line []byte
		line, b, _ = cutLine(b)
		if v, ok := bytes.CutPrefix(line, []byte(name)); ok {
			return v, true
		}
	}
	return nil, false
}

// hiding is how a proc file system is mounted.
type hiding struct {
	hides      bool
	ptraceable bool  // the group sees no more than others
	group      int64 // that sees all
}

// mountedHidden finds the mount with this ID in lines such as
//
//	23 28 0:22 / /proc rw,nosuid - proc proc rw,hidepid=invisible,gid=4
func mountedHidden(mountinfo []byte, id int64) hiding {
	for len(mountinfo) > 0 {
		var line []byte
		line, mountinfo, _ = cutLine(mountinfo)
		first, _ := cutByte(line, ' ')
		if n, ok := parseInt(first); !ok || n != id {
			continue
		}
		// Blanks in the names of a mount are written as \040.
		_, system, _ := bytes.Cut(line, []byte(" - "))
		kind, rest := cutByte(system, ' ')
		if string(kind) != "proc" {
			return hiding{}
		}
		_, options := cutByte(rest, ' ')
		return parseHiding(options)
	}
	return hiding{}
}

func parseHiding(options []byte) hiding {
	var h hiding
	for len(options) > 0 {
		var option []byte
		option, options = cutByte(options, ',')
		name, v := cutByte(option, '=')
		switch string(name) {
		case "hidepid":
			h.hides = string(v) != "0" && string(v) != "off"
			h.ptraceable = string(v) == "4" || string(v) == "ptraceable"
		case "gid":
			h.group, _ = parseInt(v)
		}
	}
	return h
}

// rights are those that help against hiding.
type rights struct {
	ptrace bool
	groups []int64
}

// from reports whether the mount hides processes from one with these rights.
func (h hiding) from(r rights) bool {
	return h.hides && !r.ptrace && (h.ptraceable || !slices.Contains(r.groups, h.group))
}

// capPtrace is the number of the capability CAP_SYS_PTRACE.
const capPtrace = 19

// parseRights reads a status file.
func parseRights(status []byte) rights {
	var r rights
	if v, ok := value(status, "CapEff:\t"); ok {
		mask, err := strconv.ParseUint(string(v), 16, 64)
		r.ptrace = err == nil && mask>>capPtrace&1 == 1
	}
	// "real effective saved file system", of which the kernel asks the last one.
	if v, ok := value(status, "Gid:\t"); ok {
		if id, ok := parseInt(v[bytes.LastIndexByte(v, '\t')+1:]); ok {
			r.groups = append(r.groups, id)
		}
	}
	if v, ok := value(status, "Groups:\t"); ok {
		for word := range bytes.FieldsSeq(v) {
			if id, ok := parseInt(word); ok {
				r.groups = append(r.groups, id)
			}
		}
	}
	return r
}
