package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"
)

// The ways in which the client sends, with their shares of all bytes in percent.
const (
	shareShort    = 40 // over connections of shortConnection bytes, one after the other
	shareLong     = 20 // over longConnections at once, which stay open for a while
	shareSendfile = 20 // from a file, without a copy

	shortConnection = 256 << 10
	longConnections = 4
	burst           = 2 // datagrams until one is answered: more overflow the buffer
	sendfileSize    = 16 << 20
)

// netClient sends so many bytes to the server, in several ways.
func netClient(args []string) error {
	if len(args) != 3 {
		return errors.New("the addresses, a number of bytes and a time are missing")
	}
	var to addresses
	if err := json.Unmarshal([]byte(args[0]), &to); err != nil {
		return err
	}
	total, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	hold, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	fmt.Println(ready)
	c := &client{to: to, hold: hold}
	short, long, file := total*shareShort/100, total*shareLong/100, total*shareSendfile/100
	for _, step := range []func() error{
		func() error { return c.short(short) },
		func() error { return c.long(long) },
		func() error { return c.sendfile(file) },
		func() error { return c.datagrams(total - short - long - file) },
	} {
		if err = step(); err != nil {
			return err
		}
	}
	if err = json.NewEncoder(os.Stdout).Encode(c.talked()); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin) // until it may end
	return err
}

type client struct {
	counted
	to   addresses
	hold time.Duration // long connections stay open for that long after their last byte
}

// over sends over one connection and checks that all of it arrived.
func (c *client) over(send func(conn *net.TCPConn) (int64, error)) error {
	conn, err := net.Dial("tcp", c.to.TCP) //nolint:noctx // loopback
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // the answer tells that all is well
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return fmt.Errorf("%s is no TCP", c.to.TCP)
	}
	c.connections.Add(1)
	sent, err := send(tcp)
	c.tcpOut.Add(sent)
	if err != nil {
		return err
	}
	if err = tcp.CloseWrite(); err != nil {
		return err
	}
	var answer [answerSize]byte
	n, err := io.ReadFull(conn, answer[:])
	c.tcpIn.Add(int64(n))
	if err != nil {
		return err
	}
	if got := binary.BigEndian.Uint64(answer[:]); got != uint64(sent) { //nolint:gosec // a count
		return fmt.Errorf("sent %d bytes over TCP, %d arrived", sent, got)
	}
	return nil
}

// fill writes n bytes.
func fill(w io.Writer, n int64) (int64, error) {
	buffer := make([]byte, min(n, chunk))
	var sent int64
	for sent < n {
		m, err := w.Write(buffer[:min(n-sent, chunk)])
		sent += int64(m)
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

func (c *client) short(n int64) error {
	for ; n > 0; n -= shortConnection {
		err := c.over(func(conn *net.TCPConn) (int64, error) { return fill(conn, min(n, shortConnection)) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *client) long(n int64) error {
	errs := make([]error, longConnections)
	var wait sync.WaitGroup
	for i := range errs {
		wait.Go(func() {
			errs[i] = c.over(func(conn *net.TCPConn) (int64, error) {
				sent, err := fill(conn, n/longConnections)
				time.Sleep(c.hold)
				return sent, err
			})
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// sendfile sends a file again and again: the net package uses sendfile(2) for
// it.
func (c *client) sendfile(n int64) error {
	f, err := os.CreateTemp("", "benchscan")
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if err := errors.Join(os.Remove(f.Name()), f.Truncate(sendfileSize)); err != nil {
		return err
	}
	return c.over(func(conn *net.TCPConn) (int64, error) {
		var sent int64
		for sent < n {
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				return sent, err
			}
			m, err := io.CopyN(conn, f, min(n-sent, sendfileSize))
			sent += m
			if err != nil {
				return sent, err
			}
		}
		return sent, nil
	})
}

// datagrams sends over UDP. What is lost is lost: both sides count what they see.
func (c *client) datagrams(n int64) error {
	conn, err := net.Dial("udp", c.to.UDP) //nolint:noctx // loopback
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	buffer := make([]byte, datagram)
	var answer [answerSize]byte
	for i := 1; n > 0; i++ {
		size := min(n, datagram)
		buffer[0] = 0
		asks := i%burst == 0 || n == size
		if asks {
			buffer[0] = wantsAnswer
		}
		sent, err := conn.Write(buffer[:size])
		c.udpOut.Add(int64(sent))
		if err != nil {
			return err
		}
		n -= size
		if !asks {
			continue
		}
		if err = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
			return err
		}
		got, err := conn.Read(answer[:])
		c.udpIn.Add(int64(got))
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return nil
}
