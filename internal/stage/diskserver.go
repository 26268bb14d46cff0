package stage

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	controlTime = 5 * time.Second // how long nbdkit may take to obey
	startTime   = 10 * time.Second
	// longestSocket is what the kernel allows for the path of a socket.
	longestSocket = 107
)

// diskServer is the pair of programs behind a faulty disk. Both have the socket
// as an argument, which no other process has.
type diskServer struct {
	Socket  string `json:"socket"`
	Control string `json:"control"` // socket that pauses
}

func (diskServer) kind() string     { return "disk_server" }
func (d diskServer) String() string { return "the programs behind " + d.Socket }

// pausing makes nbdkit hold up requests when it is told to.
const pausing = "--filter=pause"

func (d diskServer) argv(image string) []string {
	return []string{"nbdkit", "--foreground", "--unix", d.Socket, pausing, "file", image, "pause-control=" + d.Control}
}

// tell sends a command to the pause filter and waits until it is obeyed.
func (d diskServer) tell(ctx context.Context, command byte) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", d.Control)
	if err != nil {
		return fmt.Errorf("reach nbdkit: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		err = conn.SetDeadline(deadline)
	}
	if err == nil {
		_, err = conn.Write([]byte{command})
	}
	answer := []byte{0}
	if err == nil {
		_, err = conn.Read(answer)
	}
	if err != nil {
		return fmt.Errorf("tell nbdkit to pause or resume: %w", err)
	}
	if want := bytes.ToUpper([]byte{command}); !bytes.Equal(answer, want) {
		return fmt.Errorf("nbdkit answered %q instead of %q", answer, want)
	}
	return nil
}

// resume lets all requests through. Programs that do not obey are killed: then
// requests fail instead of waiting.
func (d diskServer) resume(ctx context.Context) {
	obey, cancel := context.WithTimeout(ctx, controlTime)
	defer cancel()
	if d.tell(obey, 'r') != nil {
		_, _ = step(ctx, d.undo) // undone again later, which tells the error
	}
}

func (d diskServer) undo(ctx context.Context) (bool, error) {
	return killAll(ctx, func() []int { return withArgument(d.Socket) })
}

func exists(path string) func() bool {
	return func() bool {
		_, err := os.Stat(path)
		return err == nil
	}
}

// startServer starts a program that ends with this process, so that nothing waits
// for a device for ever if this process is killed.
func startServer(ctx context.Context, logFile string, ready func() bool, argv []string) error {
	path, err := findProgram(argv[0])
	if err != nil {
		return err
	}
	log, err := os.Create(logFile) //nolint:gosec // in the run's directory
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()     // the program has its own descriptor
	cmd := exec.Command(path, argv[1:]...) //nolint:gosec,noctx // programs of this package's own choice; undone by the ledger
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", argv[0], err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	go func() {
		defer cancel()
		_ = cmd.Wait() // it is killed in the end
	}()
	if err := until(ctx, ready); err != nil {
		text, _ := os.ReadFile(logFile) //nolint:gosec // in the run's directory
		return fmt.Errorf("%s ended early or does not start within %v; it wrote:\n%s", argv[0], startTime, bytes.TrimSpace(text))
	}
	return nil
}
