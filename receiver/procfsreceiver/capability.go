package procfsreceiver

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otel-culprit/culprit/receiver/procfsreceiver/internal/metadata"
)

// capability is something that can be done or seen on the host, or cannot.
type capability struct {
	name    metadata.AttributeRootcauseCapability
	present bool
}

func (h *host) recordCapabilities(at time.Time) error {
	all, err := h.capabilities.get(at)
	if err != nil {
		return err
	}
	ts := pcommon.NewTimestampFromTime(at)
	for _, c := range all {
		value := int64(0)
		if c.present {
			value = 1
		}
		h.mb.RecordRootcauseHostCapabilityDataPoint(ts, value, c.name)
	}
	return nil
}

// capabilities looks at the host. What cannot be read is not there.
func (r hostRoot) capabilities() ([]capability, error) {
	v1, v2 := r.controllers()
	return []capability{
		{metadata.AttributeRootcauseCapabilitySchedAutogroup, r.autogroups()},
		{metadata.AttributeRootcauseCapabilityPsi, r.readable(r.proc("pressure", "cpu"))},
		{metadata.AttributeRootcauseCapabilitySystemd, r.exists(r.path("run", "systemd", "system"))},
		{metadata.AttributeRootcauseCapabilityCgroupV1CPU, slices.Contains(v1, "cpu")},
		{metadata.AttributeRootcauseCapabilityCgroupV1Blkio, slices.Contains(v1, "blkio")},
		{metadata.AttributeRootcauseCapabilityCgroupV2CPU, slices.Contains(v2, "cpu")},
		{metadata.AttributeRootcauseCapabilityCgroupV2Io, slices.Contains(v2, "io")},
		{metadata.AttributeRootcauseCapabilityCgroupV2Memory, slices.Contains(v2, "memory")},
		{metadata.AttributeRootcauseCapabilityIoSchedulerBfq, r.usesBFQ()},
		{metadata.AttributeRootcauseCapabilityRoot, os.Geteuid() == 0},
	}, nil
}

// autogroups reports whether the scheduler groups processes by session. The share
// of a container, whose root has a weight, overrules that.
func (r hostRoot) autogroups() bool {
	mounts := r.cgroupMounts()
	contained := mounts.unified != "" && r.exists(r.path(filepath.Join(mounts.unified, "cpu.weight")))
	return !contained && r.says(r.proc("sys", "kernel", "sched_autogroup_enabled"), "1")
}

func (r hostRoot) says(file, value string) bool {
	b, err := r.read(file)
	return err == nil && string(bytes.TrimSpace(b)) == value
}

// readable reads, because without psi=1 the files of PSI can exist and refuse.
func (r hostRoot) readable(file string) bool {
	_, err := r.read(file)
	return err == nil
}

func (hostRoot) exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// usesBFQ reports whether any disk is scheduled by BFQ, the only scheduler that
// heeds I/O priorities.
func (r hostRoot) usesBFQ() bool {
	for _, scheduler := range r.schedulers() {
		if scheduler == "bfq" {
			return true
		}
	}
	return false
}

// controllers lists the controllers of both generations of control groups.
func (r hostRoot) controllers() (v1, v2 []string) {
	mounts := r.cgroupMounts()
	if mounts.unified == "" {
		return mounts.v1, nil
	}
	b, err := r.read(r.path(filepath.Join(mounts.unified, "cgroup.controllers")))
	if err != nil {
		return mounts.v1, nil
	}
	return mounts.v1, strings.Fields(string(b))
}

// cgroupMounts are none if they cannot be read.
func (r hostRoot) cgroupMounts() cgroupMounts {
	b, err := r.read(r.proc(r.self(), "mountinfo"))
	if err != nil {
		return cgroupMounts{}
	}
	return parseCgroupMounts(string(b))
}

// cgroupMounts is what is mounted of control groups.
type cgroupMounts struct {
	v1      []string // controllers of the first generation
	memory  string   // where its memory controller is
	unified string   // where the second generation is
}

// parseCgroupMounts finds in lines like
//
//	32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
//
// the controllers of the first generation and where the second is mounted.
func parseCgroupMounts(mountinfo string) (found cgroupMounts) {
	for line := range strings.Lines(mountinfo) {
		mount, fs, ok := strings.Cut(line, " - ")
		left, right := strings.Fields(mount), strings.Fields(fs)
		if !ok || len(left) < 5 || len(right) < 3 {
			continue
		}
		switch right[0] {
		case "cgroup":
			controllers := strings.Split(right[2], ",")
			found.v1 = append(found.v1, controllers...)
			if slices.Contains(controllers, "memory") && found.memory == "" {
				found.memory = unescape.Replace(left[4])
			}
		case "cgroup2":
			if found.unified == "" {
				found.unified = unescape.Replace(left[4])
			}
		}
	}
	return found
}
