package httpprobereceiver

import (
	"net/url"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// attributes identify the series of one target.
type attributes struct {
	service string
	name    string
	address string
	port    int64
}

// attributes of the target, whose parsed URL is u.
func (t *TargetConfig) attributes(u *url.URL) attributes {
	port, err := strconv.ParseInt(u.Port(), 10, 64)
	if err != nil {
		port = 80
		if u.Scheme == "https" {
			port = 443
		}
	}
	return attributes{service: t.Service, name: t.Name, address: u.Hostname(), port: port}
}

// put writes what both metrics carry.
func (a attributes) put(to pcommon.Map) {
	to.PutStr("service.peer.name", a.service)
	to.PutStr("server.address", a.address)
	to.PutInt("server.port", a.port)
	if a.name != "" {
		to.PutStr("rootcause.probe.name", a.name)
	}
}
