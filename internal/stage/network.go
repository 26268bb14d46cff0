package stage

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// NetworkSpec says what network to make.
type NetworkSpec struct {
	Mbps     float64 // of the link from the inside outwards, in 10^6 bits per second
	QueueKiB int     // what waits before the link; more is dropped
}

// Network is a network namespace with one link to this host. What is sent from
// the inside is slow; the other way is not.
type Network struct {
	Inside, Outside netip.Addr
	space           string // file that stands for the namespace
}

const inner = "eth0" // the link's name inside

// Network makes a network namespace with a slow link.
func (s *Stage) Network(ctx context.Context, spec NetworkSpec) (*Network, error) {
	if err := errors.Join(s.need(NeedNetwork), spec.check(), s.reserve("network", "site")); err != nil {
		return nil, err
	}
	n, err := s.makeNetwork(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("make a network: %w", err)
	}
	return n, nil
}

func (n NetworkSpec) check() error {
	const least = 0.01
	if !(n.Mbps >= least) || n.QueueKiB <= 0 {
		return fmt.Errorf("the network has %g Mbit/s and a queue of %d KiB: it must have %g and 1 at least", n.Mbps, n.QueueKiB, least)
	}
	return nil
}

func (s *Stage) makeNetwork(ctx context.Context, spec NetworkSpec) (*Network, error) {
	n := &Network{space: filepath.Join(s.dir, prefix+s.id+".net")}
	var err error
	if n.Outside, n.Inside, err = freeAddresses(); err != nil {
		return nil, err
	}
	if err := os.WriteFile(n.space, nil, 0o600); err != nil {
		return nil, err
	}
	// Not ip netns add: that leaves a mount of /run/netns behind.
	if err := s.record(mount{n.space}); err != nil {
		return nil, err
	}
	if _, err := run(ctx, "unshare", "--net="+n.space, "--", "true"); err != nil {
		return nil, err
	}
	outer := link{Name: linkName(s.dir)}
	if err := s.record(outer); err != nil {
		return nil, err
	}
	const width = "/30"
	for _, argv := range [][]string{
		{"ip", "link", "add", outer.Name, "type", "veth", "peer", "name", inner, "netns", n.space},
		{"ip", "address", "add", n.Outside.String() + width, "dev", outer.Name},
		{"ip", "link", "set", outer.Name, "up"},
		n.Wrap([]string{"ip", "address", "add", n.Inside.String() + width, "dev", inner}),
		n.Wrap([]string{"ip", "link", "set", "lo", "up"}),
		n.Wrap([]string{"ip", "link", "set", inner, "up"}),
		n.Wrap(append([]string{"tc"}, slowLink(inner, spec)...)),
	} {
		if _, err := run(ctx, argv[0], argv[1:]...); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// slowLink are the arguments of tc that give a link a rate and a queue.
func slowLink(name string, spec NetworkSpec) []string {
	const burst = "32kb" // what may go at once; holds one packet of any size
	rate := strconv.FormatFloat(spec.Mbps*1e6, 'f', 0, 64) + "bit"
	return []string{"qdisc", "add", "dev", name, "root", "tbf", "rate", rate, "burst", burst, "limit", strconv.Itoa(spec.QueueKiB) + "kb"}
}

// Wrap returns a command that runs argv inside. Unlike ip netns exec it leaves
// the mounts as they are: control groups stay in sight, and no copy of a mount
// keeps a disk in use.
func (n *Network) Wrap(argv []string) []string {
	return append([]string{"nsenter", "--net=" + n.space, "--"}, argv...)
}

// linkName is short enough for an interface, and not that of another run.
func linkName(dir string) string {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(dir)) // never fails
	return fmt.Sprintf("culprit%08x", sum.Sum32())
}

// freeAddresses finds two addresses in 10.97.x.0/30 that touch no network of this host.
func freeAddresses() (outside, inside netip.Addr, err error) {
	used, err := net.InterfaceAddrs()
	if err != nil {
		return outside, inside, fmt.Errorf("list this host's addresses: %w", err)
	}
	for _, x := range rand.Perm(256) { // runs that start together should differ
		net30 := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 97, byte(x), 0}), 30) //nolint:gosec // below 256
		if !slices.ContainsFunc(used, func(a net.Addr) bool { return overlaps(net30, a) }) {
			outside = net30.Addr().Next()
			return outside, outside.Next(), nil
		}
	}
	return outside, inside, errors.New("all networks 10.97.x.0/30 are in use on this host: free one of them")
}

func overlaps(net30 netip.Prefix, a net.Addr) bool {
	used, err := netip.ParsePrefix(a.String())
	return err == nil && used.Overlaps(net30)
}

// link is a virtual network interface of this host; its other end goes with it.
type link struct {
	Name string `json:"name"`
}

func (link) kind() string     { return "link" }
func (l link) String() string { return "the network interface " + l.Name }

func (l link) undo(ctx context.Context) (bool, error) {
	if _, err := net.InterfaceByName(l.Name); err != nil {
		return false, nil //nolint:nilerr // it is not there
	}
	_, err := run(ctx, "ip", "link", "delete", l.Name)
	return true, err
}
