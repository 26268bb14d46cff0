package sockets

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/process"
)

// needRoot skips a test that only root can do.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can make a network namespace or change its user")
	}
}

func TestOtherNamespace(t *testing.T) {
	needRoot(t)
	const mebi = 1 << 20
	inside := newChild(t, inNamespace)
	inside.do("up")
	address := inside.do("listen tcp 127.0.0.1:0")
	inside.do("dial tcp %s 1", address)
	inside.do("send %d", mebi)

	h := newHost(t, Options{})
	h.update()
	require.Len(t, h.table.spaces, 2+foreign(h))
	require.True(t, h.of(inside.pid).Known.Has(process.KnowsTCP))
	require.Zero(t, h.tcp(inside.pid), "what was before the first update does not count")
	require.True(t, h.of(inside.pid).Network.Listening)

	inside.do("send %d", mebi)
	both := process.Traffic{Received: mebi, Transmitted: mebi}
	h.until("it is credited", func() bool { return h.tcp(inside.pid) == both })

	// A namespace that is as new as its processes.
	young := newChild(t, inNamespace)
	young.do("up")
	address = young.do("listen tcp 127.0.0.1:0")
	young.do("dial tcp %s 1", address)
	young.do("send %d", mebi)
	h.until("all is credited", func() bool { return h.tcp(young.pid) == both })
	require.Len(t, h.table.spaces, 3+foreign(h))

	before := ownSockets(t)
	inside.end()
	young.end()
	h.update()
	require.Len(t, h.table.spaces, 1+foreign(h))
	require.Equal(t, before-2, ownSockets(t), "a netlink socket for each namespace")

	own, err := os.Readlink("/proc/self/ns/net")
	require.NoError(t, err)
	init, err := os.Readlink("/proc/thread-self/ns/net")
	require.NoError(t, err)
	require.Equal(t, own, init, "this process stayed where it was")
}

// foreign is how many namespaces others made on this machine.
func foreign(h *host) int {
	n := 0
	for _, space := range h.table.spaces {
		if space != h.table.own && space.processes > 0 && !h.mine(space) {
			n++
		}
	}
	return n
}

// mine tells that a namespace holds only processes of this test.
func (h *host) mine(n *namespace) bool {
	for _, holder := range h.table.order {
		if holder.space == n && h.by[holder.pid].Parent == int64(os.Getpid()) {
			return true
		}
	}
	return false
}

func ownSockets(t *testing.T) int {
	t.Helper()
	proc, err := openDir("/proc")
	require.NoError(t, err)
	held := inodes{}
	r := newReader(proc)
	require.NoError(t, r.all(int64(os.Getpid()), held))
	require.NoError(t, proc.close())
	return len(held)
}

// TestTooManyNamespaces checks the bound, and that a namespace gets its turn once
// another is gone.
func TestTooManyNamespaces(t *testing.T) {
	needRoot(t)
	h := newHost(t, Options{})
	h.update()
	entered := 0
	for _, n := range h.table.spaces {
		if n.conn != nil {
			entered++
		}
	}
	children := make([]*child, maxNamespaces-entered+1)
	for i := range children {
		children[i] = newChild(t, inNamespace)
	}
	require.Equal(t, 1, h.update().Elsewhere)
	last := children[len(children)-1]
	require.False(t, h.of(last.pid).Known.Has(process.KnowsTCP))
	children[0].end()
	h.update()
	for range refusalStep {
		if h.of(last.pid).Known.Has(process.KnowsTCP) {
			return
		}
		h.update()
	}
	require.Fail(t, "the last namespace never got its turn")
}

func TestAside(t *testing.T) {
	main := os.Getpid()
	for range 100 {
		ran := false
		aside(func() { ran = currentThread() != main })
		require.True(t, ran)
	}
}

// TestProcessMovesOn lets a process enter a namespace after it was seen first, as
// "ip netns exec" does.
func TestProcessMovesOn(t *testing.T) {
	needRoot(t)
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", "echo; read x; exec unshare -n sh -c 'echo; read x'")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	answer := make([]byte, 1)
	_, err = out.Read(answer)
	require.NoError(t, err)

	h := newHost(t, Options{})
	h.update()
	mover := h.table.holders[int64(cmd.Process.Pid)]
	require.Same(t, h.table.own, mover.space)
	_, err = in.Write([]byte("\n"))
	require.NoError(t, err)
	_, err = out.Read(answer)
	require.NoError(t, err)
	procs := h.scan()
	h.by[mover.pid].Described++ // it executed another program
	_, err = h.table.Update(procs)
	require.NoError(t, err)
	require.NotSame(t, h.table.own, mover.space)
	require.NotNil(t, mover.space.conn)
	require.NoError(t, in.Close())
	require.Error(t, cmd.Wait()) // read met the end of its input
}

// TestConnectionBetweenNamespaces lets a client in a namespace of its own send to
// a server in this one.
func TestConnectionBetweenNamespaces(t *testing.T) {
	needRoot(t)
	for _, program := range []string{"ip", "nsenter"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not installed")
		}
	}
	const mebi = 1 << 20
	server, client := newChild(t), newChild(t, inNamespace)
	name, pid := "ct"+strconv.Itoa(os.Getpid()), strconv.FormatInt(client.pid, 10)
	run := func(words string) {
		f := strings.Fields(words)
		out, err := exec.CommandContext(t.Context(), f[0], f[1:]...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	run("ip link add " + name + " type veth peer name eth0 netns " + pid) // goes with the namespace
	run("ip addr add 198.18.77.1/30 dev " + name)
	run("ip link set " + name + " up")
	run("nsenter -n -t " + pid + " ip addr add 198.18.77.2/30 dev eth0")
	run("nsenter -n -t " + pid + " ip link set eth0 up")
	server.do("listen tcp4 198.18.77.1:4711")
	h := newHost(t, Options{})
	h.update()
	client.do("dial tcp4 198.18.77.1:4711 3")
	client.do("send %d", 3*mebi)
	h.until("both ends are credited", func() bool {
		return h.tcp(client.pid).Transmitted == 3*mebi && h.tcp(server.pid).Received == 3*mebi
	})
	peers, err := h.table.Peers([]*process.Process{h.by[client.pid]}, []*process.Process{h.by[server.pid]})
	require.NoError(t, err)
	require.Equal(t, []Peer{{Client: h.by[client.pid], Server: h.by[server.pid], TCP: 3}}, peers)
	peers, err = h.table.Peers([]*process.Process{h.by[server.pid]}, []*process.Process{h.by[client.pid]})
	require.NoError(t, err)
	require.Equal(t, []Peer{{Client: h.by[server.pid], Server: h.by[client.pid], TCP: 3}}, peers)
}
