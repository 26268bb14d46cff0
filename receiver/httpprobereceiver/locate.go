package httpprobereceiver

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"
)

// lookupTimeout bounds how long all names of targets may take to be resolved
// when the receiver starts.
const lookupTimeout = 2 * time.Second

// locator tells whether a target is served by this machine.
type locator struct {
	name   string // this machine's
	own    map[netip.Addr]bool
	lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)
}

func newLocator() (*locator, error) {
	name, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("the name of this host is not known: %w", err)
	}
	l := &locator{name: name, own: map[netip.Addr]bool{}, lookup: net.DefaultResolver.LookupNetIP}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("the addresses of this host are not known: %w", err)
	}
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			l.own[plain(prefix.Addr())] = true
		}
	}
	return l, nil
}

// locate gives the name of the host that serves the address, a name or an IP
// address: this machine's if all that it stands for is here. Otherwise it is
// empty, because the name of the prober would put the blame on the prober.
func (l *locator) locate(ctx context.Context, address string) (string, error) {
	var addrs []netip.Addr
	if a, err := netip.ParseAddr(address); err == nil {
		addrs = append(addrs, a)
	} else if addrs, err = l.lookup(ctx, "ip", address); err != nil {
		return "", err
	}
	for _, a := range addrs {
		if a = plain(a); !a.IsLoopback() && !a.IsUnspecified() && !l.own[a] {
			return "", nil
		}
	}
	if len(addrs) == 0 {
		return "", nil
	}
	return l.name, nil
}

// plain is the address in the one form in which it can be compared.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
