package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// process is one that the run started, with all of its session if it leads one.
// The start time tells it from a later process with the same id.
type process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // ticks since boot
	Boot  string `json:"boot"`
	// Mark is on all of its session, to tell them from a later session with the
	// same id when the process has ended; zero if they could not be marked.
	Mark uint64 `json:"mark,omitempty"`
}

// owner is the process that holds a run. It is no thing of the run: undoing
// leaves it alone.
type owner struct{ process }

func (owner) kind() string                       { return "owner" }
func (owner) undo(context.Context) (bool, error) { return false, nil }
func (owner) kill(context.Context) (bool, error) { return false, nil }
func (process) kind() string                     { return "process" }
func (p process) String() string                 { return fmt.Sprintf("process %d", p.PID) }

// describeProcess says who a running process is.
func describeProcess(pid int) (process, error) {
	boot, err := bootID()
	if err != nil {
		return process{}, err
	}
	stat, err := statOf(pid)
	if err != nil {
		return process{}, fmt.Errorf("process %d cannot be found: %w", pid, err)
	}
	return process{PID: pid, Start: stat.Starttime, Boot: boot}, nil
}

func bootID() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the id of this boot: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

func statOf(pid int) (procfs.ProcStat, error) {
	proc, err := procfs.NewProc(pid)
	if err != nil {
		return procfs.ProcStat{}, err
	}
	return proc.Stat()
}

// alive says whether the process itself still runs. A killed one whose threads
// wait for a device is a zombie, and not alive.
func (p process) alive() bool {
	boot, err := bootID()
	if err != nil || boot != p.Boot {
		return false
	}
	stat, err := statOf(p.PID)
	return err == nil && stat.Starttime == p.Start && !ended(stat)
}

func ended(stat procfs.ProcStat) bool { return stat.State == "Z" || stat.State == "X" }

// members are the process and what runs in the session that it leads. When it has
// ended, its id may have been used again: then only those count that are marked.
func (p process) members() []int {
	boot, err := bootID()
	if err != nil || boot != p.Boot {
		return nil
	}
	stat, gone := statOf(p.PID)
	if gone == nil && stat.Starttime != p.Start {
		return nil
	}
	return slices.DeleteFunc(sessionOf(p.PID), func(pid int) bool { return gone != nil && !p.marked(pid) })
}

// sessionOf lists a process and the session that it leads.
func sessionOf(leader int) []int {
	return pids(func(stat procfs.ProcStat) bool { return stat.PID == leader || stat.Session == leader })
}

// markOn is the limit whose soft value is the mark: no kernel since Linux 2.4
// heeds it, and unlike the environment, all children have it in the end.
const markOn = unix.RLIMIT_LOCKS

// mark marks a process with its session. Those of another user cannot be marked,
// and neither be killed.
func (p *process) mark() {
	p.Mark = rand.Uint64() >> 1 //nolint:gosec // no secret; the largest would mean no limit
	const rounds = 10           // those not marked yet may have started others meanwhile
	for range rounds {
		left := slices.DeleteFunc(sessionOf(p.PID), p.marked)
		if len(left) == 0 {
			return
		}
		for _, pid := range left {
			var limit unix.Rlimit
			if unix.Prlimit(pid, markOn, nil, &limit) == nil {
				limit.Cur = min(p.Mark, limit.Max)
				_ = unix.Prlimit(pid, markOn, &limit, nil) // seen in the next round
			}
		}
	}
	p.Mark = 0
}

func (p process) marked(pid int) bool {
	var limit unix.Rlimit
	return p.Mark != 0 && unix.Prlimit(pid, markOn, nil, &limit) == nil && limit.Cur == p.Mark
}

func (p process) kill(ctx context.Context) (bool, error) { return killAll(ctx, p.members) }

func (p process) undo(ctx context.Context) (bool, error) { return p.kill(ctx) }

// pids lists the processes that run and that belong. Those that end meanwhile
// are left out.
func pids(belongs func(procfs.ProcStat) bool) []int {
	all, err := procfs.AllProcs()
	if err != nil {
		return nil
	}
	var found []int
	for _, proc := range all {
		if stat, err := proc.Stat(); err == nil && !ended(stat) && belongs(stat) {
			found = append(found, proc.PID)
		}
	}
	return found
}

// withArgument lists the processes that were started with this argument.
func withArgument(argument string) []int {
	return pids(func(stat procfs.ProcStat) bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", stat.PID))
		return err == nil && slices.ContainsFunc(bytes.Split(text, []byte{0}), func(arg []byte) bool { return string(arg) == argument })
	})
}

// killAll kills what list returns until it returns none, since what is killed may
// have started others before.
func killAll(ctx context.Context, list func() []int) (bool, error) {
	did := false
	var failed error
	err := until(ctx, func() bool {
		left := list()
		for _, pid := range left {
			if pid <= 1 {
				continue // as a target, it would mean many more
			}
			did = true
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				failed = fmt.Errorf("kill process %d: %w", pid, err)
			}
		}
		return len(left) == 0
	})
	if err != nil {
		return did, errors.Join(fmt.Errorf("processes %v do not end: %w", list(), err), failed)
	}
	return did, nil
}
