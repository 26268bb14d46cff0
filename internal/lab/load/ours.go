package load

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
)

// ownNetwork is what the lab's network namespaces take their addresses from.
var ownNetwork = netip.MustParsePrefix("10.97.0.0/16")

// MustBeOurs refuses addresses where strangers could be, or whence they could
// come.
func MustBeOurs(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address must be such as 127.0.0.1:8080: %w", err)
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() && !ownNetwork.Contains(ip) {
		return fmt.Errorf("address must be on the loopback interface, such as 127.0.0.1:8080, or in the lab's own network %v, not %q", ownNetwork, addr)
	}
	return nil
}

// Get asks and reads the whole answer, which must be a good one.
func Get(client *http.Client, req *http.Request) error {
	resp, err := client.Do(req) //nolint:gosec // whoever made the request answers for where it goes
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // read only
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", req.URL.Host, resp.Status)
	}
	return nil
}
