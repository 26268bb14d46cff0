package httpprobereceiver

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"

	"github.com/otel-culprit/culprit/receiver/httpprobereceiver/internal/metadata"
)

// probes owns the probers and turns what they have seen into metrics.
type probes struct {
	cfg *Config
	set receiver.Settings

	host    string
	probers []*prober
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func (s *probes) start(ctx context.Context, host component.Host) error {
	name, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("host.name is not known: %w", err)
	}
	s.host = name
	for i := range s.cfg.Targets {
		target := &s.cfg.Targets[i]
		client, err := target.client(ctx, host, s.set.TelemetrySettings)
		if err != nil {
			return fmt.Errorf("targets::%d: %w", i, err)
		}
		p, err := newProber(target, client, s.set.Logger)
		if err != nil {
			return fmt.Errorf("targets::%d: %w", i, err)
		}
		s.probers = append(s.probers, p)
	}
	// Start's context ends with Start; the probers live until shutdown.
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	for _, p := range s.probers {
		s.running.Go(func() { p.run(background) })
	}
	return nil
}

func (s *probes) shutdown(context.Context) error {
	if s.cancel != nil {
		s.cancel()
	}
	s.running.Wait()
	for _, p := range s.probers {
		p.client.CloseIdleConnections()
	}
	return nil
}

// client makes the HTTP client of a target. Timeouts are the prober's own.
func (t *TargetConfig) client(ctx context.Context, host component.Host, set component.TelemetrySettings) (*http.Client, error) {
	cfg := confighttp.NewDefaultClientConfig()
	cfg.Headers = t.Headers
	cfg.TLS = t.TLS
	cfg.Auth = t.Auth
	cfg.MaxIdleConnsPerHost = t.MaxInFlight
	client, err := cfg.ToClient(ctx, host.GetExtensions(), set)
	if err != nil {
		return nil, err
	}
	if !t.FollowRedirects {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return client, nil
}

func (s *probes) scrape(context.Context) (pmetric.Metrics, error) {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("host.name", s.host)
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(metadata.ScopeName)
	sm.Scope().SetVersion(s.set.BuildInfo.Version)

	m := sm.Metrics().AppendEmpty()
	m.SetName("http.client.request.duration")
	m.SetDescription("Duration of probes, counted from the planned start.")
	m.SetUnit("s")
	durations := m.SetEmptyHistogram()
	durations.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)

	m = sm.Metrics().AppendEmpty()
	m.SetName("rootcause.probe.unfinished.age")
	m.SetDescription("Age of the oldest unfinished probe, 0 if there is none.")
	m.SetUnit("s")
	ages := m.SetEmptyGauge()

	now := time.Now()
	for _, p := range s.probers {
		p.report(now, durations.DataPoints(), ages.DataPoints())
	}
	if durations.DataPoints().Len() == 0 {
		sm.Metrics().RemoveIf(func(m pmetric.Metric) bool { return m.Type() == pmetric.MetricTypeHistogram })
	}
	return md, nil
}

// report adds the target's data points.
func (p *prober) report(now time.Time, durations pmetric.HistogramDataPointSlice, ages pmetric.NumberDataPointSlice) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for o, h := range p.finished {
		dp := durations.AppendEmpty()
		dp.SetStartTimestamp(pcommon.NewTimestampFromTime(p.start))
		dp.SetTimestamp(pcommon.NewTimestampFromTime(now))
		h.put(dp)
		p.attrs.put(dp.Attributes())
		dp.Attributes().PutStr("http.request.method", p.target.Method)
		if o.status != 0 {
			dp.Attributes().PutInt("http.response.status_code", int64(o.status))
		}
		if o.errorType != "" {
			dp.Attributes().PutStr("error.type", o.errorType)
		}
	}
	dp := ages.AppendEmpty()
	dp.SetTimestamp(pcommon.NewTimestampFromTime(now))
	dp.SetDoubleValue(p.oldest(now).Seconds())
	p.attrs.put(dp.Attributes())
}
