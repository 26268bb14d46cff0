package bpfscan

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// What the kernel puts before each message of a ring: its length with two bits,
// and four bytes of its own.
const (
	ringHeader  = 8
	ringBusy    = 1 << 31
	ringDiscard = 1 << 30
)

// ring takes the messages out of a ring buffer that programs fill, without
// waiting for any. The kernel maps the data twice in a row, so that a message
// that goes round the end lies in one piece.
//
//	consumer: | position |      producer: | position | data | data |
type ring struct {
	consumer, producer []byte
	data               []byte
	mask               uint64
	position           uint64 // in the data, up to which it was read
}

func newRing(m *ebpf.Map) (*ring, error) {
	page, size := os.Getpagesize(), int(m.MaxEntries())
	consumer, err := unix.Mmap(m.FD(), 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map the ring's consumer page: %w", err)
	}
	producer, err := unix.Mmap(m.FD(), int64(page), page+2*size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("map the ring: %w", err), unix.Munmap(consumer))
	}
	return &ring{
		consumer: consumer, producer: producer, data: producer[page:],
		mask: uint64(size - 1), position: atomic.LoadUint64(counter(consumer)), //nolint:gosec // a size is not negative
	}, nil
}

// counter is the position at the beginning of a page.
func counter(page []byte) *uint64 {
	return (*uint64)(unsafe.Pointer(&page[0])) //nolint:gosec // mapped memory is aligned to pages
}

// next is the next message, valid until done; nil if there is none.
func (r *ring) next() []byte {
	for r.position < atomic.LoadUint64(counter(r.producer)) {
		at := r.position & r.mask
		length := atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.data[at]))) //nolint:gosec // messages are aligned to 8 bytes
		if length&ringBusy != 0 {
			return nil // it is being written: the next time
		}
		size := uint64(length &^ ringDiscard)
		r.position += (size + ringHeader + 7) &^ 7
		if length&ringDiscard == 0 && at+ringHeader+size <= uint64(len(r.data)) {
			return r.data[at+ringHeader : at+ringHeader+size]
		}
	}
	return nil
}

// done gives the room of all messages that were read back to the kernel.
func (r *ring) done() { atomic.StoreUint64(counter(r.consumer), r.position) }

func (r *ring) close() error {
	return errors.Join(unix.Munmap(r.consumer), unix.Munmap(r.producer))
}

// kindOf is the kind of a message, and whether it is as long as that kind is.
func kindOf(message []byte) (kind, bool) {
	if len(message) < headSize {
		return 0, false
	}
	k := kind(binary.LittleEndian.Uint16(message))
	return k, k.size() == len(message)
}
