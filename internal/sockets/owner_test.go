package sockets

import (
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/process"
)

// TestInheritedConnection lets a process inherit a connection and send on it.
func TestInheritedConnection(t *testing.T) {
	const mebi = 1 << 20
	for _, tt := range []struct {
		name string
		keep bool // the parent keeps its copy
	}{
		{"the parent closes its copy: the child owns the connection", false},
		{"both hold it: the lower PID owns it", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server, client := newChild(t), newChild(t)
			address := server.do("listen tcp4 127.0.0.1:0")
			h := newHost(t, Options{})
			h.pids = []int64{server.pid, client.pid}
			h.update()
			client.do("dial tcp4 %s 1", address)
			client.do("send %d", mebi)
			h.until("the client is credited", func() bool { return h.tcp(client.pid).Transmitted == mebi })

			heir := client.number("bequeath %s", map[bool]string{true: "keep", false: "close"}[tt.keep])
			h.pids = append(h.pids, heir)
			h.update()
			input, err := os.OpenFile("/proc/"+strconv.FormatInt(heir, 10)+"/fd/0", os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = input.WriteString("\n")
			require.NoError(t, err)
			h.until("all is received", func() bool { return h.tcp(server.pid).Received == 2*mebi })
			h.until("all is credited to the owner", func() bool {
				if tt.keep {
					return h.tcp(client.pid).Transmitted == 2*mebi
				}
				return h.tcp(client.pid).Transmitted == mebi && h.tcp(heir).Transmitted == mebi
			})
			require.NoError(t, input.Close())
		})
	}
}

// TestOwnerEnds lets the owner of a connection end while a process that inherited
// it, and did not run since, goes on with it.
func TestOwnerEnds(t *testing.T) {
	const mebi = 1 << 20
	server, client := newChild(t), newChild(t)
	address := server.do("listen tcp4 127.0.0.1:0")
	h := newHost(t, Options{})
	h.pids = []int64{server.pid, client.pid}
	h.update()
	client.do("dial tcp4 %s 1", address)
	heir := client.number("bequeath keep")
	h.pids = append(h.pids, heir)
	h.update()
	require.Positive(t, h.table.holders[client.pid].owned)
	require.True(t, h.table.holders[heir].sharing)
	input, err := os.OpenFile("/proc/"+strconv.FormatInt(heir, 10)+"/fd/0", os.O_WRONLY, 0)
	require.NoError(t, err)
	client.end()
	h.update()
	require.Equal(t, 1, h.table.holders[heir].owned)
	_, err = input.WriteString("\n")
	require.NoError(t, err)
	h.until("the heir is credited", func() bool { return h.tcp(heir).Transmitted == mebi })
	require.NoError(t, input.Close())
}

// TestIdleProcessIsNotRead checks that the descriptors of a process that did not
// run are not read for the sake of a new socket.
func TestIdleProcessIsNotRead(t *testing.T) {
	server, client := newChild(t), newChild(t)
	address := server.do("listen tcp4 127.0.0.1:0")
	h := newHost(t, Options{})
	h.pids = []int64{server.pid, client.pid}
	h.update()
	client.do("dial tcp4 %s 1", address)
	procs := h.scan()
	for _, p := range procs {
		p.Ran = false
	}
	report, err := h.table.Update(procs)
	require.NoError(t, err)
	require.GreaterOrEqual(t, report.Unowned, 2)
	require.Zero(t, h.table.holders[client.pid].owned)
	for _, p := range procs {
		p.Ran = true
	}
	for range 3 { // the search may wait for a moment after it was in vain
		_, err = h.table.Update(procs)
		require.NoError(t, err)
	}
	require.Equal(t, 1, h.table.holders[client.pid].owned)
}

// TestBudget checks that an update reads few descriptors, that the next goes on
// with the rest, and that no byte is lost over it.
func TestBudget(t *testing.T) {
	server, client := newChild(t), newChild(t)
	address := server.do("listen tcp4 127.0.0.1:0")
	h := newHost(t, Options{Descriptors: 20})
	h.pids = []int64{server.pid, client.pid}
	h.update()
	client.do("dial tcp4 %s 50", address)
	client.do("send %d", 50_000)
	updates := 0
	for h.tcp(client.pid).Transmitted < 50_000 || h.tcp(server.pid).Received < 50_000 {
		r := h.update()
		require.GreaterOrEqual(t, h.table.reader.budget, -openingCost)
		if updates++; updates == 1 {
			require.Greater(t, r.Unowned, 50)
		}
		require.Less(t, updates, 50)
	}
	require.Greater(t, updates, 3)
}

// TestNewProcessHasAReusedPID checks that a process does not inherit the bytes of
// one that had its PID.
func TestNewProcessHasAReusedPID(t *testing.T) {
	server, client := newChild(t), newChild(t)
	address := server.do("listen tcp4 127.0.0.1:0")
	h := newHost(t, Options{})
	h.pids = []int64{server.pid, client.pid}
	h.update()
	client.do("dial tcp4 %s 1", address)
	client.do("send 1000")
	h.until("it is credited", func() bool { return h.tcp(client.pid).Transmitted == 1000 })
	procs := h.scan()
	other := *h.by[client.pid]
	other.Start = other.Start.Add(-1)
	for i, p := range procs {
		if p.PID == client.pid {
			procs[i] = &other
		}
	}
	_, err := h.table.Update(procs)
	require.NoError(t, err)
	require.Zero(t, other.Network.TCP)
}

// TestShortage checks that want of descriptors is an error and no silence.
func TestShortage(t *testing.T) {
	h := newHost(t, Options{})
	client := newChild(t)
	h.pids = []int64{client.pid}
	procs := h.scan()
	var files []*os.File
	limit := lowerLimit(t)
	for {
		f, err := os.Open("/")
		if err != nil {
			break
		}
		files = append(files, f)
	}
	_, err := h.table.Update(procs)
	for _, f := range files {
		require.NoError(t, f.Close())
	}
	limit()
	require.ErrorContains(t, err, "too many open files")
	require.False(t, h.by[client.pid].Known.Has(process.KnowsTCP))
	h.update()
	require.True(t, h.of(client.pid).Known.Has(process.KnowsTCP))
}

// TestListenersAreShared lets a process inherit a listening socket.
func TestListenersAreShared(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f, err := l.(*net.TCPListener).File()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", "read x")
	cmd.ExtraFiles = []*os.File{f}
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	h := newHost(t, Options{})
	h.pids = []int64{int64(os.Getpid()), int64(cmd.Process.Pid)}
	h.update()
	self, heir := int64(os.Getpid()), int64(cmd.Process.Pid)
	require.True(t, h.of(self).Network.Listening)
	require.True(t, h.of(heir).Network.Listening)
	require.NoError(t, f.Close())
	require.NoError(t, l.Close())
	h.until("this process listens no more", func() bool { return !h.of(self).Network.Listening })
	require.True(t, h.of(heir).Network.Listening)
	require.NoError(t, in.Close())
	require.Error(t, cmd.Wait()) // read met the end of its input
	h.update()
	require.NotContains(t, h.by, heir)
}
