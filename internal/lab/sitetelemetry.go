package lab

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
)

// durationBounds of the site's histogram, in seconds. OpenTelemetry's default
// begins at 5 ms and doubles, which is too coarse for a p95 of 20 ms.
var durationBounds = []float64{
	0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.07,
	0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 30,
}

// siteTelemetry measures requests and sends the histogram every second.
type siteTelemetry struct {
	provider *sdk.MeterProvider
	duration metric.Float64Histogram
}

func newSiteTelemetry(ctx context.Context, cfg SiteConfig) (*siteTelemetry, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("host.name is not known: %w", err)
	}
	options := []sdk.Option{sdk.WithResource(resource.NewSchemaless(
		attribute.String("service.name", cfg.Service),
		attribute.String("host.name", host),
		attribute.Int("process.pid", os.Getpid()),
	))}
	if cfg.OTLPEndpoint != "" {
		var exporter *otlpmetrichttp.Exporter
		exporter, err = otlpmetrichttp.New(ctx,
			otlpmetrichttp.WithEndpointURL(cfg.OTLPEndpoint+"/v1/metrics"),
			otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{Enabled: false}), // sums are cumulative: the next one tells all
		)
		if err != nil {
			return nil, fmt.Errorf("make the site's OTLP exporter: %w", err)
		}
		options = append(options, sdk.WithReader(sdk.NewPeriodicReader(exporter, sdk.WithInterval(time.Second), sdk.WithTimeout(5*time.Second))))
	}
	provider := sdk.NewMeterProvider(options...)
	duration, err := provider.Meter("github.com/otel-culprit/culprit/internal/lab").Float64Histogram(
		"http.server.request.duration",
		metric.WithUnit("s"),
		metric.WithDescription("Duration of HTTP server requests."),
		metric.WithExplicitBucketBoundaries(durationBounds...),
	)
	if err != nil {
		return nil, fmt.Errorf("make the site's histogram: %w", err)
	}
	return &siteTelemetry{provider: provider, duration: duration}, nil
}

// measure records how long a handler takes.
func (t *siteTelemetry) measure(route string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r)
		t.duration.Record(r.Context(), time.Since(start).Seconds(), metric.WithAttributes(
			attribute.String("http.request.method", r.Method),
			attribute.String("http.route", route),
			attribute.Int("http.response.status_code", seen.status),
			attribute.String("url.scheme", "http"),
		))
	})
}

// close sends what is left; ctx has ended by then.
func (t *siteTelemetry) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = t.provider.Shutdown(ctx) // nobody may listen any more
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader remembers the status and passes it on.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
