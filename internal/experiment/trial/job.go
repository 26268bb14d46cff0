package trial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/experiment"
)

// patience is how long a backup may take to end when it is asked to.
const patience = 5 * time.Second

// job is a run of the backup, in a session of its own.
type job struct {
	cmd   *exec.Cmd
	began time.Time
	words *tail
	done  chan struct{}   // closed when its leader ended and was reaped
	err   error           // how; valid after done, as the next
	last  experiment.Work // all that it did
}

// startJob starts a command. What it writes to its output is read and dropped,
// as a pipe's reader would: some tools do nothing if they write to /dev/null.
func startJob(argv []string) (*job, error) {
	j := &job{words: &tail{}, done: make(chan struct{})}
	j.cmd = exec.Command(argv[0], argv[1:]...) //nolint:gosec,noctx // the user's own command; stop ends it
	j.cmd.Stdout, j.cmd.Stderr = dropped{}, j.words
	j.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	j.cmd.WaitDelay = time.Second // for what holds its output open after it ended
	j.began = time.Now()
	if err := j.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the backup: %w", err)
	}
	go func() {
		defer close(j.done)
		// What it used can be read until it is reaped.
		for errors.Is(unix.Waitid(unix.P_PID, j.pid(), nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
		}
		j.last = work(j.pid())
		j.last.Seconds = time.Since(j.began).Seconds()
		j.last.Ended = true
		j.err = j.cmd.Wait()
	}()
	return j, nil
}

func (j *job) pid() int { return j.cmd.Process.Pid }

// ended reports whether its leader has ended.
func (j *job) ended() bool {
	select {
	case <-j.done:
		return true
	default:
		return false
	}
}

// work is what it did until now.
func (j *job) work() experiment.Work {
	if j.ended() {
		return j.last
	}
	w := work(j.pid())
	w.Seconds = time.Since(j.began).Seconds()
	return w
}

// stop ends it with all of its session, and returns when nothing is left. It
// may be called twice.
func (j *job) stop() error {
	deadline := time.Now().Add(patience)
	how := unix.SIGTERM
	for {
		left := members(j.pid())
		for _, pid := range left {
			_ = unix.Kill(pid, how) // it may have gone
		}
		switch {
		case len(left) == 0 && j.ended():
			return nil
		case time.Now().After(deadline.Add(patience)):
			return fmt.Errorf("processes %v of the backup do not end, not even by SIGKILL", left)
		case time.Now().After(deadline):
			how = unix.SIGKILL
		default:
			how = 0 // asked once
		}
		pause(50 * time.Millisecond)
	}
}

// failure says how it ended, if that was not well.
func (j *job) failure() error {
	if j.err == nil || errors.Is(j.err, exec.ErrWaitDelay) {
		return nil
	}
	return fmt.Errorf("the backup ended with %w; the last it wrote:\n%s", j.err, j.words)
}

// runCommand runs a shell line of the user's to its end.
func runCommand(ctx context.Context, line string) error {
	words := &tail{}
	cmd := exec.CommandContext(ctx, "sh", "-c", line) //nolint:gosec // the user's own command
	cmd.Stdout, cmd.Stderr = words, words
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w; the last it wrote:\n%s", line, err, words)
	}
	return nil
}

// dropped is a reader of everything.
type dropped struct{}

func (dropped) Write(p []byte) (int, error) { return len(p), nil }

// tail keeps the last that was written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	const kept = 2000
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if len(t.text) > kept {
		t.text = bytes.Clone(t.text[len(t.text)-kept:])
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}

// pause waits; the few waits that nothing can announce are this short.
func pause(d time.Duration) { <-time.After(d) }
