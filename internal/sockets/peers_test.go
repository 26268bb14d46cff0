package sockets

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/process"
)

func TestPeers(t *testing.T) {
	t.Chdir("/")
	path := filepath.Join(t.TempDir(), "socket")
	for _, tt := range []struct {
		name, network, listen, dial string
		want                        Peer
	}{
		{"unix", "unix", path, path, Peer{Unix: 2}},
		{"abstract unix", "unix", "@" + path, "@" + path, Peer{Unix: 2}},
		{"TCP over IPv4", "tcp4", "127.0.0.1:0", "127.0.0.1", Peer{TCP: 2}},
		{"TCP over IPv6", "tcp6", "[::1]:0", "[::1]", Peer{TCP: 2}},
		{"IPv4 to a server of IPv6", "tcp", "[::]:0", "127.0.0.1", Peer{TCP: 2}},
		{"the host's own address", "tcp", ":0", "own", Peer{TCP: 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server, idle, client := newChild(t), newChild(t), newChild(t)
			address := server.do("listen %s %s", tt.network, tt.listen)
			other := idle.do("listen tcp 127.0.0.1:0")
			if strings.HasPrefix(tt.network, "tcp") {
				_, port, err := net.SplitHostPort(address)
				require.NoError(t, err)
				to := tt.dial
				if to == "own" {
					to = ownAddress(t)
				}
				address = to + ":" + port
			}
			client.do("dial %s %s 2", tt.network, address)
			client.do("send 2")
			for server.number("received") < 2 { // until both are accepted
			}
			// What the client is no client of must not show.
			server.do("dial tcp %s 1", other)

			h := newHost(t, Options{})
			h.scan()
			servers := []*process.Process{h.by[idle.pid], h.by[server.pid], h.by[client.pid]}
			peers, err := h.table.Peers([]*process.Process{h.by[client.pid]}, servers)
			require.NoError(t, err)
			tt.want.Client, tt.want.Server = h.by[client.pid], h.by[server.pid]
			require.Equal(t, []Peer{tt.want}, peers)

			// And the other way round: an accepted socket has a peer as well.
			peers, err = h.table.Peers([]*process.Process{h.by[server.pid]}, servers)
			require.NoError(t, err)
			require.Len(t, peers, 2)
			require.Equal(t, Peer{Client: h.by[server.pid], Server: h.by[idle.pid], TCP: 1}, peers[0])
			tt.want.Client, tt.want.Server = h.by[server.pid], h.by[client.pid]
			require.Equal(t, tt.want, peers[1])

			client.do("drop")
			peers, err = h.table.Peers([]*process.Process{h.by[client.pid]}, servers)
			require.NoError(t, err)
			require.Empty(t, peers)
		})
	}
}

// ownAddress is an address of this host that others can reach.
func ownAddress(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addresses {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.IsGlobalUnicast() && ip.IP.To4() != nil {
			return ip.IP.String()
		}
	}
	t.Skip("this host has only loopback addresses")
	return ""
}

// TestPeersOfAnotherNamespace checks that the same loopback addresses in two
// namespaces are two connections.
func TestPeersOfAnotherNamespace(t *testing.T) {
	needRoot(t)
	var pids []int64
	h := newHost(t, Options{})
	for range 2 {
		c := newChild(t, inNamespace)
		c.do("up")
		c.do("listen tcp4 127.0.0.1:4711")
		c.do("dial tcp4 127.0.0.1:4711 1")
		pids = append(pids, c.pid)
	}
	h.update()
	one, two := h.by[pids[0]], h.by[pids[1]]
	peers, err := h.table.Peers([]*process.Process{one}, []*process.Process{two})
	require.NoError(t, err)
	require.Empty(t, peers)
}

func TestPeersOfProcessThatEnded(t *testing.T) {
	c := newChild(t)
	h := newHost(t, Options{})
	h.scan()
	p := h.by[c.pid]
	c.end()
	_, err := h.table.Peers([]*process.Process{p}, nil)
	require.ErrorContains(t, err, "no such file or directory")
}
