package main

import (
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// census lists the processes of the host and their parents.
type census struct {
	parents map[int]int
	stats   map[int]stat
}

// count is how many processes the host has, kernel threads among them.
func (c census) count() int { return len(c.parents) }

// takeCensus reads all of /proc. Processes that vanish meanwhile are left out.
func takeCensus() (census, error) {
	names, err := readNames("/proc")
	if err != nil {
		return census{}, err
	}
	c := census{parents: make(map[int]int, len(names)), stats: make(map[int]stat, len(names))}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join("/proc", name, "stat")) //nolint:gosec // a number below /proc
		if err != nil {
			continue
		}
		s, err := parseStat(text)
		if err != nil {
			continue
		}
		c.parents[pid], c.stats[pid] = s.parent, s
	}
	return c, nil
}

func readNames(dir string) ([]string, error) {
	d, err := os.Open(dir) //nolint:gosec // /proc
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Close() }() // only read from
	return d.Readdirnames(-1)
}

// tree is root and all its descendants that are in parents.
func tree(root int, parents map[int]int) []int {
	children := make(map[int][]int)
	for pid, parent := range parents {
		if pid != parent {
			children[parent] = append(children[parent], pid)
		}
	}
	if _, ok := parents[root]; !ok {
		return nil
	}
	out := []int{root}
	for i := 0; i < len(out); i++ {
		out = append(out, children[out[i]]...)
	}
	return out
}

// cpu is what the processes of a tree used so far, with what children used that
// ended and were waited for.
func (c census) cpu(pids []int) time.Duration {
	var sum time.Duration
	for _, pid := range pids {
		s := c.stats[pid]
		own, ok := processClock(pid)
		if !ok {
			own = s.own
		}
		sum += own + s.children
	}
	return sum
}

// processClock is the CPU time of a process in nanoseconds, where /proc/PID/stat
// counts in steps of 10 ms: it is the same time. See clock_getcpuclockid(3).
func processClock(pid int) (time.Duration, bool) {
	const scheduler = 2 // CPUCLOCK_SCHED
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|scheduler, &ts); err != nil { //nolint:gosec // the kernel's PIDs have 22 bits
		return 0, false
	}
	return time.Duration(ts.Nano()), true
}

// hostBusy is the CPU time of all that the host did so far but for this
// program; 0 if unknown.
func hostBusy() time.Duration {
	busy, err := parseBusy([]byte(readText("/proc/stat")))
	if err != nil {
		return 0
	}
	own, _ := processClock(os.Getpid())
	return busy - own
}

// resident is the sum of the resident sets of processes, in bytes. Those that
// are gone have none.
func resident(pids []int) int64 {
	var sum int64
	for _, pid := range pids {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
		if err != nil {
			continue
		}
		if n, err := parseResident(text); err == nil {
			sum += n
		}
	}
	return sum
}
