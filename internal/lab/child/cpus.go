package child

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// CPUs says who runs where: the site shares its CPU with the backups, and
// whatever measures stays off it.
type CPUs struct {
	Site, Rest, All unix.CPUSet
	SiteCPU         int
	Shared          bool // there is only one CPU, so that Rest equals Site
}

// SplitCPUs takes the last CPU that this process may use for the site.
func SplitCPUs() (CPUs, error) {
	var s CPUs
	if err := unix.SchedGetaffinity(0, &s.All); err != nil {
		return s, fmt.Errorf("read the CPUs that this process may use: %w", err)
	}
	for cpu := range len(s.All) * 64 {
		if s.All.IsSet(cpu) {
			s.SiteCPU = cpu
		}
	}
	s.Site.Set(s.SiteCPU)
	s.Rest = s.All
	s.Rest.Clear(s.SiteCPU)
	if s.Rest.Count() == 0 {
		s.Rest, s.Shared = s.Site, true
	}
	return s, nil
}

// startOn starts a command on the given CPUs, or on this process's own if there
// are none. A child inherits them from the thread that forks it, so that all of its
// own threads stay on them.
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

// MoveSelf moves all threads of this process. Threads made later inherit from
// those that are there.
func MoveSelf(cpus unix.CPUSet) error {
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
