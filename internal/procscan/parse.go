package procscan

import (
	"bytes"
	"errors"
	"math"
)

// Why a file of a process cannot be used. The parsers allocate nothing, so the
// errors say what and the caller knows where.
var (
	errTruncated = errors.New("file ends too early")
	errMalformed = errors.New("file has an unexpected form")
)

// parseIO finds read_bytes and write_bytes in /proc/PID/io.
func parseIO(b []byte) (read, written int64, err error) {
	read, written = -1, -1
	for len(b) > 0 {
		var line []byte
		var whole bool
		if line, b, whole = cutLine(b); !whole {
			break
		}
		if v, ok := bytes.CutPrefix(line, []byte("read_bytes: ")); ok {
			if read, ok = parseInt(v); !ok {
				return 0, 0, errMalformed
			}
		} else if v, ok := bytes.CutPrefix(line, []byte("write_bytes: ")); ok {
			if written, ok = parseInt(v); !ok {
				return 0, 0, errMalformed
			}
		}
	}
	if read < 0 || written < 0 {
		return 0, 0, errTruncated
	}
	return read, written, nil
}

// schedstat is a line of /proc/PID/schedstat or of a thread's: nanoseconds.
type schedstat struct {
	running int64 // on a CPU
	waiting int64 // ready to run, without a CPU
}

// parseSchedstat reads one line like "41074316 11799206 166".
func parseSchedstat(b []byte) (schedstat, error) {
	line, _, whole := cutLine(b)
	if !whole {
		return schedstat{}, errTruncated
	}
	running, rest := cutByte(line, ' ')
	waiting, _ := cutByte(rest, ' ')
	var s schedstat
	var ok1, ok2 bool
	s.running, ok1 = parseInt(running)
	s.waiting, ok2 = parseInt(waiting)
	if !ok1 || !ok2 || s.running < 0 || s.waiting < 0 {
		return schedstat{}, errMalformed
	}
	return s, nil
}

// status is what is used of /proc/PID/status.
type status struct {
	user                   int64  // effective; -1 if absent
	cpus                   []byte // within the parsed bytes
	voluntary, involuntary int64  // -1 if absent
}

// parseStatus finds the user, the CPUs and the context switches. The kernel escapes a
// newline in the name here, so that a process cannot forge a line.
func parseStatus(b []byte) (status, error) {
	s := status{user: -1, voluntary: -1, involuntary: -1}
	for len(b) > 0 {
		var line []byte
		var whole bool
		if line, b, whole = cutLine(b); !whole {
			break
		}
		ok := true
		if v, found := bytes.CutPrefix(line, []byte("Cpus_allowed_list:\t")); found {
			s.cpus = v
		} else if v, found := bytes.CutPrefix(line, []byte("Uid:\t")); found {
			s.user, ok = effective(v)
		} else if v, found := bytes.CutPrefix(line, []byte("voluntary_ctxt_switches:\t")); found {
			s.voluntary, ok = parseInt(v)
		} else if v, found := bytes.CutPrefix(line, []byte("nonvoluntary_ctxt_switches:\t")); found {
			s.involuntary, ok = parseInt(v)
		}
		if !ok {
			return s, errMalformed
		}
	}
	if s.voluntary < 0 || s.involuntary < 0 {
		return s, errTruncated
	}
	return s, nil
}

// effective takes the second of the users "real effective saved file system",
// which are separated by tabs.
func effective(users []byte) (int64, bool) {
	_, rest := cutByte(users, '\t')
	user, _ := cutByte(rest, '\t')
	return parseInt(user)
}

// parseCgroup picks one path out of the lines of /proc/PID/cgroup, such as
//
//	4:cpu,cpuacct:/system.slice/cron.service
//	0::/system.slice/cron.service
//
// It is that of the unified hierarchy. On a host that still puts its processes
// into the older hierarchies that one says only "/"; then it is the path of the
// cpu controller, then that of systemd's named hierarchy.
func parseCgroup(b []byte) []byte {
	var unified, cpu, systemd []byte
	for len(b) > 0 {
		var line []byte
		var whole bool
		if line, b, whole = cutLine(b); !whole {
			break
		}
		id, rest := cutByte(line, ':')
		controllers, path := cutByte(rest, ':')
		switch {
		case len(path) == 0 || path[0] != '/':
		case len(controllers) == 0 && string(id) == "0":
			unified = path
		case string(controllers) == "name=systemd":
			systemd = path
		case hasWord(controllers, "cpu"):
			cpu = path
		}
	}
	for _, path := range [...][]byte{unified, cpu, systemd} {
		if path = outer(path); len(path) > 1 {
			return path
		}
	}
	for _, path := range [...][]byte{unified, cpu, systemd} {
		if len(path) > 0 {
			return path
		}
	}
	return nil
}

// outer takes off what leads out of the control group namespace of the reader: a
// collector in a container sees "/../../system.slice/x".
func outer(path []byte) []byte {
	for {
		rest, ok := bytes.CutPrefix(path, []byte("/.."))
		if !ok || (len(rest) > 0 && rest[0] != '/') {
			return path
		}
		path = rest
	}
}

// hasWord reports whether a list separated by commas contains the word.
func hasWord(list []byte, word string) bool {
	for len(list) > 0 {
		var w []byte
		if w, list = cutByte(list, ','); string(w) == word {
			return true
		}
	}
	return false
}

// cutLine takes the first line off b; whole is false if its newline is missing.
func cutLine(b []byte) (line, rest []byte, whole bool) {
	return bytes.Cut(b, []byte{'\n'})
}

// cutByte splits b at the first separator, which is dropped.
func cutByte(b []byte, separator byte) (word, rest []byte) {
	if i := bytes.IndexByte(b, separator); i >= 0 {
		return b[:i], b[i+1:]
	}
	return b, nil
}

// parseInt reads a decimal number that may have a minus sign, and nothing else.
// Numbers above the range of int64, which the kernel writes for "no limit",
// become its end.
func parseInt(b []byte) (int64, bool) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	if len(b) == 0 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		digit := int64(c - '0')
		if n > (math.MaxInt64-digit)/10 {
			n = math.MaxInt64
			continue
		}
		n = n*10 + digit
	}
	if negative {
		n = -n
	}
	return n, true
}
