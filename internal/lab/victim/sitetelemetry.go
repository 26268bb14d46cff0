package victim

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// durationBounds of the site's histograms, in seconds. OpenTelemetry's default
// begins at 5 ms and doubles, which is too coarse for a p95 of 20 ms.
var durationBounds = []float64{
	0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.07,
	0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 30,
}

// siteTelemetry measures requests and sends histograms every second, and the
// traces of a site that asks others.
type siteTelemetry struct {
	metrics *sdk.MeterProvider
	traces  trace.TracerProvider
	flush   []func(context.Context) error
}

func newSiteTelemetry(ctx context.Context, cfg SiteConfig) (*siteTelemetry, error) {
	who, err := identity(cfg.Service, attribute.Int("process.pid", os.Getpid()))
	if err != nil {
		return nil, err
	}
	options := []sdk.Option{
		sdk.WithView(
			sdk.NewView(sdk.Instrument{Name: "http.*.request.duration"}, sdk.Stream{Aggregation: sdk.AggregationExplicitBucketHistogram{Boundaries: durationBounds}}),
			sdk.NewView(sdk.Instrument{Name: "http.*.body.size"}, sdk.Stream{Aggregation: sdk.AggregationDrop{}}),
		),
	}
	t := &siteTelemetry{traces: noop.NewTracerProvider()}
	if t.metrics, err = newMetrics(ctx, cfg.OTLPEndpoint, who, options...); err != nil {
		return nil, err
	}
	t.flush = append(t.flush, t.metrics.Shutdown)
	if cfg.OTLPEndpoint == "" || cfg.Upstream == "" {
		return t, nil
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(cfg.OTLPEndpoint+"/v1/traces"))
	if err != nil {
		return nil, fmt.Errorf("make the site's exporter of traces: %w", err)
	}
	traces := sdktrace.NewTracerProvider(sdktrace.WithResource(who), sdktrace.WithBatcher(exporter, sdktrace.WithBatchTimeout(time.Second)))
	t.traces = traces
	t.flush = append(t.flush, traces.Shutdown)
	return t, nil
}

// identity says whose telemetry it is.
func identity(service string, more ...attribute.KeyValue) (*resource.Resource, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("host.name is not known: %w", err)
	}
	return resource.NewSchemaless(append(more, attribute.String("service.name", service), attribute.String("host.name", host))...), nil
}

// newMetrics sends metrics to the endpoint every second; nowhere if it is empty.
func newMetrics(ctx context.Context, endpoint string, who *resource.Resource, options ...sdk.Option) (*sdk.MeterProvider, error) {
	options = append(options, sdk.WithResource(who))
	if endpoint != "" {
		exporter, err := otlpmetrichttp.New(ctx,
			otlpmetrichttp.WithEndpointURL(endpoint+"/v1/metrics"),
			otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{Enabled: false}), // sums are cumulative: the next one tells all
		)
		if err != nil {
			return nil, fmt.Errorf("make the exporter of metrics: %w", err)
		}
		options = append(options, sdk.WithReader(sdk.NewPeriodicReader(exporter, sdk.WithInterval(time.Second), sdk.WithTimeout(5*time.Second))))
	}
	return sdk.NewMeterProvider(options...), nil
}

func (t *siteTelemetry) options() []otelhttp.Option {
	return []otelhttp.Option{otelhttp.WithMeterProvider(t.metrics), otelhttp.WithTracerProvider(t.traces)}
}

// measure records how long a handler takes.
func (t *siteTelemetry) measure(next http.Handler) http.Handler {
	return otelhttp.NewHandler(next, "", t.options()...)
}

// transport records how long calls take.
func (t *siteTelemetry) transport(next http.RoundTripper) http.RoundTripper {
	return otelhttp.NewTransport(next, t.options()...)
}

// close sends what is left; ctx has ended by then.
func (t *siteTelemetry) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	for _, flush := range t.flush {
		_ = flush(ctx) // nobody may listen any more
	}
}
