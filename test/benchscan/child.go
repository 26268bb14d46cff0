package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec" //nolint:depguard // a benchmark runs the programs that it compares; it is no component
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a program may take to end when it is asked to.
const patience = 5 * time.Second

// child is a program that this one started. It leads its own session, so that
// whatever it starts can be ended with it.
type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser // held open: some programs end with it
	done  chan struct{}  // closed when it ended
	err   error          // how; valid after done
	words *tail
}

// launch says how to start a program.
type launch struct {
	argv   []string
	output func(io.Reader) // reads all of its output; nil to throw it away
	// outlives tells that the program ends by itself when its standard input
	// does, and has to: it cleans up. Others are killed when this program dies.
	outlives bool
}

// start starts a program. stop has to be called.
func start(l launch) (*child, error) {
	c := &child{cmd: exec.Command(l.argv[0], l.argv[1:]...), done: make(chan struct{}), words: &tail{}} //nolint:gosec,noctx // what the benchmark compares; stop ends it
	c.cmd.Stderr = c.words
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if !l.outlives {
		c.cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	// Something that it left behind may hold its output open.
	c.cmd.WaitDelay = patience
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	var out io.ReadCloser
	if l.output != nil {
		if out, err = c.cmd.StdoutPipe(); err != nil {
			return nil, err
		}
	}
	if err = c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		if out != nil {
			l.output(out)
		}
		c.err = c.cmd.Wait()
		close(c.done)
	}()
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// ended reports whether the program ended, and how.
func (c *child) ended() error {
	select {
	case <-c.done:
		return fmt.Errorf("%s ended early (%w): %s", c.cmd.Path, cmpErr(c.err), c.words)
	default:
		return nil
	}
}

func cmpErr(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// stop asks the program to end, ends all of its group and waits. It may be
// called twice.
func (c *child) stop() {
	_ = c.stdin.Close() // for those that end with it
	if !c.within(0) {
		c.signal(unix.SIGTERM)
		c.within(patience)
	}
	c.signal(unix.SIGKILL) // what its leader left behind
	<-c.done
}

// finish closes the standard input and waits until the program ended by itself.
func (c *child) finish() {
	_ = c.stdin.Close()
	c.within(2 * patience)
	c.stop()
}

func (c *child) within(d time.Duration) bool {
	select {
	case <-c.done:
		return true
	case <-time.After(d):
		return false
	}
}

// signal reaches the whole group; that it is gone already is no error.
func (c *child) signal(s unix.Signal) { _ = unix.Kill(-c.pid(), s) }

// output runs a program to its end and returns all it wrote.
func output(ctx context.Context, argv ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // what the benchmark compares
	text, err := cmd.CombinedOutput()
	return string(bytes.TrimSpace(text)), err
}

// find looks for a program on PATH and at the places given.
func find(name string, places ...string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, path := range places {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed", name)
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	const most = 2000
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if len(t.text) > most {
		t.text = bytes.Clone(t.text[len(t.text)-most:])
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.text))
}
