package sockets

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/process"
)

func TestTransferIsCredited(t *testing.T) {
	for _, tt := range []struct{ name, network, listen string }{
		{"IPv4", "tcp4", "127.0.0.1:0"},
		{"IPv6", "tcp6", "[::1]:0"},
		{"v4-mapped", "tcp", ":0"},
		{"Multipath TCP", "mptcp", "127.0.0.1:0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const bytes = 300 << 20
			server, client := newChild(t), newChild(t)
			network := tt.network
			if network == "mptcp" {
				network = "tcp"
			}
			address := server.do("listen %s %s", network, tt.listen)
			h := newHost(t, Options{})
			h.pids = []int64{server.pid, client.pid}
			h.update()
			require.True(t, h.of(server.pid).Network.Listening)
			require.False(t, h.of(client.pid).Network.Listening)
			require.Zero(t, h.tcp(client.pid))

			client.do("dial %s %s 4", tt.network, address)
			client.start("send %d", bytes)
			time.Sleep(50 * time.Millisecond) // to see it midway
			h.update()
			midway := h.tcp(client.pid)
			client.wait()
			h.until("all is received", func() bool {
				return h.tcp(server.pid).Received >= bytes && h.tcp(client.pid).Transmitted >= bytes
			})
			require.LessOrEqual(t, midway.Transmitted, h.tcp(client.pid).Transmitted)
			for server.number("received") < bytes { // which the server reads later than the kernel has it
			}
			require.EqualValues(t, bytes, server.number("received"))
			require.InEpsilon(t, bytes, h.tcp(client.pid).Transmitted, 0.01)
			require.InEpsilon(t, bytes, h.tcp(server.pid).Received, 0.01)
			require.Zero(t, h.tcp(server.pid).Transmitted)
			require.Zero(t, h.tcp(client.pid).Received)
			require.Positive(t, h.of(client.pid).Network.Flight)
			require.Less(t, h.of(client.pid).Network.Flight, h.tcp(client.pid).Transmitted*1000, "a second a byte")
			require.Zero(t, h.of(server.pid).Network.Flight)
			require.Positive(t, h.of(client.pid).Network.RTT)
			require.Less(t, h.of(client.pid).Network.RTT, 1.0)
			require.True(t, h.of(client.pid).Known.Has(process.KnowsTCP|process.KnowsPaths))
			require.False(t, h.of(client.pid).Known.Has(process.KnowsUDP))

			client.do("drop")
			h.until("the connections are gone", func() bool { return h.of(client.pid).Network.RTT == 0 })
			require.InEpsilon(t, bytes, h.tcp(client.pid).Transmitted, 0.01)
		})
	}
}

// TestOldConnectionCountsFromNow checks that what went over a connection before
// the first update is nobody's.
func TestOldConnectionCountsFromNow(t *testing.T) {
	server, client := newChild(t), newChild(t)
	address := server.do("listen tcp4 127.0.0.1:0")
	client.do("dial tcp4 %s 1", address)
	client.do("send %d", 10<<20)
	for server.number("received") < 10<<20 {
		time.Sleep(10 * time.Millisecond)
	}
	h := newHost(t, Options{})
	h.pids = []int64{server.pid, client.pid}
	h.update()
	client.do("send %d", 1<<20)
	h.until("the new bytes are there", func() bool { return h.tcp(server.pid).Received >= 1<<20 })
	require.EqualValues(t, 1<<20, h.tcp(server.pid).Received)
	require.EqualValues(t, 1<<20, h.tcp(client.pid).Transmitted)
}

// alone tells a test binary that it has a network namespace to itself.
const alone = "SOCKETS_ALONE"

// runsAlone runs the test again in a network namespace of its own, where no
// other program has sockets, and reports whether this is it.
func runsAlone(t *testing.T) bool {
	t.Helper()
	if os.Getenv(alone) != "" {
		require.NoError(t, loopbackUp())
		return true
	}
	needRoot(t)
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), alone+"=1")
	inNamespace(cmd)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "--- PASS: "+t.Name())
	t.Log(string(out))
	return false
}

// TestBytesAreNeverCreditedTwice lets connections live 100 ms. Updates once a
// second lose most of what they carry; what they see must not be more than what
// was sent. How much is lost is told, as it depends on the machine.
func TestBytesAreNeverCreditedTwice(t *testing.T) {
	if !runsAlone(t) {
		return
	}
	server, client := newChild(t), newChild(t)
	address := server.do("listen tcp4 127.0.0.1:0")
	h := newHost(t, Options{})
	h.pids = []int64{server.pid, client.pid}
	h.update()
	for _, interval := range []time.Duration{time.Second, 100 * time.Millisecond, 20 * time.Millisecond} {
		before := h.tcp(client.pid)
		beforeServer := h.tcp(server.pid)
		h.unowned = process.Traffic{}
		client.start("brief tcp4 %s 160 %d", address, 100_000)
		for range 3 * time.Second / interval {
			time.Sleep(interval)
			h.update()
		}
		const connections, sent = 160, 160 * 100_000
		require.Equal(t, "16000000", client.wait())
		for range grace + 2 {
			h.update()
		}
		transmitted := h.tcp(client.pid).Transmitted - before.Transmitted
		received := h.tcp(server.pid).Received - beforeServer.Received
		t.Logf("updates each %v: of the bytes sent %.1f%% credited to the sender, %.1f%% to the receiver, %.1f%% and %.1f%% to nobody",
			interval, 100*float64(transmitted)/sent, 100*float64(received)/sent,
			100*float64(h.unowned.Transmitted)/sent, 100*float64(h.unowned.Received)/sent)
		// The end of each connection counts as a byte received, on both sides.
		require.LessOrEqual(t, transmitted+h.unowned.Transmitted, int64(sent))
		require.LessOrEqual(t, received+h.unowned.Received, int64(sent+2*connections))
		if interval < 100*time.Millisecond {
			require.Positive(t, transmitted)
			require.Positive(t, received)
		}
	}
}

// TestTrafficOfNobody leaves a server out of the processes, as if it could not be
// seen: what it receives is told, once.
func TestTrafficOfNobody(t *testing.T) {
	if !runsAlone(t) {
		return
	}
	const mebi = 1 << 20
	server, client := newChild(t), newChild(t)
	address := server.do("listen tcp4 127.0.0.1:0")
	h := newHost(t, Options{})
	h.pids = []int64{client.pid}
	require.Equal(t, Report{Sockets: 1, Unowned: 1}, h.update())
	client.do("dial tcp4 %s 2", address)
	client.do("send %d", mebi)
	h.until("all is told", func() bool { return h.unowned.Received >= mebi && h.tcp(client.pid).Transmitted >= mebi })
	require.Equal(t, Report{Sockets: 5, Unowned: 3}, h.update())
	require.Equal(t, process.Traffic{Received: mebi}, h.unowned)
	require.Equal(t, process.Traffic{Transmitted: mebi}, h.tcp(client.pid))
	client.do("send %d", mebi)
	h.pids = append(h.pids, server.pid) // now it is seen
	h.until("all is told", func() bool {
		return h.unowned.Received+h.tcp(server.pid).Received == 2*mebi && h.table.holders[server.pid].owned == 3
	})
	require.Equal(t, Report{Sockets: 5}, h.update())
}
