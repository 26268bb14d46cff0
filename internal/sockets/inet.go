package sockets

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// States of a TCP socket, from the kernel's include/net/tcp_states.h.
const (
	stateEstablished = 1
	stateSynSent     = 2
	stateFinWait1    = 4
	stateFinWait2    = 5
	stateCloseWait   = 8
	stateLastAck     = 9
	stateListen      = 10
	stateClosing     = 11
)

// countedStates are asked for. Half of a busy server's sockets may be in
// TIME_WAIT: they have no bytes and nobody holds them. Sockets in SYN_SENT have
// none either, but may be found in the hands of their process before it sleeps.
const countedStates = 1<<stateEstablished | 1<<stateSynSent | 1<<stateFinWait1 | 1<<stateFinWait2 |
	1<<stateCloseWait | 1<<stateLastAck | 1<<stateListen | 1<<stateClosing

// Layout of struct inet_diag_msg; linux/inet_diag.h.
const (
	inetState       = 1
	inetSourcePort  = 4
	inetRemotePort  = 6
	inetSource      = 8
	inetDestination = 24
	inetCookie      = 44
	inetInode       = 68
	inetSize        = 72
)

// diagInfo is the attribute with a struct tcp_info.
const diagInfo = 2

// Layout of struct tcp_info, which grows with the kernel: the bytes came with
// Linux 4.1, those with retransmissions with 4.19.
const (
	infoRTT           = 68
	infoRetransmits   = 100
	infoAcked         = 120
	infoReceived      = 128
	infoSent          = 200
	infoRetransmitted = 208
)

// endpoint is one end of a connection; IPv4 is mapped into IPv6.
type endpoint struct {
	address [16]byte
	port    uint16
}

// loopback tells that the address means the same namespace.
func (e endpoint) loopback() bool {
	if v4, ok := e.ipv4(); ok {
		return v4[0] == 127
	}
	return e.address == [16]byte{15: 1}
}

func (e endpoint) ipv4() ([4]byte, bool) {
	return [4]byte(e.address[12:]), [12]byte(e.address[:12]) == [12]byte{10: 0xff, 11: 0xff}
}

// connection is what the kernel says of a TCP socket.
type connection struct {
	state         uint8
	cookie        uint64 // never used twice in a namespace
	inode         uint32 // zero if no process holds it: not accepted yet, or closed
	local, remote endpoint

	measured    bool // the rest is there
	received    uint64
	sent        uint64 // and acknowledged
	retransmits uint32
	rtt         uint32 // microseconds
}

// carries tells that data went over it. The start of a connection may count as
// one byte sent on old kernels.
func (c *connection) carries() bool { return c.received > 0 || c.sent > 1 }

// inetRequest asks for the TCP sockets of a family that are in one of the states.
func inetRequest(family uint8, states uint32) []byte {
	body := make([]byte, 56) // struct inet_diag_req_v2
	body[0], body[1], body[2] = family, unix.IPPROTO_TCP, 1<<(diagInfo-1)
	binary.NativeEndian.PutUint32(body[4:], states)
	return newRequest(body)
}

// parseInet reads a message about a TCP socket.
func parseInet(b []byte) (connection, error) {
	if len(b) < inetSize {
		return connection{}, errMalformed
	}
	c := connection{
		state:  b[inetState],
		cookie: uint64(binary.NativeEndian.Uint32(b[inetCookie:])) | uint64(binary.NativeEndian.Uint32(b[inetCookie+4:]))<<32,
		inode:  binary.NativeEndian.Uint32(b[inetInode:]),
		local:  parseEndpoint(b[0], b[inetSource:], b[inetSourcePort:]),
		remote: parseEndpoint(b[0], b[inetDestination:], b[inetRemotePort:]),
	}
	for rest := b[inetSize:]; ; {
		kind, value, after, ok := cutAttribute(rest)
		if !ok {
			return c, nil
		}
		if kind == diagInfo {
			c.measure(value)
		}
		rest = after
	}
}

func parseEndpoint(family uint8, address, port []byte) endpoint {
	e := endpoint{port: binary.BigEndian.Uint16(port)}
	if family == unix.AF_INET {
		e.address[10], e.address[11] = 0xff, 0xff
		copy(e.address[12:], address[:4])
	} else {
		copy(e.address[:], address[:16])
	}
	return e
}

// measure reads a struct tcp_info.
func (c *connection) measure(info []byte) {
	if len(info) < infoReceived+8 {
		return
	}
	c.measured = true
	c.rtt = binary.NativeEndian.Uint32(info[infoRTT:])
	c.retransmits = binary.NativeEndian.Uint32(info[infoRetransmits:])
	c.sent = binary.NativeEndian.Uint64(info[infoAcked:])
	c.received = binary.NativeEndian.Uint64(info[infoReceived:])
	if len(info) < infoRetransmitted+8 {
		return
	}
	// The acknowledged bytes count the start and the end of a connection as a byte
	// each, the sent bytes do not.
	all := binary.NativeEndian.Uint64(info[infoSent:])
	if again := binary.NativeEndian.Uint64(info[infoRetransmitted:]); again <= all {
		c.sent = min(c.sent, all-again)
	}
}
