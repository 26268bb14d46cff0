package sockets

import (
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// within is a sink that counts what it is told.
type within struct{ messages, bytes int }

func (w *within) message(payload []byte) error {
	w.messages++
	w.bytes += len(payload)
	return nil
}

func FuzzReadReply(f *testing.F) {
	f.Add(append(message(20, unix.NLM_F_DUMP_INTR, 1, inetMessage()), message(unix.NLMSG_DONE, 0, 1, code(0))...))
	f.Add(message(unix.NLMSG_ERROR, 0, 1, code(-22)))
	f.Add(message(unix.NLMSG_OVERRUN, 0, 1, nil))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var w within
		_, _ = readReply(b, 1, &w)
		require.LessOrEqual(t, w.messages*headerSize+w.bytes, len(b), "each message has its bytes")
	})
}

func FuzzParseInet(f *testing.F) {
	f.Add(inetMessage(attribute(diagInfo, tcpInfo(256, 1099, 100))))
	f.Add(inetMessage(attribute(8, []byte{1}), attribute(diagInfo, tcpInfo(150, 0, 0))))
	f.Add(inetMessage([]byte{4, 0, 0, 0, 0, 0, 0, 0}))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseInet(b)
		if len(b) < inetSize {
			require.ErrorIs(t, err, errMalformed)
			return
		}
		require.NoError(t, err)
		if !c.measured {
			require.Zero(t, c.received+c.sent+uint64(c.retransmits)+uint64(c.rtt))
		}
		// What the counters grow by is never negative, whatever they were.
		var s socket
		s.advance(&c, false)
		before := s.traffic
		s.advance(&connection{received: c.received / 2, sent: math.MaxUint64 / 4}, false)
		require.Equal(t, before.Received, s.traffic.Received)
		if c.sent < math.MaxUint64/4 {
			require.Greater(t, s.traffic.Transmitted, before.Transmitted)
		}
	})
}

func FuzzParseUnix(f *testing.F) {
	f.Add(append(make([]byte, unixSize), attribute(diagPeer, code(34))...))
	f.Add(append(make([]byte, unixSize), 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parseUnix(b)
		require.Equal(t, len(b) < unixSize, err != nil)
		if len(b) < unixSize+attributeSize+4 {
			require.Zero(t, p.peer)
		}
	})
}

func FuzzParseLink(f *testing.F) {
	for _, s := range []string{"socket:[123]", "socket:[0123]", "net:[1]", "pipe:[5]", "socket:[]", "/a b\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, link string) {
		inode, ok := parseLink([]byte(link))
		n, err := strconv.ParseUint(link[min(len(link), 8):max(min(len(link), 8), len(link)-1)], 10, 32)
		if ok {
			require.NoError(t, err)
			require.EqualValues(t, n, inode)
			require.Equal(t, "socket:[", link[:8])
			require.Equal(t, "]", link[len(link)-1:])
		}
		canonical := "socket:[" + strconv.FormatUint(n, 10) + "]"
		if err == nil && n > 0 && link == canonical {
			require.True(t, ok)
		}
	})
}

func FuzzCutEntry(f *testing.F) {
	f.Add(fdListing(f))
	f.Add(make([]byte, 24))
	f.Fuzz(func(t *testing.T, b []byte) {
		for {
			e, rest, ok := cutEntry(b)
			if !ok {
				return
			}
			require.Less(t, len(rest), len(b), "it goes on")
			if e.name != nil {
				n, err := strconv.ParseUint(string(e.name[:len(e.name)-1]), 10, 64)
				require.NoError(t, err)
				require.Equal(t, n, e.number)
			}
			b = rest
		}
	})
}
