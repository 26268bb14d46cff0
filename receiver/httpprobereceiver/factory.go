package httpprobereceiver

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/scraper"
	"go.opentelemetry.io/collector/scraper/scraperhelper"

	"github.com/otel-culprit/culprit/receiver/httpprobereceiver/internal/metadata"
)

// NewFactory makes the factory of the receiver http_probe.
func NewFactory() receiver.Factory {
	return receiver.NewFactory(
		metadata.Type,
		createDefaultConfig,
		receiver.WithMetrics(createMetrics, metadata.MetricsStability),
	)
}

func createMetrics(_ context.Context, set receiver.Settings, config component.Config, next consumer.Metrics) (receiver.Metrics, error) {
	cfg, ok := config.(*Config)
	if !ok {
		return nil, fmt.Errorf("configuration is a %T and not one of http_probe", config)
	}
	s := &probes{cfg: cfg, set: set}
	metrics, err := scraper.NewMetrics(s.scrape, scraper.WithStart(s.start), scraper.WithShutdown(s.shutdown))
	if err != nil {
		return nil, err
	}
	return scraperhelper.NewMetricsController(&cfg.Controller, set, next, scraperhelper.AddMetricsScraper(metadata.Type, metrics))
}
