package demo

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/event"
	"github.com/otel-culprit/culprit/internal/lab/child"
)

// remedy is what the demo does about the backup while it goes on.
type remedy struct {
	event.Remedy

	apply func() error
}

// chooseRemedy finds the first remedy of a verdict that may work and that the
// demo can apply to its backup: it needs no privilege, and runs no command that it
// was sent. What the verdict does not know, the kernel is asked.
//
// Where the scheduler groups tasks by session (autogroup), nice values count
// inside a session only: "nice -n 19" does nothing for others, and the group's
// own value must be set. Tasks in a cgroup of the cpu controller are grouped by
// that instead, and there nice values count among all of its members.
func chooseRemedy(list []event.Remedy, isBackup func(pid int) bool, kernel fileReader) (chosen remedy, ok bool) {
	for _, r := range list {
		for _, way := range []struct {
			command string
			session bool // counts where the scheduler groups by session
			apply   func(pid int) error
		}{
			{"echo 19 > /proc/%d/autogroup", true, lowerAutogroup},
			{"renice -n 19 -g %d", false, renice},
		} {
			var pid int
			if _, err := fmt.Sscanf(r.Command, way.command, &pid); err != nil || r.Works == "no" || !isBackup(pid) {
				continue
			}
			if grouped, _ := child.Autogrouped(pid, kernel); r.Works == "yes" || grouped == way.session {
				return remedy{r, func() error { return way.apply(pid) }}, true
			}
		}
	}
	return remedy{}, false
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
