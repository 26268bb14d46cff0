package httpprobereceiver

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.uber.org/zap"

	"github.com/otel-culprit/culprit/receiver/httpprobereceiver/internal/metadata"
)

// probes owns the probers and turns what they have seen into metrics.
type probes struct {
	cfg *Config
	set receiver.Settings

	probers []*prober
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func (s *probes) start(ctx context.Context, host component.Host) error {
	l, err := newLocator()
	if err != nil {
		return err
	}
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
	locateAll(ctx, l, s.probers)
	// Start's context ends with Start; the probers live until shutdown.
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	for _, p := range s.probers {
		s.running.Go(func() { p.run(background) })
	}
	return nil
}

// locateAll finds the hosts of all targets at the same time.
func locateAll(ctx context.Context, l *locator, probers []*prober) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	var waiting sync.WaitGroup
	for _, p := range probers {
		waiting.Go(func() { p.locate(ctx, l) })
	}
	waiting.Wait()
}

// locate finds the host of the target, unless it is configured.
func (p *prober) locate(ctx context.Context, l *locator) {
	if p.host = p.target.Host; p.host != "" {
		return
	}
	var err error
	if p.host, err = l.locate(ctx, p.attrs.address); err != nil || p.host == "" {
		p.logger.Info("The target is not known to be on this host: its probes have no host.name. If it is, or on another host that is watched, set host",
			zap.String("service", p.target.Service), zap.String("server", p.attrs.address), zap.Error(err))
	}
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
	now := time.Now()
	done := make(map[string]bool, 1)
	for _, p := range s.probers {
		if !done[p.host] {
			done[p.host] = true
			s.report(md.ResourceMetrics().AppendEmpty(), now, p.host)
		}
	}
	return md, nil
}

// report writes the metrics of all targets of a host.
func (s *probes) report(rm pmetric.ResourceMetrics, now time.Time, host string) {
	if host != "" {
		rm.Resource().Attributes().PutStr("host.name", host)
	}
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

	for _, p := range s.probers {
		if p.host == host {
			p.report(now, durations.DataPoints(), ages.DataPoints())
		}
	}
	if durations.DataPoints().Len() == 0 {
		sm.Metrics().RemoveIf(func(m pmetric.Metric) bool { return m.Type() == pmetric.MetricTypeHistogram })
	}
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
