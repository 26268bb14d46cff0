package procfsreceiver

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/scraper/scrapererror"
	"go.uber.org/zap"

	"github.com/otel-culprit/culprit/internal/procscan"
	"github.com/otel-culprit/culprit/receiver/procfsreceiver/internal/metadata"
)

// processMetrics is how many metrics are missing if processes cannot be listed.
const processMetrics = 9

type procfsScraper struct {
	cfg *Config
	set receiver.Settings

	// Made by start.
	telemetry *metadata.TelemetryBuilder
	scanner   *procscan.Scanner
	boot      pcommon.Timestamp
	sources   []source
	mb        *metadata.MetricsBuilder
	resource  pcommon.Resource
}

func newScraper(cfg *Config, set receiver.Settings) *procfsScraper {
	return &procfsScraper{cfg: cfg, set: set}
}

func (s *procfsScraper) start(ctx context.Context, _ component.Host) error {
	if err := s.open(); err != nil {
		return errors.Join(err, s.shutdown(ctx))
	}
	return nil
}

// open opens the host's files and tries them.
func (s *procfsScraper) open() error {
	root := hostRoot(s.cfg.RootPath)
	var err error
	if s.scanner, err = procscan.Open(procscan.Options{
		Root:        root.proc(),
		Switches:    s.cfg.Metrics.ProcessContextSwitches.Enabled,
		CommandLine: s.cfg.CommandLine == CommandLineScrubbed,
	}); err != nil {
		return err
	}
	if s.telemetry, err = metadata.NewTelemetryBuilder(s.set.TelemetrySettings); err != nil {
		return err
	}
	s.boot = pcommon.NewTimestampFromTime(s.scanner.Boot())
	s.mb = metadata.NewMetricsBuilder(s.cfg.MetricsBuilderConfig, s.set, metadata.WithStartTime(s.boot))
	rb := s.mb.NewResourceBuilder()
	rb.SetHostName(root.hostName())
	rb.SetOsType("linux")
	s.resource = rb.Emit()

	host, err := newHost(root, s.mb)
	if err != nil {
		return err
	}
	s.probe(host.sources())
	return nil
}

// probe tries everything once and says once what this host does not have.
func (s *procfsScraper) probe(sources []source) {
	log, now := s.set.Logger, time.Now()
	s.sources = s.sources[:0]
	for _, src := range sources {
		if err := src.record(now); err != nil {
			log.Warn("A source of metrics is missing on this host",
				zap.Strings("metrics", src.metrics), zap.String("cure", src.cure), zap.Error(err))
			continue
		}
		s.sources = append(s.sources, src)
	}
	s.mb.Emit() // to be forgotten
	snap, err := s.scanner.Scan()
	if err != nil {
		return // each scrape will say so
	}
	for _, m := range missingOfProcesses(snap, s.scanner.BlockDelays()) {
		log.Warn("Something about processes cannot be seen on this host",
			zap.Strings("metrics", m.metrics), zap.Int("processes", m.processes), zap.String("cure", m.cure))
	}
}

func (s *procfsScraper) shutdown(context.Context) error {
	if s.telemetry != nil {
		s.telemetry.Shutdown()
		s.telemetry = nil
	}
	if s.scanner == nil {
		return nil
	}
	err := s.scanner.Close()
	s.scanner = nil
	return err
}

func (s *procfsScraper) scrape(ctx context.Context) (pmetric.Metrics, error) {
	if s.scanner == nil {
		return pmetric.NewMetrics(), errors.New("the receiver is not running")
	}
	var errs scrapererror.ScrapeErrors
	began := time.Now()
	snap, err := s.scanner.Scan()
	if err != nil {
		errs.AddPartial(processMetrics, err)
	}
	s.telemetry.ProcfsScanDuration.Record(ctx, time.Since(began).Seconds())
	s.telemetry.ProcfsProcessesSeen.Record(ctx, int64(len(snap.Processes)))
	s.telemetry.ProcfsProcessesUnreadable.Record(ctx, int64(snap.Unreadable))
	s.telemetry.ProcfsProcessesVanished.Add(ctx, int64(snap.Vanished))

	for _, p := range snap.Processes {
		s.recordProcess(began, p)
	}
	// Counters of the host began at its boot.
	s.mb.Reset(metadata.WithStartTime(s.boot))
	for _, src := range s.sources {
		if err := src.record(began); err != nil {
			errs.AddPartial(len(src.metrics), err)
		}
	}
	return s.mb.Emit(metadata.WithResource(s.resource)), errs.Combine()
}
