package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
)

// counted is a talked that several goroutines add to.
type counted struct {
	tcpIn, tcpOut, udpIn, udpOut, connections atomic.Int64
}

func (c *counted) talked() talked {
	return talked{
		TCP:         traffic{Received: c.tcpIn.Load(), Transmitted: c.tcpOut.Load()},
		UDP:         traffic{Received: c.udpIn.Load(), Transmitted: c.udpOut.Load()},
		Connections: c.connections.Load(),
	}
}

// chunk is how much is read or written at once.
const chunk = 256 << 10

// datagram is the size of one; the last of a burst begins with wantsAnswer.
const (
	datagram    = 32 << 10
	wantsAnswer = 1
	answerSize  = 8
)

// netServer receives over TCP and UDP, answers how much it was, and says so when
// it is asked to.
func netServer([]string) error {
	tcp, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // returns at once
	if err != nil {
		return err
	}
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	var c counted
	go c.acceptAll(tcp)
	go c.answerAll(udp)
	fmt.Println(ready)
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(addresses{TCP: tcp.Addr().String(), UDP: udp.LocalAddr().String()}); err != nil {
		return err
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); { // until it may end
		if err := out.Encode(c.talked()); err != nil {
			return err
		}
	}
	return nil
}

func (c *counted) acceptAll(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = conn.Close() }() // the client knows by the answer
			c.connections.Add(1)
			n := c.receive(conn)
			sent, err := conn.Write(binary.BigEndian.AppendUint64(nil, uint64(n))) //nolint:gosec // a count
			c.tcpOut.Add(int64(sent))
			if err != nil {
				fmt.Fprintln(os.Stderr, "answer:", err)
			}
		}()
	}
}

// receive reads all of a connection.
func (c *counted) receive(conn net.Conn) int64 {
	buffer := make([]byte, chunk)
	for total := int64(0); ; {
		n, err := conn.Read(buffer)
		total += int64(n)
		c.tcpIn.Add(int64(n))
		if err != nil {
			if !errors.Is(err, io.EOF) {
				fmt.Fprintln(os.Stderr, "receive:", err)
			}
			return total
		}
	}
}

// answerAll receives datagrams and answers those that want it.
func (c *counted) answerAll(conn *net.UDPConn) {
	buffer := make([]byte, datagram)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return
		}
		total := c.udpIn.Add(int64(n))
		if n > 0 && buffer[0] == wantsAnswer {
			sent, err := conn.WriteToUDPAddrPort(binary.BigEndian.AppendUint64(nil, uint64(total)), from) //nolint:gosec // a count
			if err != nil {
				fmt.Fprintln(os.Stderr, "answer:", err)
			}
			c.udpOut.Add(int64(sent))
		}
	}
}
