package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// The copies of this program that talk to each other.
const (
	roleNetServer = "role-net-server"
	roleNetClient = "role-net-client"
)

// traffic is bytes of payload.
type traffic struct {
	Received    int64 `json:"received"`
	Transmitted int64 `json:"transmitted"`
}

// talked is what a program knows went over its sockets.
type talked struct {
	TCP         traffic `json:"tcp"`
	UDP         traffic `json:"udp"`
	Connections int64   `json:"connections"`
}

// addresses are where the server listens.
type addresses struct {
	TCP string `json:"tcp"`
	UDP string `json:"udp"`
}

// peer is one of both programs: what it said, and who it is.
type peer struct {
	name string
	pid  int
	talked
}

// runTalk lets a client and a server talk, and calls then while both still live.
func (b *bench) runTalk(ctx context.Context, then func(peers []peer) error) error {
	server, serverSays, err := startCopy(ctx, roleNetServer)
	if err != nil {
		return err
	}
	defer server.finish()
	line, err := nextLine(ctx, serverSays, patience)
	if err != nil {
		return err
	}
	client, clientSays, err := startCopy(ctx, roleNetClient, line, strconv.FormatInt(b.checks.bytes, 10), b.checks.linger.String())
	if err != nil {
		return err
	}
	defer client.finish()
	// Even a slow machine sends 20 MB a second.
	most := time.Minute + b.checks.linger + time.Duration(b.checks.bytes/20_000_000)*time.Second
	peers := []peer{{name: "client", pid: client.pid()}, {name: "server", pid: server.pid()}}
	if err := listen(ctx, client, clientSays, most, &peers[0].talked); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(server.stdin, "report"); err != nil {
		return err
	}
	if err := listen(ctx, server, serverSays, patience, &peers[1].talked); err != nil {
		return err
	}
	return then(peers)
}

// listen reads what a program says of its traffic.
func listen(ctx context.Context, c *child, says <-chan string, most time.Duration, into *talked) error {
	line, err := nextLine(ctx, says, most)
	if err != nil {
		return fmt.Errorf("%v: %w; %s", c.cmd.Args[1], err, c.words)
	}
	return json.Unmarshal([]byte(line), into)
}

// creditNetwork compares what both programs sent and received with what they
// were credited.
func (b *bench) creditNetwork(ctx context.Context, l *ledger) ([]share, error) {
	var out []share
	err := b.runTalk(ctx, func(peers []peer) error {
		// The collector has to see the end.
		if err := sleep(ctx, b.checks.linger); err != nil {
			return err
		}
		logf("%d TCP connections", peers[0].Connections)
		for _, p := range peers {
			out = append(out, p.shares(l)...)
		}
		return nil
	})
	return out, err
}

// shares are the comparisons of one program.
func (p peer) shares(l *ledger) []share {
	var out []share
	for _, row := range []struct {
		transport, direction string
		bytes                int64
	}{
		{"tcp", "receive", p.TCP.Received},
		{"tcp", "transmit", p.TCP.Transmitted},
		{"udp", "receive", p.UDP.Received},
		{"udp", "transmit", p.UDP.Transmitted},
	} {
		out = append(out, compare(l, p.name+" "+row.transport+" "+row.direction, float64(row.bytes),
			of(p.pid, metricWorkloadNetwork, metricProcessNetwork, attributeTransport, row.transport, attributeNetwork, row.direction)))
	}
	return out
}
