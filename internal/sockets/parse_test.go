package sockets

import (
	"encoding/binary"
	"net/netip"
	"os"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestLayoutOfTCPInfo(t *testing.T) {
	var i unix.TCPInfo
	got := []uintptr{infoRTT, infoRetransmits, infoAcked, infoReceived, infoSent, infoRetransmitted}
	require.Equal(t, []uintptr{
		unsafe.Offsetof(i.Rtt), unsafe.Offsetof(i.Total_retrans), unsafe.Offsetof(i.Bytes_acked),
		unsafe.Offsetof(i.Bytes_received), unsafe.Offsetof(i.Bytes_sent), unsafe.Offsetof(i.Bytes_retrans),
	}, got)
}

// attribute builds an attribute of a netlink message.
func attribute(kind uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(attributeSize+len(value)))
	b = append(binary.NativeEndian.AppendUint16(b, kind), value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// inetMessage builds a message about a TCP socket from 10.0.0.1:80 to
// 10.0.0.2:1234.
func inetMessage(attributes ...[]byte) []byte {
	b := make([]byte, inetSize)
	b[0], b[inetState] = unix.AF_INET, stateEstablished
	binary.BigEndian.PutUint16(b[inetSourcePort:], 80)
	binary.BigEndian.PutUint16(b[inetRemotePort:], 1234)
	copy(b[inetSource:], []byte{10, 0, 0, 1})
	copy(b[inetDestination:], []byte{10, 0, 0, 2})
	binary.NativeEndian.PutUint32(b[inetCookie:], 5)
	binary.NativeEndian.PutUint32(b[inetCookie+4:], 1)
	binary.NativeEndian.PutUint32(b[inetInode:], 4711)
	for _, a := range attributes {
		b = append(b, a...)
	}
	return b
}

// tcpInfo builds a struct tcp_info of 1000 bytes acknowledged, 2000 received, 3
// segments sent again and a round trip of 400 us.
func tcpInfo(size int, sent, again uint64) []byte {
	b := make([]byte, 256)
	binary.NativeEndian.PutUint32(b[infoRTT:], 400)
	binary.NativeEndian.PutUint32(b[infoRetransmits:], 3)
	binary.NativeEndian.PutUint64(b[infoAcked:], 1000)
	binary.NativeEndian.PutUint64(b[infoReceived:], 2000)
	binary.NativeEndian.PutUint64(b[infoSent:], sent)
	binary.NativeEndian.PutUint64(b[infoRetransmitted:], again)
	return b[:size]
}

func mapped(text string) endpoint {
	a := netip.MustParseAddrPort(text)
	return endpoint{address: a.Addr().As16(), port: a.Port()}
}

func TestParseInet(t *testing.T) {
	base := connection{
		state: stateEstablished, cookie: 1<<32 | 5, inode: 4711,
		local: mapped("10.0.0.1:80"), remote: mapped("10.0.0.2:1234"),
	}
	measured := func(sent uint64) connection {
		c := base
		c.measured, c.received, c.sent, c.retransmits, c.rtt = true, 2000, sent, 3, 400
		return c
	}
	for _, tt := range []struct {
		name  string
		bytes []byte
		want  connection
	}{
		{"no attributes", inetMessage(), base},
		{"a new kernel: the start of the connection is no byte", inetMessage(attribute(diagInfo, tcpInfo(256, 1099, 100))), measured(999)},
		{"a kernel before 4.19", inetMessage(attribute(diagInfo, tcpInfo(200, 0, 0))), measured(1000)},
		{"more sent again than at all", inetMessage(attribute(diagInfo, tcpInfo(256, 1, 2))), measured(1000)},
		{"a kernel before 4.1", inetMessage(attribute(diagInfo, tcpInfo(120, 0, 0))), base},
		{"an attribute in front", inetMessage(attribute(8, []byte{1}), attribute(diagInfo, tcpInfo(200, 0, 0))), measured(1000)},
		{"flags in the type", inetMessage(attribute(diagInfo|1<<15, tcpInfo(200, 0, 0))), measured(1000)},
		{"an attribute of no length", inetMessage([]byte{0, 0, 0, 0}, attribute(diagInfo, tcpInfo(200, 0, 0))), base},
		{"an attribute without a value", inetMessage(attribute(diagInfo, nil)), base},
		{"a cut attribute", inetMessage(attribute(diagInfo, tcpInfo(200, 0, 0))[:100]), base},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseInet(tt.bytes)
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
	_, err := parseInet(inetMessage()[:inetSize-1])
	require.ErrorIs(t, err, errMalformed)
}

func TestLoopback(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "[::ffff:127.0.0.1]:1": true,
		"10.0.0.1:1": false, "[::2]:1": false, "[fe80::1]:1": false, "[::]:1": false, "[7f00::1]:1": false,
	} {
		require.Equal(t, want, mapped(address).loopback(), address)
	}
}

func TestParseUnix(t *testing.T) {
	b := make([]byte, unixSize)
	binary.NativeEndian.PutUint32(b[unixInode:], 12)
	p, err := parseUnix(b)
	require.NoError(t, err)
	require.Equal(t, unixPair{inode: 12}, p)
	p, err = parseUnix(append(b, attribute(diagPeer, code(34))...))
	require.NoError(t, err)
	require.Equal(t, unixPair{inode: 12, peer: 34}, p)
	p, err = parseUnix(append(b, attribute(diagPeer, []byte{1, 2})...))
	require.NoError(t, err)
	require.Equal(t, unixPair{inode: 12}, p)
	_, err = parseUnix(b[:unixSize-1])
	require.ErrorIs(t, err, errMalformed)
}

func TestParseLink(t *testing.T) {
	for link, want := range map[string]uint32{
		"socket:[123]": 123, "socket:[4294967295]": 1<<32 - 1,
		"": 0, "socket:": 0, "socket:[": 0, "socket:[]": 0, "socket:[0]": 0, "socket:[1": 0, "socket:[-1]": 0, "socket:[+1]": 0,
		"socket:[1]x": 0, "socket:[1] (deleted)": 0, "socket:[4294967296]": 0, "socket:[99999999999999999999]": 0,
		"/tmp/socket:[123]": 0, "pipe:[123]": 0, "anon_inode:[eventfd]": 0, "socket:[1 2]": 0, "socket:[\xff]": 0,
	} {
		got, ok := parseLink([]byte(link))
		require.Equal(t, want, got, link)
		require.Equal(t, want != 0, ok, link)
	}
	inode, ok := parseNamespace([]byte("net:[4026531840]"))
	require.True(t, ok)
	require.EqualValues(t, 4026531840, inode)
	_, ok = parseNamespace([]byte("mnt:[4026531840]"))
	require.False(t, ok)
}

// fdListing is what the kernel lists of a directory of descriptors.
func fdListing(tb testing.TB) []byte {
	tb.Helper()
	d, err := openDir("/proc/self/fd")
	require.NoError(tb, err)
	defer func() { require.NoError(tb, d.close()) }()
	b, err := d.entries(make([]byte, 4096))
	require.NoError(tb, err)
	return b
}

func TestCutEntry(t *testing.T) {
	var names []string
	for b := fdListing(t); ; {
		e, rest, ok := cutEntry(b)
		if !ok {
			require.Empty(t, b)
			break
		}
		if e.name != nil {
			names = append(names, strings.TrimSuffix(string(e.name), "\x00"))
		}
		b = rest
	}
	require.Subset(t, names, []string{"0", "1", "2"})
	_, err := os.Lstat("/proc/self/fd/" + names[0])
	require.NoError(t, err)
}
