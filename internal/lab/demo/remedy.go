package demo

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/lab/child"
)

// Remedy is what the demo does about the backup while it goes on.
type Remedy struct {
	Title   string
	Command string // what a person would type
	Why     string // why it works on this host and not another one
	apply   func() error
}

// chooseRemedy finds what takes the CPU away from a job that leads its own
// session and shares the CPU with somebody in another one.
//
// Where the scheduler groups tasks by session (autogroup), nice values count
// inside a session only: "nice -n 19" does nothing for others, and the group's
// own value must be set. Tasks in a cgroup of the cpu controller are grouped by
// that instead, and there nice values count among all of its members.
func chooseRemedy(pid int, kernel fileReader) Remedy {
	if grouped, why := child.Autogrouped(pid, kernel); !grouped {
		return Remedy{
			Title:   "lower the backup's priority",
			Command: fmt.Sprintf("renice -n 19 -g %d", pid),
			Why:     why + ", so nice values count between the backup and the site",
			apply:   func() error { return renice(pid) },
		}
	}
	return Remedy{
		Title:   "lower the priority of the backup's session",
		Command: fmt.Sprintf("echo 19 > /proc/%d/autogroup", pid),
		Why:     "the scheduler groups tasks by session here (sched_autogroup_enabled=1), so nice alone would do nothing",
		apply:   func() error { return lowerAutogroup(pid) },
	}
}

// fileReader reads kernel files; os.ReadFile in earnest.
type fileReader func(name string) ([]byte, error)

// lowerAutogroup needs no privilege for one's own processes. The kernel allows
// one such change in 100 ms to those without privilege.
func lowerAutogroup(pid int) error {
	name := fmt.Sprintf("/proc/%d/autogroup", pid)
	err := os.WriteFile(name, []byte("19"), 0)
	if errors.Is(err, unix.EAGAIN) {
		time.Sleep(200 * time.Millisecond)
		err = os.WriteFile(name, []byte("19"), 0)
	}
	if err != nil {
		return fmt.Errorf("lower the session's priority: %w", err)
	}
	return nil
}

func renice(group int) error {
	if err := unix.Setpriority(unix.PRIO_PGRP, group, 19); err != nil {
		return fmt.Errorf("lower the priority of process group %d: %w", group, err)
	}
	return nil
}
