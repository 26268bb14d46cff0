package sockets

import (
	"bytes"
	"math"
)

// parseLink reads what a descriptor leads to, such as "socket:[4711]", and
// returns the inode if it is a socket.
func parseLink(link []byte) (inode uint32, ok bool) {
	n, ok := parseInode(link, "socket:[")
	// The kernel's list has 32 bits for it.
	if !ok || n == 0 || n > math.MaxUint32 {
		return 0, false
	}
	return uint32(n), true
}

// parseNamespace reads what a namespace file leads to, such as
// "net:[4026531840]".
func parseNamespace(link []byte) (inode uint64, ok bool) { return parseInode(link, "net:[") }

func parseInode(link []byte, prefix string) (uint64, bool) {
	if len(link) <= len(prefix)+1 || string(link[:len(prefix)]) != prefix {
		return 0, false
	}
	digits, ok := bytes.CutSuffix(link[len(prefix):], []byte{']'})
	if !ok {
		return 0, false
	}
	return parseNumber(digits)
}

// parseNumber reads a decimal number. strconv takes a string: an allocation for
// each descriptor.
func parseNumber(digits []byte) (uint64, bool) {
	if len(digits) == 0 || len(digits) > 19 { // 19 digits always fit
		return 0, false
	}
	var n uint64
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = n*10 + uint64(d-'0')
	}
	return n, true
}
