package lab

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
)

// patience is how long a child may take to end when it is asked to.
const patience = 5 * time.Second

// child is a process that the demo started, with whatever it starts itself: it
// leads its own session, so that all of it can be ended at once and a Ctrl-C at
// the terminal is left to the demo.
type child struct {
	name string
	cmd  *exec.Cmd
	log  string        // file with what it wrote
	ends unix.Signal   // asks it to end
	done chan struct{} // closed when it ended
	err  error         // how; valid after done
}

// spec says what to start.
type spec struct {
	name string // for messages
	argv []string
	// home makes the environment a new one, of which it is the home and the place
	// for temporary files; empty for this process's environment.
	home string
	env  []string    // added to the environment
	cpus unix.CPUSet // none for this process's own
	log  string      // file for its output
	says io.Writer   // takes its standard error; nil for the log
	dir  string      // that it works in; empty for this process's own
	// wrap puts commands before the program that take it elsewhere, such as to a
	// control group or a network; nil for none. They must exec what they are given.
	wrap func(argv []string) []string
	as   *account    // who runs it, inside of wrap, which may need root; nil for this process's own
	ends unix.Signal // asks it to end, in place of SIGTERM
}

// account is a user that a program runs as.
type account struct{ uid, gid uint32 }

// command is the whole of what is executed.
func (s spec) command() []string {
	argv := s.argv
	if s.as != nil {
		// The kernel forgets whose death ends a process when its user changes.
		argv = append([]string{
			"setpriv", fmt.Sprint("--reuid=", s.as.uid), fmt.Sprint("--regid=", s.as.gid), "--clear-groups",
			"--pdeathsig=" + unix.SignalName(s.orphaned()), "--",
		}, argv...)
	}
	if s.wrap != nil {
		argv = s.wrap(argv)
	}
	return argv
}

// environment is this process's own or a new one. That has nothing in it that
// leads programs elsewhere: no proxies, and no settings of backup programs and
// databases.
func (s spec) environment() []string {
	environment := os.Environ()
	if s.home != "" {
		environment = []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "HOME=" + s.home, "TMPDIR=" + s.home}
	}
	return append(environment, s.env...)
}

// orphaned is the signal for a child whose parent was killed.
func (s spec) orphaned() unix.Signal { return cmp.Or(s.ends, unix.SIGKILL) }

// start starts a child. It is ended by stop, at the latest when ctx ends.
func start(ctx context.Context, s spec) (*child, error) {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the log of %s: %w", s.name, err)
	}
	defer func() { _ = log.Close() }() // the child has its own descriptor
	argv := s.command()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // programs of the lab's own plan
	cmd.Dir = s.dir
	cmd.Env = s.environment()
	cmd.Stdout, cmd.Stderr = log, log
	if s.says != nil {
		cmd.Stderr = s.says
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: s.orphaned()}
	ends := cmp.Or(s.ends, unix.SIGTERM)
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, ends) }
	cmd.WaitDelay = patience
	if err := startOn(cmd, s.cpus); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.name, err)
	}
	c := &child{name: s.name, cmd: cmd, log: s.log, ends: ends, done: make(chan struct{})}
	go func() {
		c.err = cmd.Wait()
		close(c.done)
	}()
	return c, nil
}

func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// stop ends the child and everything in its group. It may be called twice. One
// that waits for a device that does not answer outlives it.
func (c *child) stop() {
	if !c.ended() {
		c.signal(c.ends)
		c.await(patience)
	}
	c.signal(unix.SIGKILL) // what its leader left behind
	c.await(patience)
}

// await waits until the child ended.
func (c *child) await(atMost time.Duration) {
	select {
	case <-c.done:
	case <-time.After(atMost):
	}
}

// inOrder is whether the child ended, and of itself when it was asked to.
func (c *child) inOrder() bool { return c.ended() && c.cmd.ProcessState.Success() }

// signal reaches the whole group; that it is gone already is no error.
func (c *child) signal(s unix.Signal) { _ = unix.Kill(-c.pid(), s) }

// failure says how the child ended that should not have, with its last words.
func (c *child) failure() error {
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
	if c.ended() {
		how = cmp.Or(c.err, errors.New("exit status 0"))
	}
	return fmt.Errorf("%s ended early (%w); the last it wrote:\n%s", c.name, how, text)
}

// watch calls fail when the child ends before ctx does.
func (c *child) watch(ctx context.Context, fail context.CancelCauseFunc) {
	select {
	case <-ctx.Done():
	case <-c.done:
		if ctx.Err() == nil {
			fail(c.failure())
		}
	}
}

// ready waits until try succeeds; a child that ended before will not.
func (c *child) ready(ctx context.Context, atMost time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-c.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := await(ctx, atMost, try)
	select {
	case <-c.done:
		return c.failure()
	default:
	}
	if err != nil {
		return fmt.Errorf("%s does not come up: %w", c.name, err)
	}
	return nil
}
