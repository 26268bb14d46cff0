package load

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"
)

// Visitors describes a load on a web site of the user's own.
type Visitors struct {
	URL   string   // such as http://127.0.0.1:8080/shop
	Paths []string // such as /cart, each as often; the URL's own if empty
	Seed  uint64   // the same gives the same plan
	// Owned is the host of URL as it is written there, if it is not on the
	// loopback interface: who names it says that he may load it.
	Owned string
}

// NewVisitors makes a load on a web site. A site that is not on the loopback
// interface is refused unless it is owned; redirects are not followed, for they
// may lead elsewhere.
func NewVisitors(v Visitors) (*Load, error) {
	u, err := url.Parse(v.URL)
	if err != nil {
		return nil, fmt.Errorf("site to load: %w", err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("site to load: the URL must be such as http://127.0.0.1:8080/, not %q", v.URL)
	}
	dialer := &net.Dialer{Timeout: Patience}
	if v.Owned == "" {
		dialer.Control = loopbackOnly
	}
	if err := allowed(u, v.Owned); err != nil {
		return nil, err
	}
	paths := v.Paths
	if len(paths) == 0 {
		paths = []string{u.RequestURI()}
	}
	for i, path := range paths {
		parsed, err := url.Parse(path)
		if err != nil || parsed.Host != "" || parsed.Scheme != "" || len(path) == 0 || path[0] != '/' {
			return nil, fmt.Errorf("path %d: %q must begin with a slash and name no host", i+1, path)
		}
	}
	return &Load{
		base: u.Scheme + "://" + u.Host,
		path: func(item uint64) string { return paths[item%uint64(len(paths))] },
		client: &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: MaxUnfinished, DialContext: dialer.DialContext},
			Timeout:       Patience,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		random: rand.New(rand.NewPCG(v.Seed, v.Seed)), //nolint:gosec // the plan must be the same each time
		rates:  make(chan float64),
	}, nil
}

// allowed refuses the sites of others.
func allowed(u *url.URL, owned string) error {
	host := u.Hostname()
	if owned == host {
		return nil
	}
	if owned != "" {
		return fmt.Errorf("site to load: the host of %s is %q, and --i-own-this names %q: they must be the same", u, host, owned)
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("site to load: %s is not on the loopback interface: if it is a test server of your own, say so with --i-own-this %s", u, host)
	}
	return nil
}

// loopbackOnly refuses connections to where a name led elsewhere.
func loopbackOnly(_, address string, _ syscall.RawConn) error {
	where, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("where a connection goes: %w", err)
	}
	if !where.Addr().IsLoopback() {
		return errors.New(address + " is not on the loopback interface")
	}
	return nil
}

// Forget drops the requests that were planned before a time, so that what is kept
// of a long load stays bounded.
func (l *Load) Forget(before time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := len(planned(l.visits, time.Time{}, before))
	l.visits = slices.Delete(l.visits, 0, old)
	l.forgotten += old
}

// Took lists how long the requests took that were planned from one time until
// another, in milliseconds, and counts those that failed. An unfinished one
// counts with its age.
func (l *Load) Took(from, until time.Time) (took []float64, failed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, v := range planned(l.visits, from, until) {
		took = append(took, v.milliseconds(now))
		if v.failed {
			failed++
		}
	}
	return took, failed
}
