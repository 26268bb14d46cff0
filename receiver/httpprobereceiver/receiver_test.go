package httpprobereceiver

import (
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otel-culprit/culprit/receiver/httpprobereceiver/internal/metadata"
)

// probeSite runs the receiver on a URL until the last emitted metrics satisfy
// enough, and shuts it down.
func probeSite(t *testing.T, target map[string]any, enough func(durations, ages pmetric.Metric) bool) {
	t.Helper()
	for key, value := range map[string]any{"service": "shop", "interval": "20ms"} {
		if _, set := target[key]; !set {
			target[key] = value
		}
	}
	raw := targets(target)
	raw["collection_interval"] = "20ms"
	cfg := load(t, raw)
	require.NoError(t, cfg.Targets[0].Validate())

	sink := new(consumertest.MetricsSink)
	r, err := NewFactory().CreateMetrics(t.Context(), receivertest.NewNopSettings(metadata.Type), cfg, sink)
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	defer func() { require.NoError(t, r.Shutdown(t.Context())) }()
	require.Eventually(t, func() bool {
		all := sink.AllMetrics()
		if len(all) == 0 {
			return false
		}
		durations, ages := pmetric.NewMetric(), pmetric.NewMetric()
		metrics := all[len(all)-1].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
		for _, m := range metrics.All() {
			if m.Type() == pmetric.MetricTypeHistogram {
				m.CopyTo(durations)
			} else {
				m.CopyTo(ages)
			}
		}
		return enough(durations, ages)
	}, 10*time.Second, 10*time.Millisecond)
}

// counted gives the attributes of the first outcome that was counted, without
// those that name the server.
func counted(m pmetric.Metric) map[string]any {
	if m.Type() != pmetric.MetricTypeHistogram {
		return nil
	}
	attrs := m.Histogram().DataPoints().At(0).Attributes().AsRaw()
	delete(attrs, "server.port")
	return attrs
}

func TestASiteThatAnswers(t *testing.T) {
	var secret atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secret.Store(r.Header.Get("Authorization"))
		_, _ = io.WriteString(w, "hello")
	}))
	defer server.Close()
	probeSite(t, map[string]any{"url": server.URL, "name": "front", "headers": map[string]any{"Authorization": "token"}},
		func(durations, ages pmetric.Metric) bool {
			if durations.Type() != pmetric.MetricTypeHistogram || durations.Histogram().DataPoints().At(0).Count() < 3 {
				return false
			}
			require.Equal(t, "http.client.request.duration", durations.Name())
			require.Equal(t, "s", durations.Unit())
			require.Equal(t, pmetric.AggregationTemporalityCumulative, durations.Histogram().AggregationTemporality())
			dp := durations.Histogram().DataPoints().At(0)
			require.Less(t, dp.StartTimestamp(), dp.Timestamp())
			require.Equal(t, dp.ExplicitBounds().Len()+1, dp.BucketCounts().Len())
			require.Equal(t, map[string]any{
				"service.peer.name": "shop", "server.address": "127.0.0.1", "rootcause.probe.name": "front",
				"http.request.method": "GET", "http.response.status_code": int64(200),
			}, counted(durations))
			require.Equal(t, "rootcause.probe.unfinished.age", ages.Name())
			return true
		})
	require.Equal(t, "token", secret.Load())
}

func TestASiteThatStalls(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(release)
	var last float64
	probeSite(t, map[string]any{"url": server.URL}, func(durations, ages pmetric.Metric) bool {
		if ages.Type() != pmetric.MetricTypeGauge {
			return false
		}
		age := ages.Gauge().DataPoints().At(0).DoubleValue()
		require.GreaterOrEqual(t, age, last, "the oldest request only gets older")
		require.NotEqual(t, pmetric.MetricTypeHistogram, durations.Type())
		last = age
		return age > 0.3
	})
}

func TestHowRequestsFail(t *testing.T) {
	fails := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/503":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "short")
		case "/moved":
			http.Redirect(w, r, "/503", http.StatusFound)
		case "/slow":
			<-r.Context().Done()
		}
	}))
	defer fails.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // of the certificate
	secure.StartTLS()
	defer secure.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	dead := "http://" + listener.Addr().String()
	require.NoError(t, listener.Close())

	for name, test := range map[string]struct {
		target map[string]any
		want   map[string]any
	}{
		"nobody listens":     {map[string]any{"url": dead}, map[string]any{"error.type": "connection_refused"}},
		"server error":       {map[string]any{"url": fails.URL + "/503"}, map[string]any{"error.type": "503", "http.response.status_code": int64(503)}},
		"answer cut off":     {map[string]any{"url": fails.URL + "/cut"}, map[string]any{"error.type": "connection_closed", "http.response.status_code": int64(200)}},
		"redirect":           {map[string]any{"url": fails.URL + "/moved"}, map[string]any{"http.response.status_code": int64(302)}},
		"redirect, followed": {map[string]any{"url": fails.URL + "/moved", "follow_redirects": true}, map[string]any{"error.type": "503", "http.response.status_code": int64(503)}},
		"too slow":           {map[string]any{"url": fails.URL + "/slow", "timeout": "50ms"}, map[string]any{"error.type": "timeout"}},
		"unknown authority":  {map[string]any{"url": secure.URL}, map[string]any{"error.type": "server_certificate_invalid"}},
		"no such host":       {map[string]any{"url": "http://shop.invalid/"}, map[string]any{"error.type": "name_not_resolved", "server.address": "shop.invalid"}},
	} {
		t.Run(name, func(t *testing.T) {
			want := map[string]any{"service.peer.name": "shop", "server.address": "127.0.0.1", "http.request.method": "GET"}
			maps.Copy(want, test.want)
			probeSite(t, test.target, func(durations, _ pmetric.Metric) bool {
				got := counted(durations)
				if got == nil {
					return false
				}
				require.Equal(t, want, got)
				return true
			})
		})
	}
}

func TestShutdownWithoutStart(t *testing.T) {
	cfg := load(t, targets(map[string]any{"url": "http://127.0.0.1:1/", "service": "shop"}))
	r, err := NewFactory().CreateMetrics(t.Context(), receivertest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop())
	require.NoError(t, err)
	require.NoError(t, r.Shutdown(t.Context()))
}
