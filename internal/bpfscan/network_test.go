package bpfscan

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/process"
)

// The traffic of the tests, in bytes.
const (
	longTCP   = 100 << 20 // over one connection, each way
	shortTCP  = 32 << 10  // over each of the short ones, each way
	shorts    = 300
	sentFile  = 20 << 20
	datagrams = 2000
	datagram  = 1200
)

// performTraffic talks to the servers that the test names, "tcp udp".
func performTraffic(servers string) error {
	tcp, udp, _ := strings.Cut(servers, " ")
	if err := talk(tcp, longTCP); err != nil {
		return err
	}
	for range shorts {
		if err := talk(tcp, shortTCP); err != nil {
			return err
		}
	}
	if err := sendFile(tcp); err != nil {
		return err
	}
	if err := sendDatagrams(udp); err != nil {
		return err
	}
	if err := talkLocally(); err != nil {
		return err
	}
	return wait()
}

// talk sends so much, and receives as much from the echo.
func talk(server string, bytes int) error {
	c, err := net.Dial("tcp", server)
	if err != nil {
		return err
	}
	defer c.Close()
	received := make(chan error, 1)
	go func() {
		_, err := io.CopyN(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, int64(bytes))
		received <- err
	}()
	chunk := make([]byte, 16<<10)
	for n := 0; n < bytes; n += len(chunk) {
		if _, err := c.Write(chunk); err != nil {
			return err
		}
	}
	return <-received
}

// sendFile sends a file by sendfile and peeks at the first bytes of the echo
// before it reads them.
func sendFile(server string) error {
	f, err := os.CreateTemp("", "bpfscan")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err = f.Truncate(sentFile); err != nil {
		return err
	}
	c, err := net.Dial("tcp", server)
	if err != nil {
		return err
	}
	defer c.Close()
	received := make(chan error, 1)
	go func() {
		received <- peek(c.(*net.TCPConn))
		_, err := io.CopyN(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, sentFile)
		received <- err
	}()
	if _, err := c.(*net.TCPConn).ReadFrom(f); err != nil {
		return err
	}
	if err := <-received; err != nil {
		return err
	}
	return <-received
}

func peek(c *net.TCPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	buf := make([]byte, 4096)
	peeks := 0
	return raw.Read(func(fd uintptr) bool {
		for peeks < 1000 {
			n, _, err := unix.Recvfrom(int(fd), buf, unix.MSG_PEEK)
			if err == unix.EAGAIN || n == 0 {
				return false
			}
			peeks++
		}
		return true
	})
}

func sendDatagrams(server string) error {
	c, err := net.Dial("udp", server)
	if err != nil {
		return err
	}
	defer c.Close()
	b := make([]byte, datagram)
	for range datagrams {
		if _, err := c.Write(b); err != nil {
			return err
		}
		if _, err := c.Read(b); err != nil {
			return err
		}
	}
	return nil
}

// talkLocally sends over a socket of the file system, which is no network.
func talkLocally() error {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	b := make([]byte, 64<<10)
	for range 100 {
		if _, err := unix.Write(p[0], b); err != nil {
			return err
		}
		if _, err := unix.Read(p[1], b); err != nil {
			return err
		}
	}
	return nil
}

// echo serves what the actor talks to.
func echo(t *testing.T, network, address string) (tcp, udp string) {
	t.Helper()
	l, err := net.Listen("tcp"+network, address)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, failed := l.Accept()
			if failed != nil {
				return
			}
			go func() {
				defer c.Close()
				// Not io.Copy, which would splice.
				_, _ = io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{c}, make([]byte, 64<<10))
			}()
		}
	}()
	u, err := net.ListenPacket("udp"+network, address)
	require.NoError(t, err)
	t.Cleanup(func() { u.Close() })
	go func() {
		b := make([]byte, 64<<10)
		for {
			n, from, err := u.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = u.WriteTo(b[:n], from)
		}
	}()
	return l.Addr().String(), u.LocalAddr().String()
}

func TestNetworkBytes(t *testing.T) {
	for network, address := range map[string]string{"4": "127.0.0.1:0", "6": "[::1]:0"} {
		t.Run("IPv"+network, func(t *testing.T) {
			s := open(t, Options{Network: true, Events: true})
			for _, m := range s.Missing() {
				t.Skip(m.What, m.Cure)
			}
			tcp, udp := echo(t, network, address)
			before := *find(scan(t, s), os.Getpid())
			a := start(t, fmt.Sprintf("traffic %s %s", tcp, udp))

			snap := scan(t, s)
			p := find(snap, a.Process.Pid)
			require.True(t, p.Known.Has(process.KnowsTCP|process.KnowsUDP|process.KnowsPaths))
			const wantTCP, wantUDP = longTCP + shorts*shortTCP + sentFile, datagrams * datagram
			require.InDelta(t, wantTCP, p.Network.TCP.Transmitted, wantTCP/100)
			require.InDelta(t, wantTCP, p.Network.TCP.Received, wantTCP/100)
			require.InDelta(t, wantUDP, p.Network.UDP.Transmitted, wantUDP/100)
			require.InDelta(t, wantUDP, p.Network.UDP.Received, wantUDP/100)
			own := find(snap, os.Getpid()).Network
			require.InDelta(t, wantTCP, own.TCP.Received-before.Network.TCP.Received, wantTCP/100)
			require.InDelta(t, wantTCP, own.TCP.Transmitted-before.Network.TCP.Transmitted, wantTCP/100)

			last := p.Network
			a.end()
			require.Equal(t, last.TCP, scanUntilExited(t, s, a.Process.Pid).Network.TCP)
		})
	}
}

// A connection that nobody accepts is asked for again and again.
func TestRetransmits(t *testing.T) {
	s := open(t, Options{Network: true})
	for _, m := range s.Missing() {
		t.Skip(m.What, m.Cure)
	}
	server, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(server) })
	require.NoError(t, unix.Bind(server, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, unix.Listen(server, 0))
	address, err := unix.Getsockname(server)
	require.NoError(t, err)
	for range 4 {
		c, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP)
		require.NoError(t, err)
		t.Cleanup(func() { unix.Close(c) })
		_ = unix.Connect(c, address) // in progress
	}
	var n process.Network
	require.Eventually(t, func() bool {
		for range pathsEvery {
			n = find(scan(t, s), os.Getpid()).Network
		}
		return n.Retransmits > 0
	}, 10*time.Second, 100*time.Millisecond)
	require.Less(t, n.Retransmits, int64(100), "each counts once, however often it is looked at")
}

func TestPathsOfAServer(t *testing.T) {
	s := open(t, Options{Network: true})
	for _, m := range s.Missing() {
		t.Skip(m.What, m.Cure)
	}
	tcp, _ := echo(t, "4", "127.0.0.1:0")
	c, err := net.Dial("tcp", tcp)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	b := make([]byte, 1000)
	for range 20 {
		_, err = c.Write(b)
		require.NoError(t, err)
		_, err = io.ReadFull(c, b)
		require.NoError(t, err)
	}
	n := find(scan(t, s), os.Getpid()).Network
	require.True(t, n.Listening)
	require.Positive(t, n.RTT)
	require.Less(t, n.RTT, 0.1, "loopback")

	big := make([]byte, 1<<20)
	for range 20 {
		go func() { _, _ = c.Write(big) }()
		_, err = io.ReadFull(c, big)
		require.NoError(t, err)
	}
	m := find(scan(t, s), os.Getpid()).Network
	roundTrip := float64(m.Flight-n.Flight) / 1e3 / float64(m.TCP.Transmitted-n.TCP.Transmitted)
	require.Positive(t, roundTrip)
	require.Less(t, roundTrip, 0.1, "loopback")
}
