package sockets

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// message builds a netlink message.
func message(kind, flags uint16, seq uint32, payload []byte) []byte {
	b := make([]byte, headerSize, headerSize+len(payload)+3)
	binary.NativeEndian.PutUint32(b, uint32(headerSize+len(payload)))
	binary.NativeEndian.PutUint16(b[4:], kind)
	binary.NativeEndian.PutUint16(b[6:], flags)
	binary.NativeEndian.PutUint32(b[8:], seq)
	b = append(b, payload...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func code(n int32) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(n)) }

// list is a sink that keeps what it is told.
type list struct{ got []string }

func (l *list) message(payload []byte) error {
	l.got = append(l.got, string(payload))
	return nil
}

func TestReadReply(t *testing.T) {
	const seq, kind = 7, unix.SOCK_DIAG_BY_FAMILY
	a, b := message(kind, 0, seq, []byte("a")), message(kind, 0, seq, []byte("b"))
	done := message(unix.NLMSG_DONE, 0, seq, code(0))
	join := func(parts ...[]byte) (all []byte) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	long := message(kind, 0, seq, []byte("long"))
	binary.NativeEndian.PutUint32(long, 4000)
	tiny := message(kind, 0, seq, nil)
	binary.NativeEndian.PutUint32(tiny, 15)
	for _, tt := range []struct {
		name  string
		bytes []byte
		want  []string
		reply reply
		err   error
	}{
		{name: "nothing"},
		{name: "two messages", bytes: join(a, b), want: []string{"a", "b"}},
		{name: "the end", bytes: join(a, done), want: []string{"a"}, reply: reply{done: true}},
		{name: "an end without a code", bytes: message(unix.NLMSG_DONE, 0, seq, nil), reply: reply{done: true}},
		{name: "an end with an error", bytes: message(unix.NLMSG_DONE, 0, seq, code(-int32(unix.ENOENT))), reply: reply{done: true}, err: unix.ENOENT},
		{name: "an error", bytes: join(a, message(unix.NLMSG_ERROR, 0, seq, code(-int32(unix.EPERM))), b), want: []string{"a"}, reply: reply{done: true}, err: unix.EPERM},
		{name: "the least of all errors", bytes: message(unix.NLMSG_ERROR, 0, seq, code(-1<<31)), reply: reply{done: true}, err: unix.Errno(1 << 31)},
		{name: "an error without a code", bytes: message(unix.NLMSG_ERROR, 0, seq, []byte("x")), reply: reply{done: true}, err: errMalformed},
		{name: "an acknowledgement", bytes: message(unix.NLMSG_ERROR, 0, seq, code(0)), reply: reply{done: true}},
		{name: "overrun", bytes: join(a, message(unix.NLMSG_OVERRUN, 0, seq, nil), b), want: []string{"a"}, err: errLost},
		{name: "interrupted", bytes: join(message(kind, unix.NLM_F_DUMP_INTR, seq, []byte("a")), done), want: []string{"a"}, reply: reply{done: true, interrupted: true}},
		{name: "of another request", bytes: join(message(kind, 0, 6, []byte("old")), message(unix.NLMSG_DONE, 0, 6, code(0)), a), want: []string{"a"}},
		{name: "nothing to say", bytes: join(message(unix.NLMSG_NOOP, 0, seq, nil), a), want: []string{"a"}},
		{name: "cut in the header", bytes: join(a, b[:10]), want: []string{"a"}, err: errMalformed},
		{name: "cut in the message", bytes: join(a, b[:headerSize]), want: []string{"a"}, err: errMalformed},
		{name: "longer than all", bytes: long, err: errMalformed},
		{name: "shorter than its header", bytes: tiny, err: errMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var l list
			r, err := readReply(tt.bytes, seq, &l)
			require.ErrorIs(t, err, tt.err)
			require.Equal(t, tt.reply, r)
			require.Equal(t, tt.want, l.got)
		})
	}
}

// answering is a conn whose other end gives the answers in turn, one for each
// request. An answer is made of what is read at once.
func answering(t *testing.T, answers ...func(seq uint32) [][]byte) (*conn, func() int) {
	t.Helper()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	requests := make(chan int)
	go func() {
		n := 0
		defer func() { requests <- n }()
		for b := make([]byte, 1024); ; n++ {
			if length, err := unix.Read(ends[1], b); err != nil || length == 0 {
				return
			}
			if n >= len(answers) {
				continue
			}
			for _, part := range answers[n](binary.NativeEndian.Uint32(b[8:])) {
				if _, err := unix.Write(ends[1], part); err != nil {
					return
				}
			}
		}
	}()
	return &conn{fd: ends[0]}, func() int {
		require.NoError(t, unix.Close(ends[0]))
		n := <-requests
		require.NoError(t, unix.Close(ends[1]))
		return n
	}
}

func TestDumpAsksAgain(t *testing.T) {
	part := func(kind, flags uint16, text string) func(uint32) []byte {
		return func(seq uint32) []byte { return message(kind, flags, seq, []byte(text)) }
	}
	answer := func(parts ...func(uint32) []byte) func(uint32) [][]byte {
		return func(seq uint32) (all [][]byte) {
			for _, p := range parts {
				all = append(all, p(seq))
			}
			return all
		}
	}
	const kind = unix.SOCK_DIAG_BY_FAMILY
	done := part(unix.NLMSG_DONE, 0, "\x00\x00\x00\x00")
	good := answer(part(kind, 0, "a"), part(kind, 0, "b"), done)
	interrupted := answer(part(kind, unix.NLM_F_DUMP_INTR, "a"), done)
	overrun := answer(part(kind, 0, "a"), part(unix.NLMSG_OVERRUN, 0, ""))
	broken := answer(func(uint32) []byte { return []byte("broken") })
	for _, tt := range []struct {
		name     string
		answers  []func(uint32) [][]byte
		complete bool
		err      error
		requests int
		got      string
	}{
		{"good", []func(uint32) [][]byte{good}, true, nil, 1, "ab"},
		{"interrupted once", []func(uint32) [][]byte{interrupted, good}, true, nil, 2, "aab"},
		{"interrupted twice", []func(uint32) [][]byte{interrupted, interrupted, good}, false, nil, 2, "aa"},
		{"overrun once", []func(uint32) [][]byte{overrun, good}, true, nil, 2, "aab"},
		{"overrun twice", []func(uint32) [][]byte{overrun, overrun, good}, false, nil, 2, "aa"},
		{"broken", []func(uint32) [][]byte{broken, good}, false, errMalformed, 1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, closed := answering(t, tt.answers...)
			var l list
			complete, err := c.dump(unixRequest(), make([]byte, 1024), &l)
			require.ErrorIs(t, err, tt.err)
			require.Equal(t, tt.complete, complete)
			got := ""
			for _, s := range l.got {
				got += s
			}
			require.Equal(t, tt.got, got)
			require.Equal(t, tt.requests, closed())
		})
	}
}

// halt is a sink that wants no more.
type halt struct{ seen int }

var errHalt = errors.New("halt")

func (h *halt) message([]byte) error { h.seen++; return errHalt }

// TestDumpAfterOneGivenUp checks with the kernel that a list given up midway does
// not spoil the next one.
func TestDumpAfterOneGivenUp(t *testing.T) {
	server, client := newChild(t), newChild(t)
	address := server.do("listen tcp4 127.0.0.1:0")
	client.do("dial tcp4 %s 300", address)
	c, err := dial()
	require.NoError(t, err)
	defer func() { require.NoError(t, c.close()) }()
	buf := make([]byte, answerSize)
	request := inetRequest(unix.AF_INET, countedStates)
	for range 3 {
		var h halt
		_, err = c.dump(request, buf, &h)
		require.ErrorIs(t, err, errHalt)
		require.Equal(t, 1, h.seen)
		var l list
		complete, err := c.dump(request, buf, &l)
		require.NoError(t, err)
		require.True(t, complete)
		require.GreaterOrEqual(t, len(l.got), 600)
	}
}

func TestKernelRefuses(t *testing.T) {
	c, err := dial()
	require.NoError(t, err)
	defer func() { require.NoError(t, c.close()) }()
	request := inetRequest(200, countedStates) // no such family
	_, err = c.dump(request, make([]byte, answerSize), ignore{})
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = c.dump(inetRequest(unix.AF_INET, countedStates), make([]byte, answerSize), ignore{})
	require.NoError(t, err)
}

func TestOpenWithoutProc(t *testing.T) {
	_, err := Open(Options{Proc: t.TempDir() + "/none"})
	require.ErrorIs(t, err, unix.ENOENT)
}
