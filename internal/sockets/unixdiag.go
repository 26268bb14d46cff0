package sockets

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Layout of struct unix_diag_msg; linux/unix_diag.h.
const (
	unixInode = 4
	unixSize  = 16
)

// Of linux/unix_diag.h: show the peer, and the attribute that does.
const (
	showPeer = 4
	diagPeer = 2
)

// unixPair is a unix socket and the one it is connected to.
type unixPair struct {
	inode uint32
	peer  uint32 // zero if it has none
}

// unixRequest asks for the connected unix sockets.
func unixRequest() []byte {
	body := make([]byte, 24) // struct unix_diag_req
	body[0] = unix.AF_UNIX
	binary.NativeEndian.PutUint32(body[4:], 1<<stateEstablished)
	binary.NativeEndian.PutUint32(body[12:], showPeer)
	return newRequest(body)
}

// parseUnix reads a message about a unix socket.
func parseUnix(b []byte) (unixPair, error) {
	if len(b) < unixSize {
		return unixPair{}, errMalformed
	}
	p := unixPair{inode: binary.NativeEndian.Uint32(b[unixInode:])}
	for rest := b[unixSize:]; ; {
		kind, value, after, ok := cutAttribute(rest)
		if !ok {
			return p, nil
		}
		if kind == diagPeer && len(value) >= 4 {
			p.peer = binary.NativeEndian.Uint32(value)
		}
		rest = after
	}
}
