package stage

import (
	"fmt"
	"regexp"
	"strconv"
)

// Limits bound what a group takes. Zero is no limit.
type Limits struct {
	MemoryBytes int64   // page cache included
	CPUCores    float64 // 0.5 is half of one CPU
	CPUWeight   int     // 1 to 10000 against other groups; the usual is 100
	IO          []IOLimit
}

// IOLimit bounds what a group takes from a block device, in bytes per second.
type IOLimit struct {
	Device   string // as "254:0"; a whole disk, no partition
	ReadBPS  int64
	WriteBPS int64
}

const (
	cpuPeriod     = 100_000 // microseconds, the kernel's own
	usualWeight   = 100     // of version 2
	usualShares   = 1024    // of version 1: means the same
	largestWeight = 10_000
)

var deviceRule = regexp.MustCompile(`^\d+:\d+$`)

// setting is a value for a file of a control group.
type setting struct{ file, value string }

func (l Limits) check() error {
	if l.MemoryBytes < 0 {
		return fmt.Errorf("the memory limit is %d bytes: it must not be negative", l.MemoryBytes)
	}
	for _, limit := range l.IO {
		if err := limit.check(); err != nil {
			return err
		}
	}
	return checkCPU(l.CPUCores, l.CPUWeight)
}

func (l IOLimit) check() error {
	if !deviceRule.MatchString(l.Device) {
		return fmt.Errorf("the limit's device is %q: it must be major:minor, such as 254:0; it is empty for a disk that lies on no block device", l.Device)
	}
	if l.ReadBPS < 0 || l.WriteBPS < 0 {
		return fmt.Errorf("the limits of device %s are %d and %d bytes/s: they must not be negative", l.Device, l.ReadBPS, l.WriteBPS)
	}
	return nil
}

func checkCPU(cores float64, weight int) error {
	const least = 0.01 // the kernel's
	if cores != 0 && !(cores >= least) {
		return fmt.Errorf("the CPU limit is %g cores: it must be 0 or at least %g", cores, least)
	}
	if weight < 0 || weight > largestWeight {
		return fmt.Errorf("the CPU weight is %d: it must be from 1 to %d, or 0 for the usual", weight, largestWeight)
	}
	return nil
}

func memorySettings(v Version, bytes int64) []setting {
	if v == V2 {
		return []setting{{"memory.max", orMax(bytes)}}
	}
	if bytes == 0 {
		bytes = -1
	}
	return []setting{{"memory.limit_in_bytes", strconv.FormatInt(bytes, 10)}}
}

func cpuSettings(v Version, cores float64, weight int) []setting {
	quota := int64(cores * cpuPeriod)
	if weight == 0 {
		weight = usualWeight
	}
	if v == V2 {
		return []setting{
			{"cpu.max", orMax(quota) + " " + strconv.Itoa(cpuPeriod)},
			{"cpu.weight", strconv.Itoa(weight)},
		}
	}
	if quota == 0 {
		quota = -1
	}
	return []setting{
		{"cpu.cfs_period_us", strconv.Itoa(cpuPeriod)},
		{"cpu.cfs_quota_us", strconv.FormatInt(quota, 10)},
		{"cpu.shares", strconv.Itoa(max(2, weight*usualShares/usualWeight))},
	}
}

func ioSettings(v Version, l IOLimit) []setting {
	if v == V2 {
		return []setting{{"io.max", fmt.Sprintf("%s rbps=%s wbps=%s", l.Device, orMax(l.ReadBPS), orMax(l.WriteBPS))}}
	}
	return []setting{ // 0 lifts
		{"blkio.throttle.read_bps_device", fmt.Sprintf("%s %d", l.Device, l.ReadBPS)},
		{"blkio.throttle.write_bps_device", fmt.Sprintf("%s %d", l.Device, l.WriteBPS)},
	}
}

func orMax(n int64) string {
	if n == 0 {
		return "max"
	}
	return strconv.FormatInt(n, 10)
}
