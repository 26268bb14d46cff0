package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// roleIdle is the leader of a job of idle processes.
const roleIdle = "role-idle"

// ready is what a copy of this program says first.
const ready = "ready"

// population is idle processes, in one or more jobs.
type population struct{ leaders []*child }

// startPopulation starts n idle processes in so many jobs.
func startPopulation(ctx context.Context, n, jobs int) (*population, error) {
	p := &population{}
	for i := range min(jobs, n) {
		share := n / min(jobs, n)
		if i < n%min(jobs, n) {
			share++
		}
		leader, _, err := startCopy(ctx, roleIdle, strconv.Itoa(share))
		if err != nil {
			p.stop()
			return nil, fmt.Errorf("start idle processes: %w", err)
		}
		p.leaders = append(p.leaders, leader)
	}
	return p, nil
}

func (p *population) stop() {
	for _, leader := range p.leaders {
		leader.finish()
	}
}

// startCopy starts a copy of this program in a role and waits until it is ready;
// what it says then comes line by line.
func startCopy(ctx context.Context, role string, args ...string) (*child, <-chan string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	lines := make(chan string, 16)
	c, err := start(launch{argv: append([]string{self, role}, args...), outlives: true, output: func(r io.Reader) {
		defer close(lines)
		for in := bufio.NewScanner(r); in.Scan(); {
			lines <- in.Text()
		}
	}})
	if err != nil {
		return nil, nil, err
	}
	line, err := nextLine(ctx, lines, time.Minute)
	if err == nil && line != ready {
		err = fmt.Errorf("%s said %q", role, line)
	}
	if err != nil {
		words := c.words.String()
		c.finish()
		return nil, nil, fmt.Errorf("%s is not ready: %w; %s", role, err, words)
	}
	return c, lines, nil
}

func nextLine(ctx context.Context, lines <-chan string, wait time.Duration) (string, error) {
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case line, ok := <-lines:
		if !ok {
			return "", errors.New("it ended")
		}
		return line, nil
	case <-time.After(wait):
		return "", fmt.Errorf("nothing for %s", wait)
	}
}

// idle starts idle processes and ends them when its standard input ends: the
// program that started it ended, however that was.
func idle(args []string) error {
	n, err := strconv.Atoi(strings.Join(args, " "))
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	program, err := find("sleep")
	if err != nil {
		return err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	files := []uintptr{null.Fd(), null.Fd(), null.Fd()}
	pids := make([]int, 0, n)
	defer func() { endAll(pids) }()
	for range n {
		// Without a descriptor for each, which os.StartProcess would keep.
		pid, forkErr := syscall.ForkExec(program, []string{"sleep", "1000000"}, &syscall.ProcAttr{Files: files}) //nolint:gosec // sleep on PATH
		if forkErr != nil {
			return fmt.Errorf("start process %d of %d: %w", len(pids)+1, n, forkErr)
		}
		pids = append(pids, pid)
	}
	fmt.Println(ready)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// endAll kills and reaps children.
func endAll(pids []int) {
	for _, pid := range pids {
		_ = unix.Kill(pid, unix.SIGKILL) // a child that is not reaped yet is there
	}
	for {
		if _, err := unix.Wait4(-1, nil, 0, nil); err != nil && !errors.Is(err, unix.EINTR) {
			return // there are none any more
		}
	}
}
