package httpprobereceiver

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"

	"github.com/otel-culprit/culprit/receiver/httpprobereceiver/internal/metadata"
)

func TestOnlyTargetsOnThisMachineHaveItsName(t *testing.T) {
	names := map[string][]netip.Addr{
		"localhost":  {netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")},
		"mine":       {netip.MustParseAddr("::ffff:192.0.2.7")},
		"elsewhere":  {netip.MustParseAddr("192.0.2.8")},
		"both":       {netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("192.0.2.8")},
		"no address": nil,
	}
	l := &locator{
		name: "web1", own: map[netip.Addr]bool{netip.MustParseAddr("192.0.2.7"): true, netip.MustParseAddr("fe80::1"): true},
		lookup: func(_ context.Context, _, host string) ([]netip.Addr, error) { return names[host], nil },
	}
	for address, want := range map[string]string{
		"127.0.0.1": "web1", "127.9.9.9": "web1", "::1": "web1", "0.0.0.0": "web1", "192.0.2.7": "web1", "fe80::1%eth0": "web1",
		"localhost": "web1", "mine": "web1",
		"192.0.2.8": "", "2001:db8::1": "", "elsewhere": "", "both": "", "no address": "",
	} {
		got, err := l.locate(t.Context(), address)
		require.NoError(t, err)
		require.Equal(t, want, got, address)
	}
}

func TestThisMachineKnowsItsAddresses(t *testing.T) {
	l, err := newLocator()
	require.NoError(t, err)
	addrs, err := net.InterfaceAddrs()
	require.NoError(t, err)
	require.NotEmpty(t, addrs)
	for _, a := range addrs {
		ip, _, err := net.ParseCIDR(a.String())
		require.NoError(t, err)
		got, err := l.locate(t.Context(), ip.String())
		require.NoError(t, err)
		require.Equal(t, l.name, got)
	}
}

func TestASlowNameServerDoesNotHoldUpTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &locator{name: "web1", lookup: func(ctx context.Context, _, host string) ([]netip.Addr, error) {
			if host == "broken" {
				return nil, errors.New("no such host")
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		var probers []*prober
		for _, target := range []TargetConfig{
			{URL: "http://slow/", Host: ""},
			{URL: "http://slower/", Host: ""},
			{URL: "http://broken/", Host: ""},
			{URL: "http://127.0.0.1/", Host: ""},
			{URL: "http://slow/", Host: "named"},
		} {
			p, err := newProber(&target, http.DefaultClient, zap.NewNop())
			require.NoError(t, err)
			probers = append(probers, p)
		}
		began := time.Now()
		locateAll(t.Context(), l, probers)
		require.Equal(t, lookupTimeout, time.Since(began))
		var hosts []string
		for _, p := range probers {
			hosts = append(hosts, p.host)
		}
		require.Equal(t, []string{"", "", "", "web1", "named"}, hosts)
	})
}

func TestEachHostIsAResource(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	target := func(name, host string) map[string]any {
		return map[string]any{"url": server.URL, "service": "shop", "name": name, "host": host}
	}
	cfg := load(t, targets(target("a", "web1"), target("b", ""), target("c", "web2"), target("d", "web1")))
	sink := new(consumertest.MetricsSink)
	r, err := NewFactory().CreateMetrics(t.Context(), receivertest.NewNopSettings(metadata.Type), cfg, sink)
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	require.Eventually(t, func() bool { return len(sink.AllMetrics()) > 0 }, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, r.Shutdown(t.Context()))

	got := map[any][]string{}
	for _, rm := range sink.AllMetrics()[0].ResourceMetrics().All() {
		host := rm.Resource().Attributes().AsRaw()["host.name"]
		metrics := rm.ScopeMetrics().At(0).Metrics()
		ages := metrics.At(metrics.Len() - 1)
		require.Equal(t, "rootcause.probe.unfinished.age", ages.Name())
		for _, dp := range ages.Gauge().DataPoints().All() {
			name, _ := dp.Attributes().Get("rootcause.probe.name")
			got[host] = append(got[host], name.Str())
		}
	}
	self, err := os.Hostname()
	require.NoError(t, err)
	require.Equal(t, map[any][]string{"web1": {"a", "d"}, self: {"b"}, "web2": {"c"}}, got)
}
