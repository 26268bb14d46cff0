package sockets

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Sizes of struct nlmsghdr and struct nlattr; both start at multiples of four.
const (
	headerSize    = 16
	attributeSize = 4
)

// attributeMask leaves the flags out of the type of an attribute.
const attributeMask = 0x3fff

// errMalformed tells that a message makes no sense.
var errMalformed = errors.New("malformed netlink message")

// errLost tells that the kernel dropped messages: the list has holes.
var errLost = errors.New("netlink messages were lost")

// header is what counts of a struct nlmsghdr.
type header struct {
	kind, flags uint16
	seq         uint32
}

// sink takes the messages of a dump. An error ends the dump.
type sink interface {
	message(payload []byte) error
}

// cutMessage splits the first message off b.
func cutMessage(b []byte) (h header, payload, rest []byte, err error) {
	if len(b) < headerSize {
		return header{}, nil, nil, errMalformed
	}
	length := uint64(binary.NativeEndian.Uint32(b))
	if length < headerSize || length > uint64(len(b)) {
		return header{}, nil, nil, errMalformed
	}
	h = header{
		kind:  binary.NativeEndian.Uint16(b[4:]),
		flags: binary.NativeEndian.Uint16(b[6:]),
		seq:   binary.NativeEndian.Uint32(b[8:]),
	}
	return h, b[headerSize:length], b[min(align(length), uint64(len(b))):], nil
}

// cutAttribute splits the first attribute off b. ok is false if there is none, or
// none that makes sense.
func cutAttribute(b []byte) (kind uint16, value, rest []byte, ok bool) {
	if len(b) < attributeSize {
		return 0, nil, nil, false
	}
	length := uint64(binary.NativeEndian.Uint16(b))
	if length < attributeSize || length > uint64(len(b)) {
		return 0, nil, nil, false
	}
	kind = binary.NativeEndian.Uint16(b[2:]) & attributeMask
	return kind, b[attributeSize:length], b[min(align(length), uint64(len(b))):], true
}

func align(n uint64) uint64 { return (n + 3) &^ 3 }

// reply is how far an answer has come.
type reply struct {
	done        bool
	interrupted bool // what was listed changed meanwhile: some may be missing or twice
}

// readReply hands the messages in b that answer the request seq to s. Messages
// that answer another request are left out: they are the rest of one given up.
func readReply(b []byte, seq uint32, s sink) (reply, error) {
	var r reply
	for len(b) > 0 && !r.done {
		h, payload, rest, err := cutMessage(b)
		if err != nil {
			return r, err
		}
		b = rest
		if h.seq != seq {
			continue
		}
		r.interrupted = r.interrupted || h.flags&unix.NLM_F_DUMP_INTR != 0
		switch h.kind {
		case unix.NLMSG_NOOP:
		case unix.NLMSG_OVERRUN:
			return r, errLost
		case unix.NLMSG_DONE, unix.NLMSG_ERROR:
			r.done = true
			err = verdict(h.kind, payload)
		default:
			err = s.message(payload)
		}
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

// verdict reads the error in the message that ends an answer: a negative errno,
// or zero. The end of a list need not have one.
func verdict(kind uint16, payload []byte) error {
	if len(payload) < 4 {
		if kind == unix.NLMSG_DONE {
			return nil
		}
		return errMalformed
	}
	code := int32(binary.NativeEndian.Uint32(payload)) //nolint:gosec // it is signed
	if code >= 0 {
		return nil
	}
	return fmt.Errorf("the kernel refused: %w", unix.Errno(-int64(code)))
}

// newRequest begins the request for a list. The kernel takes the rest from body.
func newRequest(body []byte) []byte {
	b := make([]byte, headerSize, headerSize+len(body))
	binary.NativeEndian.PutUint32(b, uint32(headerSize+len(body))) //nolint:gosec // some 80 bytes
	binary.NativeEndian.PutUint16(b[4:], unix.SOCK_DIAG_BY_FAMILY)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	return append(b, body...)
}

// setSeq numbers a request.
func setSeq(request []byte, seq uint32) { binary.NativeEndian.PutUint32(request[8:], seq) }
