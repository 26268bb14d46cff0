package sockets

import (
	"errors"
	"fmt"

	"github.com/otel-culprit/culprit/internal/process"
)

// Peer is a server that a client is connected to.
type Peer struct {
	Client *process.Process
	Server *process.Process
	Unix   int // connections over unix sockets
	TCP    int // over TCP, within the host
}

// Peers returns which of the servers hold the other ends of the clients'
// connections, in the order of servers and then of clients. It reads the
// descriptors of these processes only, all of them, each once, and lists the unix
// and TCP sockets of the network namespace of each client: some milliseconds.
//
// TCP connections are matched by their addresses, so one whose addresses are
// translated on its way, as to a published port of a container, is not found.
//
// An error means that the descriptors of a client could not be read, or a list
// could not be had; with peers, that some may be missing among them.
func (t *Table) Peers(clients, servers []*process.Process) ([]Peer, error) {
	var all []clientEnds
	var errs []error
	for _, client := range clients {
		ends, err := t.endsOf(client, servers)
		if len(ends) > 0 {
			all = append(all, clientEnds{client, ends})
		}
		errs = append(errs, err)
	}
	if len(all) == 0 {
		return nil, errors.Join(errs...)
	}
	var peers []Peer
	for _, server := range servers {
		held := inodes{}
		if err := t.reader.all(server.PID, held); err != nil {
			if !gone(err) {
				errs = append(errs, fmt.Errorf("read the descriptors of process %d: %w", server.PID, err))
			}
			continue
		}
		for _, c := range all {
			if p := (Peer{Client: c.client, Server: server}); server.PID != c.client.PID && p.count(held, c.ends) {
				peers = append(peers, p)
			}
		}
	}
	return peers, errors.Join(errs...)
}

// clientEnds is a client with the other ends of its connections.
type clientEnds struct {
	client *process.Process
	ends   map[uint32]transport
}

// endsOf finds the other ends of a client's connections.
func (t *Table) endsOf(client *process.Process, servers []*process.Process) (map[uint32]transport, error) {
	own := inodes{}
	if err := t.reader.all(client.PID, own); err != nil {
		return nil, fmt.Errorf("read the descriptors of process %d: %w", client.PID, err)
	}
	if len(own) == 0 {
		return nil, nil
	}
	return t.otherEnds(own, client, servers)
}

// count counts the ends that the server holds; false if none.
func (p *Peer) count(held inodes, ends map[uint32]transport) bool {
	for inode := range held {
		switch ends[inode] {
		case overUnix:
			p.Unix++
		case overTCP:
			p.TCP++
		case overNothing:
		}
	}
	return p.Unix+p.TCP > 0
}

// inodes are those of the sockets of a process.
type inodes map[uint32]struct{}

func (s inodes) holds(inode uint32, _ uint64) { s[inode] = struct{}{} }

func (s inodes) has(inode uint32) bool {
	_, ok := s[inode]
	return ok
}

// transport is what a connection runs over.
type transport uint8

const (
	overNothing transport = iota
	overUnix
	overTCP
)

// otherEnds returns the inodes of the sockets that the client's are connected to.
func (t *Table) otherEnds(own inodes, client *process.Process, servers []*process.Process) (map[uint32]transport, error) {
	ends := map[uint32]transport{}
	home := t.spaceOf(client)
	if home.conn == nil {
		return nil, fmt.Errorf("process %d is in a network namespace that may not be entered", client.PID)
	}
	// A unix socket names its peer wherever that is.
	_, err := home.conn.dump(unixRequest(), t.buf, &unixEnds{own: own, ends: ends})
	if err != nil {
		err = fmt.Errorf("list the unix sockets: %w", err)
	}
	c := &tcpEnds{own: own, tuples: map[tuple]struct{}{}, ends: ends, home: true}
	err = errors.Join(err, t.listInto(home, c))
	if len(c.tuples) == 0 {
		return ends, err
	}
	c.seek = true
	err = errors.Join(err, t.listInto(home, c))
	c.home = false
	for space := range t.spacesOf(servers) {
		if space != home && space.conn != nil {
			err = errors.Join(err, t.listInto(space, c))
		}
	}
	return ends, err
}

// spaceOf is the network namespace of a process: as known from updates, or else
// the own one.
func (t *Table) spaceOf(p *process.Process) *namespace {
	if inode, ok := t.reader.namespaceOf(p.PID); ok && t.own.inode != 0 {
		if n := t.spaces[inode]; n != nil {
			return n
		}
		return &namespace{}
	}
	return t.own
}

func (t *Table) spacesOf(processes []*process.Process) map[*namespace]struct{} {
	spaces := map[*namespace]struct{}{}
	for _, p := range processes {
		spaces[t.spaceOf(p)] = struct{}{}
	}
	return spaces
}

// listInto lists the TCP sockets of a namespace.
func (t *Table) listInto(n *namespace, s sink) error {
	var err error
	for _, request := range t.request {
		if _, dumpErr := n.conn.dump(request, t.buf, s); dumpErr != nil {
			err = errors.Join(err, fmt.Errorf("list the TCP sockets: %w", dumpErr))
		}
	}
	return err
}

// unixEnds finds the other ends of unix sockets.
type unixEnds struct {
	own  inodes
	ends map[uint32]transport
}

func (u *unixEnds) message(payload []byte) error {
	p, err := parseUnix(payload)
	if err == nil && p.peer != 0 && u.own.has(p.inode) {
		u.ends[p.peer] = overUnix
	}
	return err
}

// tuple is a connection as one end sees it.
type tuple struct{ local, remote endpoint }

// tcpEnds finds the other ends of TCP sockets: first the connections of the
// client, then those who have the same addresses the other way round.
type tcpEnds struct {
	own    inodes
	tuples map[tuple]struct{} // as the other end sees them
	ends   map[uint32]transport
	seek   bool
	home   bool // what is listed is the client's namespace
}

func (c *tcpEnds) message(payload []byte) error {
	s, err := parseInet(payload)
	if err != nil || s.inode == 0 || s.state == stateListen {
		return err
	}
	if !c.seek {
		if c.own.has(s.inode) {
			c.tuples[tuple{local: s.remote, remote: s.local}] = struct{}{}
		}
		return nil
	}
	// Each namespace has its own loopback addresses.
	if !c.home && s.local.loopback() {
		return nil
	}
	if _, ok := c.tuples[tuple{local: s.local, remote: s.remote}]; ok {
		c.ends[s.inode] = overTCP
	}
	return nil
}
