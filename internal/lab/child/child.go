package child

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/lab/wait"
)

// Patience is how long a child may take to end when it is asked to.
const Patience = 5 * time.Second

// Process is a process that the lab started, with whatever it starts itself: it
// leads its own session, so that all of it can be ended at once and a Ctrl-C at
// the terminal is left to the lab.
type Process struct {
	name string
	cmd  *exec.Cmd
	log  string        // file with what it wrote
	ends unix.Signal   // asks it to end
	done chan struct{} // closed when it ended
	err  error         // how; valid after done
}

// Spec says what to start.
type Spec struct {
	Name string // for messages
	Argv []string
	// Home makes the environment a new one, of which it is the home and the place
	// for temporary files; empty for this process's environment.
	Home string
	Env  []string    // added to the environment
	CPUs unix.CPUSet // none for this process's own
	Log  string      // file for its output
	Says io.Writer   // takes its standard error; nil for the log
	Dir  string      // that it works in; empty for this process's own
	// Wrap puts commands before the program that take it elsewhere, such as to a
	// control group or a network; nil for none. They must exec what they are given.
	Wrap func(argv []string) []string
	As   *Account    // who runs it, inside of Wrap, which may need root; nil for this process's own
	Ends unix.Signal // asks it to end, in place of SIGTERM
}

// Account is a user that a program runs as.
type Account struct{ UID, GID uint32 }

// command is the whole of what is executed.
func (s Spec) command() []string {
	argv := s.Argv
	if s.As != nil {
		// The kernel forgets whose death ends a process when its user changes.
		argv = append([]string{
			"setpriv", fmt.Sprint("--reuid=", s.As.UID), fmt.Sprint("--regid=", s.As.GID), "--clear-groups",
			"--pdeathsig=" + unix.SignalName(s.orphaned()), "--",
		}, argv...)
	}
	if s.Wrap != nil {
		argv = s.Wrap(argv)
	}
	return argv
}

// Environment is this process's own or a new one. That has nothing in it that
// leads programs elsewhere: no proxies, and no settings of backup programs and
// databases.
func (s Spec) Environment() []string {
	environment := os.Environ()
	if s.Home != "" {
		environment = []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "HOME=" + s.Home, "TMPDIR=" + s.Home}
	}
	return append(environment, s.Env...)
}

// orphaned is the signal for a child whose parent was killed.
func (s Spec) orphaned() unix.Signal { return cmp.Or(s.Ends, unix.SIGKILL) }

// Start starts a child. It is ended by Stop, at the latest when ctx ends.
func Start(ctx context.Context, s Spec) (*Process, error) {
	log, err := os.OpenFile(s.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the log of %s: %w", s.Name, err)
	}
	defer func() { _ = log.Close() }() // the child has its own descriptor
	argv := s.command()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // programs of the lab's own plan
	cmd.Dir = s.Dir
	cmd.Env = s.Environment()
	cmd.Stdout, cmd.Stderr = log, log
	if s.Says != nil {
		cmd.Stderr = s.Says
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: s.orphaned()}
	ends := cmp.Or(s.Ends, unix.SIGTERM)
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, ends) }
	cmd.WaitDelay = Patience
	if err := startOn(cmd, s.CPUs); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	c := &Process{name: s.Name, cmd: cmd, log: s.Log, ends: ends, done: make(chan struct{})}
	go func() {
		c.err = cmd.Wait()
		close(c.done)
	}()
	return c, nil
}

// Done is closed when the child ended.
func (c *Process) Done() <-chan struct{} { return c.done }

// Err is how the child ended; nil for exit status 0. It is valid after Done.
func (c *Process) Err() error { return c.err }

// Ended is whether the child ended.
func (c *Process) Ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// PID is that of the child, and of its group and session.
func (c *Process) PID() int { return c.cmd.Process.Pid }

// Leads reports whether a process is the child or of the session that it leads.
func (c *Process) Leads(pid int) bool {
	session, err := unix.Getsid(pid)
	return pid == c.PID() || err == nil && session == c.PID()
}

// Stop ends the child and everything in its group. It may be called twice. One
// that waits for a device that does not answer outlives it.
func (c *Process) Stop() {
	c.Ask(Patience)
	c.signal(unix.SIGKILL) // what its leader left behind
	c.await(Patience)
}

// Ask asks the child to end, and waits until it did, at most so long.
func (c *Process) Ask(atMost time.Duration) {
	if !c.Ended() {
		c.signal(c.ends)
		c.await(atMost)
	}
}

// await waits until the child ended.
func (c *Process) await(atMost time.Duration) {
	select {
	case <-c.done:
	case <-time.After(atMost):
	}
}

// InOrder is whether the child ended, and of itself when it was asked to.
func (c *Process) InOrder() bool { return c.Ended() && c.cmd.ProcessState.Success() }

// signal reaches the whole group; that it is gone already is no error.
func (c *Process) signal(s unix.Signal) { _ = unix.Kill(-c.PID(), s) }

// Failure says how the child ended that should not have, with its last words.
func (c *Process) Failure() error {
	text, err := os.ReadFile(c.log)
	if err != nil {
		text = nil
	}
	const last = 2000
	text = bytes.TrimSpace(text)
	if len(text) > last {
		text = text[len(text)-last:]
	}
	how := errors.New("it still runs")
	if c.Ended() {
		how = cmp.Or(c.err, errors.New("exit status 0"))
	}
	return fmt.Errorf("%s ended early (%w); the last it wrote:\n%s", c.name, how, text)
}

// Watch calls fail when the child ends before ctx does.
func (c *Process) Watch(ctx context.Context, fail context.CancelCauseFunc) {
	select {
	case <-ctx.Done():
	case <-c.done:
		if ctx.Err() == nil {
			fail(c.Failure())
		}
	}
}

// Ready waits until try succeeds; a child that ended before will not.
func (c *Process) Ready(ctx context.Context, atMost time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-c.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := wait.Until(ctx, atMost, try)
	select {
	case <-c.done:
		return c.Failure()
	default:
	}
	if err != nil {
		return fmt.Errorf("%s does not come up: %w", c.name, err)
	}
	return nil
}
