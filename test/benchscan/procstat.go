package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// userHZ is the unit of the times in /proc/PID/stat. It is part of the kernel's
// interface, and 100 wherever Go runs.
const userHZ = 100

// stat is what is needed of /proc/PID/stat.
type stat struct {
	parent   int
	own      time.Duration // user and system time
	children time.Duration // the same of children that were waited for
}

// parseStat reads /proc/PID/stat. The name, in parentheses, can hold anything,
// parentheses and spaces among it.
func parseStat(text []byte) (stat, error) {
	end := bytes.LastIndexByte(text, ')')
	if end < 0 {
		return stat{}, errors.New("stat: no name in parentheses")
	}
	fields := bytes.Fields(text[end+1:])
	// Counted from the state, which is the third field in proc(5).
	const parent, utime, stime, cutime, cstime = 1, 11, 12, 13, 14
	if len(fields) <= cstime {
		return stat{}, fmt.Errorf("stat: only %d fields after the name", len(fields))
	}
	var n [cstime + 1]int64
	for _, i := range []int{parent, utime, stime, cutime, cstime} {
		v, err := strconv.ParseInt(string(fields[i]), 10, 64)
		if err != nil || v < 0 || v > maxTicks {
			return stat{}, fmt.Errorf("stat: field %d is %q", i+3, fields[i])
		}
		n[i] = v
	}
	return stat{parent: int(n[parent]), own: ticks(n[utime] + n[stime]), children: ticks(n[cutime] + n[cstime])}, nil
}

// maxTicks keeps the sums of two of them within a time.Duration.
const maxTicks = int64(1<<62) / (int64(time.Second) / userHZ) / 2

func ticks(n int64) time.Duration { return time.Duration(n) * (time.Second / userHZ) }

// parseBusy is the time in which the CPUs of the host did anything, the
// hypervisor's other guests included, from the first line of /proc/stat.
func parseBusy(text []byte) (time.Duration, error) {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	fields := bytes.Fields(line)
	// Guests' time, which follows, is in the user time already.
	const idle, iowait, last = 4, 5, 8
	if len(fields) <= last || string(fields[0]) != "cpu" {
		return 0, fmt.Errorf("stat: the first line is %q", line)
	}
	var sum int64
	for i := 1; i <= last; i++ {
		v, err := strconv.ParseInt(string(fields[i]), 10, 64)
		if err != nil || v < 0 || v > maxTicks/last {
			return 0, fmt.Errorf("stat: field %d is %q", i, fields[i])
		}
		if i != idle && i != iowait {
			sum += v
		}
	}
	return ticks(sum), nil
}

// parseResident reads VmRSS, in bytes, of /proc/PID/status. Kernel threads and
// zombies have none: that is 0.
func parseResident(text []byte) (int64, error) {
	for line := range bytes.Lines(text) {
		value, ok := bytes.CutPrefix(line, []byte("VmRSS:"))
		if !ok {
			continue
		}
		number, ok := bytes.CutSuffix(bytes.TrimSpace(value), []byte(" kB"))
		kib, err := strconv.ParseInt(string(bytes.TrimSpace(number)), 10, 64)
		if !ok || err != nil || kib < 0 || kib > 1<<50 {
			return 0, fmt.Errorf("status: VmRSS is %q", bytes.TrimSpace(value))
		}
		return kib << 10, nil
	}
	return 0, nil
}
