package sockets

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// asChild makes the test binary a process that does what its input says.
const asChild = "SOCKETS_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(asChild) != "" {
		obey()
		return
	}
	os.Exit(m.Run())
}

// child is a process that does what it is told. It ends with the test.
type child struct {
	t   testing.TB
	pid int64
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func newChild(tb testing.TB, change ...func(*exec.Cmd)) *child {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), "/proc/self/exe")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), asChild+"=1")
	cmd.Stderr = os.Stderr
	for _, f := range change {
		f(cmd)
	}
	in, err := cmd.StdinPipe()
	require.NoError(tb, err)
	out, err := cmd.StdoutPipe()
	require.NoError(tb, err)
	require.NoError(tb, cmd.Start())
	c := &child{t: tb, pid: int64(cmd.Process.Pid), cmd: cmd, in: in, out: bufio.NewScanner(out)}
	tb.Cleanup(c.end)
	return c
}

// inNamespace starts a child in a network namespace of its own.
func inNamespace(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
}

func (c *child) end() {
	_ = c.in.Close()
	_ = c.cmd.Wait()
}

// do tells the child to do something and returns its answer.
func (c *child) do(format string, args ...any) string {
	c.t.Helper()
	c.start(format, args...)
	return c.wait()
}

func (c *child) start(format string, args ...any) {
	c.t.Helper()
	_, err := fmt.Fprintf(c.in, format+"\n", args...)
	require.NoError(c.t, err)
}

func (c *child) wait() string {
	c.t.Helper()
	require.True(c.t, c.out.Scan(), "the child ended")
	answer, ok := strings.CutPrefix(c.out.Text(), "ok ")
	require.True(c.t, ok, c.out.Text())
	return answer
}

func (c *child) number(format string, args ...any) int64 {
	c.t.Helper()
	n, err := strconv.ParseInt(c.do(format, args...), 10, 64)
	require.NoError(c.t, err)
	return n
}

// worker is the child's side.
type worker struct {
	mu       sync.Mutex
	accepted []net.Conn
	dialed   []net.Conn
	received atomic.Int64
	heir     *exec.Cmd
}

func obey() {
	w := &worker{}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		answer, err := w.obey(strings.Fields(in.Text()))
		if err != nil {
			fmt.Println("failed", err)
			continue
		}
		fmt.Println("ok", answer)
	}
}

func (w *worker) obey(words []string) (string, error) {
	number := func(i int) int {
		n, err := strconv.Atoi(words[i])
		if err != nil {
			panic(err)
		}
		return n
	}
	switch words[0] {
	case "up":
		return "", loopbackUp()
	case "listen":
		return w.listen(words[1], words[2])
	case "dial":
		return "", w.dial(words[1], words[2], number(3))
	case "send":
		return "", w.send(number(1))
	case "brief":
		return w.brief(words[1], words[2], number(3), number(4))
	case "received":
		return strconv.FormatInt(w.received.Load(), 10), nil
	case "bequeath":
		return w.bequeath(words[1] == "keep")
	case "drop":
		for _, c := range w.dialed {
			_ = c.Close()
		}
		w.dialed = nil
		return "", nil
	default:
		return "", fmt.Errorf("what is %q", words)
	}
}

// listen accepts connections and reads them to their end.
func (w *worker) listen(network, address string) (string, error) {
	l, err := net.Listen(network, address)
	if err != nil {
		return "", err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.mu.Lock()
			w.accepted = append(w.accepted, c)
			w.mu.Unlock()
			go w.swallow(c)
		}
	}()
	return l.Addr().String(), nil
}

func (w *worker) swallow(c net.Conn) {
	defer c.Close()
	for b := make([]byte, 256<<10); ; {
		n, err := c.Read(b)
		w.received.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// dial opens connections; the network "mptcp" asks for Multipath TCP.
func (w *worker) dial(network, address string, n int) error {
	var d net.Dialer
	if network == "mptcp" {
		network = "tcp"
		d.SetMultipathTCP(true)
	}
	for range n {
		c, err := d.Dial(network, address)
		if err != nil {
			return err
		}
		w.dialed = append(w.dialed, c)
	}
	return nil
}

// send sends bytes, spread over the connections.
func (w *worker) send(bytes int) error {
	var wg sync.WaitGroup
	errs := make([]error, len(w.dialed))
	for i, c := range w.dialed {
		wg.Go(func() { errs[i] = write(c, bytes/len(w.dialed)) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func write(c net.Conn, bytes int) error {
	for b := make([]byte, 64<<10); bytes > 0; bytes -= len(b) {
		if _, err := c.Write(b[:min(bytes, len(b))]); err != nil {
			return err
		}
	}
	return nil
}

// brief sends bytes over connections that live 100 ms each, eight at a time.
func (w *worker) brief(network, address string, n, bytes int) (string, error) {
	const together = 8
	var wg sync.WaitGroup
	var failed atomic.Value
	for range together {
		wg.Go(func() {
			for range n / together {
				c, err := net.Dial(network, address)
				if err != nil {
					failed.Store(err)
					return
				}
				_ = write(c, bytes)
				time.Sleep(100 * time.Millisecond)
				_ = c.Close()
			}
		})
	}
	wg.Wait()
	if err, ok := failed.Load().(error); ok {
		return "", err
	}
	return strconv.Itoa(n / together * together * bytes), nil
}

// bequeath starts a process that inherits the first connection and sends a MiB on
// it when its input ends; this one may close its copy.
func (w *worker) bequeath(keep bool) (string, error) {
	c := w.dialed[0].(*net.TCPConn)
	f, err := c.File()
	if err != nil {
		return "", err
	}
	w.heir = exec.Command("/bin/sh", "-c", "read x; head -c 1048576 /dev/zero >&3; read x")
	w.heir.ExtraFiles = []*os.File{f}
	if _, err := w.heir.StdinPipe(); err != nil {
		return "", err
	}
	if err := w.heir.Start(); err != nil {
		return "", err
	}
	_ = f.Close()
	if !keep {
		_ = c.Close()
	}
	return strconv.Itoa(w.heir.Process.Pid), nil
}

// loopbackUp makes 127.0.0.1 of a new namespace work.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}
