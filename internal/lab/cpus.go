package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// cpuSplit says who runs where: the site shares its CPU with the backups, and
// whatever measures stays off it.
type cpuSplit struct {
	site, rest, all unix.CPUSet
	siteCPU         int
	shared          bool // there is only one CPU, so that rest equals site
}

// splitCPUs takes the last CPU that this process may use for the site.
func splitCPUs() (cpuSplit, error) {
	var s cpuSplit
	if err := unix.SchedGetaffinity(0, &s.all); err != nil {
		return s, fmt.Errorf("read the CPUs that this process may use: %w", err)
	}
	for cpu := range len(s.all) * 64 {
		if s.all.IsSet(cpu) {
			s.siteCPU = cpu
		}
	}
	s.site.Set(s.siteCPU)
	s.rest = s.all
	s.rest.Clear(s.siteCPU)
	if s.rest.Count() == 0 {
		s.rest, s.shared = s.site, true
	}
	return s, nil
}

// startOn starts a command on the given CPUs, or on this process's own if there
// are none. A child inherits them from the
// thread that forks it, so that all of its own threads stay on them.
func startOn(cmd *exec.Cmd, cpus unix.CPUSet) error {
	if cpus.Count() == 0 {
		return cmd.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var own unix.CPUSet
	if err := unix.SchedGetaffinity(0, &own); err != nil {
		return fmt.Errorf("read this thread's CPUs: %w", err)
	}
	if err := unix.SchedSetaffinity(0, &cpus); err != nil {
		return fmt.Errorf("move this thread to the child's CPUs: %w", err)
	}
	return errors.Join(cmd.Start(), unix.SchedSetaffinity(0, &own))
}

// moveSelf moves all threads of this process. Threads made later inherit from
// those that are there.
func moveSelf(cpus unix.CPUSet) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("list this process's threads: %w", err)
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			continue
		}
		if err := unix.SchedSetaffinity(id, &cpus); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("move thread %d: %w", id, err)
		}
	}
	return nil
}
